"""Keys that never leave a service or a token: every algorithm, and the service's own words when it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from provenance import (
    CertificateExpired,
    KeyDamaged,
    KeyMismatch,
    Manifest,
    Pkcs11Key,
    SignerFailed,
    SigningIdentity,
    State,
    TokenError,
    publish,
)

Make = Callable[..., Manifest]
Sign = Callable[[bytes], bytes]
CURVES = {"es256": ec.SECP256R1, "es384": ec.SECP384R1, "es512": ec.SECP521R1}
DIGESTS = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


def _service(alg: str) -> tuple[Any, Sign]:
    """A key as a service holds it: the public half, and a function that signs messages."""
    if alg == "ed25519":
        own = ed25519.Ed25519PrivateKey.generate()
        return own, own.sign
    digest = DIGESTS[alg[2:]]()
    if alg in CURVES:
        curve = ec.generate_private_key(CURVES[alg]())
        return curve, lambda message: curve.sign(message, ec.ECDSA(digest))
    modulus = rsa.generate_private_key(65537, 2048)
    return modulus, lambda message: modulus.sign(message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)


@pytest.mark.parametrize("alg", [*CURVES, "ps256", "ps384", "ps512", "ed25519"])
def test_each_algorithm_signs_through_a_service(
    alg: str, samples: Path, folder: Path, manifest: Make, authority: Any
) -> None:
    """All seven algorithms read back TRUSTED, by the fast way and by the plain one; ECDSA answers in DER."""
    key, sign = _service(alg)
    identity = SigningIdentity.from_callback(authority.leaf(key)[0], alg, sign, authority.pem)
    for name in ("clip.mp4", "still.png"):
        assert publish(samples / name, folder / name, manifest(), identity).state is State.TRUSTED


def test_r_and_s_side_by_side_are_taken_as_well(video: Path, folder: Path, manifest: Make, authority: Any) -> None:
    """A service that answers as COSE and PKCS #11 do is understood; without a root the end of the chain is trusted."""
    key, sign = _service("es256")

    def flat(message: bytes) -> bytes:
        return b"".join(number.to_bytes(32) for number in decode_dss_signature(sign(message)))

    identity = SigningIdentity.from_callback(authority.leaf(key)[0] + authority.pem, "ES256", flat)
    assert publish(video, folder / "a.mp4", manifest(), identity).state is State.TRUSTED
    assert "PRIVATE" not in repr(identity)


class Outage(Exception):
    pass


@pytest.mark.parametrize("name", ["clip.mp4", "still.png"])
def test_what_a_service_says_is_what_the_caller_reads(
    name: str, samples: Path, folder: Path, manifest: Make, authority: Any
) -> None:
    """The library would say "internal error"; the real cause is reported and chained, and nothing is left behind."""
    key, _ = _service("es256")

    def fail(_: bytes) -> bytes:
        raise Outage("the token was pulled out")

    identity = SigningIdentity.from_callback(authority.leaf(key)[0], "es256", fail, authority.pem)
    with pytest.raises(SignerFailed, match="Outage: the token was pulled out") as caught:
        publish(samples / name, folder / name, manifest(), identity)
    causes = []
    error: BaseException | None = caught.value
    while error := error.__cause__:
        causes.append(type(error))
    assert Outage in causes
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("answer", [b"", b"nonsense", bytes(64), b"\xff" * 64, bytes(500)])
@pytest.mark.parametrize("alg", ["es256", "ps256", "ed25519"])
def test_answers_that_are_no_signature_are_refused(
    answer: bytes, alg: str, video: Path, folder: Path, manifest: Make, authority: Any
) -> None:
    """Garbage from a service is caught when it comes, not when somebody verifies the file."""
    key, _ = _service(alg)
    identity = SigningIdentity.from_callback(authority.leaf(key)[0], alg, lambda _: answer, authority.pem)
    with pytest.raises(KeyMismatch, match="key service"):
        publish(video, folder / "a.mp4", manifest(), identity)
    assert list(folder.iterdir()) == []


def test_a_service_with_another_key_is_refused(video: Path, folder: Path, manifest: Make, authority: Any) -> None:
    """A good signature by a key that is not the certificate's is a KeyMismatch."""
    (key, _), (_, other) = _service("es256"), _service("es256")
    identity = SigningIdentity.from_callback(authority.leaf(key)[0], "es256", other, authority.pem)
    with pytest.raises(KeyMismatch):
        publish(video, folder / "a.mp4", manifest(), identity)


def test_a_services_certificate_is_looked_at_like_any_other(authority: Any, video: Path, folder: Path) -> None:
    """Expiry, unknown algorithms and missing chains are named before the service is asked."""
    key, sign = _service("es256")
    old = authority.leaf(key, start=timedelta(days=-40))[0]
    with pytest.raises(CertificateExpired):
        SigningIdentity.from_callback(old, "es256", sign, authority.pem).ensure_usable()
    with pytest.raises(KeyDamaged, match="no C2PA algorithm"):
        SigningIdentity.from_callback(old, "rs256", sign)
    with pytest.raises(KeyDamaged, match="no certificate chain"):
        SigningIdentity.from_callback(b"nothing", "es256", sign)


SOFTHSM = Path("/usr/lib/softhsm/libsofthsm2.so")


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A SoftHSM token with a P-256 key that was made inside it; `scripts/test-full` installs the packages."""
    missing = [name for name in ("softhsm2-util", "pkcs11-tool") if shutil.which(name) is None]
    if missing or not SOFTHSM.exists():
        pytest.fail(f"{missing or SOFTHSM} is missing: run scripts/test-full, which installs softhsm2 and opensc")
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
    environment = {**os.environ, "SOFTHSM2_CONF": str(folder / "softhsm2.conf")}
    tool = ["pkcs11-tool", "--module", str(SOFTHSM), "--token-label", "assay", "--login", "--pin", "1234"]
    for command in (
        ["softhsm2-util", "--init-token", "--free", "--label", "assay", "--pin", "1234", "--so-pin", "4321"],
        [*tool, "--keypairgen", "--key-type", "EC:prime256v1", "--id", "01", "--label", "es256"],
        [*tool, "--keypairgen", "--key-type", "rsa:2048", "--id", "02", "--label", "ps256"],
        [*tool, "--read-object", "--type", "pubkey", "--id", "01", "--output-file", str(folder / "es256.der")],
        [*tool, "--read-object", "--type", "pubkey", "--id", "02", "--output-file", str(folder / "ps256.der")],
    ):
        subprocess.run(command, env=environment, check=True, capture_output=True)
    return {"folder": str(folder), "conf": environment["SOFTHSM2_CONF"]}


class Half:
    """The public half of a key that is in the token."""

    def __init__(self, path: Path) -> None:
        self._public = serialization.load_der_public_key(path.read_bytes())

    def public_key(self) -> Any:
        return self._public

    def private_bytes(self, *_: Any) -> bytes:
        return b""


@pytest.mark.full
@pytest.mark.parametrize(("alg", "id"), [("es256", "01"), ("ps256", "02")])
def test_a_key_in_a_token_signs(
    alg: Any, id: str, token: dict[str, str], samples: Path, folder: Path, manifest: Make, authority: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A key made inside a PKCS #11 token signs, and a wrong PIN is told as such."""
    monkeypatch.setenv("SOFTHSM2_CONF", token["conf"])
    chain = authority.leaf(Half(Path(token["folder"]) / f"{alg}.der"))[0]
    key = Pkcs11Key(SOFTHSM, "assay", id, "1234", alg)
    for name in ("clip.mp4", "still.png"):
        identity = SigningIdentity.from_callback(chain, alg, key, authority.pem)
        assert publish(samples / name, folder / name, manifest(), identity).state is State.TRUSTED
    assert "1234" not in repr(identity) + repr(key)
    wrong = SigningIdentity.from_callback(chain, alg, Pkcs11Key(SOFTHSM, "assay", id, "0000", alg), authority.pem)
    with pytest.raises(SignerFailed, match="CKR_PIN_INCORRECT"):
        publish(samples / "clip.mp4", folder / "b.mp4", manifest(), wrong)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo error: CKR_DEVICE_REMOVED >&2; exit 1", "CKR_DEVICE_REMOVED"),
        ("exit 3", "exit code 3"),
        ("exit 0", "exit code 0"),
        ("exec sleep 9", "did not answer within 0.3 s"),
        (None, "is not installed"),
    ],
)
def test_a_token_that_does_not_sign_says_why(
    script: str | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A removed, a silent and a hanging token, and a missing tool, each end in words and in time."""
    if script is not None:
        (tmp_path / "pkcs11-tool").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "pkcs11-tool").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) if script is None else f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(TokenError, match=words):
        Pkcs11Key(SOFTHSM, "assay", "01", "1234", "ps384", seconds=0.3)(b"message")
