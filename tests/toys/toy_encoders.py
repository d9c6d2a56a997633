"""Tiny encoders of the three families with random weights, saved as their users save theirs. For plumbing only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

OPENCLIP: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    },
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
}
TINY = {"num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32, "patch_size": 8, "hidden_size": 32}


def write_openclip(folder: Path, seed: int = 0) -> Path:
    """A folder as open_clip reads it."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(json.dumps(OPENCLIP))
    torch.manual_seed(seed)
    net = open_clip.create_model(f"local-dir:{folder}", require_pretrained=False)
    save_file(net.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def write_dinov2(folder: Path, seed: int = 0) -> Path:
    """A folder as transformers reads it."""
    import torch
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    torch.manual_seed(seed)
    Dinov2Model(Dinov2Config(**TINY, mlp_ratio=2)).save_pretrained(folder)
    BitImageProcessor(size={"shortest_edge": 36}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def write_xclip(folder: Path, seed: int = 0) -> Path:
    """A folder as transformers reads it; its pictures exchange messages in groups of four."""
    import torch
    from transformers import CLIPImageProcessor, XCLIPVisionConfig, XCLIPVisionModel

    torch.manual_seed(seed)
    config = XCLIPVisionConfig(**TINY, intermediate_size=64, mit_hidden_size=32, mit_intermediate_size=64, num_frames=4)
    XCLIPVisionModel(config).save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def wandering(frames: int, seed: int, size: int = 64, pace: float = 3.0) -> np.ndarray:
    """Pictures (T, size, size, 3) of grain that a camera wanders over, uneven in its pace."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 256, (size * 4, size * 4, 3), np.uint8)
    where = np.cumsum(rng.uniform(0, pace, (frames, 2)), axis=0).astype(int) % (3 * size)
    return np.stack([ground[y : y + size, x : x + size] for y, x in where])
