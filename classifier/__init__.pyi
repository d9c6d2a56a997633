from .fusion import Answer as Answer, Fused as Fused, ManifestSignal as ManifestSignal, fuse as fuse
from .signal import ForensicDetector as ForensicDetector, ForensicSignal as ForensicSignal
