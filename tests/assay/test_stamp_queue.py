"""Signing never waits for the network: files are noted, and stamped when the authority can be reached."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from toy_run import assay_environment
from toy_time_authority import Authority, time_authority

from assay.assemble import signer, stamp_queue, trust
from assay.cli.main import run
from assay.settings import Settings
from assay.signing import scanned_origin
from assay.stamping import Fate, Note, StampQueue
from media import AssayError, write_image
from provenance import GateRecord, State, TargetUnwritable, digests_of, read, stamp
from safety import Action, Decision, Stage as SafetyStage


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """A time-stamp authority on the loopback."""
    with time_authority(tmp_path_factory.mktemp("tsa")) as made:
        yield made


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tsa: Authority) -> Settings:
    """An installation that signs offline and stamps later; the working directory holds no settings."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "HOME": tmp_path / "home",
        "TSA_URL": tsa.url,
        "TSA_ANCHORS": json.dumps([str(tsa.root_path)]),
    }.items():
        monkeypatch.setenv(f"ASSAY_{name}", str(value))
    return Settings()


@pytest.fixture
def release(tmp_path: Path) -> Callable[..., Path]:
    """Publishes a small picture as the spine does."""
    import numpy as np

    source = tmp_path / "source.png"
    write_image(source, np.full((16, 16, 3), 200, np.uint8))
    allowed = Decision("dec_1", SafetyStage.FRAME, Action.ALLOW, {"id": "p", "version": "1", "digest": "d"}, ())

    def make(settings: Settings, name: str = "a.png") -> Path:
        gate = GateRecord.of([allowed], ())
        signer(settings).release(source, tmp_path / name, scanned_origin(), gate, digests_of(source))
        return tmp_path / name

    return make


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_what_is_published_later_is_stamped_later(
    installed: Settings, release: Callable[..., Path], tsa: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    """Publishing asks nobody and notes the file; `keys stamp --pending` stamps it once, and then nothing waits."""
    asked = len(tsa.asked)
    path = release(installed)
    before = read(path, trust(installed))
    assert (before.state, before.timestamp, len(tsa.asked)) == (State.TRUSTED, None, asked)
    assert run(["keys", "show", "--json"]) == 0
    (shown,) = _lines(capsys)
    assert (shown["unstamped"], shown["timestamp"]) == (1, "later")
    assert run(["keys", "stamp", "--pending", "--json"]) == 0
    (line,) = _lines(capsys)
    assert (line["path"], line["fate"], line["error"]) == (str(path), "stamped", None)
    after = read(path, trust(installed))
    assert (after.state, after.timestamp_trusted, after.decision) == (State.TRUSTED, True, before.decision)
    assert len(tsa.asked) > asked
    assert run(["keys", "stamp", "--pending", "--json"]) == 0
    assert _lines(capsys) == []
    assert stamp_queue(installed).waiting() == []


def test_an_authority_that_is_away_keeps_the_note(
    installed: Settings,
    release: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """While nobody answers, the file stays as it is, the note counts the attempts, and the exit code says 5."""
    path = release(installed)
    monkeypatch.setenv("ASSAY_TSA_URL", "http://127.0.0.1:9/")
    for attempt in (1, 2):
        assert run(["keys", "stamp", "--pending"]) == 5
        (note,) = stamp_queue(installed).waiting()
        assert note.attempts == attempt
        assert "127.0.0.1:9" in (note.last_error or "")
    assert "waiting" in capsys.readouterr().out
    assert read(path, trust(installed)).timestamp is None


def test_nothing_is_noted_where_nobody_would_be_asked(
    installed: Settings, release: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an authority, and where it is asked while signing, no note is written."""
    release(installed.model_copy(update={"tsa_url": None}))
    path = release(installed.model_copy(update={"timestamp": "inline"}), "b.png")
    assert read(path, trust(installed)).timestamp_trusted
    assert stamp_queue(installed).waiting() == []


def test_what_cannot_be_stamped_any_more_is_dropped_aloud(
    installed: Settings, release: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A changed file and one that has been gone for days leave the queue with a line and exit 5; a fresh note waits."""
    queue = stamp_queue(installed)
    changed = release(installed)
    content = bytearray(changed.read_bytes())
    content[content.rfind(b"IDAT") + 6] ^= 1
    changed.write_bytes(content)
    queue.note(Path("young.png"))
    long_ago = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    queue._write(Note(str(Path("gone.png").absolute()), long_ago))
    assert run(["keys", "stamp", "--pending", "--json"]) == 5
    found = {Path(line["path"]).name: (line["fate"], line["error"]) for line in _lines(capsys)}
    assert found["gone.png"] == ("dropped", "no such file")
    assert found["young.png"] == ("waiting", "no such file")
    assert found["a.png"][0] == "dropped"
    assert "invalid" in found["a.png"][1]
    assert [Path(note.path).name for note in queue.waiting()] == ["young.png"]


KILLED = """
import os, signal, sys
from pathlib import Path
import assay.stamping, provenance.stamping, provenance.staging
from assay.cli.main import run
moment = sys.argv[1]
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
if moment == "before the stamp is in the file":
    provenance.staging.StagedFile.commit = die
elif moment == "before the note is taken away":
    real = Path.unlink
    ours = lambda path: path.parent.name == "stamps" and path.suffix == ".json"
    Path.unlink = lambda self, **given: die() if ours(self) else real(self, **given)
sys.exit(run(["keys", "stamp", "--pending"]))
"""


@pytest.mark.parametrize(
    ("moment", "again"), [("before the stamp is in the file", True), ("before the note is taken away", False)]
)
def test_a_kill_loses_no_note_and_stamps_nothing_twice(
    moment: str, again: bool, installed: Settings, release: Callable[..., Path], tsa: Authority, tmp_path: Path
) -> None:
    """Killed before or after the file was replaced, the next run finishes; a stamp that is there is not asked for."""
    path = release(installed)
    environment = assay_environment(tmp_path, ASSAY_TSA_URL=tsa.url, ASSAY_TSA_ANCHORS=os.environ["ASSAY_TSA_ANCHORS"])
    done = subprocess.run([sys.executable, "-c", KILLED, moment], env=environment, cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(stamp_queue(installed).waiting()) == 1
    assert read(path, trust(installed)).state is State.TRUSTED
    asked = len(tsa.asked)
    assert run(["keys", "stamp", "--pending"]) == 0
    assert (len(tsa.asked) > asked) is again
    assert read(path, trust(installed)).timestamp_trusted
    assert stamp_queue(installed).waiting() == []


def test_a_file_whose_waiting_cannot_be_noted_is_not_published(
    installed: Settings, release: Callable[..., Path]
) -> None:
    """Where the note cannot be written, nothing is signed: a stamp must not be forgotten."""
    (installed.home).mkdir()
    (installed.home / "stamps").write_text("a file where the folder belongs")
    with pytest.raises(TargetUnwritable, match="awaits a time-stamp cannot be noted"):
        release(installed)
    assert not Path("a.png").exists()


def test_a_damaged_note_is_named(tmp_path: Path) -> None:
    """A note that is none stops the run with its name; two notes of one path are one."""
    queue = StampQueue(tmp_path / "stamps")
    queue.note(tmp_path / "a.png")
    queue.note(tmp_path / "x" / ".." / "a.png")
    assert len(queue.waiting()) == 1
    (tmp_path / "stamps" / "b.json").write_text("[]")
    with pytest.raises(AssayError, match=r"b\.json is no note"):
        queue.waiting()


def test_two_runs_at_once_take_turns(installed: Settings, release: Callable[..., Path], tsa: Authority) -> None:
    """A second run waits for the first, finds the queue empty, and asks nobody."""
    import threading

    release(installed)
    asked, fates = len(tsa.asked), []

    def work() -> None:
        chosen = signer(installed)

        def ask(path: Path) -> Any:
            return stamp(path, chosen.identity, trust(installed), tsa.url)

        fates.extend(found.fate for found in StampQueue(stamp_queue(installed).folder).work(ask))

    runs = [threading.Thread(target=work) for _ in range(3)]
    for each in runs:
        each.start()
    for each in runs:
        each.join()
    assert fates == [Fate.STAMPED]
    assert len(tsa.asked) - asked <= 2  # one time-stamp for the old signature, one for the update's own


def test_usage(installed: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Files or --pending, not both and not neither; and an authority must be named."""
    assert run(["keys", "stamp"]) == 1
    assert run(["keys", "stamp", "--pending", "a.png"]) == 1
    assert "--pending" in capsys.readouterr().err
