"""Every way in which a file comes to be, by the rules that C2PA's conformance programme puts to a generator."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import c2pa
import pytest

from provenance import (
    Attachments,
    GateRecord,
    Kind,
    Manifest,
    ManifestInvalid,
    Mark,
    Origin,
    SigningIdentity,
    SoftBinding,
    SourceTampered,
    SourceType,
    State,
    Trust,
    build_manifest,
    publish,
)
from safety import Decision

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
FINGERPRINT = SoftBinding("io.iscc.v0", b"\x01" * 32, Mark.FINGERPRINT)
WATERMARK = SoftBinding("org.assay.mark", b"\x02" * 8, Mark.WATERMARK)


def _report(path: Path, mime: str, trust: Trust) -> dict[str, Any]:
    with path.open("rb") as file, c2pa.Context.from_dict(trust.settings()) as context:
        store = json.loads(c2pa.Reader(mime, file, context=context).detailed_json())
    manifest: dict[str, Any] = store["manifests"][store["active_manifest"]]
    return manifest


def _ensure_conformant(manifest: dict[str, Any]) -> None:
    """The rules of the notes (conformance v0.2, specification 2.4), on what was read back."""
    claim, store = manifest["claim"], manifest["assertion_store"]
    generator = claim["claim_generator_info"]
    generator = generator[0] if isinstance(generator, list) else generator
    assert generator["name"] == "Assay"
    assert re.fullmatch(r"\d+\.\d+\.\d+", generator["specVersion"])
    created = {uri["url"].rpartition("/")[2] for uri in claim["created_assertions"]}
    actions_labels = [label for label in store if label.startswith("c2pa.actions")]
    assert actions_labels == ["c2pa.actions.v2"]
    ours = {label for label in store if not label.startswith(("c2pa.ingredient", "c2pa.thumbnail"))}
    assert ours <= created, "what we vouch for must be created, not gathered"
    body = store["c2pa.actions.v2"]
    assert body["allActionsIncluded"] is True
    names = [action["action"] for action in body["actions"]]
    assert names[0] in ("c2pa.created", "c2pa.opened")
    assert not {"c2pa.created", "c2pa.opened"} & set(names[1:])
    for action in body["actions"]:
        if action["action"] in ("c2pa.opened", "c2pa.watermarked.bound"):
            assert "digitalSourceType" not in action
        elif action["action"] != "c2pa.converted":
            assert action["digitalSourceType"].startswith(IPTC)
        assert action["softwareAgent"]["version"]
        assert action["softwareAgent"]["org.assay.weights_sha256"]
    assert all("." in label for label in store)
    assert not any(
        label in store for label in ("c2pa.actions", "c2pa.hash.bmff.v2", "stds.exif", "c2pa.training-mining")
    )
    assert {"cawg.training-mining", "org.assay.decision"} <= set(store)


CASES = [
    (Kind.TEXT_TO_VIDEO, "plain", (), ["c2pa.created"], []),
    (Kind.IMAGE_TO_VIDEO, "image", ("still.png",), ["c2pa.created"], ["inputTo"]),
    (Kind.EXTENSION, "forward", ("signed",), ["c2pa.opened", "c2pa.edited"], ["parentOf"]),
    (Kind.EXTENSION, "backward", ("clip.mp4",), ["c2pa.opened", "c2pa.edited"], ["parentOf"]),
    (
        Kind.EXTENSION, "fill", ("signed", "clip.mov"), ["c2pa.opened", "c2pa.placed", "c2pa.edited"],
        ["parentOf", "componentOf"],
    ),
    (
        Kind.JOIN, "join", ("signed", "clip.mp4", "clip.mov"), ["c2pa.created", *["c2pa.placed"] * 3],
        ["componentOf"] * 3,
    ),
    (Kind.REMIX, "remix", ("signed",), ["c2pa.opened", "c2pa.edited"], ["parentOf"]),
    (
        Kind.REMIX, "remix", ("signed", "still.png"), ["c2pa.opened", "c2pa.placed", "c2pa.edited"],
        ["parentOf", "componentOf"],
    ),
    (Kind.SCANNED, "scan", (), ["c2pa.opened"], ["parentOf"]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "mode", "inputs", "actions", "relationships"), CASES)
def test_each_way_of_making_a_video_is_trusted_and_conformant(
    kind: Kind, mode: str, inputs: tuple[str, ...], actions: list[str], relationships: list[str],
    samples: Path, signed: Path, folder: Path, origin: Callable[..., Origin], gate: GateRecord,
    identity: SigningIdentity, trust: Trust,
) -> None:  # fmt: skip
    """Actions, relationships and mode are those of the way of making, and the rubric's rules hold."""
    paths = [signed if name == "signed" else samples / name for name in inputs]
    made = build_manifest(origin(kind, *paths, mode=mode), gate, "a video")
    found = publish(samples / "other.mp4", folder / "a.mp4", made, identity)
    assert (found.state, list(found.manifests[0].actions)) == (State.TRUSTED, actions)
    assert [each.relationship for each in found.ingredients] == relationships
    assert [each.state for each in found.ingredients] == [
        State.TRUSTED if name == "signed" else State.ABSENT for name in inputs or ("",) * len(relationships)
    ]
    report = _report(folder / "a.mp4", "video/mp4", trust)
    _ensure_conformant(report)
    for action in report["assertion_store"]["c2pa.actions.v2"]["actions"]:
        assert action["parameters"]["org.assay.mode"] == mode
        if action["action"] in ("c2pa.opened", "c2pa.placed"):
            assert action["parameters"]["ingredients"], "an action names what it was done to"


@pytest.mark.parametrize(
    ("name", "mime", "mode"),
    [
        ("still.jpg", "image/jpeg", "thumbnail"), ("still.png", "image/png", "poster"),
        ("still.png", "image/png", "spritesheet"), ("still.webp", "image/webp", "preview"),
        ("still.gif", "image/gif", "preview"), ("tone.wav", "audio/wav", "audio"), ("tone.m4a", "audio/mp4", "audio"),
        ("tone.flac", "audio/flac", "audio"), ("tone.mp3", "audio/mpeg", "audio"),
    ],
)  # fmt: skip
def test_each_file_beside_a_video_is_signed_with_the_video_as_its_parent(
    name: str, mime: str, mode: str, samples: Path, sounds: Path, signed: Path, folder: Path,
    origin: Callable[..., Origin], gate: GateRecord, identity: SigningIdentity, trust: Trust,
) -> None:  # fmt: skip
    """Thumbnail, poster, spritesheet, previews and sounds are trusted, conformant, and name the signed video."""
    source = next(place / name for place in (samples, sounds) if (place / name).exists())
    made = build_manifest(origin(Kind.DERIVED, signed, mode=mode), gate, name)
    found = publish(source, folder / name, made, identity)
    assert (found.state, found.manifests[0].actions) == (State.TRUSTED, ("c2pa.opened", "c2pa.converted"))
    assert found.ingredients[0].state is State.TRUSTED
    _ensure_conformant(_report(folder / name, mime, trust))


@pytest.mark.parametrize("name", ["still.jpg", "still.png", "still.webp", "still.gif"])
def test_a_picture_is_read_with_its_own_decision(
    name: str, samples: Path, signed: Path, folder: Path, origin: Callable[..., Origin], identity: SigningIdentity,
    decision: Callable[..., Decision],
) -> None:  # fmt: skip
    """A picture drawn from a video carries its own decision, not the video's, and one from an unsigned file has one."""
    own = GateRecord.of([decision(id="dec_of-the-picture")], ())
    for number, source in enumerate((signed, samples / "clip.mp4")):
        made = build_manifest(origin(Kind.DERIVED, source, mode="poster"), own, name)
        found = publish(samples / name, folder / f"{number}-{name}", made, identity)
        assert found.decision is not None
        assert [each["id"] for each in found.decision["decisions"]] == ["dec_of-the-picture"]


def test_soft_bindings_and_a_thumbnail_are_written_on_request_only(
    samples: Path, folder: Path, origin: Callable[..., Origin], gate: GateRecord, identity: SigningIdentity,
    trust: Trust,
) -> None:  # fmt: skip
    """A watermark brings its action, a fingerprint none; the picture is there for who asked, and only then."""
    wished = Attachments((WATERMARK, FINGERPRINT), samples / "still.jpg")
    for name in ("clip.mp4", "still.png"):  # the fast way and the plain one
        found = publish(
            samples / name, folder / name, build_manifest(origin(), gate, "t", attachments=wished), identity
        )
        assert found.state is State.TRUSTED
        assert found.manifests[0].actions == ("c2pa.created", "c2pa.watermarked.bound")
        report = _report(folder / name, "video/mp4" if name == "clip.mp4" else "image/png", trust)
        _ensure_conformant(report)
        marks = [body["alg"] for label, body in report["assertion_store"].items() if "soft-binding" in label]
        assert sorted(marks) == ["io.iscc.v0", "org.assay.mark"]
        assert any(label.startswith("c2pa.thumbnail.claim") for label in report["assertion_store"])
    only = Attachments((FINGERPRINT,))
    made = build_manifest(origin(), gate, "t", attachments=only)
    found = publish(samples / "clip.mov", folder / "b.mov", made, identity)
    assert found.manifests[0].actions == ("c2pa.created",)
    assert not any("thumbnail" in label for label in found.manifests[0].assertions)


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [("videoseal", b"x"), ("", b"x"), ("a.b c", b"x"), ("io.iscc.v0", b""), ("a.b", b"x" * 5000)],
)
def test_marks_that_no_resolver_could_use_are_refused(algorithm: str, value: bytes) -> None:
    """A soft binding has a dotted algorithm and a value of sensible length."""
    with pytest.raises(ManifestInvalid, match="soft binding"):
        SoftBinding(algorithm, value, Mark.FINGERPRINT)


def test_a_thumbnail_is_a_small_picture(
    samples: Path, tmp_path: Path, origin: Callable[..., Origin], gate: GateRecord
) -> None:
    """A missing file, a video, an empty and a huge picture are refused by name before anything is signed."""
    (tmp_path / "huge.jpg").write_bytes((samples / "still.jpg").read_bytes() + bytes(2**20))
    (tmp_path / "empty.jpg").write_bytes(b"")
    for path in (tmp_path / "huge.jpg", tmp_path / "empty.jpg", tmp_path / "absent.jpg", samples / "clip.mp4"):
        with pytest.raises(ManifestInvalid, match=path.name):
            build_manifest(origin(), gate, "t", attachments=Attachments(thumbnail=path))


def test_a_mark_that_is_claimed_and_not_named_is_refused(manifest: Callable[..., Manifest]) -> None:
    """`c2pa.watermarked.bound` without a soft binding reads as invalid elsewhere, so it is not signed."""
    definition = json.loads(json.dumps(manifest().definition))
    actions = definition["assertions"][0]["data"]["actions"]
    actions.append({**actions[0], "action": "c2pa.watermarked.bound"})
    with pytest.raises(ManifestInvalid, match="must not carry"):
        Manifest(definition)
    del actions[1]["digitalSourceType"]
    with pytest.raises(ManifestInvalid, match="without a soft binding"):
        Manifest(definition)


def test_a_join_does_not_vouch_for_a_tampered_component(
    samples: Path, signed: Path, folder: Path, origin: Callable[..., Origin], gate: GateRecord,
    identity: SigningIdentity, flip: Callable[..., Path],
) -> None:  # fmt: skip
    """Content that would be carried on is looked at, whichever place it has among the inputs."""
    broken = flip(signed, folder.parent / "broken.mp4")
    made = build_manifest(origin(Kind.JOIN, samples / "clip.mov", broken), gate, "t")
    with pytest.raises(SourceTampered):
        publish(samples / "other.mp4", folder / "a.mp4", made, identity)


@pytest.mark.parametrize(("kind", "count"), [(Kind.JOIN, 1), (Kind.REMIX, 0), (Kind.EXTENSION, 3), (Kind.DERIVED, 2)])
def test_each_way_of_making_has_its_number_of_inputs(kind: Kind, count: int, samples: Path) -> None:
    """A join of one, a remix of nothing and a fill between three are refused."""
    source = None if kind is Kind.DERIVED else SourceType.TRAINED
    with pytest.raises(ManifestInvalid, match="inputs"):
        Origin(kind, "m", "1", datetime.now(UTC), source, inputs=(samples / "clip.mp4",) * count)
