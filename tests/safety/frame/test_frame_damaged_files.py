"""Damaged files through the whole engine, each kind of damage, in a process with bounded memory."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.scan.mutate import KINDS, damaged, fates, originals


@pytest.mark.full
@pytest.mark.timeout(900)
def test_no_damage_crashes_hangs_or_fills_the_memory(tmp_path: Path) -> None:
    """200 damaged files end within 20 s and a gigabyte, in an account or an error that names the file."""
    ended = fates(200, 7, tmp_path)
    assert [fate for fate in ended if not fate.sound] == []
    assert {fate.said for fate in ended} == {"seen", "seen in part", "refused"}
    assert {fate.kind for fate in ended} == set(KINDS)


def test_damage_changes_the_file(tmp_path: Path) -> None:
    """Each kind of damage really damages, so that the test above is of something."""
    whole = originals(tmp_path)["a.mp4"]
    for kind in KINDS:
        changed = [damaged(kind, whole, random.Random(seed)) != whole for seed in range(20)]
        assert sum(changed) >= 15, kind
