from .canary import CanaryClassifier as CanaryClassifier
from .engine import examine_image as examine_image, examine_video as examine_video
from .gallery import Gallery as Gallery
from .gate import Bound as Bound
from .likeness import FaceEmbedder as FaceEmbedder, LikenessClassifier as LikenessClassifier
from .nudenet import NudenetClassifier as NudenetClassifier
from .ocr import OcrClassifier as OcrClassifier
from .openclip import OpenClipClassifier as OpenClipClassifier
from .reader import Line as Line, TextReader as TextReader
from .traits import Schedule as Schedule
from .walk import EPSILONS as EPSILONS, FrameExamination as FrameExamination, ScanOptions as ScanOptions
