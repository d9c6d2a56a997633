"""Clips of the project's own generator as it stands: for training, and to measure what the detector recognises.

`python -m benchmarks.detect own` makes new clips, takes away their manifest by re-encoding them at CRF 28, and counts
those that the shipped detector calls likely.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np

from assay.intervals import clopper_pearson
from classifier.corpus import Origin
from classifier.embedded import EmbeddedForensic
from classifier.fitting import OWN, SEED
from classifier.model import FOLDER
from media import Encoder, Frame, encode, probe

COLOURS: Final = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white")
SUBJECTS: Final = ("ball", "square", "star", "heart", "fish", "bird", "cat", "house", "tree", "car", "boat", "triangle")
DOINGS: Final = ("bounces", "moves left", "spins slowly", "floats", "drifts right", "grows", "moves quickly", "rises")
PLACES: Final = (
    "on the grass",
    "in the snow",
    "on the beach",
    "over the sea",
    "in the desert",
    "at night",
    "in the sky",
)
SIZES: Final = ((256, 256), (512, 288), (640, 360), (1280, 720), (288, 512), (384, 384))
RATES: Final = (24, 8, 12, 30, 16)
CRF: Final = 28
NEW: Final = 20  # clips that the measurement makes


def clips_of_our_own(cache: Path, count: int) -> tuple[Path, list[Origin]]:
    """The folder of this generator's weights in the cache, and `count` clips there; those that exist are kept."""
    from generator import EmbeddedGenerator

    generator = EmbeddedGenerator()
    folder = cache / f"{OWN}-{generator.weights_sha256[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    paths = [folder / f"own{number:03d}.mp4" for number in range(count)]
    for number, path in enumerate(paths):
        prompt = prompt_of(rng)
        if not path.exists():
            generated(generator, prompt, number, path)
    return folder, [Origin(path.stem, True, OWN, OWN, str(path), "", False) for path in paths]


def prompt_of(rng: np.random.Generator) -> str:
    """A prompt in words that every version of the generator draws."""
    return f"a {rng.choice(COLOURS)} {rng.choice(SUBJECTS)} {rng.choice(DOINGS)} {rng.choice(PLACES)}"


def generated(generator: Any, prompt: str, number: int, path: Path) -> None:
    """Two seconds of the generator, without a manifest; size, rate and seed by `number`."""
    from generator import Frames, GenerationRequest

    rate = Fraction(RATES[number % len(RATES)])
    request = GenerationRequest(prompt=prompt, size=SIZES[number % len(SIZES)], seconds=2.0, seed=number, fps=rate)
    parts = [event.pixels for event in generator.generate(request) if isinstance(event, Frames)]
    encode(path, np.concatenate(parts), rate)


def recoded(path: Path, target: Path, rate: Fraction, crf: int = CRF) -> Path:
    """The same pictures in a new file, which has no manifest."""
    pictures = [one.pixels for one in probe(path).frames(looks=()) if isinstance(one, Frame) and one.principal]
    height, width = pictures[0].shape[:2]
    with Encoder(target, size=(width, height), rate=rate, crf=crf) as encoder:
        for picture in pictures:
            encoder.write(picture)
    return target


def likely_at_crf_28(detector: EmbeddedForensic, numbers: Sequence[int]) -> list[bool]:
    """Whether each of some clips that nobody trained on is called likely after its re-encode."""
    from generator import EmbeddedGenerator

    generator, rng, said = EmbeddedGenerator(), np.random.default_rng(SEED + 1), []
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            path = Path(folder) / "clip.mp4"
            generated(generator, prompt_of(rng), 100_000 + number, path)
            rate = Fraction(RATES[(100_000 + number) % len(RATES)])
            said.append(detector.judge(recoded(path, Path(folder) / "again.mp4", rate)).likely is True)
    return said


def recall_at_crf_28(folder: Path = FOLDER, count: int = NEW) -> dict[str, Any]:
    """Recall on new clips, with its exact interval."""
    said = likely_at_crf_28(EmbeddedForensic(folder), range(count))
    low, high = clopper_pearson(sum(said), len(said))
    return {"clips": len(said), "recall": round(float(np.mean(said)), 3), "interval": [round(low, 3), round(high, 3)]}
