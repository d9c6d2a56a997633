"""The command line as a user meets it: exit codes, JSON lines, words."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from toy_run import ROOT, TOY_ENVIRONMENT, assay_environment

from media import encode

Run = Callable[..., subprocess.CompletedProcess[str]]
SCHEMAS = {
    name: json.loads((ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text())
    for name in ("prompt", "generate", "scan", "verify", "detect")
}
SMALL = ("--size", "96x64", "--seconds", "0.5")


@pytest.fixture
def run_toys(run_assay: Run) -> Run:
    def run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return run_assay(*arguments, **{**TOY_ENVIRONMENT, **more})

    return run


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The JSON lines of a command, each held against the published schema."""
    name = next(word for word in done.args if word in SCHEMAS)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for row in found:
        jsonschema.validate(row, SCHEMAS[name])
    return found


def grey_video(path: Path, red: tuple[int, ...] = (), frames: int = 24) -> Path:
    from fractions import Fraction

    pixels = np.full((frames, 64, 96, 3), 90, np.uint8)
    for index in red:
        pixels[index] = (255, 0, 0)
    encode(path, list(pixels), Fraction(24))
    return path


def test_help_is_quick_and_imports_no_torch() -> None:
    """`assay --help` imports neither torch nor any other heavy library."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "assay", "--help"], capture_output=True, text=True, check=True
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    heavy = {"torch", "cv2", "onnxruntime", "c2pa", "av", "sqlalchemy", "numpy", "open_clip", "rapidocr", "pydantic"}
    assert not imported & heavy
    for command in ("generate", "prompt", "scan", "verify", "sign", "review", "policy", "keys"):
        assert command in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("dance",),
        ("generate",),
        ("generate", "grey", "-o", "out.webm"),
        ("generate", "grey", "-o", "no/such/folder/out.mp4"),
        ("generate", "grey", "-o", "out.mp4", "--size", "large"),
        ("generate", "grey", "-o", "out.mp4", "--seconds", "-1"),
        ("generate", "", "-o", "out.mp4"),
        ("generate", "grey", "-o", "out.mp4", "--image", "none.png"),
        ("generate", "grey", "-o", "out.mp4", "--backend", "nonsense"),
        ("prompt",),
        ("prompt", "--from", "none.jsonl"),
        ("scan",),
        ("scan", "a.mp4", "b.mp4", "--strip", "s.png"),
        ("scan", "a.mp4", "--out", "rows.txt"),
        ("review", "show", "rev_none"),
    ],
)
def test_usage_errors_exit_with_one(arguments: tuple[str, ...], run_toys: Run) -> None:
    """A malformed command line exits with 1, says what is wrong, and leaves nothing."""
    done = run_toys(*arguments)
    assert done.returncode == 1 or (not arguments and done.returncode in (0, 1)), done.stderr
    if arguments:
        assert done.stderr.strip()
        assert "Traceback" not in done.stderr


def test_unknown_policy_exits_with_four(run_toys: Run) -> None:
    """A policy that is not there is an error that names the shipped ones; no decision was reached."""
    done = run_toys("generate", "grey", "-o", "out.mp4", "--policy", "nonsense")
    assert done.returncode == 4
    assert "default" in done.stderr


def test_unknown_setting_is_refused(run_toys: Run, tmp_path: Path) -> None:
    """A misspelt setting is an error, never silently the default."""
    (tmp_path / "assay.toml").write_text('polcy = "strict"\n')
    done = run_toys("prompt", "grey")
    assert done.returncode == 1
    assert "polcy" in done.stderr


def test_generate_verify_and_tamper(run_toys: Run, tmp_path: Path) -> None:
    """An allowed prompt gives a trusted file with decision, policy and posture; one changed byte makes it invalid."""
    done = run_toys("generate", "a grey second", *SMALL, "-o", "out.mp4", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = rows(done)
    assert row["action"] == "allow"
    assert row["manifest_state"] == "trusted"
    assert row["record"]["seed"] == 0
    verified = run_toys("verify", "out.mp4", "--json")
    assert verified.returncode == 0
    (said,) = rows(verified)
    assert said["state"] == "trusted"
    assert {one["id"] for one in said["decision"]["decisions"]} == {one["id"] for one in row["decisions"]}
    assert said["decision"]["policy"] == row["decisions"][0]["policy"]
    assert [entry["model"] for entry in said["decision"]["posture"]] == ["calmprompt", "calmframe"]
    content = bytearray((tmp_path / "out.mp4").read_bytes())
    content[(content.index(b"mdat") + len(content)) // 2] ^= 1
    (tmp_path / "tampered.mp4").write_bytes(content)
    tampered = run_toys("verify", "tampered.mp4", "--json")
    assert tampered.returncode == 2
    assert rows(tampered)[0]["state"] == "invalid"


def test_another_root_does_not_trust(run_toys: Run, tmp_path: Path) -> None:
    """A file signed under one installation's root is valid, not trusted, to another."""
    assert run_toys("generate", "a grey second", *SMALL, "-o", "out.mp4").returncode == 0
    other = run_toys("verify", "out.mp4", "--json", ASSAY_HOME=str(tmp_path / "elsewhere"))
    assert other.returncode == 3
    assert rows(other)[0]["state"] == "valid"


def test_refused_prompt(run_toys: Run, tmp_path: Path) -> None:
    """A refused prompt exits with 2, says the rule, and leaves no file."""
    done = run_toys("generate", "forbidden", "-o", "out.mp4", "--json")
    assert done.returncode == 2
    (row,) = rows(done)
    assert row["path"] is None
    assert {reason["rule"] for decision in row["decisions"] for reason in decision["reasons"]} >= {
        "prompt-violence-graphic-block"
    }
    assert not (tmp_path / "out.mp4").exists()
    words = run_toys("generate", "forbidden", "-o", "out.mp4")
    assert "BLOCK" in words.stdout
    assert "prompt-violence-graphic-block" in words.stdout


def test_held_output_is_approved_from_the_command_line(run_toys: Run, tmp_path: Path) -> None:
    """A held output exits with 3; list, show and approve lead to the signed file."""
    done = run_toys("generate", "pink", *SMALL, "-o", "out.mp4", "--json")
    assert done.returncode == 3
    id = rows(done)[0]["review_id"]
    listed = json.loads(run_toys("review", "list", "--json").stdout)
    assert listed["id"] == id
    assert "pink" in run_toys("review", "show", id).stdout
    approved = run_toys("review", "approve", id, "--by", "r7", "--reason", "harmless")
    assert approved.returncode == 0, approved.stderr
    assert run_toys("verify", "out.mp4").returncode == 0


def test_prompt_lines_in_order_and_bad_lines_named(run_toys: Run) -> None:
    """One row per line in order; a line that is no JSON is named and the rest is answered."""
    lines = [json.dumps({"id": n, "text": text}) for n, text in enumerate(["grey", "forbidden", "", "\ud800 \x00"])]
    stdin = "\n".join([*lines[:2], "not json", '{"id": 1}', '{"id": true, "text": "x"}', *lines[2:]]) + "\n"
    done = run_toys("prompt", "--from", "-", "--json", stdin=stdin)
    assert done.returncode == 0
    found = rows(done)
    assert [row["id"] for row in found] == [0, 1, None, None, None, 2, 3]
    assert [row.get("action") for row in found] == ["allow", "block", None, None, None, "allow", "allow"]
    assert all("line" in row["error"]["message"] for row in found if row["id"] is None)


def test_one_text_that_kills_its_process_spoils_no_other(run_toys: Run) -> None:
    """A text on which the model dies gets an error row; nothing is allowed without an answer."""
    environment = {"ASSAY_PROMPT_CLASSIFIERS": '["assay_toys:DyingPrompt"]'}
    done = run_toys("prompt", "a", "b", "--json", **environment)
    assert [row["error"]["stage"] for row in rows(done)] == ["prompt", "prompt"]
    assert all("action" not in row for row in rows(done))


def test_scan_finds_an_inserted_frame(run_toys: Run, tmp_path: Path) -> None:
    """One foreign frame in a video is found at its second; every frame is accounted for, repeats as covered."""
    grey_video(tmp_path / "one.mp4", red=(13,))
    done = run_toys("scan", "one.mp4", "--json")
    assert done.returncode == 2
    (row,) = rows(done)
    (segment,) = row["segments"]
    assert segment["start_s"] == pytest.approx(13 / 24, abs=1e-3)
    assert segment["end_s"] == pytest.approx(14 / 24, abs=1e-3)
    assert row["frames"] == {"total": 24, "decoded": 24, "undecodable": 0, "scored": 3, "covered": 21, "failed": 0}


def test_scan_many(run_toys: Run, tmp_path: Path) -> None:
    """Over many files each gets its row and the code is 0, unless --fail-on asks otherwise."""
    grey_video(tmp_path / "good.mp4")
    grey_video(tmp_path / "red.mp4", red=(3,))
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    paths = ("good.mp4", "red.mp4", "broken.mp4", "missing.mp4")
    done = run_toys("scan", *paths, "--json", "--out", "rows.jsonl")
    assert done.returncode == 0
    found = rows(done)
    assert [(row["path"], row["action"]) for row in found] == [
        ("good.mp4", "allow"), ("red.mp4", "block"), ("broken.mp4", None), ("missing.mp4", None),
    ]  # fmt: skip
    assert all(row["error"]["message"] for row in found[2:])
    assert {row["error"]["type"] for row in found[2:]} == {"StageFailed"}
    assert [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()] == found
    assert run_toys("scan", "good.mp4", "red.mp4", "--fail-on", "block").returncode == 2
    assert run_toys("scan", "broken.mp4").returncode == 4


def test_sign_passed_copies(run_toys: Run, tmp_path: Path) -> None:
    """Only what passed is copied and signed, and the original is not touched."""
    before = grey_video(tmp_path / "good.mp4").read_bytes()
    grey_video(tmp_path / "red.mp4", red=(3,))
    done = run_toys("scan", "good.mp4", "red.mp4", "--sign-passed", "passed", "--json")
    assert [row["signed"] is not None for row in rows(done)] == [True, False]
    assert [path.name for path in (tmp_path / "passed").iterdir()] == ["good.mp4"]
    assert (tmp_path / "good.mp4").read_bytes() == before
    assert run_toys("verify", "passed/good.mp4").returncode == 0
    assert run_toys("sign", "red.mp4", "-o", "no.mp4").returncode == 2
    assert run_toys("sign", "good.mp4", "-o", "good.mp4").returncode == 5
    assert (tmp_path / "good.mp4").read_bytes() == before


def test_sheet_of_a_released_video_is_signed(run_toys: Run, tmp_path: Path) -> None:
    """`generate --strip` draws a contact sheet that is signed too, with the video as its parent."""
    assert run_toys("generate", "grey", *SMALL, "-o", "out.mp4", "--strip", "sheet.png").returncode == 0
    verified = run_toys("verify", "sheet.png", "--json")
    assert verified.returncode == 0, verified.stdout
    (row,) = rows(verified)
    assert [one["state"] for one in row["ingredients"]] == ["trusted"]


def test_strip_of_a_hit_is_drawn(run_toys: Run, tmp_path: Path) -> None:
    """`--strip` draws a picture of the scan; of a video that was found out too."""
    from media import read_image

    grey_video(tmp_path / "red.mp4", red=(3, 4, 5))
    assert run_toys("scan", "red.mp4", "--strip", "strip.png").returncode == 2
    pixels = read_image(tmp_path / "strip.png").pixels
    assert (pixels == (200, 48, 48)).all(axis=-1).any()


def test_scan_reports_what_nobody_evaluated(run_assay: Run, tmp_path: Path) -> None:
    """A scan without picture models says what nobody evaluated; --require-complete makes that a review."""
    grey_video(tmp_path / "grey.mp4")
    without = {**TOY_ENVIRONMENT, "ASSAY_FRAME_CLASSIFIERS": "[]"}
    done = run_assay("scan", "grey.mp4", "--json", **without)
    (row,) = rows(done)
    assert row["action"] == "allow"
    assert row["complete"] is False
    assert "sexual" in row["not_evaluated"]
    assert run_assay("scan", "grey.mp4", "--require-complete", **without).returncode == 3


def test_keys_and_policies(run_toys: Run) -> None:
    """The shipped policies are sound, and `keys init` makes a chain that says who signs."""
    assert "until" in run_toys("keys", "init").stdout
    done = run_toys("policy", "lint", "default", "strict", "permissive", "demo")
    assert done.returncode == 0, done.stdout


def test_environment_is_not_read_at_import(tmp_path: Path) -> None:
    """Importing the packages starts nothing: no network, no key, no folder."""
    code = "import assay, safety, media, generator, provenance, classifier"
    subprocess.run([sys.executable, "-c", code], env=assay_environment(tmp_path), check=True)
    assert not (tmp_path / "home").exists()


def test_detect_says_what_is_proved(run_toys: Run, tmp_path: Path) -> None:
    """Our own file is proved synthetic, a tampered one contradictory, a foreign one without evidence, text an error."""
    assert run_toys("generate", "a grey second", *SMALL, "-o", "out.mp4").returncode == 0
    content = bytearray((tmp_path / "out.mp4").read_bytes())
    content[(content.index(b"mdat") + len(content)) // 2] ^= 1
    (tmp_path / "tampered.mp4").write_bytes(content)
    grey_video(tmp_path / "foreign.mp4")
    (tmp_path / "text.mp4").write_bytes(b"no video")
    done = run_toys("detect", "out.mp4", "tampered.mp4", "foreign.mp4", "text.mp4", "--json")
    assert done.returncode == 0, done.stderr
    found = rows(done)
    assert [row["answer"] for row in found][:2] == ["synthetic", "contradictory"]
    assert found[2]["answer"] not in ("synthetic", "contradictory", None)
    assert found[3]["answer"] is None
    assert found[3]["error"]["message"]
