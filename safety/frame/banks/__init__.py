"""Banks: lists of known content that an operator keeps, and the frame classifiers that look for it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
