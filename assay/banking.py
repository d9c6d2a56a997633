"""The operator's banks in the spine: which are on, what their matches ask for, and who must never see a picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.outcome import Outcome
from assay.settings import Settings
from media import UsageError
from safety import Examination, FrameClassifier, Item, ModelUnavailable, Policy, Stage

if TYPE_CHECKING:
    from safety.frame.banks import BankStore, Card, Content

THRESHOLD = 0.5  # the value at an entry's own distance
_STAGES = (Stage.FRAME, Stage.INPUT_IMAGE, Stage.INPUT_VIDEO, Stage.FILE)


def folder(settings: Settings) -> Path:
    """Where the banks are kept (0700)."""
    return settings.home / "banks"


def stores(settings: Settings) -> list[BankStore]:
    """The banks that are on: those named in the settings, or all there are. ModelUnavailable where one is missing."""
    if settings.banks is None and not os.path.isdir(folder(settings)):
        return []  # most installations: nothing is imported
    from safety.frame.banks import BankStore

    if settings.banks is None:
        return BankStore.every(folder(settings))
    try:
        return [BankStore.open(folder(settings), name) for name in settings.banks]
    except UsageError as error:
        raise ModelUnavailable(f"settings: banks: {error}; `assay bank create` makes one") from error


def policy(settings: Settings) -> Policy:
    """The policy of the settings, with a rule for each bank that it does not speak of: no match is without effect.

    And with every emergency rule that is in force.
    """
    made = with_bank_rules(Policy.load(settings.policy), [store.card for store in stores(settings)])
    if not _emergency(settings):
        return made
    from assay import emergency  # it needs the ledger, for which most commands should not wait

    return emergency.of(settings.ledger, made)


def with_bank_rules(policy: Policy, cards: Sequence[Card]) -> Policy:
    """The policy and, for each stage and bank without a rule, one of the bank's own action (worst: block)."""
    missing = [
        _rule(card, stage)
        for card in cards
        for stage in _STAGES
        if card.own_category not in policy.categories_for(stage)
    ]
    if not missing:
        return policy
    document = policy.document()
    document["rules"] += missing
    return Policy.from_document(document, f"policy {policy.id} with the rules of the banks")


def _rule(card: Card, stage: Stage) -> dict[str, Any]:
    action = "block" if card.worst else card.action
    return {
        "id": f"{stage.value.replace(' ', '-')}-bank-{card.name}", "stage": stage.value, "category": card.own_category,
        "threshold": THRESHOLD, "action": action, "when_failed": action, "when_unsupported": "review",
        "when_not_configured": "review",
    }  # fmt: skip


def state(settings: Settings) -> tuple[object, ...]:
    """What banks and emergency rules are now; where it has changed, loaded ones are stale."""
    return (*(store.state for store in stores(settings)), _emergency(settings))


def _emergency(settings: Settings) -> str:
    """Changes with every emergency rule that is declared or lifted; empty where there never was one."""
    if settings.ledger_url is not None:
        from assay import emergency

        return emergency.state(settings.ledger)
    try:
        return settings.emergency_mark.read_text("ascii")  # beside the SQLite file: cheaper than opening it
    except FileNotFoundError:
        return ""


def worst_categories(settings: Settings) -> frozenset[str]:
    """The categories of which no picture may be made: minors, and the banks marked so."""
    return frozenset({"sexual/minors"}) | {s.card.own_category for s in stores(settings) if s.card.worst}


def is_worst(outcome: Outcome, settings: Settings) -> bool:
    """True where something was found, by any source, that no picture may show (law 7)."""
    return found_worst(outcome, worst_categories(settings))


def found_worst(outcome: Outcome, worst: frozenset[str]) -> bool:
    """The same, where the categories of which no picture may be made are at hand."""
    reasons = [reason for decision in outcome.decisions for reason in decision.reasons]
    banks = {category for category in worst if category.startswith("bank/")}
    scored = any((value or 0.0) > 0.0 for name, value in outcome.scores.items() if name in banks)
    return scored or any(reason.category in worst and reason.value is not None for reason in reasons)


@dataclass(frozen=True)
class Banks:
    """The banks of one process, loaded."""

    stores: tuple[BankStore, ...]
    contents: tuple[Content, ...]

    @classmethod
    def load(cls, settings: Settings) -> Banks:
        """All that are on; CorruptRecord where one is damaged: without it known content would pass."""
        found = tuple(stores(settings))
        return cls(found, tuple(store.load() for store in found))

    def classifiers(self) -> list[FrameClassifier]:
        """One a bank; they share the hashes of frames."""
        if not self.contents:
            return []
        from safety.frame.banks import BankClassifier, Hashes

        hashes = Hashes()
        return [BankClassifier(content, hashes) for content in self.contents]

    def look_at_file(self, path: Path, sha256: str, wanted: Sequence[str]) -> Examination:
        """The file's own hashes against the banks; nothing where no rule speaks of the stage `file`."""
        if not wanted:
            return Examination()
        from safety.frame.banks import Kind, examine_file, file_hashes, sighted_files

        hashes = file_hashes(path)
        item = Item(Stage.FILE, "file", sha256)
        if hashes[Kind.SHA256].hex() != sha256:
            raise UsageError(f"{path} changed while it was looked at")
        seen = examine_file(item, hashes[Kind.MD5], self.contents, wanted)
        self._note(sighted_files(seen, self.contents, hashes[Kind.MD5]), sha256)
        return seen

    def note(self, classifiers: Sequence[FrameClassifier], sha256: str) -> None:
        """Tells the stores which entries matched this file, so that one that floods is switched off."""
        from safety.frame.banks import BankClassifier

        ours = [one for one in classifiers if isinstance(one, BankClassifier)]
        self._note({one.card.name: one.sighted() for one in ours}, sha256)

    def _note(self, found: dict[str, frozenset[int]], sha256: str) -> None:
        by_name = {content.card.name: store for store, content in zip(self.stores, self.contents, strict=True)}
        for name, ids in found.items():
            if ids:
                by_name[name].sighted(ids, sha256)
