"""What a run's page says before any file: how scores are spread in each category, and who decided what."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from assay.report.words import text
from safety import Action, Policy, Stage

BINS = 20  # of a histogram, over [0, 1]
_WIDTH, _HEIGHT = 240, 56  # units of a histogram's drawing
_SHOWN = 12  # sources told


class Totals:
    """Counts over the rows of a run; any number of rows in the same memory."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._bins: dict[str, list[int]] = defaultdict(lambda: [0] * BINS)
        self._unscored: Counter[str] = Counter()
        self._sources: dict[str, Counter[str]] = defaultdict(Counter)
        self.answers: Counter[str] = Counter()  # of the detector
        self.states: Counter[str] = Counter()  # of Content Credentials
        self._rows = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """The next line of a scan."""
        self._rows += 1
        for name, value in (row.get("scores") or {}).items():
            if value is None:
                self._unscored[name] += 1
            else:
                self._bins[name][min(BINS - 1, int(value * BINS))] += 1
        deciding = {
            (_source(reason), reason["action"]) for reason in row.get("reasons") or [] if reason["action"] != "allow"
        }
        for source, action in deciding:
            self._sources[source][action] += 1
        for counter, found, key in ((self.states, row.get("provenance"), "state"),
                                    (self.answers, row.get("detect"), "answer")):  # fmt: skip
            if isinstance(found, Mapping):
                counter[str(found.get(key) or "could not look")] += 1

    def html(self) -> str:
        """The overview's sections."""
        return self._histograms() + self._by_source() + self._riding()

    def _histograms(self) -> str:
        loud = sorted(self._bins, key=lambda name: (-_weight(self._bins[name]), name))
        figures = "".join(self._histogram(name) for name in loud)
        silent = sorted(set(self._unscored) - set(self._bins))
        chips = "".join(f"<li>{text(name)}</li>" for name in silent)
        unseen = (
            f'<p class="soft">Not evaluated in any file, which never means safe:</p><ul class="chips">{chips}</ul>'
            if chips
            else ""
        )
        if not figures:
            return f'<section class="card"><h3>Scores</h3><p>No model gave a score.</p>{unseen}</section>'
        words = "The largest score of each file; bars grow with the logarithm of the count, dashes are thresholds."
        return f'<section class="card"><h3>Scores</h3><p class="soft">{words}</p><div class="hists">{figures}</div>{unseen}</section>'  # noqa: E501

    def _histogram(self, name: str) -> str:
        counts = self._bins[name]
        limits = {rule.threshold: rule.action for rule in self._policy.rules_for(Stage.FRAME) if rule.category == name}
        bars = "".join(_bar(place, count, max(counts)) for place, count in enumerate(counts) if count)
        dashes = "".join(
            f'<path class="limit {action.word}" d="M{at * _WIDTH:.1f} 0V{_HEIGHT}"/>'
            for at, action in limits.items()
            if action > Action.ALLOW
        )
        lowest = min((at for at, action in limits.items() if action > Action.ALLOW), default=None)
        scored = sum(counts)
        spoken = f"{scored} files scored"
        if lowest is not None:
            spoken += f", {sum(counts[min(BINS - 1, int(lowest * BINS)) :])} near or above {lowest:g}"
        missing = f", {self._unscored[name]} not" if self._unscored[name] else ""
        return (
            f'<figure class="hist"><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
            f'aria-label="{text(name)}: {spoken}">{bars}{dashes}</svg>'
            f"<figcaption><b>{text(name)}</b>{spoken}{missing}</figcaption></figure>"
        )

    def _by_source(self) -> str:
        if not self._sources:
            return ""
        ordered = sorted(self._sources.items(), key=lambda one: (-one[1]["block"], -one[1]["review"], one[0]))
        rows = "".join(
            f"<tr><td>{text(name)}</td><td class=num>{counts['block']}</td><td class=num>{counts['review']}</td></tr>"
            for name, counts in ordered[:_SHOWN]
        )
        head = "<tr><th>source</th><th class=num>asks for block</th><th class=num>asks for review</th></tr>"
        more = f"<p class='soft'>and {len(ordered) - _SHOWN} more</p>" if len(ordered) > _SHOWN else ""
        return (
            f'<section class="card"><h3>Decisions by source</h3><p class="soft">Files in which a model, or its '
            f'absence, asked for something; a file counts once for each.</p><table class="narrow">{head}{rows}</table>'
            f"{more}</section>"
        )

    def _riding(self) -> str:
        parts = [("Content Credentials", self.states), ("Detector", self.answers)]
        told = "".join(
            f"<h3>{title}</h3><p>{', '.join(f'{n} {text(word)}' for word, n in counts.most_common())}</p>"
            for title, counts in parts
            if counts
        )
        return f'<section class="card">{told}</section>' if told else ""


def _weight(counts: list[int]) -> float:
    """How much of a category lies high: what is found comes first."""
    return sum(count * place**4 for place, count in enumerate(counts))


def _bar(place: int, count: int, most: int) -> str:
    step = _WIDTH / BINS
    height = max(2.0, (_HEIGHT - 4) * _log(count) / _log(most))
    return f'<rect x="{place * step + 0.5:g}" y="{_HEIGHT - height:.1f}" width="{step - 1:g}" height="{height:.1f}"/>'


def _log(count: int) -> float:
    from math import log1p

    return log1p(count)


def _source(reason: Mapping[str, Any]) -> str:
    if reason.get("absence"):
        words = str(reason["absence"]).replace("_", " ")
        return f"{reason['source']} ({words})" if reason.get("source") else f"nobody ({words})"
    return str(reason.get("source") or "unknown")
