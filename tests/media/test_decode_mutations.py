"""Files with random damage: no crash, no hang, and the count of what was seen and not seen adds up."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from media import Frame, MediaError, Undecodable, probe

PATCHES = st.one_of(
    st.binary(min_size=1, max_size=8),
    st.sampled_from([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0"]),
)
# Where, in thousandths of the file (headers are short: half the damage goes to its first tenth), and what.
DAMAGE = st.lists(
    st.tuples(st.one_of(st.integers(0, 100), st.integers(0, 999)), st.integers(0, 40), PATCHES), max_size=6
)


KINDS = ("a.mp4", "a.mkv", "a.webm", "a.avi", "a.mov", "a.ts", "a.gif", "a.apng")


def accounted(path) -> None:
    """Walk the file; whatever is in it, the numbers must add up."""
    try:
        video = probe(path)
        items = list(video.frames())
    except MediaError as refused:
        named = path.name in str(refused)
        assert named
        return
    assert items
    assert [item.index for item in items] == list(range(len(items)))
    assert all(isinstance(item, Frame | Undecodable) for item in items)
    assert len(items) >= (video.declared_frames or 0)
    assert all(item.reason for item in items if isinstance(item, Undecodable))


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=DAMAGE)
def test_any_damage_ends_in_an_account_or_an_error(originals, tmp_path, name, damage):
    """Patches and cuts anywhere: every declared frame is seen or reported, or the file is refused by name."""
    content = bytearray(originals[name])
    for share, removed, patch in damage:
        at = len(content) * share // 1000
        content[at : at + removed] = patch
    path = tmp_path / name
    path.write_bytes(content)
    accounted(path)


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.integers(0, 999))
def test_any_cut_ends_in_an_account_or_an_error(originals, tmp_path, name, share):
    """A file cut anywhere loses frames, and never without saying so, where its container knows how long it is."""
    path = tmp_path / name
    path.write_bytes(originals[name][: len(originals[name]) * share // 1000])
    accounted(path)
    if name in {"a.mp4", "a.mov", "a.mkv", "a.webm", "a.avi"}:
        with contextlib.suppress(MediaError):
            items = list(probe(path).frames())
            assert sum(isinstance(item, Frame) for item in items) < 10 or isinstance(items[-1], Undecodable)
            assert any(isinstance(item, Undecodable) for item in items)
