"""The sets that are measured: our own held-out prompts, folders of public ones that were never trained on."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from safety.prompt.corpus.rows import LABELS as TRAINED, VISUAL
from safety.prompt.obfuscation import DISGUISES

BENIGN = "benign"
LABELS = TRAINED | {"third_party_ip": "ip/*"}
LANGUAGES = ("es", "fr", "de", "pt", "zh", "ru", "ar")


@dataclass(frozen=True)
class Prompt:
    """A text and the category that it violates; `benign` where it violates none."""

    text: str
    category: str


@dataclass(frozen=True)
class Suite:
    """A named set; `seen` where its sources took part in training."""

    name: str
    prompts: tuple[Prompt, ...]
    seen: bool = False

    def of(self, *, benign: bool) -> list[str]:
        """The texts of one half."""
        return [prompt.text for prompt in self.prompts if (prompt.category == BENIGN) == benign]


def own() -> list[Suite]:
    """Written for Assay and kept out of training."""
    return [
        Suite("video prompts (ours)", tuple(_sections("video.txt"))),
        Suite("exaggerated safety (ours)", tuple(_contrasts("exaggerated.txt", "any"))),
        Suite("hateful or not (ours)", tuple(_contrasts("hateful.txt", "hate"))),
        Suite("look-alike pairs (ours)", tuple(_pairs("lookalikes.txt"))),
        Suite("posts (ours)", tuple(_pairs("posts.txt"))),
        Suite("roles that known ones share (ours)", tuple(_sections("roles.txt"))),
    ]


def languages() -> list[Suite]:
    """Held-out prompts of the corpus in other languages."""
    root = resources.files("safety.prompt.corpus") / "heldout"
    return [Suite(code, tuple(_lines((root / f"{code}.txt").read_text("utf-8")))) for code in LANGUAGES]


def disguised(suite: Suite, seed: int = 7) -> list[Suite]:
    """The suite in every disguise, and in a mixture of two."""
    rng = random.Random(seed)
    kinds = {name: (disguise,) for name, disguise in DISGUISES.items()}
    kinds["mixed"] = (DISGUISES["leetspeak"], DISGUISES["homoglyphs"], DISGUISES["zero-width"])
    out = []
    for name, disguises in kinds.items():
        prompts = []
        for prompt in suite.prompts:
            text = prompt.text
            for disguise in disguises:
                text = disguise(text, rng)
            prompts.append(Prompt(text, prompt.category))
        out.append(Suite(name, tuple(prompts)))
    return out


def public(folder: Path, most: int = 2000) -> list[Suite]:
    """The evaluation folder, never trained on, and the training folder's benign picture and video prompts.

    `most` prompts of a set, drawn the same way every time.
    """
    risky = [
        Prompt(row["text"], LABELS[row["labels"][0]])
        for row in _rows(folder / "evaluate_only" / "t2i_riskyprompt.jsonl")
        if row["labels"] and row["labels"][0] in LABELS
    ]
    random.Random(1).shuffle(risky)
    chat = [Prompt(row["text"], BENIGN) for row in _rows(folder / "evaluate_only" / "alpaca_harmless.jsonl")]
    real = [Prompt(row["text"], BENIGN) for row in _rows(folder / "evaluate_only" / "open_prompts.jsonl")]
    return [
        Suite("t2i_riskyprompt", tuple(risky[:most])),
        Suite("open_prompts (unlabelled, counted as benign)", tuple(real[:most])),
        Suite("alpaca_harmless (chat)", tuple(chat[: min(1000, most)])),
        *(
            Suite(name, tuple(_visual(folder / "train" / f"{name}.jsonl")[: min(700, most)]), seen=True)
            for name in VISUAL
            if name != "name_templates"
        ),
    ]


def _visual(file: Path) -> list[Prompt]:
    prompts = [Prompt(row["text"], BENIGN) for row in _rows(file) if row["labels"] == ["none"]]
    random.Random(1).shuffle(prompts)
    return prompts


def _rows(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.open(encoding="utf-8")]


def _text(name: str) -> str:
    return (resources.files(__package__) / name).read_text("utf-8")


def _sections(name: str) -> list[Prompt]:
    return _lines(_text(name))


def _lines(text: str) -> list[Prompt]:
    out, section = [], ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[] ")
        elif line.strip() and not line.startswith("#"):
            out.append(Prompt(line.strip(), section))
    return out


def _pairs(name: str) -> list[Prompt]:
    """Lines `violating || innocent` under the category that the left one violates."""
    out = []
    for prompt in _sections(name):
        bad, good = (side.strip() for side in prompt.text.split("||"))
        out += [Prompt(bad, prompt.category), Prompt(good, BENIGN)]
    return out


def _contrasts(name: str, category: str) -> list[Prompt]:
    """Lines `left || right`: the harmful side is the right one in `exaggerated`, the left one in `hateful`."""
    out = []
    for line in _text(name).splitlines():
        if "||" in line and not line.startswith("#"):
            left, right = (side.strip() for side in line.split("||"))
            bad, good = (left, right) if name == "hateful.txt" else (right, left)
            out += [Prompt(bad, category), Prompt(good, BENIGN)]
    return out
