"""The embedded detector: what cannot move its score, when it is mute, and what it refuses to load."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from classifier import EmbeddedForensic, degrade
from classifier.canonical import Stretch
from classifier.detail import NUMBERS
from classifier.embedded import doubted, log_odds, probability, unmoved
from classifier.model import LISTING, WEIGHTS, read_model, write_model
from media import encode, probe
from safety import ModelUnavailable


def scene(seed: int, frames: int = 13, side: int = 256) -> np.ndarray:
    """Shapes over a ground with detail, panned: uint8 (T, side, side, 3)."""
    rng = np.random.default_rng(seed)
    ground = degrade.resize(rng.integers(30, 220, (1, 40, 40, 3)).astype(np.uint8), 2 * side)[0].astype(np.float32)
    ground += rng.normal(0, 6, ground.shape)
    ground = np.clip(ground, 0, 255).astype(np.uint8)
    return np.stack([ground[3 * t : 3 * t + side, 2 * t : 2 * t + side] for t in range(frames)])


@pytest.fixture(scope="module")
def detector() -> EmbeddedForensic:
    return EmbeddedForensic()


@pytest.fixture
def written(tmp_path: Path) -> Callable[[np.ndarray, str], Path]:
    def write(clip: np.ndarray, name: str = "clip.mp4") -> Path:
        encode(tmp_path / name, clip, Fraction(8))
        return tmp_path / name

    return write


def remuxed(path: Path, target: Path) -> None:
    """The same packets in another container, with other metadata."""
    with av.open(str(path)) as source, av.open(str(target), "w") as sink:
        stream = sink.add_stream_from_template(source.streams.video[0])
        sink.metadata["title"] = "Sora Veo Kling generated"
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                sink.mux(packet)


def test_container_and_tags_do_not_enter(detector: EmbeddedForensic, written: Callable[..., Path]) -> None:
    """The same pixels in mp4 and in mkv, with another title, score within 0.01, whatever the file is called."""
    path = written(scene(1))
    other = path.with_name("sora-output.mkv")
    remuxed(path, other)
    first, last = detector.judge(path), detector.judge(probe(other))
    assert first.value is not None
    assert last.value == pytest.approx(first.value, abs=0.01)


def test_too_few_pictures_are_no_answer(detector: EmbeddedForensic, written: Callable[..., Path]) -> None:
    """Seven pictures give no value, and say why."""
    found = detector.judge(written(scene(6, 7)))
    assert found.value is None
    assert found.likely is None
    assert "fewer than 8 pictures" in str(found.absence)


def test_a_still_is_no_answer(detector: EmbeddedForensic, written: Callable[..., Path]) -> None:
    """A still shown as a video gives no value, and says why."""
    assert "hardly differ" in str(detector.judge(written(scene(7, 1).repeat(12, 0))).absence)


def test_tiny_pictures_are_no_answer(detector: EmbeddedForensic, written: Callable[..., Path]) -> None:
    """Pictures of 96 pixels give no value, and say why."""
    assert "96 pixels" in str(detector.judge(written(degrade.resize(scene(8), 96))).absence)


@pytest.mark.parametrize("body", [b"", b"no video at all", b"\x00\x00\x00\x18ftypmp42" + bytes(64)])
def test_broken_files_are_no_answer(detector: EmbeddedForensic, tmp_path: Path, body: bytes) -> None:
    """A file that is no video is a signal without a value, which names the file; nothing is raised."""
    path = tmp_path / "broken.mp4"
    path.write_bytes(body)
    found = detector.judge(path)
    assert found.value is None
    assert "broken.mp4" in str(found.absence)
    assert detector.judge(tmp_path / "absent.mp4").value is None


def test_another_threshold_moves_the_band(detector: EmbeddedForensic, written: Callable[..., Path]) -> None:
    """Under a threshold of 0 everything that has a value and no doubt is likely; under 1 nothing of the sort is."""
    path = written(scene(9))
    low, high = detector.at(0.0).judge(path), detector.at(1.0).judge(path)
    assert low.value == high.value == detector.judge(path).value
    assert low.likely is not False
    assert high.likely is not True
    assert detector.at(0.3).calibration.threshold == 0.3


def test_odds_and_values_are_inverse() -> None:
    """Log-odds of a value give the value back, and both ends are finite."""
    assert probability(log_odds(0.3)) == pytest.approx(0.3)
    assert np.isfinite([log_odds(0.0), log_odds(1.0)]).all()


def test_doubts_have_reasons() -> None:
    """Strange numbers, experts apart, and a value between the lines are each said in words; a plain clip is not."""
    model = read_model()
    numbers = model.centre[None].copy()
    plain = np.full((1, len(model.bias)), -3.0)
    assert doubted(model, numbers, plain, 0.7) is None
    assert "unlike" in str(doubted(model, numbers + 9 * model.spread, plain, 0.7))
    apart = replace(model, bias=model.bias + np.eye(len(model.bias))[0] * 30)
    assert "against each other" in str(doubted(apart, numbers, plain, 0.7))
    near = np.full_like(plain, log_odds(0.5 * (model.limits["between"] + 0.7)))
    assert "between" in str(doubted(model, numbers, near, 0.7))


def test_silence_needs_every_stretch_still() -> None:
    """One stretch that moves is enough to be judged."""
    rng = np.random.default_rng(1)
    chroma = np.zeros((8, 2, 4, 4), np.uint8)
    still = Stretch(np.zeros((8, 8, 8), np.uint8), chroma, 0, 1, 256, np.zeros(NUMBERS))
    lively = Stretch(rng.integers(0, 255, (8, 8, 8)).astype(np.uint8), chroma, 1, 2, 256, np.zeros(NUMBERS))
    assert unmoved([still])
    assert not unmoved([still, lively])


def test_other_weights_are_refused(tmp_path: Path) -> None:
    """Weights that are missing, changed by a byte, or calibrated as another model's are refused by name."""
    with pytest.raises(ModelUnavailable, match=WEIGHTS):
        EmbeddedForensic(tmp_path)
    model = read_model()
    write_model(model, tmp_path)
    with pytest.raises(ModelUnavailable, match="calibration"):
        EmbeddedForensic(tmp_path)
    body = bytearray((tmp_path / WEIGHTS).read_bytes())
    body[-30] ^= 1
    (tmp_path / WEIGHTS).write_bytes(bytes(body))
    with pytest.raises(ModelUnavailable, match="sha256"):
        read_model(tmp_path)
    assert set(json.loads((tmp_path / LISTING).read_text())) == {"sha256"}
