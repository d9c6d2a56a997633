"""From clips to weights: tables, folds and the experts, on a handful of rendered clips."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from classifier import degrade
from classifier.corpus import Origin, build
from classifier.detail import NUMBERS
from classifier.fitting import (
    OWN,
    Recipe,
    Table,
    fitted,
    footage_of,
    joined,
    read_table,
    recognised,
    recogniser,
    shares,
    table_of,
    weights_of,
    write_table,
)
from classifier.roundtrip import WAYS, details, left_out, lost_of, round_trips
from media import encode

KINDS = {"camera-a": False, "camera-b": False, "model-a": True, "model-b": True, "x-c": False, OWN: True}


def pictures(seed: int, soft: bool) -> np.ndarray:
    """Noise that moves: uint8 (9, 128, 128, 3), blurred where it is to look drawn."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 256, (1, 160, 160, 3)).astype(np.uint8)
    ground = degrade.blur(ground, 1.6 if soft else 0.6)[0]
    return np.stack([ground[2 * t : 2 * t + 128, t : t + 128] for t in range(9)])


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of two clips a source, of two cameras, two models, more footage and our own."""
    folder = tmp_path_factory.mktemp("cache")
    origins = []
    for place, (source, generated) in enumerate(KINDS.items()):
        for number in range(2):
            path = folder / f"{source}-{number}.mp4"
            encode(path, pictures(10 * place + number, generated), Fraction(8))
            canonical = str(path) if not source.startswith("x-") else ""
            origins.append(Origin(path.stem, generated, source, source, str(path), canonical, False))
    build(origins, folder / "corpus", {}, worn=0)
    return folder


@pytest.fixture(scope="module")
def table(cache: Path) -> Table:
    return table_of(cache / "corpus", cache / "numbers")


def test_a_table_is_measured_once(cache: Path, table: Table) -> None:
    """A second reading gives the same numbers from the cache; classes and kinds of copies are told apart."""
    again = table_of(cache / "corpus", cache / "numbers")
    assert np.array_equal(again.numbers, table.numbers)
    assert table.own.sum() == 2
    assert table.more.sum() == 2
    assert not table.mimic.any()
    assert table.clean.all()
    assert len(joined(table, table).rows) == 2 * len(table.rows)
    with pytest.raises(ValueError, match="different numbers"):
        joined(table, replace(table, names=table.names[::-1]))


def test_classes_weigh_alike_and_light_sources_less(table: Table) -> None:
    """Both classes have the same weight; our own clips and more footage weigh a third and a quarter of a source."""
    weights = weights_of(table, np.ones(len(table.rows), bool), table.generated, 0.4, 0.0)
    source = table.of("source")
    assert weights[table.generated].sum() == pytest.approx(weights[~table.generated].sum())
    assert weights[source == OWN].sum() == pytest.approx(weights[source == "model-a"].sum() / 3)
    assert weights[source == "x-c"].sum() == pytest.approx(weights[source == "camera-a"].sum() / 4)


def test_experts_learn_what_they_are_shown(cache: Path, table: Table) -> None:
    """Fitted on soft drawings and sharp footage, the experts and ours each tell theirs apart; a round trip is measured
    on a clip that is not ours.
    """
    every = np.ones(len(table.rows), bool)
    model = fitted(table, every, Recipe((("signs/",),), 1.0, 0.4))
    said = model.opinions(table.numbers)[:, 0]
    assert said[table.generated].min() > said[~table.generated].max()
    model = replace(model, known=recogniser(table, every, model))
    assert model.recognised(table.numbers)[table.own].min() > model.recognised(table.numbers)[~table.generated].max()
    assert np.isfinite(recognised(table, model)[table.own]).all()
    assert len(round_trips(table, cache).rows) == 10


def test_lost_detail_is_told_from_detail(tmp_path: Path) -> None:
    """The expert for lost detail, fitted on sharp noise and what a round trip leaves of it, tells them apart for every
    way, for sources that it has not seen too; a second reading comes from the cache.
    """
    rows = []
    for seed in range(6):
        ground = np.random.default_rng(seed).integers(0, 256, (1, 150, 150, 3)).astype(np.uint8)
        ground = degrade.blur(degrade.resize(ground, 300), 0.6 + seed / 10)[0]
        path = tmp_path / f"{seed}.mp4"
        encode(path, np.stack([ground[2 * t : 2 * t + 256, t : t + 256] for t in range(9)]), Fraction(8))
        row = {"origin": str(seed), "how": "native-0", "source": f"camera-{seed % 3}", "path": str(path)}
        rows.append({**row, "canonical": "", "generated": False, "family": "f"})
    table = Table(np.zeros((6, 1)), np.zeros((6, 0)), ("n",), tuple(rows))
    found = details(table, tmp_path)
    assert found.gone.shape == (6, len(WAYS), NUMBERS)
    assert np.array_equal(details(table, tmp_path).plain, found.plain)
    lost = lost_of(found)
    assert (found.plain @ lost[:-1] + lost[-1] < 0).all()
    assert (found.gone @ lost[:-1] + lost[-1] > 0).mean() > 0.95
    plain, gone = left_out(found)
    assert plain.max() < gone.min()


def test_no_expert_outvotes_the_others(table: Table) -> None:
    """An expert's voice is its rank among training clips: it grows with what it says, and what is beyond all of them
    counts no more than the last of them.
    """
    model = fitted(table, np.ones(len(table.rows), bool), Recipe((("signs/",), ("chroma/",)), 1.0, 0.4))
    said, voices = model.spoken(table.numbers), model.opinions(table.numbers)
    assert (np.diff(voices[np.argsort(said[:, 0]), 0]) >= 0).all()
    loud = replace(model, bias=model.bias + np.array([1e6, 0.0])).opinions(table.numbers)
    assert np.allclose(loud[:, 0], voices[:, 0].max())
    assert np.array_equal(loud[:, 1], voices[:, 1])


def test_gates_table_and_footage(table: Table, tmp_path: Path) -> None:
    """What is written for the gates comes back; footage is grouped by source, a value a clip."""
    write_table(table, tmp_path / "t.npz")
    again = read_table(tmp_path / "t.npz")
    assert again.generated.tolist() == table.generated[table.of("how") == "canonical"].tolist()
    values = shares(np.linspace(-1, 1, len(table.rows)))
    footage = footage_of(table, ~table.generated, values)
    assert {name: len(clips) for name, clips in footage.items()} == {"camera-a": 2, "camera-b": 2, "x-c": 2}
