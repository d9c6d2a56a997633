"""`assay policy replay`: every record of a run decided again, by maxima first, without a model or a decoder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from assay.replaying.records import Record, Records, whole_decision
from assay.replaying.scoring import Objections
from safety import Action, CorruptRecord, Decision, Policy, Redecider, Stage

_WORDS = {action.word: action for action in Action}


@dataclass(frozen=True)
class Replayed:
    """One record under a policy.

    decisions  by stage; empty where the record does not speak for that policy
    refused    why not, in words
    same       under the policy of that day: whether every decision came out as it was made; None under another
    """

    record: Record
    decisions: tuple[Decision, ...]
    refused: str | None = None
    same: bool | None = None

    @property
    def action(self) -> Action | None:
        """The gravest of the decisions; None where nothing was decided."""
        return max((one.action for one in self.decisions), default=None)

    @property
    def was(self) -> Action:
        """The action of that day."""
        return _WORDS[self.record.action]

    @property
    def changed(self) -> bool:
        """Whether another action came of it."""
        return self.action is not None and self.action is not self.was

    def rows(self) -> Iterator[dict[str, Any]]:
        """One JSON line for each path."""
        reasons = [reason.to_json() for one in self.decisions for reason in one.reasons if reason.action > Action.ALLOW]
        for uri in self.record.uris:
            yield {
                "path": uri,
                "sha256": self.record.sha256,
                "was": self.record.action,
                "action": None if self.action is None else self.action.word,
                "changed": self.changed,
                "same": self.same,
                "decisions": [one.id for one in self.decisions],
                "reasons": reasons,
                "refused": self.refused,
            }


class Replay:
    """One policy over the records of a run.

    objections  whether a record may speak for the policy
    whole       unpack every score and decide by `decide`: slower, and it compares all that was written of a decision
    """

    def __init__(self, records: Records, policy: Policy, objections: Objections, *, whole: bool = False) -> None:
        self._records, self._policy, self._objections, self._whole = records, policy, objections, whole
        self._redecider = Redecider(policy)
        self._policies: dict[str, Policy] = {}
        self.counts: Counter[tuple[str, str]] = Counter()  # (action of then, action of now or "refused"), paths
        self.refusals: Counter[str] = Counter()  # by their words

    @property
    def unfolded(self) -> int:
        """How many scores were needed whole."""
        return self._redecider.unfolded

    @cached_property
    def stages(self) -> frozenset[Stage]:
        """The stages of files that the policy asks for."""
        return frozenset({Stage.FRAME} | ({Stage.FILE} if self._policy.categories_for(Stage.FILE) else set()))

    def over(self, run: str) -> Iterator[Replayed]:
        """Every content of the run, in the order in which they were decided."""
        for record in self._records.of(run):
            one = self.one(record)
            action = "refused" if one.action is None else one.action.word
            self.counts[record.action, action] += len(record.uris)
            if one.refused is not None:
                self.refusals[one.refused] += len(record.uris)
            yield one

    def one(self, record: Record) -> Replayed:
        """One content; raises CorruptRecord where its scores are not those that were recorded."""
        then = self._then(record)
        refused = self._objections.to(record, then)
        if refused is not None:
            return Replayed(record, (), refused)
        same = then.digest == self._policy.digest
        made = tuple(self._decide(record, stage) for stage, _ in record.gists if same or stage in self.stages)
        if not made:
            raise CorruptRecord(f"{record.uris[0]}: the ledger holds no item of it that a scan looks at")
        return Replayed(record, made, same=self._as_it_was(record, made) if same else None)

    def _decide(self, record: Record, stage: Stage) -> Decision:
        if self._whole:
            return whole_decision(self._records, record, stage, self._policy)
        gist = dict(record.gists)[stage]
        return self._redecider.decide(gist, self._records.unfold(record, stage), record.under)

    def _as_it_was(self, record: Record, made: tuple[Decision, ...]) -> bool:
        """Whether action and ids, and with `whole` every word of the decisions, are those of that day."""
        if sorted(one.id for one in made) != sorted(record.decisions):
            return False
        if max(one.action for one in made) is not _WORDS[record.action]:
            return False
        if not self._whole:
            return True
        written = self._records.recorded(record)
        return all(written.get(one.id) == one.to_json() for one in made)

    def _then(self, record: Record) -> Policy:
        """The policy that the record was decided by."""
        if record.policy_digest not in self._policies:
            same = record.policy_digest == self._policy.digest
            read: Callable[[str], Policy] = self._records.ledger.policy
            self._policies[record.policy_digest] = self._policy if same else read(record.policy_digest)
        return self._policies[record.policy_digest]


class AsDecided:
    """The decisions of that day, with their reasons, of records that may have been decided by several policies."""

    def __init__(self, records: Records) -> None:
        self._records, self._replays = records, dict[str, Replay]()

    def decisions(self, record: Record) -> tuple[Decision, ...]:
        """By the policy that the record was decided by; CorruptRecord where they are not those that were recorded."""
        if record.policy_digest not in self._replays:
            then = self._records.ledger.policy(record.policy_digest)
            self._replays[record.policy_digest] = Replay(self._records, then, Objections(then, None))
        one = self._replays[record.policy_digest].one(record)
        if one.same is False:
            raise CorruptRecord(f"{record.uris[0]}: its scores no longer lead to the decision that was recorded")
        return one.decisions
