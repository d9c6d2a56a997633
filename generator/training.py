"""How the embedded model is trained: batches rendered as they are needed, two optimizers, an average of the weights.

Everything is a function of the seed and the number of clips seen, so a run that was stopped goes on as if it had not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from generator.codec import PatchCodec, fold, to_signed
from generator.flow import Clue, look
from generator.geometry import BUCKETS, NATIVE_FPS as FPS, WINDOW as FRAMES
from generator.text import encode
from generator.world.captions import caption
from generator.world.render import render_clip
from generator.world.scene import draw_scene

BUCKET_SHARES: Final = (0.7, 0.15, 0.15)  # landscape mostly, since that is what people ask for
EMBLEM_SHARE: Final = 0.05
MUON_RATE: Final = 2.5  # of Adam's rate: 1 % of a weight's size a step was slow in a run of a few thousand steps
UNTOLD_SHARE: Final = 0.1  # clips without a caption, for classifier-free guidance
# What is given of a clip: nothing, the first frame, a beginning, an end, both ends.
GIVEN_SHARES: Final = (0.6, 0.15, 0.12, 0.05, 0.08)


@dataclass(frozen=True, eq=False)
class Batch:
    """Clips of one shape: pixels uint8 (B, T, H, W, 3), which frames are given (B, T), and their captions."""

    pixels: Tensor
    given: Tensor
    captions: list[str]

    def clue(self, codec: PatchCodec) -> Clue:
        """What the network is told of the clips."""
        visible, mask = look(codec, to_signed(self.pixels), self.given)
        return Clue(visible, mask, torch.from_numpy(encode(self.captions)))


def draw_batch(seed: int, index: int, size: int) -> Batch:
    """The index-th batch of a run."""
    rng = np.random.default_rng((seed, index))
    shape = BUCKETS[rng.choice(len(BUCKETS), p=BUCKET_SHARES)]
    scenes = [draw_scene(rng, emblem=EMBLEM_SHARE) for _ in range(size)]
    captions = ["" if rng.random() < UNTOLD_SHARE else caption(scene, rng) for scene in scenes]
    pixels = np.stack([render_clip(scene, shape, FRAMES, FPS) for scene in scenes])  # (B, T, H, W, 3)
    given = np.stack([_given(rng) for _ in scenes])  # (B, T)
    return Batch(torch.from_numpy(pixels), torch.from_numpy(given), captions)


def _given(rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    known = np.zeros(FRAMES, bool)
    match rng.choice(len(GIVEN_SHARES), p=GIVEN_SHARES):
        case 1:
            known[0] = True
        case 2:
            known[: rng.integers(2, 13)] = True
        case 3:
            known[-rng.integers(1, 13) :] = True
        case 4:
            known[: rng.integers(1, 5)] = True
            known[-rng.integers(1, 5) :] = True
    return known


def fit_codec(seed: int, clips: int, keep: int) -> PatchCodec:
    """The codec of this world, from patches of clips drawn at random."""
    batches = [draw_batch(seed, -1 - i & 0xFFFFFFFF, 20) for i in range(max(1, clips // 20))]
    patches = torch.cat([fold(to_signed(b.pixels)).flatten(0, 3) for b in batches])  # (N, P)
    order = torch.randperm(len(patches), generator=torch.Generator().manual_seed(seed))
    return PatchCodec.fit(patches[order[:120_000]], keep)


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
    return weight.ndim == 2 and name.startswith(("blocks.", "text.")) and "table" not in name


def batches(seed: int, start: int, size: int) -> Iterator[Batch]:
    """The batches of a run from the start-th on."""
    index = start
    while True:
        yield draw_batch(seed, index, size)
        index += 1
