"""The step hook of the spine: previews may stop a job, never pass it.

A preview is a guess, so a single one decides nothing: two looked at in a row must each be blocked by the policy, with
evidence well above the rule's threshold, and none is looked at before a quarter of the steps, where a guess is mostly
noise. Only quick models look. What is not stopped here is looked at frame by frame in the finished file as ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from generator import Preview
from media import Frame
from safety import (
    Absence,
    Action,
    Circumstances,
    Examination,
    FrameClassifier,
    Item,
    Policy,
    PostureEntry,
    Score,
    Stage,
    decide,
    source,
)

BEGIN = 0.25  # of the steps; the notes of the generator measured what a preview shows by then
SURE = 0.9  # evidence that a guess must have
QUICK_MS = 40.0  # a model that takes longer a frame would hold the generator up
FRAMES = 16  # shown of one preview, spread over it
MOST_LOOKS = 24  # previews looked at of one job
_SIDE = 320  # pixels; a native clip may be smaller than what the models were tuned on


@dataclass(frozen=True)
class Stopped:
    """A job that a preview stopped: what was seen, at which step, and why."""

    examination: Examination
    step: int
    steps: int
    why: str

    def to_json(self) -> dict[str, Any]:
        """For the row and the ledger."""
        return {"step": self.step, "steps": self.steps, "why": self.why}


class PreviewGate:
    """Looks at the previews of one job, in order."""

    def __init__(self, policy: Policy, classifiers: Sequence[FrameClassifier], on: Circumstances) -> None:
        self._policy, self._on = policy, on
        wanted = policy.categories_for(Stage.FRAME)
        self._quick = [one for one in classifiers if one.cost_ms <= QUICK_MS and set(one.categories) & set(wanted)]
        self._hits = 0

    def look(self, preview: Preview) -> Stopped | None:
        """What stops the job, or None; a model that fails on a preview says nothing (it is asked again at the end)."""
        every = -(-preview.steps // MOST_LOOKS)
        if preview.step < BEGIN * preview.steps or preview.step % every or not self._quick:
            return None
        seen = self._examine(preview)
        decision = decide(self._policy, list(seen.items), seen.scores, self._on)
        sure = [r for r in decision.reasons if r.action is Action.BLOCK and r.value is not None and r.value >= SURE]
        self._hits = self._hits + 1 if sure else 0
        if self._hits < 2:
            return None
        reason = max(sure, key=lambda one: one.value or 0.0)
        why = f"two previews in a row: {reason.category} {reason.value:.2f} (rule {reason.rule}, {reason.source})"
        return Stopped(seen, preview.step, preview.steps, why)

    def _examine(self, preview: Preview) -> Examination:
        clip = preview.frames()  # (T, h, w, 3)
        shown = np.unique(np.linspace(0, len(clip) - 1, FRAMES).round().astype(int))
        frames = [Frame(_enlarged(clip[at]), number, float(at / preview.fps)) for number, at in enumerate(shown)]
        item = Item(Stage.FRAME, f"preview-{preview.step}", hashlib.sha256(clip.tobytes()).hexdigest(), 1)
        scores: list[Score] = []
        posture: list[PostureEntry] = []
        for eye in self._quick:
            best = _highest(eye, frames)
            scores += [Score.measured(item, name, source(eye), value) for name, value in best.items()]
            posture.append(
                PostureEntry(
                    item.stage, eye.name, eye.version, eye.weights_sha256, eye.runtime,
                    items=len(frames), failed=0 if best else len(frames),
                )
            )  # fmt: skip
        return Examination((item,), tuple(scores), tuple(posture))


def _highest(eye: FrameClassifier, frames: Sequence[Frame]) -> dict[str, float]:
    """The highest value a category over the frames; nothing where the model fails or did not look."""
    try:
        answers = list(eye.score(frames))
    except Exception:  # noqa: BLE001 (a preview passes nothing: the finished file is looked at by the same model)
        return {}
    best: dict[str, float] = {}
    for answer in answers:
        for name, (value, _) in answer.items():
            if not isinstance(value, Absence):
                best[name] = max(best.get(name, 0.0), float(value))
    return best


def _enlarged(picture: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    factor = _SIDE / max(picture.shape[:2])
    if factor <= 1.0:
        return np.ascontiguousarray(picture)
    larger = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return np.asarray(larger, np.uint8)
