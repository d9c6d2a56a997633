"""The learned judges of a view in one: the linear model and the encoder, weighed with what the lexicon found.

For every category the calibration file holds a mix: how much the encoder's logit, the linear model's and the lexicon's
signal weigh. It was fitted on prompts of sources that none of them had seen. A category that only the encoder knows
(descriptions of people and characters that no list names) has the search for descriptions (`told.py`) beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import Traversable
from pathlib import Path

import numpy as np

from safety.errors import ModelUnavailable
from safety.prompt.calibration import REVIEW, Calibration, Mix
from safety.prompt.encoder import Encoder, Judged, encoded_text
from safety.prompt.linear import Features, LinearModel, features_of, windows
from safety.prompt.reading import ReadView
from safety.prompt.told import Descriptions

SILENT = -8.0  # the logit of a judge that found nothing to judge

Span = tuple[int, int]  # in the user's own code points


@dataclass(frozen=True)
class Said:
    """A calibrated value, and where the text says it."""

    value: float
    span: Span | None


@dataclass(frozen=True)
class _Loudest:
    """The linear model's logit of one category, from the window where it is largest."""

    logit: float
    at: int
    text: str
    found: Features


@dataclass(frozen=True)
class _Heard:
    """What each judge says of one view."""

    view: ReadView
    linear: Mapping[str, _Loudest]
    encoded: Judged | None
    searched: Mapping[str, float]


class LearnedJudge:
    """Judges one view at a time; deterministic, and safe to share between threads."""

    def __init__(
        self, calibration: Calibration, linear: LinearModel, encoder: Encoder | None, searched: Descriptions | None
    ) -> None:
        self.calibration, self._linear, self._encoder, self._searched = calibration, linear, encoder, searched
        self._columns = {category: column for column, category in enumerate(linear.categories)}
        self._heads = {category: column for column, category in enumerate(calibration.encoder_categories)}

    @classmethod
    def load(cls, folder: Traversable | Path, calibration: Calibration) -> LearnedJudge:
        """The models that a calibration file was made for; raises ModelUnavailable where one is missing or another."""
        linear = LinearModel.load(folder / "linear.safetensors", calibration.weights_sha256)
        sha256 = calibration.encoder_sha256
        if not sha256:
            return cls(calibration, linear, None, None)
        try:
            rarity = (folder / "rarity.json").read_bytes()
        except OSError as error:
            raise ModelUnavailable(f"rarity.json: cannot be read ({error}); reinstall Assay") from error
        return cls(calibration, linear, Encoder.load(folder, sha256), Descriptions.load(rarity))

    def judge(self, view: ReadView, shown: float) -> dict[str, Said]:
        """The value of every category for a view; from `shown` on with the place in the user's text."""
        return self.judge_all([view], shown)[0]

    def judge_all(self, views: Sequence[ReadView], shown: float) -> list[dict[str, Said]]:
        """Several views, each as if it were alone; the linear model takes them together, the encoder one by one."""
        linear = self._loudest([view.masked for view in views])
        encoded = [self._encoder.judge(encoded_text(view.key.view)) if self._encoder else None for view in views]
        searched = [self._searched.signals(view.key.text) if self._searched else {} for view in views]
        return [self._said(_Heard(*each), shown) for each in zip(views, linear, encoded, searched, strict=True)]

    def _said(self, heard: _Heard, shown: float) -> dict[str, Said]:
        if heard.encoded is None and not heard.linear:
            return {}
        out = {}
        for category, entry in self.calibration.categories.items():
            value = entry.value(self._mixed(category, entry.mix, heard))
            out[category] = Said(value, self._span(category, heard) if value >= shown else None)
        return out

    def _mixed(self, category: str, mix: Mix, heard: _Heard) -> float:
        total = mix.bias + mix.listed * float(counted(mix, np.float64(self._listed(category, heard))))
        if mix.linear:
            total += mix.linear * (heard.linear[category].logit if category in heard.linear else SILENT)
        if mix.encoder:
            encoded = heard.encoded
            total += mix.encoder * (float(encoded.logits[self._heads[category]]) if encoded else SILENT)
        return total

    def _listed(self, category: str, heard: _Heard) -> float:
        """What the lists say: of a learned category the lexicon, of one that is described the search."""
        if category not in self._columns:
            return heard.searched.get(category, 0.0)
        signal = heard.view.signals.get(category)
        return signal.value if signal else 0.0

    def _loudest(self, masked: Sequence[str]) -> list[dict[str, _Loudest]]:
        """What the linear model says of each category, from a text's loudest window; nothing where nothing is left."""
        cut = [(number, start, text[start:end]) for number, text in enumerate(masked) for start, end in windows(text)]
        best: list[dict[str, _Loudest]] = [{} for _ in masked]
        for (number, start, window), found in zip(cut, features_of([window for *_, window in cut]), strict=True):
            if len(found.buckets):
                logits, mine = self._linear.logits(found), best[number]
                for category, column in self._columns.items():
                    if category not in mine or logits[column] > mine[category].logit:
                        mine[category] = _Loudest(float(logits[column]), start, window, found)
        return best

    def _span(self, category: str, heard: _Heard) -> Span | None:
        """Where the evidence stands: as the encoder sees it, else as the linear model does."""
        view, linear, encoded = heard.view, heard.linear, heard.encoded
        if encoded is not None and category in self._heads:
            start, end = encoded.spans[self._heads[category]]
            return view.key.view.span(start, end) if end > start else None
        if category not in linear:
            return None
        loudest = linear[category]
        first, last = self._linear.strongest(loudest.found, self._columns[category], loudest.text)
        return view.key.span(loudest.at + first, loudest.at + last) if last > first else None


def mixed(mix: Mix, encoder: np.ndarray, linear: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """The mix over arrays of logits and signals, as calibration and benchmarks compute it."""
    total: np.ndarray = mix.bias + mix.encoder * encoder + mix.linear * linear + mix.listed * counted(mix, listed)
    return total


def counted(mix: Mix, listed: np.ndarray | np.float64) -> np.ndarray:
    """The lexicon's signals as a mix counts them: of those of weak words alone a share."""
    return np.where(listed < REVIEW, mix.weak * listed, listed)
