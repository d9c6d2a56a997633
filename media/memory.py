"""Memory that the C library holds free, given back to the system."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def give_back_memory() -> None:
    """Asks the C library to return the memory that it holds free, where it is one that can be asked (glibc).

    Large pictures that are allocated beside small things leave gaps, which glibc keeps: a process that makes or looks
    at thousands of 1080p frames grows by what lies between them unless it asks now and then.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
