"""PDQ as it is computed here, the search among hashes, and pictures found inside frames."""

from __future__ import annotations

import numpy as np
import pdqhash
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from safety.frame.banks.corners import Corners
from safety.frame.banks.features import Finder, corners_of
from safety.frame.banks.index import HammingIndex
from safety.frame.banks.pdq import Hashes, pdq
from tests.safety.banks.pictures import logo, pasted, picture, reencoded


def bits(a: bytes, b: bytes) -> int:
    """In how many places two hashes differ."""
    return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()


def test_our_hash_is_pdq() -> None:
    """Our hash of a large picture lies within the usual 31 bits of the published program's, bit order and all."""
    found = []
    for seed in range(12):
        shown = picture(seed, 1024, 1024)
        theirs, quality = pdqhash.compute(shown)
        ours = pdq(shown)
        found.append(bits(ours.value, np.packbits(theirs).tobytes()))
        assert abs(ours.quality - quality) <= 3
    assert max(found) <= 31
    assert np.mean(found) <= 16


def test_copies_stay_near_and_strangers_far() -> None:
    """A re-encoded half-size copy lies within 31 bits, another picture at more than 60."""
    hashes = [pdq(picture(seed)).value for seed in range(20)]
    for seed, value in enumerate(hashes):
        assert bits(value, pdq(reencoded(picture(seed))).value) <= 31
        assert all(bits(value, other) > 60 for other in hashes[:seed])


@pytest.mark.parametrize("shade", [0, 127, 255])
def test_a_flat_picture_has_no_quality(shade: int) -> None:
    """A frame of one shade is told apart as saying nothing."""
    assert pdq(np.full((360, 640, 3), shade, np.uint8)).quality == 0


def test_a_remembered_hash_is_never_another_pictures() -> None:
    """Hashes are remembered for pictures that cannot change, and computed anew for those that can."""
    known, shown = Hashes(), picture(1)
    first = known.of(shown)
    shown[:] = picture(2)
    assert known.of(shown) == pdq(picture(2)) != first
    frozen = picture(3)
    frozen.flags.writeable = False
    assert known.of(frozen) is known.of(frozen)
    for seed in range(200):  # more than it keeps
        other = picture(4, 64, 64)
        other.flags.writeable = False
        assert known.of(other).value == pdq(other).value, seed


def _brute(values: NDArray[np.uint8], queries: NDArray[np.uint8], radius: int) -> set[tuple[int, int, int]]:
    pairs = ((q, e, bits(a.tobytes(), b.tobytes())) for q, a in enumerate(queries) for e, b in enumerate(values))
    return {(q, e, d) for q, e, d in pairs if d <= radius}


def _near(index: HammingIndex, queries: NDArray[np.uint8]) -> set[tuple[int, int, int]]:
    return {(int(q), int(e), int(d)) for q, e, d in zip(*index.near(queries), strict=True)}


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000), count=st.integers(0, 60), radius=st.sampled_from([0, 1, 15, 16, 31, 47, 70]),
    how=st.sampled_from(["numpy", "faiss", "words"]),
)  # fmt: skip
def test_every_search_is_exact(seed: int, count: int, radius: int, how: str) -> None:
    """Whatever the way of searching, exactly the pairs within the radius are found."""
    random = np.random.default_rng(seed)
    values = random.integers(0, 256, (count, 32), dtype=np.uint8)
    queries = random.integers(0, 256, (3, 32), dtype=np.uint8)
    for query in queries[: min(count, 3)]:  # neighbours at every distance up to beyond the radius
        flips = random.choice(256, int(random.integers(0, radius + 3)), replace=False)
        near = np.unpackbits(query)
        near[flips] ^= 1
        values[random.integers(0, count)] = np.packbits(near)
    with pytest.MonkeyPatch.context() as patch:
        if how == "words":
            patch.setattr("safety.frame.banks.index._SMALL", -1)
        index = HammingIndex(values, radius, faiss=how == "faiss")
    assert _near(index, queries) == _brute(values, queries, radius)


def test_hashes_of_another_shape_are_refused() -> None:
    """A list of hashes that are no 32 bytes is a fault of the caller."""
    with pytest.raises(ValueError, match=r"\(N, 32\)"):
        HammingIndex(np.zeros((3, 16), np.uint8), 31)


def test_an_emblem_is_found_inside_a_frame() -> None:
    """Emblems of 96 pixels and more in a compressed frame are proposed where they are, and their hash agrees."""
    emblems = [logo(seed) for seed in range(6)]
    finder, found = Finder([corners_of(one) for one in emblems], np.ones(6)), 0
    for seed, emblem in enumerate(emblems):
        for side, x, y in ((96, 40, 30), (140, 400, 180)):
            frame = reencoded(pasted(picture(50 + seed), emblem, x, y, side), 70, 1.0)
            for place in finder.find(frame):
                if place.entry == seed and bits(place.hashed.value, pdq(emblem).value) <= 62:
                    found += 1
                    assert abs(place.box[0] - x) <= side // 4
                    assert abs(place.box[3] - y - side) <= side // 4
    assert found >= 10  # of 12


def test_frames_without_corners_propose_nothing() -> None:
    """A flat frame, and a list without pictures, are no error and find nothing."""
    assert Finder([corners_of(logo(1))], np.ones(1)).find(np.full((90, 160, 3), 40, np.uint8)) == []
    assert Finder([], np.ones(0)).find(picture(1)) == []
    assert len(corners_of(np.zeros((50, 50, 3), np.uint8)).looks) == 0


def test_corners_survive_storage() -> None:
    """Corners read back are those that were written, and a torn record is refused."""
    corners = corners_of(logo(3))
    back = Corners.from_bytes(corners.to_bytes())
    assert np.array_equal(back.looks, corners.looks)
    assert np.abs(back.places - corners.places).max() < 1e-4
    with pytest.raises(ValueError, match="whole number"):
        Corners.from_bytes(corners.to_bytes()[:-1])
