"""Encoders by folder and the scores on top: the plumbing, with random weights. What they are worth is not shown."""

from __future__ import annotations

import json
import socket
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from toy_encoders import wandering, write_dinov2, write_openclip, write_xclip

from classifier import Calibration, ForensicDetector, ForensicSignal
from classifier.d3 import D3Score
from classifier.encoders import EncoderModel, FrameEncoder, encoder_of
from classifier.restrav import RestravScore
from classifier.stall import StallScore
from classifier.trajectories import EncoderDetector, TrajectoryScore, curvature, steps
from media import UsageError, Video, encode, probe
from safety import ModelUnavailable

WRITERS = {"openclip": write_openclip, "dinov2": write_dinov2, "xclip": write_xclip}
SCORES: dict[str, type[TrajectoryScore]] = {"d3": D3Score, "restrav": RestravScore, "stall": StallScore}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("encoders")
    return {family: write(folder / family) for family, write in WRITERS.items()}


@pytest.fixture(params=list(WRITERS))
def encoder(request: pytest.FixtureRequest, folders: dict[str, Path]) -> FrameEncoder:
    return encoder_of(EncoderModel(request.param, str(folders[request.param])))


class Averages:
    """An encoder without a network: the mean colour of each quarter, as a unit vector of 12 numbers."""

    version = "averages 1"

    def embed(self, pictures: np.ndarray) -> np.ndarray:
        half = pictures.shape[1] // 2
        parts = [pictures[:, i : i + half, j : j + half].mean(axis=(1, 2)) for i in (0, half) for j in (0, half)]
        found = np.concatenate(parts, axis=1).astype(np.float64)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def written(path: Path, pictures: np.ndarray) -> Video:
    encode(path, pictures, Fraction(8))
    return probe(path)


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Video]]:
    """Twelve sources of one clip each."""
    folder = tmp_path_factory.mktemp("footage")
    return {f"camera {n}": [written(folder / f"{n}.mp4", wandering(10, n, 96))] for n in range(12)}


@pytest.mark.full
@pytest.mark.usefixtures("no_network")
def test_an_encoder_gives_unit_vectors_and_the_same_ones_again(encoder: FrameEncoder) -> None:
    """One unit vector a picture, different for different pictures, equal in the next call, whatever the size."""
    pictures = wandering(9, 1)
    found = encoder.embed(pictures)
    assert found.shape[0] == 9
    assert found.dtype == np.float64
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert np.array_equal(found, encoder.embed(pictures))
    assert steps(found).min() > 0
    assert encoder.embed(wandering(8, 1, size=50)).shape == (8, found.shape[1])


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a local folder needs no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.full
def test_the_version_names_the_weights(tmp_path: Path, folders: dict[str, Path]) -> None:
    """Other weights of the same architecture have another version; the same ones have the same."""
    other = encoder_of(EncoderModel("dinov2", str(write_dinov2(tmp_path / "dinov2", seed=1))))
    again = [encoder_of(EncoderModel("dinov2", str(folders["dinov2"]))).version for _ in range(2)]
    assert again[0] == again[1] != other.version
    assert again[0].startswith("dinov2 dinov2 ")


@pytest.mark.full
@pytest.mark.parametrize("family", list(WRITERS))
def test_what_is_not_there_is_said(family: str, tmp_path: Path) -> None:
    """A name without permission to download, or an empty folder, is ModelUnavailable and no download."""
    for model in (str(tmp_path), "nobody/nothing"):
        with pytest.raises(ModelUnavailable):
            encoder_of(EncoderModel(family, model))  # type: ignore[arg-type]


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the remedy is in the error."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelUnavailable, match=r"assay-video\[transformers\]"):
        encoder_of(EncoderModel("xclip", "x"))


def test_d3_by_hand() -> None:
    """An even pace is nearer 1 than an uneven one; the value is 1 / (1 + deviation / 0.05), computed by hand."""
    even = np.arange(10.0)[:, None] * np.array([[0.1, 0.0]])
    assert D3Score().value(even, None) == pytest.approx(1.0)
    uneven = np.cumsum([0, 0.1, 0.3, 0.1, 0.3, 0.1, 0.3, 0.1, 0.3])[:, None] * np.array([[1.0, 0.0]])
    # the second differences alternate between 0.2 and -0.2, four of one and three of the other
    deviation = float(np.std([0.2, -0.2, 0.2, -0.2, 0.2, -0.2, 0.2]))
    assert D3Score().value(uneven, None) == pytest.approx(1 / (1 + deviation / 0.05))
    assert D3Score().fit([even]) == {}


def test_steps_and_turns_by_hand() -> None:
    """Steps are Euclidean lengths; the path straight on, around a corner and back turns by 0, pi/2 and pi."""
    path = np.array([[0, 0], [1, 0], [3, 0], [3, 1], [3, 0]], float)
    assert steps(path) == pytest.approx([1, 2, 1, 1])
    assert curvature(path) == pytest.approx([0, np.pi / 2, np.pi])


@pytest.mark.parametrize("score", [RestravScore(), StallScore()])
def test_what_is_unlike_real_footage_scores_higher(score: TrajectoryScore) -> None:
    """Trajectories of the kind that the statistics came from score lower than others; all lie in [0, 1]."""
    rng = np.random.default_rng(3)
    real = [np.cumsum(rng.normal(0, 0.02, (12, 6)), axis=0) + np.eye(6)[0] for _ in range(40)]
    statistics = score.fit(real[:20])
    strange = [np.cumsum(np.abs(rng.normal(0.2, 0.02, (12, 6))), axis=0) - np.eye(6)[1] for _ in range(20)]
    ours, theirs = ([score.value(path, statistics) for path in some] for some in (real[20:], strange))
    assert all(0.0 <= value <= 1.0 for value in ours + theirs)
    assert max(ours) < min(theirs)
    assert json.loads(json.dumps(statistics)) == statistics


@pytest.mark.parametrize("name", list(SCORES))
def test_a_calibrated_score_judges_and_cites_its_footage(name: str, footage: dict[str, list[Video]]) -> None:
    """Half of the sources, or all of them, set a threshold at the rate that they support; judging then cites it."""
    score = SCORES[name]()
    seen: list[int] = []
    made = EncoderDetector(Averages(), score).calibrate(footage, 0.2, lambda: seen.append(1))
    assert len(seen) == 12
    assert made.sources == (6 if score.needs_statistics else 12)
    detector: ForensicDetector = EncoderDetector(Averages(), SCORES[name](), made)
    found = detector.judge(footage["camera 3"][0])
    assert found.value is not None
    assert found.likely is (found.value >= made.threshold)
    assert (found.fpr, found.threshold) == (0.2, made.threshold)
    assert f"threshold of {made.sources} sources" in found.version
    assert found.segments[0][0] == 0.0
    with pytest.raises(UsageError, match="sources"):
        EncoderDetector(Averages(), score).calibrate(footage, 0.01)


def test_no_calibration_no_answer(footage: dict[str, list[Video]], tmp_path: Path) -> None:
    """Without a calibration, for still pictures, for too few and for no video, there is a reason and no value."""
    bare = EncoderDetector(Averages(), D3Score())
    calibration = bare.calibrate(footage, 0.2)
    detector = EncoderDetector(Averages(), D3Score(), calibration)
    still = written(tmp_path / "still.mp4", np.repeat(wandering(1, 5), 12, axis=0))
    short = written(tmp_path / "short.mp4", wandering(5, 5))
    (tmp_path / "text.mp4").write_bytes(b"no video")
    cases: list[tuple[ForensicSignal, str]] = [
        (bare.judge(footage["camera 0"][0]), "not calibrated"),
        (detector.judge(still), "hardly move"),
        (detector.judge(short), "fewer than eight"),
        (detector.judge(tmp_path / "text.mp4"), "not a video"),
    ]
    for found, why in cases:
        assert found.value is None
        assert found.likely is None
        assert why in str(found.absence)


def test_numbers_that_are_none_are_no_answer(footage: dict[str, list[Video]]) -> None:
    """An encoder that answers NaN gives no value, never a low one."""

    class Broken(Averages):
        def embed(self, pictures: np.ndarray) -> np.ndarray:
            found = super().embed(pictures)
            found[3] = np.nan
            return found

    calibration = EncoderDetector(Averages(), D3Score()).calibrate(footage, 0.2)
    found = EncoderDetector(Broken(), D3Score(), calibration).judge(footage["camera 0"][0])
    assert found.value is None
    assert found.absence


def test_a_score_refuses_the_calibration_of_another(footage: dict[str, list[Video]]) -> None:
    """Another score, and another encoder, is another detector: a calibration that is not its own is refused."""
    made = EncoderDetector(Averages(), D3Score()).calibrate(footage, 0.2)

    class Other(Averages):
        version = "averages 2"

    for detector in (
        lambda: EncoderDetector(Averages(), StallScore(), made),
        lambda: EncoderDetector(Other(), D3Score(), made),
    ):
        with pytest.raises(ModelUnavailable, match="calibrat"):
            detector()
    assert isinstance(made, Calibration)
