from .deployment import Calibrated as Calibrated, Calibration as Calibration, read_calibration as read_calibration
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
from .signal import ForensicDetector as ForensicDetector, ForensicSignal as ForensicSignal
