"""What was judged is what leaves, also where a digest of media blocks stands in for a second hash of everything."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import provenance.embeddable
import provenance.layout
import provenance.writing
from provenance import Digests, Manifest, SigningIdentity, SourceChanged, State, digests_of, publish
from provenance.boxes import top_level

Make = Callable[..., Manifest]


@pytest.fixture
def small_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is large enough for a hash tree, of leaves of 512 bytes."""
    monkeypatch.setattr(provenance.layout, "_FLAT_UP_TO", 0)
    monkeypatch.setattr(provenance.layout, "_LEAF", 512)


@pytest.fixture
def never_hashed_twice(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each copy was asked for a sha256 of its source."""
    asked: list[bool] = []
    real = provenance.embeddable.sign_copy

    def note(order: Any, streams: Any) -> Digests:
        asked.append(order.hash_source)
        return real(order, streams)

    monkeypatch.setattr(provenance.writing.embeddable, "sign_copy", note)
    return asked


@pytest.mark.usefixtures("small_leaves")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_changes_both_digests(place: float, bit: int, video: Path, tmp_path: Path) -> None:
    """The digest of blocks notices every bit that a sha256 notices, wherever it lies."""
    content = bytearray(video.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    (tmp_path / "a.mp4").write_bytes(content)
    one, other = digests_of(video), digests_of(tmp_path / "a.mp4")
    assert one.blocks is not None
    assert one.blocks != other.blocks  # also where the change leaves no plan, and so no blocks
    assert one.sha256 != other.sha256 == hashlib.sha256(content).hexdigest()
    assert not one.same_file(other)


def test_small_files_and_other_kinds_have_a_plain_hash_only(samples: Path, tmp_path: Path) -> None:
    """Without hashed blocks, and for what is no media at all, the digest is the plain sha256."""
    (tmp_path / "text").write_text("no media")
    for path in (samples / "clip.mp4", samples / "still.png", samples / "clip.webm", tmp_path / "text"):
        assert digests_of(path) == Digests(hashlib.sha256(path.read_bytes()).hexdigest())


def test_digests_without_a_common_kind_are_not_the_same_file() -> None:
    """Nothing to compare is no agreement: blocks against a sha256, empty against empty."""
    assert not Digests("", "b").same_file(Digests("s"))
    assert not Digests("").same_file(Digests(""))
    assert Digests("s", "b").same_file(Digests("s"))
    assert Digests("other", "b").same_file(Digests("", "b"))


@pytest.mark.usefixtures("small_leaves")
def test_the_judged_file_is_known_by_its_blocks_without_another_hash(
    samples: Path, folder: Path, manifest: Make, identity: SigningIdentity, never_hashed_twice: list[bool]
) -> None:
    """With blocks, the judged file leaves and no sha256 is taken; any other file is refused and leaves nothing."""
    judged = digests_of(samples / "clip.mp4")
    assert publish(samples / "clip.mp4", folder / "a.mp4", manifest(), identity, judged=judged).state is State.TRUSTED
    content = bytearray((samples / "clip.mp4").read_bytes())
    with (samples / "clip.mp4").open("rb") as file:
        boxes = list(top_level(file, len(content)))
    changed = folder.parent / "changed.mp4"
    for box in boxes:  # in the index a name may become one that has no plan: then the sha256 decides
        spoiled = bytearray(content)
        spoiled[box.offset + box.size - 1] ^= 1
        changed.write_bytes(spoiled)
        with pytest.raises(SourceChanged, match="not the file that was judged"):
            publish(changed, folder / "b.mp4", manifest(), identity, judged=judged)
    with pytest.raises(SourceChanged):
        publish(samples / "other.mp4", folder / "b.mp4", manifest(), identity, judged=judged)
    assert [path.name for path in folder.iterdir()] == ["a.mp4"]
    assert not any(never_hashed_twice)


@pytest.mark.usefixtures("small_leaves")
def test_a_sha256_alone_is_compared_too(
    samples: Path, folder: Path, manifest: Make, identity: SigningIdentity, never_hashed_twice: list[bool]
) -> None:
    """A caller who has no digest of blocks pays for the second hash and is protected all the same."""
    judged = Digests(digests_of(samples / "clip.mp4").sha256)
    assert publish(samples / "clip.mp4", folder / "a.mp4", manifest(), identity, judged=judged).state is State.TRUSTED
    with pytest.raises(SourceChanged, match="judged"):
        publish(samples / "other.mp4", folder / "b.mp4", manifest(), identity, judged=judged)
    assert all(never_hashed_twice)


@pytest.mark.parametrize("leaves", [False, True])
def test_an_index_that_flickers_while_it_is_signed_does_not_slip_through(
    leaves: bool, video: Path, folder: Path, manifest: Make, identity: SigningIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index is hashed as it was read for writing: one that is swapped for the judged one afterwards is refused."""
    if leaves:
        monkeypatch.setattr(provenance.layout, "_FLAT_UP_TO", 0)
        monkeypatch.setattr(provenance.layout, "_LEAF", 512)
    source, honest = folder.parent / "live.mp4", video.read_bytes()
    source.write_bytes(honest)
    judged, stamps = digests_of(source), source.stat()
    evil = honest.replace(b"Lavf", b"Evil")
    assert len(evil) == len(honest) != evil.count(b"Lavf")
    real = provenance.writing.plan

    def plan(*given: Any) -> Any:
        layout = real(*given)
        source.write_bytes(honest)
        os.utime(source, ns=(stamps.st_atime_ns, stamps.st_mtime_ns))
        return layout

    monkeypatch.setattr(provenance.writing, "plan", plan)
    source.write_bytes(evil)
    os.utime(source, ns=(stamps.st_atime_ns, stamps.st_mtime_ns))
    with pytest.raises(SourceChanged, match="judged"):
        publish(source, folder / "a.mp4", manifest(), identity, judged=judged)
    assert list(folder.iterdir()) == []
