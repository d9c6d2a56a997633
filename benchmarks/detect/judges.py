"""Who judges which clip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from assay import eyes
from classifier import ForensicDetector
from classifier.corpus import Origin


def shipped(data: Path) -> Callable[[Origin], ForensicDetector]:
    """The detector as it ships, for every clip. Of clips that it was trained on this says nothing."""
    (detector,) = eyes.shipped().forensic
    return lambda origin: detector
