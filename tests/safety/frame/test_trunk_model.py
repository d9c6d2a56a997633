from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import pytest

from media import Frame
from safety import Absence, FrameClassifier, ModelUnavailable
from safety.frame import TrunkClassifier, trunk as module
from safety.frame.flame import TILE_NUMBERS, tiles
from tests.safety.frame.contract import FrameClassifierContract
from tests.safety.frame.reels import scene

CARD = Path(__file__).parents[3] / "docs" / "model-cards" / "trunk.md"


@pytest.fixture(scope="module")
def trunk() -> TrunkClassifier:
    """The embedded trunk."""
    return TrunkClassifier()


class TestTrunk(FrameClassifierContract):
    @pytest.fixture
    def classifier(self, trunk: TrunkClassifier) -> FrameClassifier:
        return trunk


class TestTrunkSession(FrameClassifierContract):
    @pytest.fixture
    def classifier(self, trunk: TrunkClassifier) -> FrameClassifier:
        return trunk.session()


def brawl(count: int = 60) -> list[Frame]:
    """Textured patches that jump about within arm's length of one another."""
    rng = np.random.default_rng(7)
    back = scene(1, (320, 180))
    parts = [scene(10 + i, (26, 26)) for i in range(6)]
    places = rng.uniform((110, 50), (190, 110), (6, 2))
    frames = []
    for index in range(count):
        picture = back.copy()
        places = np.clip(places + rng.normal(0, 7, places.shape), (90, 40), (210, 130))
        for part, (x, y) in zip(parts, places.astype(int), strict=True):
            picture[y : y + 26, x : x + 26] = part
        frames.append(Frame(picture, index, index / 25))
    return frames


def burning(picture: np.ndarray) -> np.ndarray:
    """The picture with a fire in it: ragged blobs, white-yellow inside, red outside, and their glow."""
    rng = np.random.default_rng(3)
    heat = np.zeros(picture.shape[:2], np.float32)
    for _ in range(60):
        centre = (int(rng.normal(160, 26)), int(rng.uniform(60, 150)))
        cv2.ellipse(
            heat, centre, (int(rng.uniform(3, 12)), int(rng.uniform(6, 22))), 0, 0, 360, rng.uniform(0.5, 1), -1
        )
    heat = cv2.GaussianBlur(heat, (0, 0), 2)[..., None]
    flame = np.concatenate(
        [np.clip(heat * 2.4, 0, 1), np.clip(heat * 1.7 - 0.3, 0, 1), np.clip(heat * 1.6 - 1, 0, 1)], 2
    )
    mixed = picture * (1 - np.clip(heat * 2, 0, 1)) + 255 * flame * np.clip(heat * 2, 0, 1)
    glow = cv2.GaussianBlur(heat, (0, 0), 25)[..., None] * np.array([90, 45, 10])
    return np.clip(mixed + glow, 0, 255).astype(np.uint8)


def test_a_single_picture_cannot_show_a_fight(trunk: TrunkClassifier) -> None:
    """Without a video, violence is unsupported, and the picture's fire is judged all the same."""
    (answer,) = trunk.score([Frame(scene(1), 0, 0.0)])
    assert answer["violence"] == (Absence.UNSUPPORTED, None)
    assert isinstance(answer["depiction/fire"][0], float)


def test_a_session_judges_every_frame(trunk: TrunkClassifier) -> None:
    """Each frame of a video gets both values, the first ones too."""
    answers = trunk.session().score(brawl())
    assert len(answers) == 60
    assert all(isinstance(value, float) for answer in answers for value, _ in answer.values())


def test_wild_motion_scores_above_stillness(trunk: TrunkClassifier) -> None:
    """Patches that fly about close together look more like a fight than a scene in which nothing moves."""
    still = [Frame(scene(1, (320, 180)), i, i / 25) for i in range(60)]
    wild, calm = (max(a["violence"][0] for a in trunk.session().score(some)) for some in (brawl(), still))  # type: ignore[type-var]
    assert wild > calm


def test_flames_score_above_the_scene_without_them(trunk: TrunkClassifier) -> None:
    """Rendered flames raise the fire of a benign scene."""
    pairs = [(scene(seed, (320, 180)), burning(scene(seed, (320, 180)))) for seed in range(4)]
    gains = [trunk.fire(tiles(after)) - trunk.fire(tiles(before)) for before, after in pairs]
    assert np.mean(gains) > 0


def test_sessions_share_nothing(trunk: TrunkClassifier) -> None:
    """Two videos walked in turns get what each gets alone, whatever the batches are."""
    frames = brawl()
    alone = list(trunk.session().score(frames))
    first, second = trunk.session(), trunk.session()
    turns = []
    for i in range(0, 60, 7):
        turns += first.score(frames[i : i + 7])
        second.score([Frame(scene(i), i, i / 25)])
    assert turns == alone


def test_tiles_cover_the_picture() -> None:
    """Every 8x8 pixels are one tile, odd edges included, and even one pixel gives one."""
    assert tiles(scene(1, (320, 180))).shape == (40 * 23, TILE_NUMBERS)
    assert tiles(np.zeros((1, 1, 3), np.uint8)).shape == (1, TILE_NUMBERS)
    assert np.isfinite(tiles(np.full((5, 97, 3), 255, np.uint8))).all()
    corner = scene(1, (320, 180)).copy()
    corner[-2:, -8:] = (255, 200, 40)
    assert not np.array_equal(tiles(corner), tiles(scene(1, (320, 180))))


def test_weights_are_those_that_were_trained() -> None:
    """The hashes of the listing are those of the files, together under 20 MB."""
    folder = resources.files("safety.frame") / "weights"
    listing = json.loads((folder / "trunk.json").read_text())["sha256"]
    contents = {name: (folder / f"{name}.onnx").read_bytes() for name in ("fire", "violence")}
    assert listing == {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    assert sum(map(len, contents.values())) < 20e6


@pytest.mark.parametrize("harm", ["flipped", "missing", "no listing"])
def test_other_weights_are_refused(harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed or missing file is a clear error, never another model."""
    (tmp_path / "weights").mkdir()
    for one in (resources.files("safety.frame") / "weights").iterdir():
        if one.name.endswith((".onnx", ".json")):
            (tmp_path / "weights" / one.name).write_bytes(one.read_bytes())
    target = tmp_path / "weights" / "fire.onnx"
    if harm == "flipped":
        target.write_bytes(target.read_bytes()[:-1] + b"x")
    elif harm == "missing":
        target.unlink()
    else:
        (tmp_path / "weights" / "trunk.json").write_text("{}")
    monkeypatch.setattr(module.resources, "files", lambda _: tmp_path)
    with pytest.raises(ModelUnavailable, match="install the package again"):
        TrunkClassifier()


def test_the_card_is_about_these_weights(trunk: TrunkClassifier) -> None:
    """The model card names the version, the hash and the held-out figures of the training."""
    card = CARD.read_text()
    assert card.startswith(f"# trunk@{trunk.version}:")
    assert trunk.weights_sha256 is not None
    assert trunk.weights_sha256 in card
    metrics = json.loads((resources.files("safety.frame") / "weights" / "metrics.json").read_text())
    for task in ("violence", "fire"):
        assert f"{metrics[task]['auc']:.3f}" in card
        assert f"{metrics[task]['starting_line']:.3f}" in card
