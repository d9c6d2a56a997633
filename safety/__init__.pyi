from .category import BANNED_CLASSES as BANNED_CLASSES, CATEGORIES as CATEGORIES, is_category as is_category
from .decision import Circumstances as Circumstances, Decision as Decision, Reason as Reason, decide as decide
from .errors import ModelUnavailable as ModelUnavailable, PolicyError as PolicyError
from .policy import Action as Action, Policy as Policy, Rule as Rule, Temporal as Temporal, Waiver as Waiver
from .score import (
    Absence as Absence,
    Examination as Examination,
    Item as Item,
    Posture as Posture,
    PostureEntry as PostureEntry,
    Score as Score,
    Stage as Stage,
    Track as Track,
    Where as Where,
)
from .segments import Segment as Segment, segments as segments
from .stages import (
    Examiner as Examiner,
    FrameClassifier as FrameClassifier,
    FrameScore as FrameScore,
    PromptClassifier as PromptClassifier,
    source as source,
)
