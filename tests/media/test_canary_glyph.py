"""The canary glyph."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from media import canary_glyph

LUMA = np.array([0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("size", [8, 15, 16, 33, 64])
def test_it_is_a_round_emblem_with_nothing_outside(size):
    """RGBA of the size asked for; alpha is full inside, zero in the corners, and covers a disc's share."""
    glyph = canary_glyph(size)
    assert (glyph.shape, glyph.dtype) == ((size, size, 4), np.uint8)
    alpha = glyph[..., 3] / 255
    assert alpha[0, 0] == alpha[-1, 0] == alpha[0, -1] == alpha[-1, -1] == 0
    assert alpha[size // 2, size // 2] == 1
    assert alpha.mean() == pytest.approx(np.pi / 4, abs=0.01)


@pytest.mark.parametrize("size", [16, 24, 64])
def test_its_five_stripes_stand_out_when_small(size):
    """Across the stripes, luma and blue-against-yellow cross their middle four times, from 16 pixels on."""
    glyph = canary_glyph(size)[..., :3].astype(float)
    inner = [i for i in range(size) if abs((2 * i + 1) / size - 1) * np.sqrt(2) < 0.8]
    diagonal = glyph[inner, inner]  # from corner to corner, across the stripes
    for channel in (diagonal @ LUMA, diagonal[:, :2].mean(axis=1) - diagonal[:, 2]):
        bright = channel > (channel.max() + channel.min()) / 2
        assert np.count_nonzero(np.diff(bright)) == 4
        assert channel.max() - channel.min() > 100


def test_it_looks_the_same_turned_by_half():
    """Stripes and ring are symmetric about the centre, so that no edge is favoured."""
    glyph = canary_glyph(64).astype(int)
    assert np.abs(glyph - np.rot90(glyph, 2)).max() <= 1


def test_it_never_changes():
    """The emblem is fixed: detectors are trained on these very pixels."""
    digest = hashlib.sha256(canary_glyph(32).tobytes()).hexdigest()
    assert digest == "cc58ee97cb3218ea579c6919f2153c011b13ba2b6fff6f1cd13d7b6457830273"


def test_a_size_without_room_for_stripes_is_refused():
    """Below 8 pixels there is nothing to recognise."""
    with pytest.raises(ValueError, match="8 pixels"):
        canary_glyph(7)
