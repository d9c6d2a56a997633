"""The canonical form: what it keeps of a video, and what it hides."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from classifier import canonical, degrade, mimic
from classifier.canonical import LONGEST, SHORTEST, SIDE, Squares
from classifier.corpus import Origin, build
from classifier.features import GROUPS, groups_of, named
from media import Frame, encode, probe


def scene(frames: int = 24, height: int = 96, width: int = 128, seed: int = 1) -> np.ndarray:
    """A textured square over a textured ground, both moving: uint8 (T, H, W, 3)."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(40, 200, (height + 64, width + 64, 3)).astype(np.float32)
    ground = degrade.blur(ground.astype(np.uint8)[None], 1.0)[0]
    made = []
    for t in range(frames):
        one = ground[t % 60 : t % 60 + height, t // 2 : t // 2 + width].copy()
        one[20:50, 10 + t : 40 + t] = rng.integers(0, 255, (30, 30, 3)) // 3 + 120
        made.append(one)
    return np.stack(made)


def squares(frames: int, start_s: float = 0.0) -> Squares:
    return Squares(np.zeros((frames, 8, 8, 3), np.uint8), start_s, start_s + 1, 8)


@given(st.floats(1, 240), st.integers(2, 9))
def test_skip_makes_about_eight_a_second(rate: float, seen: int) -> None:
    """From any rate, whole pictures are skipped so that about 8 a second are left, and none is repeated."""
    step = canonical.skip([number / rate for number in range(seen)])
    assert step >= 1
    assert rate / step <= 16.0
    assert rate / step >= min(rate, 5.3) - 1e-6


def test_skip_without_times() -> None:
    """A single picture, or pictures at one moment, are all taken."""
    assert canonical.skip([]) == canonical.skip([0.0]) == canonical.skip([2.0, 2.0]) == 1


def test_no_picture_is_repeated_or_reordered() -> None:
    """The stretches of a walk hold every step-th picture once, in order."""
    walk = [Frame(np.full((12, 16, 3), 5 * n, np.uint8), n, n / 24) for n in range(50)]
    found = list(canonical.sampled(walk))
    levels = [int(one.pixels[k, 4, 4, 0]) for one in found for k in range(len(one.pixels))]
    assert all(later - earlier == 15 for earlier, later in pairwise(levels))
    assert [len(one.pixels) for one in found] == [LONGEST]  # the five that are left are too few for a stretch
    assert found[0].side == 12
    assert SHORTEST <= LONGEST


def test_an_hour_is_spread_over_few_stretches() -> None:
    """However long a video is, few stretches are kept, evenly spread from its start to its end."""
    found = canonical.spread(squares(8, float(second)) for second in range(3600))
    assert len(found) == canonical.STRETCHES
    gaps = [b.start_s - a.start_s for a, b in pairwise(found)]
    assert found[0].start_s == 0.0
    assert found[-1].start_s > 1700
    assert max(gaps) < 2 * min(gaps)
    assert len(canonical.spread([squares(8)])) == 1


def test_size_and_rate_are_gone(tmp_path: Path) -> None:
    """A wide video at 24 a second becomes squares at 8: nothing of size or rate is left but what the pixels show."""
    path = tmp_path / "wide.mp4"
    encode(path, scene(48, 90, 160), Fraction(24))
    first = canonical.stretches(probe(path))[0]
    assert first.luma.shape == (LONGEST, SIDE, SIDE)
    assert first.chroma.shape == (LONGEST, 2, SIDE // 2, SIDE // 2)
    assert first.end_s - first.start_s == pytest.approx(1.5, abs=0.05)
    assert first.side == 90


def test_every_group_is_finite_and_repeatable() -> None:
    """Each group of numbers is the same for the same planes, finite for moving, still and black pictures."""
    moving = canonical.decode(canonical.encode(np.stack([canonical.square(one) for one in scene(12)])))
    black = (np.zeros((8, SIDE, SIDE), np.uint8), np.full((8, 2, SIDE // 2, SIDE // 2), 128, np.uint8))
    for planes in (moving, black):
        found = named(*planes, tuple(GROUPS))
        assert found == named(*planes, tuple(GROUPS))
        assert np.isfinite(list(found.values())).all()
        assert groups_of(found) == tuple(GROUPS)


@pytest.mark.parametrize("codec", degrade.CODECS)
def test_recoding_keeps_the_pictures(codec: str) -> None:
    """Every codec gives back as many pictures of the same size, worn and recognisable."""
    clip = scene(8)
    found = degrade.recode(clip, codec, 6 if codec == "mpeg4" else 30)
    assert found.shape == clip.shape
    assert 0 < np.abs(found.astype(int) - clip).mean() < 30


@pytest.mark.parametrize("dither", ["diffuse", "ordered", "none"])
def test_a_palette_has_few_colours(dither: str) -> None:
    """Under a GIF's palette no clip has more than its colours."""
    found = degrade.palette(scene(8), dither, 64)
    assert len(np.unique(found.reshape(-1, 3), axis=0)) <= 64


def test_wear_changes_size_as_asked() -> None:
    """Resizing sets the shorter side, cropping keeps its share, sharpening undoes no blur's order of detail."""
    clip = scene(4)
    assert min(degrade.resize(clip, 48).shape[1:3]) == 48
    assert degrade.crop(clip, 0.5).shape[1:3] == (48, 64)
    detail = [float(np.abs(np.diff(one.astype(int), axis=2)).mean()) for one in (degrade.blur(clip, 1.5), clip)]
    assert detail[0] < detail[1] < float(np.abs(np.diff(degrade.sharpen(clip, 1.0).astype(int), axis=2)).mean())


@pytest.mark.parametrize("name", mimic.MIMICS)
def test_mimics_share_the_content(name: str) -> None:
    """A content-matched fake shows the same scene, is not the same pixels, and is the same for the same seed."""
    clip = scene(17, 96, 128)
    found = mimic.MIMICS[name](clip, np.random.default_rng(3))
    assert np.array_equal(found, mimic.MIMICS[name](clip, np.random.default_rng(3)))
    T, H, W = found.shape[:3]
    assert T >= 13
    assert found.dtype == np.uint8
    a = degrade.blur(found, 3)[:T].astype(float)
    b = degrade.blur(clip[:T, :H, :W], 3).astype(float)
    assert np.abs(found.astype(int) - clip[:T, :H, :W]).mean() > 0
    floor = 35 if name == "drifting" else 12
    assert np.abs(a - b).mean() < floor


def test_corpus_wears_both_classes_alike(tmp_path: Path) -> None:
    """Copies of a real clip come with content-matched fakes, worn in the same way; a second build adds none."""
    path = tmp_path / "a.mp4"
    encode(path, scene(40), Fraction(16))
    real = Origin("a", False, "camera", "camera", str(path), "", False)
    fake = Origin("b", True, "model", "model", str(path), "", False)
    gone = Origin("c", True, "model", "model", str(tmp_path / "none.mp4"), "", False)
    build([real, fake, gone], tmp_path / "corpus", worn=1)
    names = {one.name for one in (tmp_path / "corpus").iterdir()}
    assert {"a.native-0.h264", "a.worn-0.h264", "b.worn-0.h264", "c.jsonl"} <= names
    assert sum("@worn-0" in name for name in names) == 1
    assert not any(name.startswith("b.") and "@" in name for name in names)
    build([real, fake, gone], tmp_path / "corpus", worn=2)
    assert names == {one.name for one in (tmp_path / "corpus").iterdir()}
