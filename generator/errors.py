"""Errors of the generation layer. A refusal by policy is never one of these: the generator does not judge."""

from __future__ import annotations

from media import AssayError, UsageError


class GenerationError(AssayError):
    """The generator raised, or was asked for what it cannot do; the text names the cause and the remedy."""


class InvalidRequest(GenerationError, UsageError):
    """A request with a field out of its range; the text starts with the field's name and ends with what to write."""


class GeneratorUnavailable(GenerationError):
    """A back-end that cannot be loaded: missing extra, missing weights, or weights of another hash."""


class Cancelled(GenerationError):
    """The caller's cancel event was set; nothing more comes, and everything held was let go."""


class UpstreamRefused(GenerationError):
    """A remote generator refused the request by a policy of its own. It is not our refusal: no rule of ours spoke."""
