"""The weights on disk: one fp16 safetensors file, and beside it a small JSON with its hash, its shape and its words.

The hash is compared whenever the file is read, and so is the list of words, since tokens are places in it. No torch
here: a back-end can say what it would load, and refuse what it would not, without it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from generator.errors import GeneratorUnavailable
from generator.text import words

FOLDER: Final = Path(__file__).parent / "weights"
FILE, CARD = "embedded.safetensors", "embedded.json"


@dataclass(frozen=True)
class WeightsCard:
    """What the JSON beside the weights says of them."""

    sha256: str
    parts: dict[str, dict[str, object]]  # the sizes of each network and the patch of its codec
    words: tuple[str, ...]
    trained: frozenset[str]  # those of the words that training gave a meaning to


def read_card(folder: Path = FOLDER) -> WeightsCard:
    """The JSON beside the weights. Raises GeneratorUnavailable where it is missing or is something else."""
    path = folder / CARD
    try:
        card = json.loads(_read(path))
        return WeightsCard(
            sha256=str(card["sha256"]),
            parts={str(name): dict(sizes) for name, sizes in card["parts"].items()},
            words=tuple(map(str, card["words"])),
            trained=frozenset(map(str, card["trained"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise GeneratorUnavailable(f"{path}: not the JSON that scripts/train-generator writes ({error!r})") from error


def read_weights(folder: Path = FOLDER) -> tuple[bytes, WeightsCard]:
    """The file's bytes and its card, after both were compared.

    Raises GeneratorUnavailable where the file is missing, is not the one the card names, or was trained on other words.
    """
    card, path = read_card(folder), folder / FILE
    body = _read(path)
    if hashlib.sha256(body).hexdigest() != card.sha256:
        raise GeneratorUnavailable(f"{path}: its sha256 is not the one in {CARD}; restore both files from one release")
    if card.words != words():
        raise GeneratorUnavailable(f"{path}: trained on another vocabulary; run scripts/train-generator")
    return body, card


def write_weights(body: bytes, card: dict[str, object], trained: Sequence[str], folder: Path = FOLDER) -> str:
    """Writes the weights and their card with hash, words and those that were trained; returns the sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(body).hexdigest()
    (folder / FILE).write_bytes(body)
    (folder / CARD).write_text(
        json.dumps({"sha256": digest, **card, "trained": list(trained), "words": list(words())}) + "\n"
    )
    return digest


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise GeneratorUnavailable(f"{path}: cannot be read ({error}); restore it from a release") from error
