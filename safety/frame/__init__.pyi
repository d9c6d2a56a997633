from .canary import CanaryClassifier as CanaryClassifier
from .engine import examine_image as examine_image, examine_video as examine_video
from .gate import Bound as Bound
from .nudenet import NudenetClassifier as NudenetClassifier
from .ocr import OcrClassifier as OcrClassifier
from .openclip import OpenClipClassifier as OpenClipClassifier
from .reader import Line as Line, TextReader as TextReader
from .traits import Schedule as Schedule
from .walk import EPSILONS as EPSILONS, FrameExamination as FrameExamination, ScanOptions as ScanOptions
