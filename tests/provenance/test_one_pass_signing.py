"""The fast way of signing: one read, one write, the same manifest as the library's own, and the plain way where not."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import c2pa
import numpy as np
import pytest

import provenance.embeddable
import provenance.layout
import provenance.writing
from provenance import (
    Kind,
    Manifest,
    SigningIdentity,
    SourceChanged,
    SourceUnreadable,
    State,
    Trust,
    publish,
    read,
)
from provenance.boxes import top_level

Make = Callable[..., Manifest]


@pytest.fixture
def plain_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's own way must not be taken."""

    def refuse(*_: Any) -> None:
        raise AssertionError("the plain way was taken")

    monkeypatch.setattr(provenance.writing, "sign_stream", refuse)


@pytest.fixture
def small_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is large enough for a hash tree, of leaves of 512 bytes."""
    monkeypatch.setattr(provenance.layout, "_FLAT_UP_TO", 0)
    monkeypatch.setattr(provenance.layout, "_LEAF", 512)


def test_the_tests_run_with_the_version_that_the_calls_are_used_with() -> None:
    """The private calls are tried with the installed library; another version falls back and fails here."""
    assert provenance.embeddable.available()


def _report(path: Path, trust: Trust) -> dict[str, Any]:
    with path.open("rb") as file, c2pa.Context.from_dict(trust.settings()) as context:
        store = json.loads(c2pa.Reader("video/mp4", file, context=context).detailed_json())
    manifest: dict[str, Any] = store["manifests"][store["active_manifest"]]
    return manifest


def test_both_ways_write_the_same_manifest(
    video: Path, folder: Path, manifest: Make, identity: SigningIdentity, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Assertions, hash and its exclusions are those of the library's own signature; so are the media bytes."""
    publish(video, folder / "fast.mp4", manifest(), identity)
    monkeypatch.setattr(provenance.embeddable, "available", lambda: False)
    publish(video, folder / "plain.mp4", manifest(), identity)
    fast, plain = (_report(folder / f"{name}.mp4", trust)["assertion_store"] for name in ("fast", "plain"))
    assert set(fast) == set(plain)
    for label in set(fast) - {"c2pa.hash.bmff.v3"}:
        assert fast[label] == plain[label], label
    own, theirs = fast["c2pa.hash.bmff.v3"], plain["c2pa.hash.bmff.v3"]
    assert own["exclusions"] == theirs["exclusions"]
    assert set(own) == set(theirs)
    assert own["alg"] == theirs["alg"]


def _pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.usefixtures("plain_refused")
@pytest.mark.parametrize("options", [{}, {"movflags": "faststart"}])
def test_a_file_signed_in_one_pass_plays_as_before(
    options: dict[str, str], video: Path, folder: Path, manifest: Make, identity: SigningIdentity
) -> None:
    """With the index before or behind the media, every frame decodes to the same pixels."""
    source = folder.parent / "source.mp4"
    with av.open(str(video)) as given, av.open(str(source), "w", options=options) as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    assert publish(source, folder / "a.mp4", manifest(), identity).state is State.TRUSTED
    before, after = _pictures(source), _pictures(folder / "a.mp4")
    assert len(before) == 8
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.usefixtures("plain_refused")
@pytest.mark.parametrize("kind", [Kind.EXTENSION, Kind.IMAGE_TO_VIDEO])
def test_ingredients_are_kept_in_one_pass(
    kind: Kind, samples: Path, signed: Path, folder: Path, manifest: Make, identity: SigningIdentity
) -> None:
    """A signed ingredient is judged once and cited with its manifest, as the plain way does."""
    found = publish(samples / "other.mp4", folder / "a.mp4", manifest(kind, signed), identity)
    assert (found.state, found.ingredients[0].state) == (State.TRUSTED, State.TRUSTED)
    assert found.ingredients[0].label == found.manifests[1].label


@pytest.mark.usefixtures("plain_refused", "small_leaves")
def test_every_byte_of_media_is_covered_by_the_tree(
    video: Path, folder: Path, manifest: Make, identity: SigningIdentity, trust: Trust
) -> None:
    """A hash tree notices a change in any leaf, in the media box's head, and in the index."""
    publish(video, folder / "a.mp4", manifest(), identity)
    body = _report(folder / "a.mp4", trust)["assertion_store"]["c2pa.hash.bmff.v3"]["merkle"][0]
    content = (folder / "a.mp4").read_bytes()
    with (folder / "a.mp4").open("rb") as file:
        boxes = {box.type: box for box in top_level(file, len(content))}
    assert body["count"] == len(body["hashes"]) == -(-(boxes["mdat"].size - 16) // 512) > 1
    for at in range(boxes["free"].offset, len(content), 23):
        changed = bytearray(content)
        changed[at] ^= 1
        (folder / "b.mp4").write_bytes(changed)
        assert read(folder / "b.mp4", trust).state in (State.INVALID, State.UNREADABLE), at


@pytest.mark.usefixtures("plain_refused", "small_leaves")
@pytest.mark.parametrize("more", [0, 1, 15, 16, 255, 256, 257, 500, 511, 512, 513, 70_000])
def test_trees_of_any_size_are_trusted(
    more: int, video: Path, folder: Path, manifest: Make, identity: SigningIdentity
) -> None:
    """Whatever the number of leaves and the length of the last one, the library agrees with our hash."""
    source = folder.parent / "source.mp4"
    content = video.read_bytes()
    with video.open("rb") as file:
        media = next(box for box in top_level(file, len(content)) if box.type == "mdat")
    end = media.offset + media.size
    grown = bytearray(content[:end] + bytes(more) + content[end:])
    struct.pack_into(">I", grown, media.offset, media.size + more)
    source.write_bytes(grown)
    assert publish(source, folder / "a.mp4", manifest(), identity).state is State.TRUSTED


def _boxed(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


@pytest.mark.parametrize(
    "extra",
    [
        _boxed(b"moof", bytes(8)), _boxed(b"meta", bytes(8)), _boxed(b"sidx", bytes(8)), b"\0\0\0",
        _boxed(b"uuid", bytes(3)), _boxed(b"uuid", bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + bytes(8)),
    ],
)  # fmt: skip
def test_what_is_not_the_plain_layout_has_no_plan(extra: bytes, video: Path, tmp_path: Path) -> None:
    """Fragments, item locations, an existing manifest and stray bytes are left to the library."""
    for content, expected in ((video.read_bytes(), True), (video.read_bytes() + extra, False)):
        (tmp_path / "a.mp4").write_bytes(content)
        with (tmp_path / "a.mp4").open("rb") as file:
            assert (provenance.layout.plan(file, len(content)) is not None) is expected


@pytest.mark.parametrize("name", [b"saio", b"iloc", b"mvex", b"cmov"])
def test_an_index_with_offsets_of_other_kinds_has_no_plan(name: bytes, video: Path, tmp_path: Path) -> None:
    """An index that holds boxes whose offsets we do not move is left to the library, and so is a damaged one."""
    content = video.read_bytes()
    for index in (_boxed(b"moov", _boxed(name, bytes(8))), _boxed(b"moov", b"\0\0\0\1junk"), _boxed(b"moov", b"\1")):
        with video.open("rb") as file:
            moov = next(box for box in top_level(file, len(content)) if box.type == "moov")
        (tmp_path / "a.mp4").write_bytes(content[: moov.offset] + index + content[moov.offset + moov.size :])
        with (tmp_path / "a.mp4").open("rb") as file:
            assert provenance.layout.plan(file, (tmp_path / "a.mp4").stat().st_size) is None


def test_two_media_boxes_get_one_flat_hash(
    video: Path, folder: Path, manifest: Make, identity: SigningIdentity, trust: Trust, small_leaves: None
) -> None:
    """With two media boxes the library's tree reads trusted or invalid at random, so there is none."""
    source = folder.parent / "source.mp4"
    source.write_bytes(video.read_bytes() + _boxed(b"mdat", b"x" * 5000))
    assert publish(source, folder / "a.mp4", manifest(), identity).state is State.TRUSTED
    assert not _report(folder / "a.mp4", trust)["assertion_store"]["c2pa.hash.bmff.v3"].get("merkle")


def test_offsets_are_moved_in_both_widths_and_never_wrap() -> None:
    """Tables of 32 and of 64 bits move; a 32-bit offset that would pass 4 GiB is refused, not wrapped."""
    for name, width in ((b"stco", "I"), (b"co64", "Q")):
        table = _boxed(name, struct.pack(f">II{width}", 0, 1, 2**32 - 10))
        moov = _boxed(b"moov", _boxed(b"trak", _boxed(b"mdia", _boxed(b"minf", _boxed(b"stbl", table)))))
        layout = provenance.layout.Layout((), moov, 0)
        assert layout.shifted_moov(0) == moov
        assert struct.unpack(f">{width}", layout.shifted_moov(9)[-struct.calcsize(width) :]) == (2**32 - 1,)
        if width == "I":
            with pytest.raises(OverflowError):
                layout.shifted_moov(10)
        else:
            assert layout.shifted_moov(10)[-8:] == (2**32).to_bytes(8)


@pytest.mark.parametrize("fault", [OverflowError("beyond 4 GiB"), None])
def test_what_does_not_fit_is_signed_the_plain_way(
    fault: Exception | None, video: Path, folder: Path, manifest: Make, identity: SigningIdentity,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Offsets that overflow, or a manifest of another size than its place, cost a second start and nothing else."""
    if fault:

        def overflow(*_: Any) -> bytes:
            raise fault

        monkeypatch.setattr(provenance.layout.Layout, "shifted_moov", overflow)
        monkeypatch.setattr(provenance.writing, "plan", lambda *_: provenance.layout.Layout((), b"", 0))
    else:
        real = provenance.embeddable._bytes_of
        monkeypatch.setattr(
            provenance.embeddable, "_bytes_of", lambda *given: real(*given) + b"\0" * ("sign" in given[1])
        )
    assert publish(video, folder / "a.mp4", manifest(), identity).state is State.TRUSTED


def test_a_source_that_becomes_shorter_is_refused(
    video: Path, folder: Path, manifest: Make, identity: SigningIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is cut while it is copied is SourceChanged, and one that cannot be read on is SourceUnreadable."""
    source = folder.parent / "live.mp4"
    real = provenance.writing.plan
    for error, read_on in ((SourceChanged, lambda *_: 0), (SourceUnreadable, None)):
        source.write_bytes(video.read_bytes())

        def fail(*_: Any) -> int:
            raise OSError(5, "Input/output error")

        class Odd(provenance.writing.Tap):
            pass

        def plan(*given: Any, odd: type = Odd, read_on: Any = read_on) -> Any:
            layout = real(*given)
            monkeypatch.setattr(odd, "readinto", read_on or _failing(odd))
            monkeypatch.setattr(provenance.writing, "Tap", odd)
            return layout

        monkeypatch.setattr(provenance.writing, "plan", plan)
        with pytest.raises(error):
            publish(source, folder / "a.mp4", manifest(), identity)
        assert list(folder.iterdir()) == []


def _failing(tap: Any) -> Callable[..., int]:
    def readinto(self: Any, _: memoryview) -> int:
        with self._kept():
            raise OSError(5, "Input/output error")

    return readinto


def test_another_version_of_the_library_is_signed_with_the_plain_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The private calls are not made to a library that nobody tried them with."""
    provenance.embeddable.available.cache_clear()
    monkeypatch.setattr(provenance.embeddable.c2pa, "sdk_version", lambda: "0.92.0")
    assert not provenance.embeddable.available()
    provenance.embeddable.available.cache_clear()


def test_a_refusal_inside_the_private_calls_is_reported(
    video: Path, folder: Path, manifest: Make, identity: SigningIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the library says to the private calls reaches the caller, and nothing is left."""
    monkeypatch.setattr(provenance.embeddable, "_HASH_LABEL", "c2pa.hash.nonsense")
    with pytest.raises(provenance.SigningError, match="C2PA library refused"):
        publish(video, folder / "a.mp4", manifest(), identity)
    assert list(folder.iterdir()) == []
