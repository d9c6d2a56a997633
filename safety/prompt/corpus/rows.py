"""What trains the prompt models: public sources and our own corpus as rows of one form, and how sources are left out.

A row says of each category that it is labelled for +1 or -1; sources label different categories, so most say nothing of
most. Reads the training folder of JSON lines that is given; nothing of it is copied here.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from safety.prompt.corpus import described, functional, grammar
from safety.prompt.obfuscation import DISGUISES

SEED = 20261122
LEARNED = ("violence/graphic", "sexual", "hate", "self-harm", "illicit", "deception")
DESCRIBED = ("likeness/public-figure", "ip/character", "ip/logo", "ip/style")
CATEGORIES = (*LEARNED, *DESCRIBED)
OURS, GRAMMAR, FUNCTIONAL, TONGUES = "assay_pairs", "assay_grammar", "assay_functional", "assay_languages"
TOLD = "assay_described"
LABELS = {
    "extreme_violence": "violence/graphic",
    "sexual": "sexual",
    "hate": "hate",
    "self_harm": "self-harm",
    "illicit": "illicit",
    "deception": "deception",
    "celebrity_likeness": "likeness/public-figure",
}
# Benign prompts for pictures and videos: innocent in every category.
VISUAL = (
    "coco_captions",
    "fetv",
    "partiprompts",
    "t2icompbench",
    "vbench",
    "vbench2",
    "vbench_long",
    "vbench2_long",
    "name_templates",
)
# Which categories the benign rows of a text source are labelled for; its violating rows speak for their labels alone.
BENIGN_FOR = {
    "davidson": ("hate", "self-harm", "illicit", "deception", "violence/graphic"),
    "toxigen_seeds": ("hate", "sexual", "self-harm", "illicit", "deception", "violence/graphic"),
}
# The share of a category's weight that a source gets.
TRUST = {OURS: 3.0, GRAMMAR: 1.5, FUNCTIONAL: 2.0, TONGUES: 2.0, TOLD: 2.0, "i2p": 0.5}
# Whole sources are left out together: vbench and its long forms share their texts; own pairs go by pair.
FOLDS = (
    ("strongreject", "advbench", "malicious_instruct", "tdc2023", "coco_captions", "vbench", "vbench_long"),
    ("aart", "davidson", "t2icompbench", "fetv", "vbench_zh"),
    ("toxigen_seeds", "i2p", "partiprompts", "vbench2", "vbench2_long", "name_templates"),
)
# No plain innocent lines: "nude, gore" is innocent as a negative prompt only.
FORMS = ("sequences", "wrappers", "negative")
_BRAND_SCENE = re.compile(r"\b(logo|sign|storefront|billboard|brand|branded|label|packaging)\b")


@dataclass
class Row:
    """A prompt with what is known of it: +1, -1 or nothing per category; rows of one `group` are left out together.

    The two rows of a contrast pair share the name `pair`.
    """

    text: str
    source: str
    known: dict[str, int]
    group: int = 0
    disguised: bool = False
    pair: str = ""


def rows_of(folder: Path, *, own: bool = True) -> list[Row]:
    """Every row of the training folder and, unless `own` is false, of our corpus; a text appears once."""
    rows: dict[str, Row] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.open(encoding="utf-8"):
            raw = json.loads(line)
            known = known_of(raw)
            if known and raw["text"] not in rows:
                rows[raw["text"]] = Row(raw["text"], raw["source"], known)
    if own:
        for row in own_rows():
            rows[row.text] = row
    return list(rows.values())


def known_of(raw: dict[str, Any]) -> dict[str, int]:
    """What a public row is known for."""
    source, labels = raw["source"], raw["labels"]
    if source == "i2p":
        return _known_of_i2p(raw["raw"])
    if source in VISUAL or source == "vbench_zh":
        known = dict.fromkeys(LEARNED, -1)
        if labels == ["none"]:
            known |= dict.fromkeys(DESCRIBED, -1)
        elif source == "name_templates" and labels == ["celebrity_likeness"]:
            known |= {"likeness/public-figure": 1, "ip/logo": -1}
        elif source == "name_templates":
            known["ip/logo" if _BRAND_SCENE.search(raw["text"]) else "ip/character"] = 1
        return known
    if labels == ["none"]:
        return dict.fromkeys(BENIGN_FOR.get(source, ()), -1)
    return {LABELS[label]: 1 for label in labels if label in LABELS}


def _known_of_i2p(raw: str) -> dict[str, int]:
    """Its labels say by which word a prompt was found: `word|percent of its pictures flagged|toxicity`.

    A prompt none of whose pictures was flagged is an innocent one in the manner of image prompts; others are left out.
    """
    _, percent, toxicity = raw.rsplit("|", 2)
    return dict.fromkeys(LEARNED, -1) if int(percent) == 0 and float(toxicity.removeprefix("tox")) < 0.15 else {}


def own_rows() -> list[Row]:
    """Our corpus: pairs, names, sequences, plain prompts, grammars, other languages. Innocent ones are so in all."""
    innocent = dict.fromkeys(CATEGORIES, -1)
    rows = [row for name in _files("en") for row in _pair_rows(OURS, f"en/{name}")]
    rows += _pair_rows(OURS, "names")
    for index, (category, line) in enumerate(_lines("sequences")):
        bad, good = (" ".join(step.strip() for step in part.split("|")) for part in line.split("||"))
        rows += [Row(bad, OURS, {category: 1}, index), Row(good, OURS, innocent, index)]
    for name in (*(name for name in _files("") if name not in FORMS), *_in("benign")):
        rows += [Row(line, OURS, innocent, index) for index, (_, line) in enumerate(_lines(name))]
    rows += [Row(text, GRAMMAR, innocent, index) for index, text in enumerate(grammar.innocent(6000, SEED))]
    for maker, count in ((functional.hate_speech, 3500), (functional.questions, 2600), (functional.posts, 1500)):
        rows += [Row(text, FUNCTIONAL, known, index) for index, (text, known) in enumerate(maker(count, SEED))]
    for language in _files("lang"):
        rows += _pair_rows(TONGUES, f"lang/{language}")
    for number, category, bad, good in described.descriptions(7, SEED):
        pair = f"described:{number}:{len(rows)}"
        rows += [Row(bad, TOLD, {category: 1}, number, pair=pair), Row(good, TOLD, innocent, number, pair=pair)]
    return [row for row in rows if row.text]


def _files(folder: str) -> list[str]:
    files = (
        resources.files("safety.prompt.corpus") / folder if folder else resources.files("safety.prompt.corpus")
    ).iterdir()
    return sorted(file.name.removesuffix(".txt") for file in files if file.name.endswith(".txt"))


def _in(folder: str) -> list[str]:
    found = (resources.files("safety.prompt.corpus") / folder).is_dir()
    return [f"{folder}/{name}" for name in _files(folder)] if found else []


def _lines(name: str) -> Iterator[tuple[str, str]]:
    """(section, line) of a file of the corpus."""
    section = ""
    for line in (resources.files("safety.prompt.corpus") / f"{name}.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[] ")
        elif line.strip() and not line.startswith("#"):
            yield section, line.strip()


def _pair_rows(source: str, name: str) -> Iterator[Row]:
    """The rows of contrast pairs, and of the ordinary prompts that a file may hold besides."""
    innocent = dict.fromkeys(CATEGORIES, -1)
    for index, (category, line) in enumerate(_lines(name)):
        violating, bar, other = (part.strip() for part in line.partition("||"))
        if bar and category in CATEGORIES:
            # of the other categories a violating prompt says nothing: many violate two
            yield Row(violating, source, {category: 1}, index, pair=f"{name}:{index}")
        yield Row(other if bar else violating, source, innocent, index, pair=f"{name}:{index}" if bar else "")


def held_out(row: Row, fold: int) -> bool:
    """True where a fold leaves the row out: its whole source, or its group of our own."""
    ours = row.source in (OURS, GRAMMAR, FUNCTIONAL, TONGUES, TOLD)
    return row.group % len(FOLDS) == fold if ours else row.source in FOLDS[fold]


def augmented(rows: list[Row], seed: int = SEED) -> list[Row]:
    """One row in eight again in a disguise, one in eight in a wrapper, our pairs in more; both classes alike."""
    rng = random.Random(seed)
    wrappers = [line for _, line in _lines("wrappers") if "{}" in line]
    extra = []
    for row in rows:
        ours = row.source == OURS
        if rng.random() < (0.25 if ours else 0.1):
            text = DISGUISES[rng.choice(sorted(DISGUISES))](row.text, rng)
            extra.append(Row(text, row.source, row.known, row.group, True))
        if rng.random() < (0.5 if ours else 0.06):
            text = rng.choice(wrappers).replace("{}", row.text)
            extra.append(Row(text, row.source, row.known, row.group, True))
        if ours:
            extra += [Row(t, row.source, row.known, row.group, True) for t in grammar.wrapped(row.text, 1, rng)]
    return rows + [row for row in extra if len(row.text) < 2000]
