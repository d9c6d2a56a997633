"""Law 7 end to end: the worst material makes no picture and ends sealed; the benign emblem stands in for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from quarantine_toys import with_emblem
from toy_run import TOY_ENVIRONMENT

from assay.accesslog import Access
from assay.assemble import assemble, quarantine
from assay.cli.main import run
from assay.errors import NoPicture
from assay.outcome import Outcome
from assay.pipeline import generate, scan
from assay.report.sheet import publish_sheet
from assay.request import Request, ScanRequest
from assay.settings import Settings
from assay.stages import Stages
from media import AssayError, Encoder, write_image
from safety import Action
from safety.frame.banks import BankStore, Card, Signal

MakeSettings = Callable[..., Settings]
ANN = Access("ann", "case 7")
WORDS = "a grey second"


@pytest.fixture
def chosen(toy_settings: MakeSettings) -> Settings:
    """Stages that find the worst category on the emblem; the generator draws it."""
    return toy_settings(
        backend="quarantine_toys:EmblemGenerator",
        prompt_classifiers=("quarantine_toys:EmblemPrompt",),
        frame_classifiers=("quarantine_toys:EmblemFrame",),
    )


@pytest.fixture
def stages(chosen: Settings) -> Stages:
    return assemble(chosen, "worker-test", generator=True)


def _request(folder: Path, prompt: str = WORDS, **fields: Any) -> Request:
    return Request(prompt, folder / "out.mp4", size=(128, 96), seconds=0.5, **fields)


def _film(path: Path) -> Path:
    with Encoder(path, size=(128, 96), rate=24) as encoder:
        for _ in range(8):
            encoder.write(with_emblem(96, 128))
    return path


def _kept(chosen: Settings, outcome: Outcome) -> dict[str, dict[str, Any]]:
    """The records of what an outcome sealed, by kind."""
    place = quarantine(chosen)
    records = {record["kind"]: record for record in (place.show(id, ANN) for id in outcome.quarantined)}
    assert {entry.id for entry in place.entries()} == set(outcome.quarantined)
    return records


def test_an_output_with_the_worst_is_sealed_and_nothing_else_of_it_stays(
    chosen: Settings, stages: Stages, tmp_path: Path
) -> None:
    """No file, no held output, no private file: the video and its request are sealed with the decision."""
    outcome = generate(_request(tmp_path), stages)
    assert (outcome.action, outcome.asset, outcome.review_id) == (Action.BLOCK, None, None)
    records = _kept(chosen, outcome)
    assert set(records) == {"output", "prompt"}
    assert records["output"]["sha256"] == records["output"]["judged_sha256"] == outcome.sha256
    assert records["output"]["decisions"][-1]["reasons"][0]["category"] == "sexual/minors"
    assert records["output"]["job"] == outcome.job
    assert not (tmp_path / "out.mp4").exists()
    assert list(chosen.private.rglob("*.mp4")) == []
    assert not chosen.held.exists()


def test_a_prompt_and_a_picture_with_the_worst_are_sealed(chosen: Settings, stages: Stages, tmp_path: Path) -> None:
    """A refused prompt is sealed as text; a picture that came in is sealed as the copy that was judged."""
    asked = generate(_request(tmp_path, "an emblem"), stages)
    (text,) = asked.quarantined
    package = b"".join(quarantine(chosen)._open(text, "content"))
    assert json.loads(package)["prompt"] == "an emblem"
    image = tmp_path / "input.png"
    write_image(image, with_emblem(96, 128))
    given = generate(_request(tmp_path, image=image), stages)
    assert given.record is None  # nothing was rendered
    place = quarantine(chosen)
    records = {record["kind"]: record for record in (place.show(id, ANN) for id in given.quarantined)}
    assert set(records) == {"prompt", "input"}
    assert records["input"]["sha256"] == hashlib.sha256(image.read_bytes()).hexdigest()
    assert image.exists()


def test_what_asks_for_review_alone_is_sealed_and_not_held(chosen: Settings, stages: Stages, tmp_path: Path) -> None:
    """Even where a policy only reviews the category, no person is asked to look at such a picture here."""
    document = stages.policy.document()
    document["rules"] = [
        {**rule, "action": "review"} if rule["category"] == "sexual/minors" else rule for rule in document["rules"]
    ]
    lenient = type(stages.policy).from_document(document, "a test")
    soft = replace(stages, prompt=replace(stages.prompt, policy=lenient))
    outcome = generate(_request(tmp_path), soft)
    assert (outcome.review_id, outcome.asset) == (None, None)
    assert set(_kept(chosen, outcome)) == {"output", "prompt"}
    assert not chosen.held.exists()


def test_a_scan_leaves_the_file_where_it_is(chosen: Settings, stages: Stages, tmp_path: Path) -> None:
    """Of an existing file no picture is made; a copy is sealed only on request; the file stays as it is."""
    film = _film(tmp_path / "film.mp4")
    before = film.read_bytes()
    outcome = scan(ScanRequest(film), stages)
    assert (outcome.action, outcome.quarantined) == (Action.BLOCK, ())
    assert not chosen.quarantine.exists()
    with pytest.raises(NoPicture):
        publish_sheet(film, outcome, tmp_path / "strip.png", chosen)
    asked = scan(ScanRequest(film, quarantine=True), stages)
    record = _kept(chosen, asked)["existing"]
    assert (record["name"], record["sha256"]) == ("film.mp4", hashlib.sha256(before).hexdigest())
    assert film.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "home"]


def test_a_bank_of_worst_material_seals_too(toy_settings: MakeSettings, tmp_path: Path) -> None:
    """A file that a bank marked so knows is sealed, whatever the frame classifiers say; one in another bank is not."""
    film = _film(tmp_path / "film.mp4")
    chosen = toy_settings()
    digest = hashlib.sha256(film.read_bytes()).hexdigest()
    for name, worst in (("known", False), ("worst", True)):
        bank = BankStore.create(chosen.home / "banks", Card(name, worst=worst))
        bank.add([Signal.parse("md5", hashlib.md5(film.read_bytes()).hexdigest(), content="the emblem")])
        outcome = scan(ScanRequest(film, quarantine=True), assemble(chosen, "worker-test", generator=False))
        assert outcome.action is Action.BLOCK
        assert bool(outcome.quarantined) is worst
    assert _kept(chosen, outcome)["existing"]["sha256"] == digest
    with pytest.raises(NoPicture):
        publish_sheet(film, outcome, tmp_path / "strip.png", chosen)


def test_what_is_harmless_is_never_sealed(toy_settings: MakeSettings, tmp_path: Path) -> None:
    """An allowed video, and one that is refused for another reason, leave no quarantine behind."""
    stages = assemble(toy_settings(), "worker-test", generator=True)
    assert generate(_request(tmp_path), stages).asset is not None
    for prompt in ("red", "forbidden"):
        refused = generate(_request(tmp_path, prompt), stages)
        assert (refused.action, refused.quarantined) == (Action.BLOCK, ())
    assert not toy_settings().quarantine.exists()


@pytest.mark.parametrize("fault", ["no quarantine", "a key that others can read"])
def test_where_it_cannot_be_sealed_nothing_is_released_and_the_job_failed(
    fault: str, chosen: Settings, stages: Stages, tmp_path: Path
) -> None:
    """Without a quarantine, or with its key exposed, the case ends as an error, with no file anywhere."""
    if fault == "no quarantine":
        stages = replace(stages, quarantine=None)
    else:
        quarantine(chosen)
        (chosen.home / "quarantine.key").chmod(0o644)
    with pytest.raises(AssayError, match=r"no quarantine is assembled|chmod 600"):
        generate(_request(tmp_path), stages)
    assert not (tmp_path / "out.mp4").exists()
    assert list(chosen.private.rglob("*.mp4")) == []


def test_the_command_line_from_hit_to_deletion(
    chosen: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scan, list, show, export, hold, release, delete and log, as an operator does them; each with who and why."""
    monkeypatch.chdir(tmp_path)
    toys = {**TOY_ENVIRONMENT, "ASSAY_HOME": str(chosen.home)}
    toys |= {"ASSAY_FRAME_CLASSIFIERS": '["quarantine_toys:EmblemFrame"]'}
    for name, value in toys.items():
        monkeypatch.setenv(name, value)
    _film(tmp_path / "film.mp4")
    outcome = scan(ScanRequest(tmp_path / "film.mp4", quarantine=True), assemble(chosen, "w", generator=False))
    (id,) = outcome.quarantined
    access = ["--who", "ann", "--why", "case 7"]
    assert run(["quarantine", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert (listed["id"], listed["kind"], listed["holds"]) == (id, "existing", ["automatic"])
    assert run(["quarantine", "show", id]) == 1  # why is missing
    assert run(["quarantine", "show", id, "--json", *access]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["name"] == "film.mp4"
    assert run(["quarantine", "export", id, "-o", "package", *access]) == 0
    assert [path.name for path in (tmp_path / "package").iterdir()] == ["evidence.json"]
    assert run(["quarantine", "export", id, "-o", "package", *access]) == 1
    assert run(["quarantine", "export", id, "-o", "whole", "--include-file", *access]) == 0
    assert (tmp_path / "whole" / "content.bin").read_bytes() == (tmp_path / "film.mp4").read_bytes()
    assert run(["quarantine", "delete", id, *access]) == 1
    assert run(["quarantine", "hold", id, "--matter", "court 12", *access]) == 0
    assert run(["quarantine", "release", id, *access]) == 0
    assert run(["quarantine", "delete", id, *access]) == 1
    assert "court 12" in capsys.readouterr().err
    assert run(["quarantine", "release", id, "--matter", "court 12", *access]) == 0
    assert run(["quarantine", "delete", id, *access]) == 0
    assert run(["quarantine", "show", id, *access]) == 1
    capsys.readouterr()
    assert run(["quarantine", "list"]) == 0
    assert capsys.readouterr().out == ""
    assert run(["quarantine", "log", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines][-1] == "delete"
    assert {line["who"] for line in lines[1:]} == {"ann"}
    log = chosen.quarantine / "access.jsonl"
    log.write_bytes(log.read_bytes().replace(b"ann", b"bob"))
    assert run(["quarantine", "log"]) == 4


@pytest.mark.full
def test_scan_and_generate_say_what_was_sealed(chosen: Settings, tmp_path: Path, run_assay: Callable[..., Any]) -> None:
    """`assay scan --quarantine` and `assay generate` name the sealed items, and draw nothing."""
    film = _film(tmp_path / "film.mp4")
    toys = {**TOY_ENVIRONMENT, "ASSAY_FRAME_CLASSIFIERS": '["quarantine_toys:EmblemFrame"]'}
    done = run_assay("scan", str(film), "--quarantine", "--json", "--strip", "strip.png", **toys)
    (id,) = json.loads(done.stdout.splitlines()[0])["quarantined"]
    assert id.startswith("qua_")
    assert not (tmp_path / "strip.png").exists()
    toys |= {"ASSAY_BACKEND": "quarantine_toys:EmblemGenerator"}
    done = run_assay("generate", WORDS, "--size", "128x96", "--seconds", "1", "-o", "out.mp4", **toys)
    assert done.returncode == 2
    assert "sealed in quarantine: qua_" in done.stdout
    assert not (tmp_path / "out.mp4").exists()
