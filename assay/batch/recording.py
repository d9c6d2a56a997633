"""What a worker hands over of one file: plain values, ready to be written, so that one process writes for all.

The spine opens a job, records and settles it in a ledger. In a batch that ledger is a `Notebook`, which notes the same
lines and writes nothing: a commit for each file would wait for the disk three times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from assay.ledger import Ledger, State, decision_columns, new_id, posture_of, score_columns
from assay.outcome import Outcome
from assay.replaying.tables import gist_columns
from assay.rows import scan_row
from safety import Decision, Examination, Policy

OF_THE_PATH = ("path", "signed", "quarantined", "error")  # what a row says of the path, not of its content


@dataclass(frozen=True)
class Recorded:
    """One content that was examined and decided about.

    items      (columns of `items`, columns of its `scores`) each
    decisions  columns of `decisions`, without the job
    body       the contract row without what belongs to the path
    policy     the document, where it is not the one that the run began with (a bank has changed meanwhile)
    gists      columns of `gists`, by which another policy decides again without unpacking what is quiet
    """

    sha256: str
    scoring_digest: str
    policy_digest: str
    day: date
    require_complete: bool
    action: str
    frames: dict[str, Any] | None
    partial: str | None
    items: list[tuple[dict[str, Any], list[dict[str, Any]]]]
    posture: list[dict[str, Any]]
    decisions: list[dict[str, Any]]
    body: dict[str, Any]
    policy: dict[str, Any] | None = None
    gists: list[dict[str, Any]] = field(default_factory=list)
    job: str = field(default_factory=lambda: new_id("job"))

    @property
    def frames_total(self) -> int:
        """Frames of the file, as far as is known."""
        return int((self.frames or {}).get("total", 0))


class Notebook(Ledger):
    """Notes what the spine would write of one file; `recorded` gives it."""

    def __init__(self) -> None:
        self._seen = Examination()
        self._decisions: tuple[Decision, ...] = ()
        self._policy: Policy | None = None
        self._scoring_digest = ""

    def open_job(self, kind: str, request: dict[str, Any], lease: tuple[str, float], **whose: str | None) -> str:
        """A job's id; nothing is leased, since whoever asked for the file asks again where this process dies."""
        return new_id("job")

    def record(
        self, job: str, examination: Examination, decisions: Sequence[Decision], policy: Policy, scoring_digest: str
    ) -> None:
        """Notes what was seen and decided."""
        self._seen += examination
        self._decisions += tuple(decisions)
        self._policy, self._scoring_digest = policy, scoring_digest

    def settle(self, job: str, state: State, **ending: Any) -> None:
        """Does nothing: the writer settles what it writes."""

    def recorded(self, outcome: Outcome, known_policy: str | None) -> Recorded:
        """What was noted of the file of that outcome. known_policy: digest of the document that the writer has."""
        assert self._policy is not None
        assert outcome.sha256 is not None
        under = outcome.decisions[0].circumstances
        return Recorded(
            sha256=outcome.sha256,
            scoring_digest=self._scoring_digest,
            policy_digest=self._policy.digest,
            day=under.on,
            require_complete=under.require_complete,
            action=outcome.action.word,
            frames=None if outcome.frames is None else dict(vars(outcome.frames)),
            partial=self._seen.partial,
            items=_items(self._seen),
            posture=posture_of(self._seen),
            decisions=[decision_columns(one, self._scoring_digest) for one in self._decisions],
            body=body_of(outcome),
            policy=None if known_policy == self._policy.digest else self._policy.document(),
            gists=gist_columns(self._seen),
        )


def body_of(outcome: Outcome) -> dict[str, Any]:
    """The contract row of an outcome without what belongs to the path."""
    row = scan_row("", outcome)
    return {name: value for name, value in row.items() if name not in OF_THE_PATH}


def _items(seen: Examination) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    return [
        (
            {"stage": item.stage, "item": item.id, "sha256": item.sha256, "count": item.count},
            [score_columns(score) for score in seen.scores if score.item == item],
        )
        for item in seen.items
    ]
