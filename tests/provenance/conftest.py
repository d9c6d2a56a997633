"""Files, keys and gate records for the provenance tests; all made here, nothing read from outside."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import c2pa
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from provenance import (
    DevelopmentKeys,
    GateRecord,
    Kind,
    Manifest,
    Origin,
    SigningIdentity,
    SourceType,
    Trust,
    build_manifest,
    publish,
)
from safety import Action, Circumstances, Decision, PostureEntry, Stage

CLAIM_EKU = "1.3.6.1.4.1.62558.2.1"
POLICY = {"id": "default", "version": "1", "digest": "ab" * 32}


def _write_video(path: Path, codec: str, frames: int, size: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 24)
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            pixels = np.full((size, size, 3), 20 * number % 255, np.uint8)
            pixels[: size // 2, number % size] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(stream.encode())
    return path


def _write_picture(path: Path, codec: str, pix_fmt: str) -> Path:
    pixels = np.random.default_rng(7).integers(0, 255, (32, 32, 3), np.uint8)
    options = {} if codec == "gif" else {"update": "1"}
    with av.open(str(path), "w", format="gif" if codec == "gif" else "image2", options=options) as container:
        stream = container.add_stream(codec, 1)
        stream.width = stream.height = 32
        stream.pix_fmt = pix_fmt
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels).reformat(format=pix_fmt)))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small unsigned file of each kind: clip.mp4, clip.mov, clip.webm, still.png, ..."""
    folder = tmp_path_factory.mktemp("samples")
    _write_video(folder / "clip.mp4", "libx264", 8, 64)
    _write_video(folder / "other.mp4", "libx264", 5, 64)
    _write_video(folder / "clip.mov", "libx264", 4, 64)
    _write_video(folder / "clip.avi", "mpeg4", 4, 64)
    _write_video(folder / "hevc.mp4", "libx265", 4, 64)
    _write_video(folder / "av1.mp4", "libsvtav1", 4, 64)
    _write_video(folder / "clip.webm", "libvpx-vp9", 4, 64)
    _write_picture(folder / "still.png", "png", "rgb24")
    _write_picture(folder / "still.jpg", "mjpeg", "yuvj420p")
    _write_picture(folder / "still.webp", "libwebp", "yuv420p")
    _write_picture(folder / "still.gif", "gif", "rgb8")
    _write_picture(folder / "still.tiff", "tiff", "rgb24")
    _write_picture(folder / "still.bmp", "bmp", "bgr24")
    return folder


@pytest.fixture(scope="session")
def video(samples: Path) -> Path:
    """A small unsigned MP4."""
    return samples / "clip.mp4"


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentKeys:
    """Our development keys."""
    return DevelopmentKeys.load_or_create(tmp_path_factory.mktemp("ours") / "keys")


@pytest.fixture(scope="session")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentKeys:
    """Somebody else's development keys."""
    return DevelopmentKeys.load_or_create(tmp_path_factory.mktemp("theirs") / "keys")


@pytest.fixture(scope="session")
def identity(keys: DevelopmentKeys) -> SigningIdentity:
    """Our identity."""
    return keys.identity


@pytest.fixture(scope="session")
def trust(identity: SigningIdentity) -> Trust:
    """Trust in our root alone."""
    return Trust.of(identity)


def _decision(action: Action = Action.ALLOW, stage: Stage = Stage.FRAME, **fields: Any) -> Decision:
    circumstances = Circumstances(backend="embedded", on=datetime(2026, 1, 2, tzinfo=UTC).date())
    defaults: dict[str, Any] = {
        "id": f"dec_{stage.value.replace(' ', '-')}-{action.word}",
        "policy": POLICY,
        "reasons": (),
        "circumstances": circumstances,
    }
    return Decision(stage=stage, action=action, **{**defaults, **fields})


@pytest.fixture(scope="session")
def decision() -> Callable[..., Decision]:
    """Makes a decision from an action, a stage and any other field."""
    return _decision


@pytest.fixture(scope="session")
def gate() -> GateRecord:
    """A record that allows: prompt and frames, one model that looked."""
    posture = (PostureEntry(Stage.FRAME, "toy", "1", "cd" * 32, "onnxruntime 1.20", 8, 0),)
    return GateRecord.of([_decision(stage=Stage.PROMPT), _decision()], posture)


_SOURCE_TYPES = {Kind.SCANNED: None, Kind.DERIVED: None, Kind.EXTENSION: SourceType.COMPOSITE}


def _origin(kind: Kind = Kind.TEXT_TO_VIDEO, *inputs: Path, **fields: Any) -> Origin:
    defaults: dict[str, Any] = {
        "created_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "digital_source_type": _SOURCE_TYPES.get(kind, SourceType.TRAINED),
        "weights_sha256": "ef" * 32,
        "mode": "plain",
        "seed": 2**70,
    }
    return Origin(kind, "toy-dit", "3", inputs=inputs, **{**defaults, **fields})


@pytest.fixture(scope="session")
def origin() -> Callable[..., Origin]:
    """Makes an origin from a kind, inputs and any other field."""
    return _origin


@pytest.fixture(scope="session")
def manifest(gate: GateRecord) -> Callable[..., Manifest]:
    """Makes a manifest that may be signed, from a kind and inputs."""

    def make(kind: Kind = Kind.TEXT_TO_VIDEO, *inputs: Path, **fields: Any) -> Manifest:
        return build_manifest(_origin(kind, *inputs, **fields), gate, "clip")

    return make


@pytest.fixture(scope="session")
def signed(
    tmp_path_factory: pytest.TempPathFactory,
    video: Path,
    manifest: Callable[..., Manifest],
    identity: SigningIdentity,
) -> Path:
    """A video that we published."""
    path = tmp_path_factory.mktemp("signed") / "signed.mp4"
    publish(video, path, manifest(), identity)
    return path


@dataclass(frozen=True)
class Forge:
    """Signs whatever it is told to with the bare library: what a careless or a hostile tool would write."""

    identity: SigningIdentity

    def __call__(
        self, source: Path, target: Path, definition: dict[str, Any], *ingredients: tuple[dict[str, str], Path]
    ) -> Path:
        settings = {**Trust.of(self.identity).settings(), "builder": {"thumbnail": {"enabled": False}}}
        with (
            c2pa.Context.from_dict(settings) as context,
            c2pa.Signer.from_info(
                c2pa.C2paSignerInfo(self.identity.alg, self.identity.chain_pem, self.identity.key_pem, None)
            ) as signer,
            c2pa.Builder(definition, context=context) as builder,
        ):
            for words, path in ingredients:
                with path.open("rb") as file:
                    builder.add_ingredient(json.dumps(words), "video/mp4", file)
            with source.open("rb") as file, target.open("w+b") as out:
                builder.sign(signer, "video/mp4", file, out)
        return target


def _definition(*actions: dict[str, Any]) -> dict[str, Any]:
    return {
        "claim_version": 2,
        "claim_generator_info": [{"name": "Another tool", "version": "1"}],
        "title": "theirs",
        "assertions": [{"label": "c2pa.actions.v2", "created": True, "data": {"actions": list(actions)}}],
    }


@pytest.fixture(scope="session")
def forge(identity: SigningIdentity) -> Forge:
    """A tool of ours-gone-bad: right keys, no scruples."""
    return Forge(identity)


@pytest.fixture(scope="session")
def adopt(forge: Forge) -> Callable[..., Path]:
    """Signs a file over a parent or an input, whatever state that is in."""

    def make(target: Path, parent: Path, relationship: str = "parentOf", source: Path | None = None) -> Path:
        action = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["p"]}}
        if relationship != "parentOf":
            action |= {"action": "c2pa.created", "digitalSourceType": "http://c2pa.org/digitalsourcetype/empty"}
        words = {"title": "p", "relationship": relationship, "label": "p"}
        return forge(source or parent, target, _definition(action), (words, parent))

    return make


@pytest.fixture(scope="session")
def flip() -> Callable[[Path, Path], Path]:
    """Copies an MP4 with one bit of its picture changed."""

    def make(source: Path, target: Path) -> Path:
        content = bytearray(source.read_bytes())
        content[content.rfind(b"mdat") + 40] ^= 1
        target.write_bytes(content)
        return target

    return make


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test's own, which issues what a good one would not."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def leaf(
        self,
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | None = None,
        ekus: tuple[str, ...] = (CLAIM_EKU,),
        start: timedelta = timedelta(minutes=-5),
        days: float = 30,
        ca: bool = False,
        signing: bool = True,
        name: str = "leaf",
    ) -> tuple[bytes, bytes]:
        """Chain (leaf alone) and key, both PEM."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, self, key.public_key(), start, days, ca=ca, signing=signing, ekus=ekus)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return certificate.public_bytes(serialization.Encoding.PEM), private

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def _certificate(
    name: str,
    issuer: Authority | None,
    public: Any,
    start: timedelta,
    days: float,
    *,
    ca: bool,
    signing: bool,
    ekus: tuple[str, ...],
    own: Any = None,
) -> x509.Certificate:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "NO"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"{name} organization"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    signer = issuer.key if issuer else own
    begin = datetime.now(UTC) + start
    usage = dict.fromkeys(
        ("key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=signing, content_commitment=True, key_cert_sign=ca, crl_sign=ca, **usage),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if ekus:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([x509.ObjectIdentifier(eku) for eku in ekus]), critical=False
        )
    return builder.sign(signer, hashes.SHA256())


@pytest.fixture(scope="session")
def authority() -> Authority:
    """A root that issues faulty leaves on request."""
    key = ec.generate_private_key(ec.SECP256R1())
    start = timedelta(days=-400)
    root = _certificate("root", None, key.public_key(), start, 3650, ca=True, signing=False, ekus=(), own=key)
    return Authority(root, key)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An output folder that must not hold a hidden file when the test is over."""
    path = tmp_path / "out"
    path.mkdir()
    yield path
    assert [each.name for each in path.iterdir() if each.name.startswith(".")] == []


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tone as WAV, FLAC, M4A and MP3."""
    folder = tmp_path_factory.mktemp("sounds")
    tone = (np.sin(np.arange(8000) / 20) * 8000).astype(np.int16)[None]
    for name, codec in (("tone.wav", "pcm_s16le"), ("tone.m4a", "aac"), ("tone.flac", "flac"), ("tone.mp3", "mp3")):
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, 8000)
            stream.layout = "mono"
            frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            frame.sample_rate = 8000
            for each in av.AudioResampler(stream.format, "mono", 8000).resample(frame):
                container.mux(stream.encode(each))
            container.mux(stream.encode())
    return folder
