"""`assay.detect.detect`: manifests that are true, transplanted, forged or in doubt; pixels that agree or do not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import wave
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import jsonschema
import pytest
from toy_encoders import wandering
from toy_run import ROOT, assay_environment

from assay.detect import detect
from assay.eyes import Eyes
from assay.hints import Hint
from classifier import ForensicSignal, MarkSignal, MatchSignal
from media import Video, encode
from provenance import (
    DevelopmentKeys,
    GateRecord,
    Kind,
    Origin,
    SigningIdentity,
    SourceType,
    Trust,
    build_manifest,
    publish,
)
from provenance.boxes import top_level
from safety import Action, Circumstances, Decision, PostureEntry, Stage
from tests.provenance.conftest import Forge

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
NOBODY = Eyes()


@dataclass(frozen=True)
class Says:
    """A forensic detector that says of everything what it was told to say."""

    likely: bool | None
    value: float | None = 0.9
    version: str = "toy@1"

    def judge(self, video: Video | Path) -> ForensicSignal:
        absence = None if self.likely is not None else "told so"
        segments = ((0.0, 0.5, 0.2), (0.5, 1.0, 0.9)) if self.value is not None else ()
        return ForensicSignal(self.value, absence, 0.05, 0.5, self.likely, segments, self.version)


LIKELY, UNLIKELY = Eyes((Says(True),)), Eyes((Says(False, 0.1),))


@dataclass(frozen=True)
class World:
    """Keys of ours and of a stranger, and files that they signed."""

    folder: Path
    ours: SigningIdentity
    theirs: SigningIdentity
    trust: Trust
    clip: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "clip", self.folder / "clip.mp4")
        encode(self.clip, wandering(10, 1), Fraction(8))

    def published(self, name: str, identity: SigningIdentity, source: Path | None = None, **origin: Any) -> Path:
        """A clip as our own generator's, signed by somebody."""
        facts: dict[str, Any] = {"digital_source_type": SourceType.TRAINED, "seed": 3} | origin
        made = Origin(Kind.TEXT_TO_VIDEO, "toy-dit", "3", datetime(2026, 1, 2, tzinfo=UTC), **facts)
        decisions = [
            Decision(
                id=f"dec_{stage.value}", stage=stage, action=Action.ALLOW, reasons=(),
                policy={"id": "default", "version": "1", "digest": "ab" * 32},
                circumstances=Circumstances(backend="embedded", on=datetime(2026, 1, 2, tzinfo=UTC).date()),
            )
            for stage in (Stage.PROMPT, Stage.FRAME)
        ]  # fmt: skip
        posture = (PostureEntry(Stage.FRAME, "toy", "1", "cd" * 32, "onnxruntime 1.20", 8, 0),)
        target = self.folder / name
        gate = GateRecord.of(decisions, posture)
        publish(source or self.clip, target, build_manifest(made, gate, title=name), identity)
        return target

    def claimed(self, name: str, identity: SigningIdentity, kind: str | None, parent: Path | None = None) -> Path:
        """A clip signed by another tool that names a source type, over a parent or over nothing."""
        action: dict[str, Any] = {"action": "c2pa.opened" if parent else "c2pa.created"}
        action |= {"parameters": {"ingredientIds": ["p"]}} if parent else {}
        action |= {"digitalSourceType": IPTC + kind} if kind and not parent else {}
        actions = [action]
        if parent and kind:
            actions.append({"action": "c2pa.edited", "digitalSourceType": IPTC + kind})
        definition = {
            "claim_version": 2,
            "claim_generator_info": [{"name": "Another tool", "version": "1"}],
            "title": "theirs",
            "assertions": [{"label": "c2pa.actions.v2", "created": True, "data": {"actions": actions}}],
        }
        words = [({"title": "p", "relationship": "parentOf", "label": "p"}, parent)] if parent else []
        return Forge(identity)(parent or self.clip, self.folder / name, definition, *words)

    def answer(self, path: Path, eyes: Eyes = NOBODY) -> str | None:
        """The fused answer."""
        row = detect(path, self.trust, eyes)
        assert row["error"] is None, row["error"]
        answer: str | None = row["answer"]
        return answer


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    ours = DevelopmentKeys.load_or_create(folder / "ours").identity
    theirs = DevelopmentKeys.load_or_create(folder / "theirs").identity
    return World(folder, ours, theirs, Trust.of(ours))


@pytest.fixture(scope="module")
def own(world: World) -> Path:
    """A file of our own generator."""
    return world.published("own.mp4", world.ours)


def remuxed(path: Path, target: Path, codec: str = "libx264", crf: int = 28) -> Path:
    """The pictures without the manifest, encoded anew."""
    with av.open(str(path)) as source, av.open(str(target), "w") as out:
        stream = out.add_stream(codec, Fraction(8), options={"crf": str(crf)})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for frame in source.decode(video=0):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"))))
        out.mux(stream.encode(None))
    return target


def manifest_box(path: Path) -> bytes:
    """The box that holds the manifests of an MP4."""
    with path.open("rb") as file:
        boxes = list(top_level(file, path.stat().st_size))
    box = next(one for one in boxes if one.type == "uuid")
    return path.read_bytes()[box.offset : box.offset + box.size]


def test_our_own_file_is_proved_while_its_manifest_stands(world: World, own: Path) -> None:
    """Our file is synthetic with its generator named, whatever the pixels say; copied too; re-encoded no more."""
    for eyes in (NOBODY, LIKELY, UNLIKELY):
        row = detect(own, world.trust, eyes)
        assert (row["answer"], row["synthetic"], row["fpr"]) == ("synthetic", 1.0, None)
        assert row["generator"] == {"name": "toy-dit 3", "by": "manifest"}
        assert row["because"] == ["manifest"]
        assert row["signals"]["manifest"]["digital_source_types"] == [IPTC + "trainedAlgorithmicMedia"]
    copy = shutil.copy(own, world.folder / "copy.mp4")
    assert world.answer(Path(copy)) == "synthetic"
    stripped = remuxed(own, world.folder / "stripped.mp4")
    assert world.answer(stripped) == "no-evidence"
    row = detect(stripped, world.trust, LIKELY)
    assert (row["answer"], row["synthetic"], row["fpr"]) == ("likely-synthetic", 0.9, 0.05)
    assert row["generator"] is None  # pixels attribute nothing


@pytest.mark.parametrize("place", ["front", "end", "sidecar", "ingredient"])
def test_a_transplanted_manifest_proves_nothing(world: World, own: Path, place: str) -> None:
    """Our manifest in another file, beside it or cited by a stranger is contradictory or unvouched, never proof."""
    other = world.folder / f"other-{place}.mp4"
    encode(other, wandering(10, 7), Fraction(8))
    content, box = other.read_bytes(), manifest_box(own)
    if place == "front":
        size = int.from_bytes(content[:4], "big")
        other.write_bytes(content[:size] + box + content[size:])
    elif place == "end":
        other.write_bytes(content + box)
    elif place == "sidecar":
        start = box.index(b"jumb") - 4
        other.with_suffix(".c2pa").write_bytes(box[start:])
    else:  # a stranger signs the other file and cites ours as what it was made from
        definition = {
            "claim_version": 2,
            "claim_generator_info": [{"name": "Another tool", "version": "1"}],
            "title": "theirs",
            "assertions": [
                {"label": "c2pa.actions.v2", "created": True,
                 "data": {"actions": [{"action": "c2pa.opened", "parameters": {"ingredientIds": ["p"]}}]}},
            ],
        }  # fmt: skip
        words = {"title": "p", "relationship": "parentOf", "label": "p"}
        other = Forge(world.theirs)(other, world.folder / "cited.mp4", definition, (words, own))
    for eyes in (NOBODY, UNLIKELY, LIKELY):
        row = detect(other, world.trust, eyes)
        if place == "ingredient":
            assert row["signals"]["manifest"]["state"] == "valid"
            assert row["answer"] == ("likely-synthetic" if eyes is LIKELY else "inconclusive")
        else:
            assert row["signals"]["manifest"]["state"] == "invalid", row["signals"]["manifest"]
            assert row["answer"] == "contradictory"
        assert row["generator"] is None
        assert row["synthetic"] != 1.0


def test_a_changed_picture_is_contradictory(world: World, own: Path) -> None:
    """One flipped bit under our manifest is evidence of tampering."""
    content = bytearray(own.read_bytes())
    content[content.rfind(b"mdat") + 40] ^= 1
    flipped = world.folder / "flipped.mp4"
    flipped.write_bytes(content)
    assert world.answer(flipped) == "contradictory"
    assert world.answer(flipped, LIKELY) == "contradictory"


@pytest.mark.parametrize("signer", ["ours", "theirs"])
def test_a_camera_on_generated_pixels_is_contradictory(world: World, signer: str) -> None:
    """A manifest that claims a camera stands until the pixels, or a mark in them, speak against it."""
    identity = world.ours if signer == "ours" else world.theirs
    camera = world.claimed(f"camera-{signer}.mp4", identity, "digitalCapture")
    quiet = "no-evidence" if signer == "ours" else "inconclusive"
    assert world.answer(camera) == world.answer(camera, UNLIKELY) == quiet
    row = detect(camera, world.trust, LIKELY)
    assert (row["answer"], row["fpr"], row["synthetic"]) == ("contradictory", 0.05, 0.9)
    assert row["because"] == ["manifest", "forensic"]
    assert world.answer(camera, Eyes(watermark=Reads(MarkSignal(True, True)))) == "contradictory"


def test_a_camera_over_a_generator_contradicts_itself(world: World, own: Path) -> None:
    """A newest manifest that claims a camera over a generated ancestor tells two stories; a generator over a camera
    is how edits look.
    """
    assert world.answer(world.claimed("two-stories.mp4", world.ours, "digitalCapture", own)) == "contradictory"
    camera = world.claimed("camera.mp4", world.ours, "digitalCapture")
    edited = world.claimed("edited.mp4", world.ours, "compositeWithTrainedAlgorithmicMedia", camera)
    assert world.answer(edited) == "synthetic"


def test_a_declaration_deep_in_the_tree_counts_where_its_signer_is_trusted(world: World, own: Path) -> None:
    """A trusted manifest over our generated file proves it; over a stranger's declaration it does not."""
    over = world.claimed("over-ours.mp4", world.ours, None, own)
    row = detect(over, world.trust, NOBODY)
    assert (row["answer"], row["generator"]) == ("synthetic", {"name": "toy-dit 3", "by": "manifest"})
    stranger = world.published("stranger.mp4", world.theirs)
    assert world.answer(stranger) == "inconclusive"
    row = detect(world.claimed("over-stranger.mp4", world.ours, None, stranger), world.trust, NOBODY)
    assert row["answer"] == "inconclusive"
    assert row["generator"] is None


@pytest.mark.parametrize("kind", ["trainedAlgorithmicMedia/", "compositeSynthetic", "algorithmicMedia"])
def test_every_synthetic_source_type_declares(world: World, kind: str) -> None:
    """The synthetic types of IPTC's list count, with a closing slash too."""
    assert world.answer(world.claimed(f"{kind.strip('/')}.mp4", world.ours, kind)) == "synthetic"


@dataclass(frozen=True)
class Reads:
    """A reader of marks that says what it was told to say."""

    mark: MarkSignal | None

    def read(self, video: Video) -> MarkSignal | None:
        return self.mark


@dataclass(frozen=True)
class Finds:
    """An index that says what it was told to say."""

    found: MatchSignal | None

    def match(self, video: Video) -> MatchSignal | None:
        return self.found


@dataclass(frozen=True)
class Whispers:
    """A hinter with a loud hint."""

    def hint(self, video: Video) -> Hint:
        return Hint("zero-shot", "pixels", "0.99", "looks generated")


def test_the_seams_of_marks_and_fingerprints(world: World) -> None:
    """A mark of ours proves and attributes, somebody's mark is a doubt, a resemblance is likely; None adds nothing."""
    row = detect(world.clip, world.trust, Eyes(watermark=Reads(MarkSignal(True, True, 1e-6, "toy-dit"))))
    assert (row["answer"], row["generator"]) == ("synthetic", {"name": "toy-dit", "by": "watermark"})
    assert row["signals"]["watermark"]["authenticated"] is True
    row = detect(world.clip, world.trust, Eyes(watermark=Reads(MarkSignal(True, False, 1e-3, "x"))))
    assert (row["answer"], row["generator"]) == ("inconclusive", None)
    row = detect(world.clip, world.trust, Eyes(fingerprint=Finds(MatchSignal(True, True, 0.001, "asset-1"))))
    assert (row["answer"], row["fpr"], row["because"]) == ("likely-synthetic", 0.001, ["fingerprint"])
    row = detect(world.clip, world.trust, Eyes(watermark=Reads(None), fingerprint=Finds(None)))
    assert row["answer"] == "no-evidence"
    assert row["signals"]["watermark"] is row["signals"]["fingerprint"] is None


def test_hints_never_change_the_answer(world: World, own: Path) -> None:
    """A file whose tags name a generator, and a hinter that shouts, have the answer of the same file without them."""
    tagged = world.folder / "tagged.mp4"
    with (
        av.open(str(world.clip)) as source,
        av.open(str(tagged), "w", options={"movflags": "use_metadata_tags"}) as out,
    ):
        out.metadata["comment"] = "made with ComfyUI, prompt: a fox"
        out.metadata["make"] = "Nikon"
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    for eyes in (NOBODY, LIKELY, UNLIKELY, Eyes((Says(None),))):
        loud = Eyes(eyes.forensic, hinters=(Whispers(),))
        plain, hinted = (detect(path, world.trust, with_) for path, with_ in ((world.clip, eyes), (tagged, loud)))
        for name in ("answer", "synthetic", "fpr", "because", "generator", "segments"):
            assert plain[name] == hinted[name]
        names = {hint["name"] for hint in hinted["hints"]}
        assert {"generator-string", "camera", "zero-shot"} <= names
        assert "no-camera" in {hint["name"] for hint in plain["hints"]}


def test_the_evidence_of_the_pixels(world: World) -> None:
    """The row shows the leading detector, every detector where there are several, the stretches above the threshold,
    and the sum of the rates.
    """
    row = detect(
        world.clip, world.trust, Eyes((Says(False, 0.1, "a@1"), Says(True, 0.9, "b@1"), Says(None, None, "c@1")))
    )
    assert row["answer"] == "likely-synthetic"
    assert row["fpr"] == 0.1  # the two who gave a value
    assert row["segments"] == [{"start_s": 0.5, "end_s": 1.0, "value": 0.9}]
    forensic = row["signals"]["forensic"]
    assert (forensic["value"], forensic["version"]) == (0.9, "b@1")
    assert [one["version"] for one in forensic["detectors"]] == ["a@1", "b@1", "c@1"]
    between = detect(world.clip, world.trust, Eyes((Says(None, 0.6),)))
    assert (between["answer"], between["because"]) == ("inconclusive", ["forensic"])
    silent = detect(world.clip, world.trust, Eyes((Says(None, None),)))
    assert (silent["answer"], silent["signals"]["forensic"]["absence"]) == ("no-evidence", "told so")
    schema = json.loads((ROOT / "docs" / "schemas" / "detect.schema.json").read_text())
    for each in (row, between, silent):
        jsonschema.validate(json.loads(json.dumps(each)), schema)


def test_what_cannot_be_decoded_may_still_be_proved(world: World, own: Path, tmp_path: Path) -> None:
    """Where no picture can be read the manifest answers alone, and the reason stands where the score would; where
    there is no manifest either, that is an error.
    """
    with wave.open(str(tmp_path / "tone.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"\0\1" * 800)
    row = detect(world.published("tone.wav", world.ours, tmp_path / "tone.wav"), world.trust, LIKELY)
    assert row["answer"] == "synthetic"
    assert row["signals"]["forensic"]["value"] is None
    assert "no video stream" in row["signals"]["forensic"]["absence"]
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(own.read_bytes()[:2000])
    assert detect(cut, world.trust, LIKELY)["answer"] in (None, "contradictory", "inconclusive")
    for name, content in (("text.mp4", b"no video"), ("empty.mp4", b"")):
        (tmp_path / name).write_bytes(content)
        row = detect(tmp_path / name, world.trust, LIKELY)
        assert row["answer"] is None
        assert row["error"]["type"] == "MediaError"
        assert name in row["error"]["message"]
    assert detect(tmp_path / "missing.mp4", world.trust, LIKELY)["error"]["type"] == "MediaError"
    assert detect(tmp_path, world.trust, LIKELY)["error"]["type"] == "MediaError"


def test_looking_needs_no_torch(world: World, tmp_path: Path) -> None:
    """Nothing that `detect` imports by default brings torch, open_clip or transformers in."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom assay.detect import detect\nfrom provenance import Trust\n"
        f"row = detect(Path({str(world.clip)!r}), Trust())\nassert row['answer'], row\n"
        "print([name for name in ('torch', 'open_clip', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=assay_environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
