"""From trained networks to the weights file and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load, save as pack
from torch import Tensor

from generator.codec import PatchCodec
from generator.dit import DiT, Shape
from generator.errors import GeneratorUnavailable
from generator.weights_file import FOLDER, read_weights, write_weights

PARTS = ("planner", "painter", "filmer")
_CODEC = ("mean", "basis", "scale", "spread")


@dataclass(frozen=True, eq=False)
class Part:
    """A network and the codec of what it makes."""

    net: DiT
    codec: PatchCodec

    def to(self, device: torch.device) -> Part:
        """Both on a device; the network itself is moved."""
        return Part(self.net.to(device), self.codec.to(device))


@dataclass(frozen=True, eq=False)
class Model:
    """The three networks of the embedded generator, and the words they were trained on."""

    planner: Part
    painter: Part
    filmer: Part
    known: frozenset[str]


def save(parts: dict[str, Part], told: dict[str, object], known: Sequence[str], folder: Path = FOLDER) -> str:
    """Writes all PARTS in float16; returns the sha256.

    `told` goes into the JSON (steps, clips, seed), and so do the words (`generator.text.words`) that were trained.
    """
    tensors: dict[str, Tensor] = {}
    for name in PARTS:
        net, codec = parts[name].net, parts[name].codec
        tensors |= {f"{name}.net.{key}": tensor for key, tensor in net.state_dict().items()}
        tensors |= {f"{name}.codec.{key}": getattr(codec, key) for key in _CODEC}
    small = {name: tensor.detach().to(torch.float16).contiguous() for name, tensor in tensors.items()}
    shapes = {name: {**asdict(parts[name].net.shape), "patch": list(parts[name].codec.patch)} for name in PARTS}
    return write_weights(pack(small), {"parts": shapes, "training": told}, known, folder)


def read(folder: Path = FOLDER) -> Model:
    """The networks in float32 and evaluation mode, their codecs, and the words they were trained on.

    Raises GeneratorUnavailable, see `read_weights`, and where the file holds other networks than the card says.
    """
    body, card = read_weights(folder)
    tensors = {name: tensor.float() for name, tensor in load(body).items()}
    try:
        parts = {name: _part(tensors, name, dict(card.parts[name])) for name in PARTS}
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise GeneratorUnavailable(
            f"{folder}: not the networks of this version; run scripts/train-generator"
        ) from error
    return Model(**parts, known=card.trained)


def _part(tensors: dict[str, Tensor], name: str, shape: dict[str, object]) -> Part:
    patch: tuple[int, int, int] = tuple(map(int, shape.pop("patch")))  # type: ignore[call-overload]
    net = DiT(Shape(**shape))  # type: ignore[arg-type]
    mine = f"{name}.net."
    net.load_state_dict({key[len(mine) :]: tensor for key, tensor in tensors.items() if key.startswith(mine)})
    net.eval().requires_grad_(False)
    return Part(net, PatchCodec(patch, *(tensors[f"{name}.codec.{key}"] for key in _CODEC)))
