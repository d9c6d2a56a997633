"""Runs the prompt classifiers over a text, and turns whatever goes wrong in one into an absence that says so."""

from __future__ import annotations

from collections.abc import Sequence

from safety.score import Absence, Examination, Item, PostureEntry, Score
from safety.stages import PromptClassifier, source


def examine_text(item: Item, text: str, classifiers: Sequence[PromptClassifier], wanted: Sequence[str]) -> Examination:
    """What the classifiers say of one text, for the categories that a policy speaks of at the item's stage.

    A wanted category that no classifier offers is `not_configured`; a classifier that raises, answers about something
    else or leaves a category out has failed on it.
    """
    scores: list[Score] = []
    posture: list[PostureEntry] = []
    for classifier in classifiers:
        asked = [category for category in classifier.categories if category in wanted]
        if not asked:
            continue
        said = _ask(classifier, item, text, asked)
        failed = any(score.absence is Absence.FAILED for score in said)
        scores += said
        posture.append(
            PostureEntry(
                item.stage,
                classifier.name,
                classifier.version,
                classifier.weights_sha256,
                classifier.runtime,
                items=1,
                failed=int(failed),
            )
        )
    offered = {category for classifier in classifiers for category in classifier.categories}
    scores += [
        Score.absent(item, category, "none@0", Absence.NOT_CONFIGURED, note="no model scores this category in text")
        for category in wanted
        if category not in offered
    ]
    return Examination((item,), tuple(scores), tuple(posture))


def _ask(classifier: PromptClassifier, item: Item, text: str, asked: Sequence[str]) -> list[Score]:
    """The classifier's scores for the categories it was asked about; never fewer than one a category."""
    name = source(classifier)
    try:
        answers = list(classifier.score(item, text))
        foreign = [a for a in answers if not isinstance(a, Score) or a.item != item]
    except Exception as error:  # noqa: BLE001 (a model may raise anything; nobody looked, so that is what is recorded)
        note = f"{name} raised {type(error).__name__}: {error}"[:300]
        return [Score.absent(item, category, name, Absence.FAILED, note) for category in asked]
    if foreign:
        note = f"{name} answered about something else"
        return [Score.absent(item, category, name, Absence.FAILED, note) for category in asked]
    heard = [answer for answer in answers if answer.category in asked]
    silent = set(asked) - {answer.category for answer in heard}
    return heard + [
        Score.absent(item, category, name, Absence.FAILED, f"{name} left {category} out") for category in sorted(silent)
    ]
