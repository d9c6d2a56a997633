from .calibration import Calibration as Calibration
from .classifier import EmbeddedPromptClassifier as EmbeddedPromptClassifier
from .gazetteer import Gazetteer as Gazetteer
from .lexicon import Lexicon as Lexicon
from .views import View as View, canonical_views as canonical_views
