from .backends.diffusers import DiffusersGenerator as DiffusersGenerator, DiffusersModel as DiffusersModel
from .backends.procedural import ProceduralGenerator as ProceduralGenerator
from .backends.videos_api import VideosApiGenerator as VideosApiGenerator, VideosServer as VideosServer
from .embedded import EmbeddedGenerator as EmbeddedGenerator
from .errors import (
    Cancelled as Cancelled,
    GenerationError as GenerationError,
    GeneratorUnavailable as GeneratorUnavailable,
    InvalidRequest as InvalidRequest,
    UpstreamRefused as UpstreamRefused,
)
from .footage import Footage as Footage
from .recaption import GrammarRecaptioner as GrammarRecaptioner, Recaptioner as Recaptioner
from .recaption_local import LocalRecaptioner as LocalRecaptioner
from .request import (
    Conditioning as Conditioning,
    FrameSource as FrameSource,
    GenerationRequest as GenerationRequest,
    Mode as Mode,
)
from .stream import (
    Completed as Completed,
    Event as Event,
    Frames as Frames,
    GenerationRecord as GenerationRecord,
    Hook as Hook,
    Preview as Preview,
    Progress as Progress,
    VideoGenerator as VideoGenerator,
)
from .world.lexicon import vocabulary as vocabulary
