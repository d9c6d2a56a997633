"""A hint for people: what an open_clip model finds when it is asked whether frames look generated. No evidence."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from assay.hints import Hint
from assay.settings import Settings
from media import AssayError, Frame, UsageError, Video

if TYPE_CHECKING:
    from safety.frame import OpenClipClassifier

_LOOKS = 5  # frames, among the first seconds
_EVERY = 12
_CATEGORY = "deception"  # the classifier wants a category for its texts; nothing but this hint reads its value
GENERATED = ("an AI-generated video frame", "a computer-generated picture", "a picture made by a diffusion model")
CAMERA = ("a photo taken with a camera", "a frame of camera footage", "a video recorded with a phone")


class ZeroShotHint:
    """The mean mass that a model puts on descriptions of generated pictures."""

    def __init__(self, net: OpenClipClassifier) -> None:
        self._net = net

    @classmethod
    def of(cls, settings: Settings) -> ZeroShotHint:
        """By the model of the settings; ModelUnavailable where it cannot be had, UsageError where none is named."""
        if settings.openclip is None:
            raise UsageError("settings: detect.zero_shot needs the model of [openclip]")
        from safety.frame import OpenClipClassifier

        named = settings.openclip
        return cls(OpenClipClassifier(named.model, named.pretrained, {_CATEGORY: GENERATED}, CAMERA))

    def hint(self, video: Video) -> Hint:
        """See `assay.eyes.Hinter`."""
        try:
            frames = [
                one for one in islice(video.frames(), _LOOKS * _EVERY) if isinstance(one, Frame) and one.principal
            ]
            values = [one[_CATEGORY][0] for one in self._net.score(frames[::_EVERY])]
        except AssayError as error:
            return Hint("zero-shot", "pixels", None, f"not looked at: {error!s:.120}")
        found = [value for value in values if isinstance(value, float)]
        if not found:
            return Hint("zero-shot", "pixels", None, "not looked at: no frame decodes, or the model failed")
        meaning = "the share of a picture model's belief that goes to words for generated pictures; no detector"
        return Hint("zero-shot", "pixels", f"{np.mean(found):.2f}", meaning)
