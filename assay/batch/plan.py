"""What a scan was asked to do: enough to know it again, so that a run that was cut short goes on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from assay.batch.sources import Choice, Source, sources
from assay.batch.work import Wish
from media import UsageError
from safety import Circumstances, Policy

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Plan:
    """One `assay scan`.

    names   files, folders, patterns, URLs, lists; `wanted`: a list besides
    since   as it was written; its moment stands in `choice`
    """

    names: tuple[str, ...]
    wanted: str | None = None
    choice: Choice = field(default_factory=Choice)
    since: str | None = None
    wish: Wish = field(default_factory=Wish)
    sign_passed: Path | None = None

    @property
    def of_the_path(self) -> bool:
        """Whether more is asked about each path than what is known of its content."""
        return bool(self.wish.riders) or self.needs_outcome

    @property
    def needs_outcome(self) -> bool:
        """Whether a path of known content needs the judgement itself, to sign or seal by."""
        return self.sign_passed is not None or self.wish.quarantine

    def sources(self) -> Iterator[Source]:
        """The files, in their order."""
        return sources(self.names, self.choice, self.wanted)

    def circumstances(self) -> Circumstances:
        """Of the decisions that are made now. What is to be signed must be complete."""
        return Circumstances(require_complete=self.wish.require_complete or self.sign_passed is not None)

    def asked(self) -> dict[str, Any]:
        """For the ledger: what was asked, by names that mean the same from any folder."""
        return {
            "names": [name if "://" in name or name == "-" else str(Path(name).absolute()) for name in self.names],
            "wanted": self.wanted,
            "folder": str(Path.cwd()),
            "shard": list(self.choice.shard),
            "limit": self.choice.limit,
            "since": self.since,
            "since_s": self.choice.since_s,
            "require_complete": self.circumstances().require_complete,
            "riders": list(self.wish.riders),
            "quarantine": self.wish.quarantine,
            "sign_passed": None if self.sign_passed is None else str(self.sign_passed.absolute()),
        }

    def key(self, policy: Policy, scoring_digest: str) -> str:
        """The same for a plan that asks the same of the same models under the same policy, whatever the engine."""
        asked = {name: value for name, value in self.asked().items() if name != "since_s"}
        whole = json.dumps([asked, policy.digest, scoring_digest], sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()

    def resumed(self, asked: dict[str, Any]) -> Plan:
        """The plan as it was when that run began: "since yesterday" keeps meaning the same day."""
        return replace(self, choice=replace(self.choice, since_s=asked["since_s"]))


def shard_of(text: str) -> tuple[int, int]:
    """`2/8` as (2, 8)."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    number, parts = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= parts:
        raise UsageError(f"--shard {text}: write i/n with i from 1 to n, as in 1/8 to 8/8")
    return number, parts


def moment(text: str, present: datetime | None = None) -> float:
    """Seconds since 1970 of `2026-11-22`, `2026-11-22T20:00`, or of `36h` or `7d` ago. Without a zone: local time."""
    found = re.fullmatch(r"(\d+)([mhdw])", text)
    if found:
        ago = timedelta(**{_UNITS[found[2]]: int(found[1])})
        return ((present or datetime.now(UTC)) - ago).timestamp()
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise UsageError(f"--since {text}: write a date, a date and time, or an age such as 36h or 7d") from error
