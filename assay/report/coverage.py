"""The table of what evaluates what: the banned classes by stage, and on which named data that was measured.

Figures stand beside the model cards, in `docs/model-cards/<card>.figures.json`:

    {"model": "name@version", "figures": [{"category": C, "stages": [STAGE, ...], "says": "x of y on named data"}]}

A figure speaks for one version of a model; with another version the cell has none, and says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.stages import Stages
from safety import BANNED_CLASSES, Examiner, Stage, source
from safety.frame.gate import PICTURE
from safety.frame.traits import evidence_of

# What would have to be configured for a picture of the category to be judged.
NEEDS = {
    "violence/graphic": "an open_clip model",
    "sexual": "the `[nudenet]` extra or an open_clip model",
    "sexual/minors": "a model of the operator's own",
    "hate": "an open_clip model",
    "hate/symbol": "an open_clip model",
    "likeness/public-figure": "face models of the operator's own",
    "ip/character": "an open_clip model or a bank of known pictures",
    "ip/logo": "an open_clip model or a bank of known pictures",
    "ip/style": "an open_clip model",
}
SOUND = "sound: not evaluated: needs an audio model"
UNMEASURED = "no figure here, measure it on your own"

Figures = Mapping[tuple[str, str, str], str]  # (name@version, category, stage) -> what was measured, in words


@dataclass(frozen=True)
class Extra:
    """A model that is not configured here: how one gets it, its name@version, what it would score."""

    words: str
    model: str
    categories: tuple[str, ...]


def read_figures(folder: Path) -> Figures:
    """Every figure in a folder of model cards; ValueError or KeyError where a file breaks the form."""
    found: dict[tuple[str, str, str], str] = {}
    for path in sorted(folder.glob("*.figures.json")):
        document = json.loads(path.read_text("utf-8"))
        for one in document["figures"]:
            for stage in one["stages"]:
                key = (document["model"], one["category"], Stage(stage).value)
                if key in found:
                    raise ValueError(f"{path.name}: two figures for {', '.join(key)}")
                found[key] = one["says"]
    return found


def coverage_table(stages: Stages, figures: Figures | None = None, extras: Sequence[Extra] = ()) -> str:
    """Markdown: a row a banned class, a column a stage; a cell is a figure on named data, or what it would need."""
    table = _Table(stages, figures or {}, extras)
    lines = ["| banned class | prompt | input image | frame | file |", "|---|---|---|---|---|"]
    for banned, members in BANNED_CLASSES.items():
        asked = {stage: [name for name in members if name in stages.policy.categories_for(stage)] for stage in Stage}
        cells = [table.texts(asked[Stage.PROMPT])]
        cells += [table.pictures(asked[stage], stage) for stage in (Stage.INPUT_IMAGE, Stage.FRAME)]
        lines.append(f"| {banned} | {' | '.join(cells)} | every frame, as on the left; {SOUND} |")
    return "\n".join(lines) + "\n"


class _Table:
    def __init__(self, stages: Stages, figures: Figures, extras: Sequence[Extra]) -> None:
        self.prompts = stages.prompt.classifiers
        self.lookers = [one for one in stages.frame if evidence_of(one) == PICTURE]
        self.readers = [one for one in stages.frame if evidence_of(one) != PICTURE]
        self.figures, self.extras = figures, extras

    def texts(self, categories: Sequence[str]) -> str:
        """What judges the prompt."""
        return self._cell([self._said(name, self.prompts, Stage.PROMPT, "a prompt classifier") for name in categories])

    def pictures(self, categories: Sequence[str], stage: Stage) -> str:
        """What looks at the picture itself; words on the screen that are read do not stand in for that."""
        cells = []
        for name in categories:
            parts = [self._said(name, self.lookers, stage, NEEDS[name])]
            parts += [f"with {extra.words}: {said}" for extra, said in self._offered(name, stage)]
            if read := self._measured(name, self.readers, stage):
                parts.append(f"words on screen: {read}")
            cells.append("; ".join(parts))
        return self._cell(cells)

    def _offered(self, category: str, stage: Stage) -> list[tuple[Extra, str]]:
        """What models would add that are not configured; one without a figure adds what nobody has measured."""
        offered = [(extra, self._figure(extra.model, category, stage)) for extra in self.extras]
        return [(extra, said) for extra, said in offered if category in extra.categories]

    def _cell(self, parts: Sequence[str]) -> str:
        return "<br>".join(parts) or "no rule"

    def _said(self, category: str, examiners: Sequence[Examiner], stage: Stage, needs: str) -> str:
        return f"`{category}`: {self._measured(category, examiners, stage) or f'not evaluated: needs {needs}'}"

    def _measured(self, category: str, examiners: Sequence[Examiner], stage: Stage) -> str:
        scoring = [one for one in examiners if category in one.categories]
        return ", ".join(f"{one.name} ({self._figure(source(one), category, stage)})" for one in scoring)

    def _figure(self, model: str, category: str, stage: Stage) -> str:
        return self.figures.get((model, category, stage.value), UNMEASURED)
