"""Nothing half-written is ever seen under a final name, whatever kills the process, and orphans are swept up."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from provenance import DevelopmentKeys, State, Trust, read, sweep
from provenance.staging import PREFIX, SUFFIX, StagedFile

SIGNER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from provenance import DevelopmentKeys, GateRecord, Kind, Origin, SourceType, build_manifest, publish, sweep
from safety import Action, Decision, Stage

source, keys, out = map(Path, sys.argv[1:4])
identity = DevelopmentKeys.load_or_create(keys).identity
allowed = Decision("dec_1", Stage.FRAME, Action.ALLOW, {"id": "p", "version": "1", "digest": "d"}, ())
origin = Origin(Kind.TEXT_TO_VIDEO, "toy", "1", datetime.now(UTC), SourceType.TRAINED)
manifest = build_manifest(origin, GateRecord.of([allowed], ()), "clip")
sweep(out)
print("ready", flush=True)
for number in range(20):
    target = out / f"{number}{source.suffix}"
    if not target.exists():
        publish(source, target, manifest, identity)
        print(target.name, flush=True)
"""


def _kill_loop(rounds: int, source: Path, keys: DevelopmentKeys, tmp_path: Path) -> None:
    """Signs 20 files again and again, is killed at random moments, and then runs to its end."""
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, "-c", SIGNER, str(source), str(keys.folder), str(out)]
    trust = Trust.of(keys.identity)
    chance = random.Random(11)
    said: list[str] = []
    for _ in range(rounds):
        for path in out.glob(f"*{source.suffix}"):
            if chance.random() < 0.5:  # so that there is work in every round; a sidecar stays, as after a kill
                path.unlink()
                said = [name for name in said if name != path.name]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(chance.random() * 0.15)
        os.kill(child.pid, signal.SIGKILL)
        said += child.communicate()[0].split()
        for path in out.iterdir():
            if path.suffix == source.suffix:
                assert read(path, trust).state is State.TRUSTED, path.name
            else:
                staged = path.name.startswith(PREFIX) and path.name.endswith(SUFFIX)
                assert staged or (path.suffix == ".c2pa" and source.suffix == ".webm"), path.name
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    said += done.stdout.split()[1:]
    suffixes = {source.suffix, ".c2pa"} if source.suffix == ".webm" else {source.suffix}
    expected = sorted(f"{number}{suffix}" for number in range(20) for suffix in suffixes)
    assert sorted(path.name for path in out.iterdir()) == expected
    assert {read(path, trust).state for path in out.glob(f"*{source.suffix}")} == {State.TRUSTED}
    assert len(said) == len(set(said)), "a file was signed twice"


def test_a_killed_signer_leaves_nothing_half_signed(video: Path, keys: DevelopmentKeys, tmp_path: Path) -> None:
    """After SIGKILL at random moments every file under a final name verifies, and the next start sweeps the rest."""
    _kill_loop(10, video, keys, tmp_path)


@pytest.mark.full
def test_two_hundred_kills_leave_nothing_half_signed(video: Path, keys: DevelopmentKeys, tmp_path: Path) -> None:
    """The same, two hundred times."""
    _kill_loop(200, video, keys, tmp_path)


@pytest.mark.parametrize("rounds", [6, pytest.param(100, marks=pytest.mark.full)])
def test_a_killed_signer_leaves_no_half_of_a_pair(
    rounds: int, samples: Path, keys: DevelopmentKeys, tmp_path: Path
) -> None:
    """A WebM under its final name always has the sidecar that speaks of it, whenever the signer is killed."""
    _kill_loop(rounds, samples / "clip.webm", keys, tmp_path)


KILLED_BETWEEN = """
import os, signal, sys
import provenance.staging
real = os.replace
def replace(source, target):
    if str(target).endswith(".webm"):
        os.kill(os.getpid(), signal.SIGKILL)
    real(source, target)
provenance.staging.os.replace = replace
"""


def test_a_kill_between_the_two_names_of_a_pair(samples: Path, keys: DevelopmentKeys, tmp_path: Path) -> None:
    """Killed between the two renames: of a new pair only the sidecar is there; a replaced one is INVALID, not wrong;
    the next start signs both anew and leaves nothing else.
    """
    out, source = tmp_path / "out", tmp_path / "source.webm"
    out.mkdir()
    source.write_bytes((samples / "clip.webm").read_bytes())
    trust = Trust.of(keys.identity)
    killed = [sys.executable, "-c", KILLED_BETWEEN + SIGNER, str(source), str(keys.folder), str(out)]
    whole = [sys.executable, "-c", SIGNER, *killed[3:]]
    assert subprocess.run(killed, capture_output=True).returncode == -signal.SIGKILL
    assert [path.name for path in out.iterdir() if not path.name.startswith(PREFIX)] == ["0.c2pa"]
    subprocess.run(whole, check=True, capture_output=True)
    assert len(list(out.iterdir())) == 40
    assert {read(path, trust).state for path in out.glob("*.webm")} == {State.TRUSTED}
    source.write_bytes(source.read_bytes() + b"\xec\x80")  # an empty Void element: another file
    again = [*killed[:2], (KILLED_BETWEEN + SIGNER).replace("if not target.exists()", "if True"), *killed[3:]]
    assert subprocess.run(again, capture_output=True).returncode == -signal.SIGKILL
    assert read(out / "0.webm", trust).state is State.INVALID
    (out / "0.webm").unlink()
    subprocess.run(whole, check=True, capture_output=True)
    assert {read(path, trust).state for path in out.glob("*.webm")} == {State.TRUSTED}
    assert len(list(out.iterdir())) == 40


@pytest.fixture
def without_nameless_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without O_TMPFILE, as network file systems are."""
    real = os.open

    def refuse(path: Path, flags: int, *given: int, **named: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "not here")
        return real(path, flags, *given, **named)

    monkeypatch.setattr("provenance.staging.os.open", refuse)


def test_a_staged_file_has_no_name_until_it_is_whole(folder: Path) -> None:
    """Before commit the folder lists nothing; after it, one file, old content replaced; after an error, no other."""
    (folder / "whole").write_bytes(b"old")
    for content in (b"new", b"newer"):
        with StagedFile(folder) as staged:
            staged.file.write(content)
            assert [path.name for path in folder.iterdir()] == ["whole"]
            staged.seal()
            assert staged.path.read_bytes() == content
            staged.commit(folder / "whole")
        assert (folder / "whole").read_bytes() == content
    with pytest.raises(KeyboardInterrupt), StagedFile(folder):
        raise KeyboardInterrupt
    assert [path.name for path in folder.iterdir()] == ["whole"]


@pytest.mark.usefixtures("without_nameless_files")
def test_a_staged_file_is_hidden_and_private_until_it_is_whole(folder: Path) -> None:
    """Where every file needs a name: one hidden 0600 file before commit, one whole file after, none after an error."""
    with StagedFile(folder) as staged:
        staged.file.write(b"half")
        (only,) = folder.iterdir()
        assert only.name.startswith(".")
        assert only.stat().st_mode & 0o777 == 0o600
        staged.seal()
        staged.commit(folder / "whole")
    assert [path.name for path in folder.iterdir()] == ["whole"]
    with pytest.raises(KeyboardInterrupt), StagedFile(folder):
        raise KeyboardInterrupt
    assert [path.name for path in folder.iterdir()] == ["whole"]


@pytest.mark.usefixtures("without_nameless_files")
def test_the_sweep_takes_orphans_and_spares_the_living(tmp_path: Path) -> None:
    """A staged file of a living process, and every other file, survive a sweep; an orphan does not."""
    orphan = tmp_path / f"{PREFIX}dead{SUFFIX}"
    orphan.write_bytes(b"half")
    (tmp_path / ".assay-note").write_bytes(b"not ours to take")
    (tmp_path / "video.mp4.partial").write_bytes(b"somebody's download")
    with StagedFile(tmp_path) as staged:
        assert sweep(tmp_path) == (orphan,)
        assert staged.path.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".assay-note", "video.mp4.partial"]
    assert sweep(tmp_path) == ()


def test_the_sweep_does_not_follow_links_or_open_pipes(tmp_path: Path) -> None:
    """A link or a pipe that is named like a staged file neither leads the sweep elsewhere nor makes it wait."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"x")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / f"{PREFIX}link{SUFFIX}").symlink_to(precious)
    os.mkfifo(folder / f"{PREFIX}pipe{SUFFIX}")
    assert sweep(folder) == ()
    assert precious.exists()


def test_a_sweep_between_creating_and_locking_is_survived(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a sweep takes a file in the instant before it is locked, another one is made."""
    real, taken = os.open, []

    def swept(path: Path, flags: int, *given: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "not here")
        descriptor = real(path, flags, *given)
        if not taken:
            os.unlink(path)
            taken.append(path)
        return descriptor

    monkeypatch.setattr("provenance.staging.os.open", swept)
    with StagedFile(folder) as staged:
        assert staged.path.exists()
        assert staged.path not in taken
