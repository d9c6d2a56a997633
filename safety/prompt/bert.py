"""The sentence encoder as a torch module: for training and export only, nothing imports it at run time.

The architecture is BERT's (Devlin et al. 2019) in the size of MiniLM-L6 (Wang et al. 2020): six layers of width 384.
A category's logit is the mean over the pieces of a linear reading of each, so that a logit is a sum of shares and the
pieces that speak loudest are the evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """Sizes of the encoder; the defaults are all-MiniLM-L6-v2's."""

    vocabulary: int = 30_522
    positions: int = 512
    width: int = 384
    inner: int = 1536
    layers: int = 6
    heads: int = 12
    dropout: float = 0.1


class Layer(nn.Module):
    """Self-attention and a feed-forward net, each added to its input and normalised."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.qkv = nn.Linear(shape.width, 3 * shape.width)
        self.out = nn.Linear(shape.width, shape.width)
        self.after_attention = nn.LayerNorm(shape.width, eps=1e-12)
        self.up = nn.Linear(shape.width, shape.inner)
        self.down = nn.Linear(shape.inner, shape.width)
        self.after_inner = nn.LayerNorm(shape.width, eps=1e-12)
        self.drop = nn.Dropout(shape.dropout)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """`x` is (B, T, D); `bias` is (B, 1, 1, T), very negative where there is no piece."""
        B, T, D = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)  # each (B, H, T, D/H)
        weights = (q @ k.transpose(-1, -2) * (D // self.heads) ** -0.5 + bias).softmax(-1)  # (B, H, T, T)
        mixed = (self.drop(weights) @ v).transpose(1, 2).reshape(B, T, D)  # (B, T, D)
        x = self.after_attention(x + self.drop(self.out(mixed)))
        inner: Tensor = self.after_inner(x + self.drop(self.down(F.gelu(self.up(x)))))  # (B, T, D)
        return inner


class PromptEncoder(nn.Module):
    """The encoder with one linear head a category."""

    def __init__(self, categories: tuple[str, ...], shape: Shape | None = None) -> None:
        super().__init__()
        self.shape, self.categories = shape or Shape(), categories
        width = self.shape.width
        self.words = nn.Embedding(self.shape.vocabulary, width)
        self.positions = nn.Embedding(self.shape.positions, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.drop = nn.Dropout(self.shape.dropout)
        self.layers = nn.ModuleList(Layer(self.shape) for _ in range(self.shape.layers))
        self.head = nn.Linear(width, len(categories))

    def embedded(self, ids: Tensor) -> Tensor:
        """Pieces `ids` (B, T) as the first layer takes them (B, T, D)."""
        x = self.words(ids) + self.positions.weight[: ids.shape[1]]  # (B, T, D)
        out: Tensor = self.drop(self.norm(x))
        return out

    def onward(self, x: Tensor, mask: Tensor, layers: slice = slice(None)) -> Tensor:
        """`x` (B, T, D) through some layers; `mask` (B, T) is 1 where there is a piece."""
        bias = (1.0 - mask[:, None, None, :].to(x.dtype)) * -1e4  # (B, 1, 1, T)
        for layer in self.layers[layers]:
            x = layer(x, bias)
        return x

    def read(self, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What the heads say of the last layer (B, T, D): logits (B, C) of the texts, and of each piece (B, T, C)."""
        said = self.head(self.drop(hidden))  # (B, T, C)
        share = mask[:, :, None].to(said.dtype)
        return (said * share).sum(1) / share.sum(1), said

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, C) of the texts, and what each piece says (B, T, C); the first is the mean of the second."""
        return self.read(self.onward(self.embedded(ids), mask), mask)


def from_bert(weights: Mapping[str, Tensor], categories: tuple[str, ...]) -> PromptEncoder:
    """An encoder with the weights of a BERT checkpoint; the heads start near zero.

    The embedding of the first segment is added to every word's, since there is only one segment.
    """
    encoder = PromptEncoder(categories)
    state = {
        "words.weight": weights["embeddings.word_embeddings.weight"]
        + weights["embeddings.token_type_embeddings.weight"][0],
        "positions.weight": weights["embeddings.position_embeddings.weight"],
    }
    pairs = {"norm": "embeddings.LayerNorm"}
    for index in range(encoder.shape.layers):
        mine, theirs = f"layers.{index}", f"encoder.layer.{index}"
        pairs |= {
            f"{mine}.out": f"{theirs}.attention.output.dense",
            f"{mine}.after_attention": f"{theirs}.attention.output.LayerNorm",
            f"{mine}.up": f"{theirs}.intermediate.dense",
            f"{mine}.down": f"{theirs}.output.dense",
            f"{mine}.after_inner": f"{theirs}.output.LayerNorm",
        }
        for kind in ("weight", "bias"):
            parts = [weights[f"{theirs}.attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
            state[f"{mine}.qkv.{kind}"] = torch.cat(parts)
    for my_name, their_name in pairs.items():
        for kind in ("weight", "bias"):
            state[f"{my_name}.{kind}"] = weights[f"{their_name}.{kind}"]
    nn.init.normal_(encoder.head.weight, std=0.02)
    nn.init.zeros_(encoder.head.bias)
    encoder.load_state_dict(state | {f"head.{k}": v for k, v in encoder.head.state_dict().items()})
    return encoder


def export_onnx(encoder: PromptEncoder, path: str) -> None:
    """Writes the encoder as fp32 ONNX: inputs ids and mask (B, T) int64, outputs logits (B, C) and said (B, T, C)."""
    encoder.eval()
    ids = torch.ones(2, 7, dtype=torch.int64)
    torch.onnx.export(
        encoder,
        (ids, torch.ones_like(ids)),
        path,
        input_names=["ids", "mask"],
        output_names=["logits", "said"],
        dynamic_axes={name: {0: "batch", 1: "pieces"} for name in ("ids", "mask", "said")} | {"logits": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
