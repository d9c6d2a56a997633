"""The plug is pulled at any moment: no unsigned file appears, and the next start leaves nothing behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from toy_run import TOY_ENVIRONMENT, assay_environment

from assay.assemble import signer
from assay.auditing.reading import LedgerChain
from assay.auditing.sealing import remembered, seal
from assay.auditing.signing import known_keys
from assay.auditing.verifying import verify
from assay.ledger import JobRow, Ledger, State
from assay.leftovers import sweep
from assay.settings import Settings
from provenance import read


def start(folder: Path, out: Path, prompt: str = "a grey second") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "assay", "generate", prompt, "--size", "96x64", "--seconds", "1", "-o", str(out)],
        env=assay_environment(folder, **TOY_ENVIRONMENT),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def hanging(folder: Path, settings: Settings, sign_of_life: str) -> subprocess.Popen[bytes]:
    """A command whose generator hangs, once its worker has shown a sign of life in the private folder."""
    process = subprocess.Popen(
        [sys.executable, "-m", "assay", "generate", "grey", "-o", str(folder / "out.mp4")],
        env=assay_environment(folder, **{**TOY_ENVIRONMENT, "ASSAY_BACKEND": "assay_toys:HangingGenerator"}),
        start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a suite in the background ignores it
    )
    deadline = time.monotonic() + 60
    while not list(settings.private.glob(sign_of_life)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return process


def kill_everything(process: subprocess.Popen[bytes], whole_group: bool) -> None:
    """SIGKILL to the command alone, or to it and its worker at once."""
    if whole_group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("moments", [8, pytest.param(30, marks=pytest.mark.full)])
def test_sigkill_at_many_moments(tmp_path: Path, moments: int) -> None:
    """Whenever `assay generate` is killed, the output folder holds only trusted files, and the audit chain is sound."""
    settings = Settings(home=tmp_path / "home")
    trust = signer(settings).trust
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    began = time.monotonic()
    assert start(tmp_path, outputs / "whole.mp4").wait() == 0
    whole_s = time.monotonic() - began
    dice = random.Random(7)
    for attempt in range(moments):
        process = start(tmp_path, outputs / f"{attempt}.mp4")
        time.sleep(dice.uniform(0.0, 1.05 * whole_s))
        kill_everything(process, whole_group=attempt % 2 == 0)
        for path in outputs.iterdir():
            assert read(path, trust).state.value == "trusted", f"{path.name} after kill {attempt}"
    _no_worker_survives(settings)
    sweep(settings)
    assert not list(settings.private.rglob("*.mp4"))
    assert [path.suffix for path in outputs.iterdir()] == [".mp4"] * len(list(outputs.iterdir()))
    ledger = Ledger(settings.ledger)
    with ledger.write() as session:
        states = {row.state for row in session.query(JobRow)}
    assert states <= {State.COMPLETED, State.FAILED}
    seal(ledger, settings.audit)
    walk = verify(LedgerChain(ledger), known_keys(settings.audit), remembered(settings.audit)[-1:])
    assert walk.sound, walk.faults
    assert walk.entries >= 4, "the run that was left alone: taken in, two decisions, its end"
    ledger.close()


def test_worker_dies_with_its_command(tmp_path: Path) -> None:
    """A command that is killed does not leave a worker that goes on rendering unseen."""
    settings = Settings(home=tmp_path / "home")
    process = hanging(tmp_path, settings, "worker-*.lock")
    process.kill()
    process.wait()
    _no_worker_survives(settings)
    assert sweep(settings)
    assert not list(settings.private.iterdir())


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C ends the command and its worker; nothing half done stays."""
    settings = Settings(home=tmp_path / "home")
    process = hanging(tmp_path, settings, "worker-*/job_*")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 130
    assert not list(settings.private.iterdir())
    assert not (tmp_path / "out.mp4").exists()


def _no_worker_survives(settings: Settings) -> None:
    """Every owner's lock can be taken within a few seconds of its command's death."""
    from assay.leftovers import _seized

    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        free = [_seized(path) for path in settings.private.glob("worker-*.lock")]
        for descriptor in free:
            if descriptor is not None:
                os.close(descriptor)
        if None not in free:
            return
        time.sleep(0.1)
    raise AssertionError("a worker outlived its command")
