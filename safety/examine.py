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


def examine_texts(
    asked: Sequence[tuple[Item, str]], classifiers: Sequence[PromptClassifier], wanted: Sequence[Sequence[str]]
) -> list[Examination]:
    """`examine_text` of several texts, `wanted` for each. What a classifier says together, it would say one by one.

    A classifier that offers `score_all(asked)` is given them together; where that fails, each alone, so that a text
    that it cannot take fails by itself.
    """
    readers = [_together(classifier, asked) for classifier in classifiers]
    return [examine_text(item, text, readers, own) for (item, text), own in zip(asked, wanted, strict=True)]


def _together(classifier: PromptClassifier, asked: Sequence[tuple[Item, str]]) -> PromptClassifier:
    """The classifier as one that has read all of them; as it is where it reads no texts together, or could not."""
    score_all = getattr(classifier, "score_all", None)
    if score_all is None or len(asked) < 2:
        return classifier
    try:
        answers = list(score_all(asked))
    except Exception:  # noqa: BLE001 (each is asked alone, and what is raised then is recorded)
        return classifier
    return _HasRead(classifier, dict(zip(asked, answers, strict=True))) if len(answers) == len(asked) else classifier


class _HasRead:
    """A classifier that has read several texts already."""

    def __init__(self, classifier: PromptClassifier, said: dict[tuple[Item, str], list[Score]]) -> None:
        self.name, self.version, self.runtime = classifier.name, classifier.version, classifier.runtime
        self.weights_sha256, self.categories = classifier.weights_sha256, classifier.categories
        self._said = said

    def score(self, item: Item, text: str) -> list[Score]:
        """What it said."""
        return self._said[item, text]


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
