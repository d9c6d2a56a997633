"""The table of what evaluates what: the banned classes by stage, from the classifiers that really are assembled."""

from __future__ import annotations

from collections.abc import Sequence

from assay.stages import Stages
from safety import BANNED_CLASSES, Examiner, FrameClassifier, Stage
from safety.frame.gate import PICTURE
from safety.frame.traits import evidence_of

# What would have to be configured for a picture of the category to be judged.
NEEDS = {
    "violence/graphic": "an open_clip model",
    "sexual": "the `[nudenet]` extra or an open_clip model",
    "sexual/minors": "a model of the operator's own",
    "hate": "an open_clip model",
    "hate/symbol": "an open_clip model",
    "likeness/public-figure": "a face model of the operator's own",
    "ip/character": "an open_clip model",
    "ip/logo": "an open_clip model",
    "ip/style": "an open_clip model",
}
SOUND = "sound: not evaluated: needs an audio model"


def coverage_table(stages: Stages) -> str:
    """Markdown: a row a banned class, a column a stage; each cell names what evaluates it, or what it would need."""
    lines = ["| banned class | prompt | input image | frame | file |", "|---|---|---|---|---|"]
    for banned, members in BANNED_CLASSES.items():
        asked = {stage: [name for name in members if name in stages.policy.categories_for(stage)] for stage in Stage}
        prompt = _texts(asked[Stage.PROMPT], stages.prompt.classifiers)
        image, frame = (_pictures(asked[stage], stages.frame) for stage in (Stage.INPUT_IMAGE, Stage.FRAME))
        lines.append(f"| {banned} | {prompt} | {image} | {frame} | every frame, as on the left; {SOUND} |")
    return "\n".join(lines) + "\n"


def _texts(categories: Sequence[str], classifiers: Sequence[Examiner]) -> str:
    return _cell({name: _scoring(name, classifiers) for name in categories}, "a prompt classifier")


def _pictures(categories: Sequence[str], classifiers: Sequence[FrameClassifier]) -> str:
    """What looks at the picture itself; words on the screen that are read do not stand in for that."""
    lookers = [one for one in classifiers if evidence_of(one) == PICTURE]
    readers = [one for one in classifiers if evidence_of(one) != PICTURE]
    cells = []
    for name in categories:
        looked, read = _scoring(name, lookers), _scoring(name, readers)
        words = f"; words on screen: {', '.join(read)}" if read else ""
        cells.append(f"`{name}`: {', '.join(looked) or f'not evaluated: needs {NEEDS[name]}'}{words}")
    return "<br>".join(cells) or "no rule"


def _cell(found: dict[str, list[str]], needs: str) -> str:
    parts = [f"`{name}`: {', '.join(who) or f'not evaluated: needs {needs}'}" for name, who in found.items()]
    return "<br>".join(parts) or "no rule"


def _scoring(category: str, examiners: Sequence[Examiner]) -> list[str]:
    return [one.name for one in examiners if category in one.categories]
