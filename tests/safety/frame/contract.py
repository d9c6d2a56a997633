"""What every frame classifier must do; a test file inherits this class and gives it a classifier and frames."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from media import Frame
from safety import Absence, FrameClassifier, Where, is_category
from safety.frame.asking import ask
from tests.safety.frame.reels import flat, scene


class FrameClassifierContract:
    """Inherit as `TestX` with a fixture `classifier`; override `frames` to show it something that it knows."""

    @pytest.fixture
    def classifier(self) -> FrameClassifier:
        raise NotImplementedError

    @pytest.fixture
    def frames(self) -> list[Frame]:
        sizes = [(320, 180), (180, 320), (97, 61)]
        return [Frame(scene(seed, size), seed, seed / 25) for seed, size in enumerate(sizes)]

    def test_it_says_who_it_is(self, classifier: FrameClassifier) -> None:
        """Name, version, licence, cost, hash and categories are such that a posture and a policy can cite them."""
        assert re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", classifier.name)
        assert classifier.version
        assert "@" not in classifier.version
        assert classifier.licence
        assert classifier.cost_ms > 0
        assert classifier.categories
        assert all(is_category(category) for category in classifier.categories)
        assert classifier.weights_sha256 is None or re.fullmatch(r"[0-9a-f]{64}", classifier.weights_sha256)

    def test_every_frame_gets_every_category(self, classifier: FrameClassifier, frames: list[Frame]) -> None:
        """One mapping a frame, in order, with every category: a value in [0, 1] or an absence; boxes lie inside."""
        answers = classifier.score(frames)
        assert len(answers) == len(frames)
        for answer, frame in zip(answers, frames, strict=True):
            assert set(answer) == set(classifier.categories)
            for value, where in answer.values():
                assert isinstance(value, Absence) or (math.isfinite(value) and 0.0 <= value <= 1.0)
                assert where is None or isinstance(where, Where)
                if where is not None and where.box is not None:
                    left, top, right, bottom = where.box
                    assert 0 <= left < right <= frame.pixels.shape[1]
                    assert 0 <= top < bottom <= frame.pixels.shape[0]

    def test_it_is_deterministic(self, classifier: FrameClassifier, frames: list[Frame]) -> None:
        """The same frames get the same answers, evidence included."""
        assert classifier.score(frames) == classifier.score(frames)

    def test_a_batch_equals_its_frames_one_by_one(self, classifier: FrameClassifier, frames: list[Frame]) -> None:
        """What is shown beside a frame does not change its answer."""
        assert list(classifier.score(frames)) == [classifier.score([frame])[0] for frame in frames]

    def test_nothing_shown_is_nothing_said(self, classifier: FrameClassifier) -> None:
        """No frames give no answers."""
        assert list(classifier.score([])) == []

    def test_odd_pictures_are_answered(self, classifier: FrameClassifier) -> None:
        """One pixel, thin, black, white and noisy pictures are answered for, without a fault."""
        noise = np.random.default_rng(0).integers(0, 256, (90, 160, 3)).astype(np.uint8)
        odd = [flat(0, 0, (1, 1)), flat(255, 1, (3, 200)), flat(0, 2), flat(255, 3), Frame(noise, 4, 0.2)]
        answers, faults = ask(classifier, odd)
        assert faults == []
        assert len(answers) == len(odd)

    def test_pixels_are_left_as_they_were(self, classifier: FrameClassifier, frames: list[Frame]) -> None:
        """A classifier looks; it does not draw."""
        before = [frame.pixels.copy() for frame in frames]
        classifier.score(frames)
        assert all(np.array_equal(frame.pixels, copy) for frame, copy in zip(frames, before, strict=True))
