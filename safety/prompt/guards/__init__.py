"""Large guards: language models that judge a text, asked where the embedded classifier is uncertain."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
