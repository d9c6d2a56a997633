"""`assay detect` on pictures of our own generator, by the detector that ships: proved, stripped, moved, mislabelled."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from toy_encoders import wandering

from assay.cli.main import run
from assay.detect import detect
from assay.errors import ExitCode
from benchmarks.detect.own import generated, recoded
from generator import EmbeddedGenerator
from media import encode
from provenance import DevelopmentKeys, Trust
from tests.assay.test_detect_answers import World, manifest_box


@pytest.mark.full
def test_our_pictures_under_every_manifest(tmp_path: Path) -> None:
    """Our file is proved; without its manifest, at CRF 28, it is likely; its manifest in another file contradicts; a
    camera's manifest over its pictures contradicts.
    """
    ours, theirs = (DevelopmentKeys.load_or_create(tmp_path / name).identity for name in ("ours", "theirs"))
    world = World(tmp_path, ours, theirs, Trust.of(ours))
    made = tmp_path / "made.mp4"
    generated(EmbeddedGenerator(), "a red ball bounces on the grass", 0, made)
    own = world.published("own.mp4", ours, made)
    assert detect(own, world.trust)["answer"] == "synthetic"
    stripped = recoded(own, tmp_path / "stripped.mp4", Fraction(24))
    row = detect(stripped, world.trust)
    assert (row["answer"], row["generator"], row["because"]) == ("likely-synthetic", None, ["forensic"])
    assert row["segments"]
    moved = tmp_path / "moved.mp4"
    encode(moved, wandering(16, 7, 128), Fraction(8))
    moved.write_bytes(moved.read_bytes() + manifest_box(own))
    row = detect(moved, world.trust)
    assert (row["answer"], row["generator"]) == ("contradictory", None)
    object.__setattr__(world, "clip", stripped)
    row = detect(world.claimed("camera.mp4", ours, "digitalCapture"), world.trust)
    assert (row["answer"], row["because"]) == ("contradictory", ["manifest", "forensic"])


def test_words_name_a_file_once_and_never_say_real(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error names its file once; an answer of no evidence says that it does not mean real."""
    (tmp_path / "text.mp4").write_text("no video")
    assert run(["detect", str(tmp_path / "text.mp4")]) == ExitCode.UNDECIDED
    assert capsys.readouterr().err.replace("\n", "").count("text.mp4") == 1
    encode(tmp_path / "few.mp4", wandering(3, 1), Fraction(8))
    assert run(["detect", str(tmp_path / "few.mp4")]) == ExitCode.OK
    told = capsys.readouterr().out
    assert "NO-EVIDENCE" in told
    assert "does not mean real" in told
