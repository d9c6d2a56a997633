from .canary import canary_glyph as canary_glyph
from .encode import Encoder as Encoder, encode as encode
from .errors import AssayError as AssayError, MediaError as MediaError, UsageError as UsageError
from .image import read_image as read_image, write_image as write_image
from .probe import probe as probe
from .video import Frame as Frame, Pixels as Pixels, Undecodable as Undecodable, Video as Video
