"""A picture model named in the settings is assembled, runs, and stands in the posture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from assay.assemble import assemble
from assay.pipeline import generate
from assay.report.coverage import coverage_table
from assay.request import Request
from assay.settings import OpenClip, Settings

CONFIG = {
    "model_cfg": {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 16},
        "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    },
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
}


def test_a_local_model_looks_at_every_frame(toy_settings: Callable[..., Settings], tmp_path: Path) -> None:
    """With `openclip` in the settings its categories are evaluated, and the table of what evaluates what says so."""
    import open_clip
    from safetensors.torch import save_file

    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps(CONFIG))
    model = open_clip.create_model(f"local-dir:{folder}", require_pretrained=False)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    settings = toy_settings(frame_classifiers=(), backend="procedural", openclip=OpenClip(model=str(folder)))
    stages = assemble(settings, "worker-test", generator=True)
    outcome = generate(Request("a red ball", tmp_path / "out.mp4", size=(96, 64), seconds=0.25), stages)
    (entry,) = (entry for entry in outcome.posture if entry.model == "openclip")
    assert (entry.items, entry.failed) == (6, 0)
    assert "hate/symbol" not in {name for decision in outcome.decisions for name in decision.not_evaluated}
    assert outcome.scores["hate/symbol"] is not None
    assert "`hate/symbol`: openclip" in coverage_table(stages)
