from .canary import canary_glyph as canary_glyph
from .describe import probe as probe
from .durable import sync_folder as sync_folder
from .errors import AssayError as AssayError, MediaError as MediaError, UsageError as UsageError
from .frame import (
    SMALL_SIDE as SMALL_SIDE,
    Exposure as Exposure,
    Frame as Frame,
    Look as Look,
    Pixels as Pixels,
    Undecodable as Undecodable,
)
from .image import read_image as read_image, write_image as write_image
from .memory import give_back_memory as give_back_memory
from .mp4 import Encoder as Encoder, encode as encode
from .tagging import Tag as Tag, tags as tags
from .video import Video as Video
