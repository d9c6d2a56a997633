from .fusion import Answer as Answer, Fused as Fused, ManifestSignal as ManifestSignal, fuse as fuse
