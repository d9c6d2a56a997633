"""How the embedded networks are trained, by `generator.lessons`: two optimizers and an average of the weights."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

MUON_RATE: Final = 2.5  # of Adam's rate: 1 % of a weight's size a step was slow in a run of a few thousand steps


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
