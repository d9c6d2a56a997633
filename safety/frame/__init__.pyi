from .canary import CanaryClassifier as CanaryClassifier
from .engine import examine_image as examine_image, examine_video as examine_video
from .gate import Bound as Bound
from .walk import Coverage as Coverage, FrameCounts as FrameCounts, FrameExamination as FrameExamination
