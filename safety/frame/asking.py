"""One question to one frame classifier, and a whole answer whatever it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from media import Frame
from safety.score import Absence, Where
from safety.stages import FrameClassifier, FrameScore, source

Answer = dict[str, FrameScore]


def ask(
    classifier: FrameClassifier, frames: Sequence[Frame], of: FrameClassifier | None = None
) -> tuple[list[Answer], list[str]]:
    """One answer per frame with every category of the classifier, and the faults met, in words.

    `of`: the classifier whose name and categories count, where `classifier` is a session of it.

    Whatever is no value in [0, 1] and no absence (an exception, a wrong length, a missing category, NaN) becomes
    `Absence.FAILED` for the frames that it concerns: a model can fail, it cannot stop the scan or shorten it.
    """
    of = of or classifier
    name = source(of)
    if not frames:
        return [], []
    try:
        answers = list(classifier.score(frames))
    except Exception as error:  # noqa: BLE001  a third party's model may raise anything; it becomes a failure by name
        return _all_failed(of, frames), [f"{name} raised {type(error).__name__}: {error!s:.200}"]
    if len(answers) != len(frames):
        return _all_failed(of, frames), [f"{name} gave {len(answers)} answers for {len(frames)} frames"]
    faults: list[str] = []
    whole = [
        _whole(of.categories, answer, f"{name}, frame {frame.index}", faults)
        for frame, answer in zip(frames, answers, strict=True)
    ]
    return whole, faults


def _all_failed(classifier: FrameClassifier, frames: Sequence[Frame]) -> list[Answer]:
    return [dict.fromkeys(classifier.categories, (Absence.FAILED, None)) for _ in frames]


def _whole(categories: Sequence[str], answer: object, name: str, faults: list[str]) -> Answer:
    """The answer with every category; what is wrong with it goes into `faults`."""
    if not isinstance(answer, Mapping):
        faults.append(f"{name}: answered {type(answer).__name__}, not a mapping")
        return dict.fromkeys(categories, (Absence.FAILED, None))
    if strangers := sorted(str(key) for key in answer.keys() - set(categories)):
        # Dropping them would lose a score in silence; nobody knows which category was meant.
        faults.append(f"{name}: categories it never declared: {', '.join(strangers)}")
        return dict.fromkeys(categories, (Absence.FAILED, None))
    whole: Answer = {}
    for category in categories:
        whole[category], fault = _score(answer.get(category))
        if fault is not None:
            faults.append(f"{name}: {category}: {fault}")
    return whole


def _score(given: object) -> tuple[FrameScore, str | None]:
    """The score, and what was wrong with what was given."""
    failed: FrameScore = (Absence.FAILED, None)
    if given is None:
        return failed, "no score"
    if not (isinstance(given, tuple) and len(given) == 2):
        return failed, f"answered {given!r:.80}, not (value or absence, evidence)"
    value, evidence = given
    if not (evidence is None or isinstance(evidence, Where)):
        return failed, f"evidence {evidence!r:.80} is no Where"
    if isinstance(value, Absence):
        if value is Absence.NOT_CONFIGURED:
            return failed, "a model that is there cannot be not configured"
        return (value, None), "it failed" if value is Absence.FAILED else None
    if isinstance(value, bool) or not isinstance(value, (int, float, np.floating, np.integer)):
        return failed, f"answered {value!r:.80}"
    number = float(value)
    if not 0.0 <= number <= 1.0:  # NaN compares false, and so fails
        return failed, f"answered {number!r}, outside [0, 1]"
    return (number, evidence), None
