from .canary import CanaryClassifier as CanaryClassifier
from .engine import examine_image as examine_image, examine_video as examine_video
from .gallery import Gallery as Gallery
from .gate import Bound as Bound
from .heads import Head as Head
from .likeness import FaceEmbedder as FaceEmbedder, LikenessClassifier as LikenessClassifier
from .nudenet import NudenetClassifier as NudenetClassifier
from .ocr import OcrClassifier as OcrClassifier
from .openclip import OpenClipClassifier as OpenClipClassifier, Trained as Trained, tensor_hash as tensor_hash
from .reader import Line as Line, TextReader as TextReader
from .traits import Schedule as Schedule
from .transformers_images import (
    ImageModel as ImageModel,
    TransformersImageClassifier as TransformersImageClassifier,
    folder_hash as folder_hash,
)
from .trunk import TrunkClassifier as TrunkClassifier
from .vlm import VlmJudge as VlmJudge, VlmOptions as VlmOptions
from .walk import EPSILONS as EPSILONS, FrameExamination as FrameExamination, ScanOptions as ScanOptions
