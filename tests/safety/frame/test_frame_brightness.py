from __future__ import annotations

import pytest

from safety import FrameClassifier
from tests.safety.frame.contract import FrameClassifierContract
from tests.safety.frame.reels import Brightness, flat


class TestBrightness(FrameClassifierContract):
    @pytest.fixture
    def classifier(self) -> FrameClassifier:
        return Brightness()

    def test_the_value_is_the_brightness(self) -> None:
        """The toy classifier says what it claims to say."""
        assert [answer["canary"][0] for answer in Brightness().score([flat(0), flat(51), flat(255)])] == [0.0, 0.2, 1.0]
