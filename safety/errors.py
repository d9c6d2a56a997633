"""Errors of the safety layer. A refusal is a `Decision`, never one of these."""

from media import AssayError


class PolicyError(AssayError):
    """A policy document that cannot be read or that breaks a law of the schema."""


class ModelUnavailable(AssayError):
    """A configured model that cannot be loaded: missing file, wrong hash, missing extra."""


class CorruptRecord(AssayError):
    """A stored item, score or track that cannot be read back exactly as it was written."""


class ReplayRefused(AssayError):
    """Stored scores that do not say what the models would say now, so that deciding from them again would mislead."""
