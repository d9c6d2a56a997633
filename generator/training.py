"""How the embedded model is trained: sheets drawn as they are needed, two optimizers, an average of the weights.

Everything is a function of the seed and the number of clips seen, so a run that was stopped goes on as if it had not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from generator.codec import PatchCodec, fold, to_signed
from generator.text import BACKDROP, encode, words
from generator.world.scene import BACKDROPS, KINDS, SHAPES, SPRITES, Range, SceneSpec, draw_scene
from generator.world.sheet import LANDSCAPE, SHEET, SUBJECT, sheet_of

MUON_RATE: Final = 2.5  # of Adam's rate: 1 % of a weight's size a step was slow in a run of a few thousand steps
UNTOLD_SHARE: Final = 0.06  # sheets without a caption, for classifier-free guidance
HUSHED_SHARE: Final = 0.03  # of each attribute, where there is a caption
SUBJECT_WEIGHT: Final = 0.5  # what a patch of the subject or of its alpha counts more than one of the landscape
# The curriculum: half of the kinds in daylight first, then all of them by day, at dusk and at night.
STAGES: Final = {
    "first": Range(kinds=(*SHAPES, *tuple(SPRITES)[:24]), emblem=0.03, dyed=0.1, weather=0.0, dusk=0.0, pairs=0.0),
    "whole": Range(emblem=0.03, dyed=0.12, weather=0.0, dusk=0.2, pairs=0.0, backdrops=1),
}


@dataclass(frozen=True, eq=False)
class Batch:
    """Sheets uint8 (B, 1, H, W, 3), tokens of what is told of them (B, S), and what each patch counts (B, 1, h, w)."""

    sheets: Tensor
    tokens: Tensor
    weight: Tensor


def trained_words(of: Range) -> tuple[str, ...]:
    """The words that training on a range of scenes gives a meaning to."""
    off = {
        BACKDROP: tuple(str(n) for n in range(of.backdrops, BACKDROPS)),
        "kind": tuple(k for k in KINDS if k not in of.kinds),
        "weather": ("rain", "snowfall", "fog") if of.weather == 0 else (),
        "light": ("sunset", "dark") if of.dusk == 0 else (),
        "motion": ("meet",) if of.pairs == 0 else (),
        "second": KINDS if of.pairs == 0 else tuple(k for k in KINDS if k not in of.kinds),
    }
    return tuple(w for w in words() if w.split(":")[1] not in off.get(w.split(":")[0], ()))


def draw_batch(seed: int, index: int, size: int, of: Range = STAGES["whole"]) -> Batch:
    """The index-th batch of a run."""
    rng = np.random.default_rng((seed, index))
    scenes = [draw_scene(rng, of) for _ in range(size)]
    sheets = np.stack([sheet_of(scene) for scene in scenes])[:, None]  # (B, 1, H, W, 3)
    tokens = encode([_told(rng, scene) for scene in scenes])
    h, w = SHEET[1] // 12, SHEET[0] // 12
    weight = np.ones((size, 1, h, w), np.float32)
    weight[:, :, LANDSCAPE[1] // 12 :, : 2 * SUBJECT // 12] += SUBJECT_WEIGHT
    return Batch(torch.from_numpy(sheets), torch.from_numpy(tokens), torch.from_numpy(weight))


def _told(rng: np.random.Generator, scene: SceneSpec) -> dict[str, str]:
    if rng.random() < UNTOLD_SHARE:
        return {}
    told = {**scene.words(), BACKDROP: str(scene.backdrop_seed % BACKDROPS)}
    return {name: value for name, value in told.items() if rng.random() >= HUSHED_SHARE}


def fit_codec(seed: int, sheets: int, keep: int, of: Range = STAGES["whole"]) -> PatchCodec:
    """The codec of this world, from patches of sheets drawn at random."""
    batches = [draw_batch(seed, -1 - i & 0xFFFFFFFF, 20, of) for i in range(max(1, sheets // 20))]
    return PatchCodec.fit(torch.cat([fold(to_signed(b.sheets)).flatten(0, 3) for b in batches]), keep)


class Trainer:
    """Full-precision weights and their running average beside a bfloat16 network that does the work."""

    def __init__(self, net: nn.Module, average: float = 0.999) -> None:
        self.net, self.average, self.steps = net, average, 0
        self.names = [name for name, _ in net.named_parameters()]
        self.masters = [p.detach().float().clone().requires_grad_() for p in net.parameters()]
        self.means = [p.detach().clone() for p in self.masters]
        inner = [p for n, p in zip(self.names, self.masters, strict=True) if _is_inner(n, p)]
        outer = [p for n, p in zip(self.names, self.masters, strict=True) if not _is_inner(n, p)]
        # Muon turns the gradient of a matrix into the nearest rotation; what maps no hidden state to another is Adam's.
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(inner, lr=1.0, weight_decay=0.0, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(outer, lr=1.0, betas=(0.9, 0.98), weight_decay=0.0),
        ]
        net.to(torch.bfloat16)

    def step(self, loss: Tensor, rate: float) -> float:
        """One step at a learning rate; returns the norm of the gradient before it was clipped to 1."""
        loss.backward()  # type: ignore[no-untyped-call]
        for master, working in zip(self.masters, self.net.parameters(), strict=True):
            master.grad = torch.zeros_like(master) if working.grad is None else working.grad.float()
            working.grad = None
        norm = nn.utils.clip_grad_norm_(self.masters, 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * (MUON_RATE if isinstance(optimizer, torch.optim.Muon) else 1.0)
            optimizer.step()
        self.steps += 1
        keep = min(self.average, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(self.means, self.masters, 1 - keep)
            for master, working in zip(self.masters, self.net.parameters(), strict=True):
                working.copy_(master)
        return float(norm)

    def averaged(self) -> dict[str, Tensor]:
        """The averaged weights, by name."""
        return dict(zip(self.names, self.means, strict=True))

    def state(self) -> dict[str, object]:
        """All that a run needs to go on."""
        return {
            "steps": self.steps,
            "masters": [p.detach() for p in self.masters],
            "means": self.means,
            "optimizers": [o.state_dict() for o in self.optimizers],
        }

    def resume(self, state: dict[str, object]) -> None:
        """Takes up what `state` returned."""
        self.steps = int(state["steps"])  # type: ignore[call-overload]
        with torch.no_grad():
            for mine, theirs in ((self.masters, state["masters"]), (self.means, state["means"])):
                for target, source in zip(mine, theirs, strict=True):  # type: ignore[call-overload]
                    target.copy_(source)
            for master, working in zip(self.masters, self.net.parameters(), strict=True):
                working.copy_(master)
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):  # type: ignore[call-overload]
            optimizer.load_state_dict(saved)


def _is_inner(name: str, weight: Tensor) -> bool:
    return weight.ndim == 2 and name.startswith("blocks.") and "modulate" not in name
