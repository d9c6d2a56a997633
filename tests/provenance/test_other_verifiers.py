"""What we sign, read by others under Node: c2pa-wasm under our root, and the independent c2pa-ts."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import provenance.layout
from provenance import (
    Attachments,
    GateRecord,
    Kind,
    Manifest,
    Mark,
    Origin,
    SigningIdentity,
    SoftBinding,
    State,
    Trust,
    build_manifest,
    publish,
    read,
)
from provenance.boxes import top_level
from provenance.kinds import sniff

pytestmark = pytest.mark.full
INSTALLED = Path(__file__).parents[2] / "build" / "verifiers"
NOT_READ_BY_TS = {".avi", ".webp", ".gif", ".tiff", ".wav"}
FILES = [
    *("clip.mp4", "hevc.mp4", "av1.mp4", "clip.mov", "clip.avi", "still.png", "still.jpg", "still.webp"),
    *("still.gif", "still.tiff", "tone.wav", "tone.flac", "tone.m4a", "tone.mp3"),
]

Verify = Callable[..., dict[str, dict[str, str]]]


@pytest.fixture
def verify(tmp_path: Path, trust: Trust) -> Verify:
    """Runs both verifiers over files; one answer a file name."""
    if shutil.which("node") is None or not (INSTALLED / "node_modules").is_dir():
        pytest.fail(f"node or {INSTALLED} is missing: run scripts/test-full, which installs both")
    (tmp_path / "settings.json").write_text(json.dumps(trust.settings()))

    def run(*paths: Path) -> dict[str, dict[str, str]]:
        named = [f"{kind.mime if (kind := sniff(path)) else ''}={path}" for path in paths]
        command = ["node", str(INSTALLED / "verify.mjs"), str(tmp_path / "settings.json"), *named]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return {Path(line["path"]).name: line for line in lines}

    return run


def _expected(name: str) -> dict[str, str]:
    if name in ("tone.flac", "tone.mp3"):  # c2pa-ts looks in ID3 tags for the older MIME type of a manifest only
        return {"wasm": "trusted", "ts": "absent"}
    return {"wasm": "trusted", "ts": "unsupported" if Path(name).suffix in NOT_READ_BY_TS else "valid"}


def test_every_kind_of_file_is_trusted_by_others(
    verify: Verify, samples: Path, sounds: Path, folder: Path, manifest: Callable[..., Manifest],
    identity: SigningIdentity, trust: Trust,
) -> None:  # fmt: skip
    """c2pa-wasm trusts every file under our root; c2pa-ts finds every one valid that it can read at all."""
    for name in FILES:
        source = next(place / name for place in (samples, sounds) if (place / name).exists())
        assert publish(source, folder / name, manifest(), identity).state is State.TRUSTED
    found = verify(*(folder / name for name in FILES))
    for name in FILES:
        assert {key: found[name][key] for key in ("wasm", "ts")} == _expected(name), name


def test_every_way_of_making_is_trusted_by_others(
    verify: Verify, samples: Path, sounds: Path, signed: Path, folder: Path, origin: Callable[..., Origin],
    gate: GateRecord, identity: SigningIdentity,
) -> None:  # fmt: skip
    """Joins, remixes, extensions, scans, inputs, derived pictures, soft bindings and thumbnails hold elsewhere too."""
    clip, mov, still = (samples / name for name in ("clip.mp4", "clip.mov", "still.png"))
    wished = Attachments(
        (SoftBinding("org.assay.mark", b"\x02" * 8, Mark.WATERMARK), SoftBinding("io.iscc.v0", b"1", Mark.FINGERPRINT)),
        samples / "still.jpg",
    )
    makings: dict[str, tuple[Path, Kind, tuple[Path, ...], Attachments | None]] = {
        "image.mp4": (clip, Kind.IMAGE_TO_VIDEO, (still,), None),
        "forward.mp4": (clip, Kind.EXTENSION, (signed,), None),
        "fill.mp4": (clip, Kind.EXTENSION, (signed, mov), None),
        "join.mp4": (clip, Kind.JOIN, (signed, mov), None),
        "remix.mp4": (clip, Kind.REMIX, (signed, still), None),
        "scan.mp4": (signed, Kind.SCANNED, (), None),
        "scan-unsigned.mp4": (clip, Kind.SCANNED, (), None),
        "backward.mp4": (clip, Kind.EXTENSION, (mov,), None),
        "thumbnail.jpg": (samples / "still.jpg", Kind.DERIVED, (signed,), None),
        "spritesheet.png": (still, Kind.DERIVED, (signed,), None),
        "preview.webp": (samples / "still.webp", Kind.DERIVED, (signed,), None),
        "preview.gif": (samples / "still.gif", Kind.DERIVED, (signed,), None),
        **{each.name: (each, Kind.DERIVED, (signed,), None) for each in sounds.iterdir()},
        "marked.mp4": (clip, Kind.TEXT_TO_VIDEO, (), wished),
        "marked.png": (still, Kind.TEXT_TO_VIDEO, (), wished),
    }
    for name, (source, kind, inputs, attached) in makings.items():
        made = build_manifest(origin(kind, *inputs), gate, name, attachments=attached)
        publish(source, folder / name, made, identity)
    found = verify(*(folder / name for name in makings))
    for name in makings:
        assert {key: found[name][key] for key in ("wasm", "ts")} == _expected(name), name


@pytest.mark.parametrize("name", FILES)
def test_one_flipped_byte_is_invalid_to_all_three(
    name: str, verify: Verify, samples: Path, sounds: Path, folder: Path, manifest: Callable[..., Manifest],
    identity: SigningIdentity, trust: Trust,
) -> None:  # fmt: skip
    """Wherever in the media a bit is turned, all three verifiers notice where they read the format at all, and none of
    them by crashing in silence.
    """
    source = next(place / name for place in (samples, sounds) if (place / name).exists())
    publish(source, folder / name, manifest(), identity)
    content = (folder / name).read_bytes()
    changed = []
    for number, at in enumerate(_media(folder / name, content, source.read_bytes())):
        spoiled = bytearray(content)
        spoiled[at] ^= 1
        path = folder / f"{number}-{name}"
        path.write_bytes(spoiled)
        changed.append(path)
        assert read(path, trust).state is State.INVALID, at
    assert len(changed) >= 10
    for path, found in zip(changed, verify(*changed).values(), strict=True):
        assert found["wasm"] == "invalid", path
        assert found["ts"] == _expected(name)["ts"].replace("valid", "invalid"), path


def _media(path: Path, content: bytes, source: bytes) -> list[int]:
    """A dozen places in the media data of a file, its first and last byte among them."""
    if path.suffix in (".mp4", ".mov", ".m4a"):
        with path.open("rb") as file:
            box = next(each for each in top_level(file, len(content)) if each.type == "mdat")
        first, last = box.offset + 8, box.offset + box.size - 1
    elif path.suffix == ".png":
        first = content.rfind(b"IDAT") + 4
        last = content.rfind(b"IEND") - 9
    elif path.suffix == ".jpg":
        first, last = content.rfind(b"\xff\xda") + 14, len(content) - 3
    else:  # a stretch behind the middle of the source, which the signed file holds as it was
        middle = source[len(source) * 3 // 5 : len(source) * 9 // 10]
        first = content.find(middle)
        assert first > 0
        last = first + len(middle) - 1
    return [first + (last - first) * step // 11 for step in range(12)]


@pytest.mark.parametrize(
    ("leaves", "wide", "full", "answer"),
    [(False, False, False, "valid"), (True, False, False, "invalid"), (True, True, False, "invalid"),
     (True, False, True, "invalid"), (True, True, True, "valid")],
)  # fmt: skip
def test_a_hash_tree_is_trusted_by_the_reference_and_misread_by_the_other(
    leaves: bool, wide: bool, full: bool, answer: str, verify: Verify, video: Path, folder: Path,
    manifest: Callable[..., Manifest], identity: SigningIdentity, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """c2pa-ts 0.9.4 counts leaves from the end of the media box's head instead of its 16th byte, and reads the last one
    beyond the box; where both make no difference (a 64-bit head, no rest), it agrees. This fails when it is mended.
    """
    if leaves:
        monkeypatch.setattr(provenance.layout, "_FLAT_UP_TO", 0)
        monkeypatch.setattr(provenance.layout, "_LEAF", 512)
    source = folder.parent / "source.mp4"
    source.write_bytes(_with_media_box(video, wide, full))
    publish(source, folder / "a.mp4", manifest(), identity)
    found: Any = verify(folder / "a.mp4")["a.mp4"]
    assert (found["wasm"], found["ts"]) == ("trusted", answer)


def _with_media_box(video: Path, wide: bool, full: bool) -> bytes:
    """The video with its media box's size in 64 bits (over the free box before it), or padded to whole leaves."""
    content = video.read_bytes()
    with video.open("rb") as file:
        boxes = {box.type: box for box in top_level(file, len(content))}
    media, free = boxes["mdat"], boxes["free"]
    assert (free.size, free.offset + 8) == (8, media.offset)
    body = content[media.offset + 8 : media.offset + media.size]
    if full:
        body += bytes(-(len(body) - (0 if wide else 8)) % 512)
    if wide:
        head, box = content[: free.offset], struct.pack(">I4sQ", 1, b"mdat", 16 + len(body))
    else:
        head, box = content[: media.offset], struct.pack(">I4s", 8 + len(body), b"mdat")
    return head + box + body + content[media.offset + media.size :]
