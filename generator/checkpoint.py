"""From a trained network to the weights file and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load, save as pack

from generator.codec import GAMMA, PATCH, PatchCodec
from generator.dit import DiT, Shape
from generator.errors import GeneratorUnavailable
from generator.weights_file import FOLDER, read_weights, write_weights

_CODEC = ("mean", "basis", "scale", "spread")


def save(net: DiT, codec: PatchCodec, told: dict[str, object], known: Sequence[str], folder: Path = FOLDER) -> str:
    """Writes both in float16; returns the sha256.

    `told` goes into the JSON (steps, clips, seed), and so do the words (`generator.text.words`) that were trained.
    """
    tensors = {f"net.{name}": p.detach().to(torch.float16).contiguous() for name, p in net.state_dict().items()}
    tensors |= {f"codec.{name}": getattr(codec, name).to(torch.float16).contiguous() for name in _CODEC}
    card = {"shape": asdict(net.shape), "patch": list(PATCH), "gamma": GAMMA, "training": told}
    return write_weights(pack(tensors), card, known, folder)


def read(folder: Path = FOLDER) -> tuple[DiT, PatchCodec, frozenset[str]]:
    """The network in float32 and evaluation mode, its codec, and the words it was trained on.

    Raises GeneratorUnavailable, see `read_weights`.
    """
    body, card = read_weights(folder)
    if card.patch != PATCH:
        raise GeneratorUnavailable(f"{folder}: trained on patches of {card.patch}; run scripts/train-generator")
    tensors = {name: tensor.float() for name, tensor in load(body).items()}
    net = DiT(Shape(**card.shape))
    net.load_state_dict({name[4:]: tensor for name, tensor in tensors.items() if name.startswith("net.")})
    net.eval().requires_grad_(False)
    return net, PatchCodec(*(tensors[f"codec.{name}"] for name in _CODEC)), card.trained
