"""Errors of the spine, and the exit codes of the command line."""

from __future__ import annotations

from enum import IntEnum

from media import AssayError, UsageError


class StageTimeout(AssayError):
    """A stage ran past its deadline; its process was ended, and nothing was released."""

    def __init__(self, stage: str, seconds: float) -> None:
        super().__init__(
            f"stage {stage!r} ran past its deadline of {seconds:g} s and was ended; nothing was released. "
            f"Raise ASSAY_DEADLINES__{stage.upper()} if it needs longer"
        )
        self.stage, self.seconds = stage, seconds


class StageFailed(AssayError):
    """A stage raised something it does not document; nothing was released."""

    def __init__(self, stage: str, error: BaseException | str) -> None:
        said = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        super().__init__(f"stage {stage!r} failed ({said}); nothing was released")
        self.stage = stage


class WorkerDied(AssayError):
    """A stage took its process down (a crash in native code, or the memory limit); nothing was released."""

    def __init__(self, stage: str, exit_code: int | None) -> None:
        super().__init__(f"the process died in stage {stage!r} (exit code {exit_code}); nothing was released")
        self.stage = stage


class JobNotFound(UsageError):
    """No job or review of that id in this ledger."""


class ReviewClosed(UsageError):
    """The review was decided, has expired, or is of another kind."""


class LedgerVersion(AssayError):
    """The database is of another schema version than this code."""

    def __init__(self, url: str, found: str, wanted: str) -> None:
        remedy = "run `assay ledger upgrade`" if found < wanted else "upgrade Assay: this code is the older one"
        super().__init__(f"the ledger {url} has schema {found or 'from before versions'}, not {wanted}; {remedy}")


class LeaseLost(AssayError):
    """The job was given to another worker, was cancelled or has ended meanwhile; nothing of this attempt counts."""


class NoPicture(AssayError):
    """Of this material no picture may be made."""


class ExitCode(IntEnum):
    """What the command line answers; documented in DESIGN.md's contract."""

    OK = 0  # allowed, found nothing, trusted
    USAGE = 1
    REFUSED = 2  # blocked by policy, or an invalid manifest
    REVIEW = 3  # needs a person, or a manifest that is valid but untrusted, or absent
    UNDECIDED = 4  # no decision reached: media, model, unreadable, remote
    SIGNING = 5


EXIT_BY_ACTION = {"allow": ExitCode.OK, "review": ExitCode.REVIEW, "block": ExitCode.REFUSED}
