from .conformal import ensure_supported as ensure_supported
from .d3 import D3Score as D3Score
from .deployment import (
    Calibrated as Calibrated,
    Calibration as Calibration,
    calibrate as calibrate,
    read_calibration as read_calibration,
)
from .embedded import EmbeddedForensic as EmbeddedForensic
from .encoders import EncoderModel as EncoderModel, FrameEncoder as FrameEncoder, encoder_of as encoder_of
from .fusion import (
    Answer as Answer,
    Fused as Fused,
    ManifestSignal as ManifestSignal,
    MarkSignal as MarkSignal,
    MatchSignal as MatchSignal,
    Signals as Signals,
    fuse as fuse,
    leading as leading,
)
from .restrav import RestravScore as RestravScore
from .signal import ForensicDetector as ForensicDetector, ForensicSignal as ForensicSignal
from .stall import StallScore as StallScore
from .trajectories import EncoderDetector as EncoderDetector, TrajectoryScore as TrajectoryScore
