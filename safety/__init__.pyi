from .category import BANNED_CLASSES as BANNED_CLASSES, CATEGORIES as CATEGORIES, is_category as is_category
from .chat import ChatEndpoint as ChatEndpoint, ChatError as ChatError, probability as probability
from .coverage import Coverage as Coverage, FrameCounts as FrameCounts
from .deciding import decide as decide
from .decision import Circumstances as Circumstances, Decision as Decision, Reason as Reason
from .errors import (
    CorruptRecord as CorruptRecord,
    ModelUnavailable as ModelUnavailable,
    PolicyError as PolicyError,
    ReplayRefused as ReplayRefused,
)
from .examine import examine_text as examine_text, examine_texts as examine_texts
from .examples import ExampleOutcome as ExampleOutcome, run_examples as run_examples
from .gist import Gist as Gist, applicable as applicable
from .linting import Finding as Finding, lint as lint
from .neutral import (
    Change as Change,
    Mention as Mention,
    NamesReader as NamesReader,
    Neutral as Neutral,
    neutralise as neutralise,
)
from .policy import (
    Absences as Absences,
    Action as Action,
    CategoryText as CategoryText,
    Example as Example,
    Policy as Policy,
    Rule as Rule,
    StrikeLevel as StrikeLevel,
    Strikes as Strikes,
    Temporal as Temporal,
    Waiver as Waiver,
)
from .policyfile import shipped_policies as shipped_policies
from .redeciding import Redecider as Redecider, Unfold as Unfold
from .replaying import Recording as Recording, replay as replay
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
from .segment import Segment as Segment, segments as segments
from .stages import (
    Examiner as Examiner,
    FrameClassifier as FrameClassifier,
    FrameScore as FrameScore,
    PromptClassifier as PromptClassifier,
    source as source,
)
