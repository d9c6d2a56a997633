"""A decoder's crash, and one that hangs, as far as a scan can tell: native code that goes wrong in the worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence

from assay_toys import CalmFrame

from media import Frame
from safety import FrameScore


class DyingOnGreen(CalmFrame):
    """Dies by SIGSEGV at a frame that is pure green; calm otherwise."""

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        for frame in frames:
            red, green, blue = (float(channel) for channel in frame.pixels[0, 0])
            if green > 150 and red < 100 and blue < 100:
                os.kill(os.getpid(), signal.SIGSEGV)
        return super().score(frames)
