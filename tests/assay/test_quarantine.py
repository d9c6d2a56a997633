"""The quarantine: sealed, logged before it is opened, never deleted while on hold, whole after any kill."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from toy_run import ROOT

from assay import sealed
from assay.accesslog import Access, LogBroken
from assay.evidence import FolderReporter
from assay.quarantine import AUTOMATIC, Evidence, NotQuarantined, Package, Quarantine, UnderHold
from assay.sealed import CHUNK, SealBroken, SealKeyUnusable, load_key, seal
from media import AssayError, UsageError

KEY = bytes(range(32))
ANN = Access("ann", "case 7")
EVIDENCE = Evidence("output", "made.mp4", {"decisions": [{"id": "dec_1", "action": "block"}], "job": "job_1"})


@pytest.fixture
def kept(tmp_path: Path) -> Quarantine:
    """An empty quarantine."""
    return Quarantine(tmp_path / "quarantine", tmp_path / "quarantine.key")


def _sealed(content: bytes, pieces: int = 3) -> bytes:
    target = io.BytesIO()
    step = max(1, len(content) // pieces)
    seal((content[at : at + step] for at in range(0, len(content), step)), target, KEY, b"item/content")
    return target.getvalue()


def _opened(content: bytes, key: bytes = KEY, purpose: bytes = b"item/content") -> bytes:
    return b"".join(sealed.opened(io.BytesIO(content), key, purpose))


@settings(max_examples=60, deadline=None)
@given(size=st.integers(0, 50), chunk=st.integers(1, 8), pieces=st.integers(1, 5), data=st.data())
def test_what_is_sealed_comes_back_and_any_change_is_noticed(
    size: int, chunk: int, pieces: int, data: st.DataObject
) -> None:
    """Whatever its length and pieces, content comes back; a flipped bit, a cut, a swap or a repeat never does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "CHUNK", chunk)
        content = bytes(range(size))
        closed = _sealed(content, pieces)
        assert _opened(closed) == content
        at = data.draw(st.integers(0, 8 * len(closed) - 1))
        flipped = bytearray(closed)
        flipped[at // 8] ^= 1 << at % 8
        cut = closed[: data.draw(st.integers(0, len(closed) - 1))]
        whole = len(closed) - 32
        swapped = closed[:32] + closed[32 + chunk + 16 :] + closed[32 : 32 + chunk + 16]
        for spoiled in (bytes(flipped), cut, closed + closed[-17:], swapped if whole > chunk + 16 else b""):
            with pytest.raises(SealBroken):
                _opened(spoiled)


def test_a_seal_is_for_one_key_and_one_purpose() -> None:
    """Another key, or the same file in another item's place, does not open; equal content seals differently."""
    closed = _sealed(b"content")
    for key, purpose in ((bytes(32), b"item/content"), (KEY, b"item/record"), (KEY, b"other/content")):
        with pytest.raises(SealBroken):
            _opened(closed, key, purpose)
    assert closed != _sealed(b"content")
    assert b"content" not in closed


def test_the_key_is_private_and_made_once(tmp_path: Path) -> None:
    """Mode 0600; the same key comes back; one that others can read, a damaged and a missing one are refused by name."""
    path = tmp_path / "home" / "quarantine.key"
    key = load_key(path, create=True)
    assert (len(key), path.stat().st_mode & 0o777, load_key(path, create=True)) == (32, 0o600, key)
    path.chmod(0o640)
    with pytest.raises(SealKeyUnusable, match="chmod 600"):
        load_key(path, create=False)
    path.chmod(0o600)
    for content in ("ff" * 31, "no key", "é"):
        path.write_text(content)
        with pytest.raises(SealKeyUnusable, match="key holds"):
            load_key(path, create=True)
    path.unlink()
    with pytest.raises(SealKeyUnusable, match="put the key"):
        load_key(path, create=False)
    assert [each.name for each in path.parent.iterdir()] == []


def test_a_lost_key_is_not_replaced(kept: Quarantine, tmp_path: Path) -> None:
    """With items there and the key gone, the quarantine says so instead of making a key that opens nothing."""
    kept.put(EVIDENCE, b"content")
    (tmp_path / "quarantine.key").unlink()
    with pytest.raises(SealKeyUnusable):
        Quarantine(kept.folder, tmp_path / "quarantine.key")


def test_an_item_is_sealed_and_private(kept: Quarantine, tmp_path: Path) -> None:
    """Nothing of content, name or reasons stands in the open, no file is readable by others, the original stays."""
    source = tmp_path / "secret-name.mp4"
    source.write_bytes(b"secret pixels " * 200_000)  # several chunks
    assert source.stat().st_size > 2 * CHUNK
    id = kept.put(Evidence("existing", source.name, {"reason": "secret words"}), source)
    for path in kept.folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
        if path.is_file():
            assert b"secret" not in path.read_bytes()
    assert b"".join(kept._open(id, "content")) == source.read_bytes()
    record = kept.show(id, ANN)
    assert record["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (record["size"], record["name"], record["reason"]) == (source.stat().st_size, source.name, "secret words")


def test_every_access_is_logged_before_it_happens(kept: Quarantine, tmp_path: Path) -> None:
    """Each act has its line with who and why, also one that then fails; listing opens nothing and has none."""
    id = kept.put(EVIDENCE, b"content")
    kept.entries()
    kept.show(id, ANN)
    kept.hold(id, "court 12", ANN)
    with pytest.raises(UnderHold):
        kept.delete(id, ANN)
    kept.report(id, FolderReporter(tmp_path / "package"), ANN, include_content=False)
    with pytest.raises(UsageError):
        kept.report(id, FolderReporter(tmp_path / "package"), ANN, include_content=True)  # it exists
    (kept.folder / "items" / id / "record").write_bytes(b"damaged")
    with pytest.raises(SealBroken):
        kept.show(id, ANN)
    events = [(line.event, line.who, line.why) for line in kept.log.lines()]
    acts = ["show", "hold", "delete-refused", "report", "reported", "report", "report-failed", "show"]
    assert events == [("put", "assay", "found by a scan or a generation"), *((act, "ann", "case 7") for act in acts)]


@pytest.mark.parametrize(("who", "why"), [("", "case"), ("ann", " "), ("ann", "x" * 1001)])
def test_nobody_acts_without_a_name_and_a_reason(who: str, why: str) -> None:
    """An empty or endless name or reason is refused."""
    with pytest.raises(UsageError):
        Access(who, why)


def test_deletion_never_overrides_a_hold(kept: Quarantine) -> None:
    """Every item starts on hold; holds add up, and only when all are released does deletion remove the content."""
    id = kept.put(EVIDENCE, b"content")
    assert kept.entries()[0].holds == (AUTOMATIC,)
    assert kept.hold(id, "court 12", ANN).holds == (AUTOMATIC, "court 12")
    assert kept.hold(id, "court 12", ANN).holds == (AUTOMATIC, "court 12")
    assert kept.release(id, AUTOMATIC, ANN).holds == ("court 12",)
    with pytest.raises(UnderHold, match="court 12"):
        kept.delete(id, ANN)
    assert (kept.folder / "items" / id / "content").exists()
    with pytest.raises(UsageError, match="not on hold for"):
        kept.release(id, AUTOMATIC, ANN)
    with pytest.raises(UsageError, match="name of its matter"):
        kept.hold(id, " ", ANN)
    assert kept.release(id, "court 12", ANN).holds == ()
    kept.delete(id, ANN)
    assert kept.entries() == []
    assert not (kept.folder / "items" / id).exists()
    for act in (lambda: kept.show(id, ANN), lambda: kept.hold(id, "late", ANN), lambda: kept.delete(id, ANN)):
        with pytest.raises(NotQuarantined):
            act()


def test_a_log_that_was_touched_is_noticed(kept: Quarantine) -> None:
    """Changing, removing, swapping or cutting lines, or forging one without the key, stops every further act."""
    id = kept.put(EVIDENCE, b"content")
    kept.show(id, ANN)
    kept.release(id, AUTOMATIC, ANN)
    path, head = kept.log.path, kept.folder / "access.head"
    whole, lines = path.read_bytes(), path.read_bytes().splitlines(keepends=True)
    forged = json.dumps({**json.loads(lines[2]), "number": 4}).encode() + b"\n"
    for spoiled in (
        whole.replace(b"case 7", b"case 8"), b"".join(lines[1:]), lines[0] + lines[2], lines[0] + lines[2] + lines[1],
        b"".join(lines[:2]), b"", whole + forged, whole + b"{}\n",
    ):  # fmt: skip
        path.write_bytes(spoiled)
        with pytest.raises(LogBroken):
            kept.delete(id, ANN)
        assert (kept.folder / "items" / id / "content").exists()
    path.write_bytes(whole + b'{"number": 4, "torn by a power cu')  # never acted on: the next line takes its place
    assert len(kept.log.lines()) == 3
    kept.show(id, ANN)
    assert len(path.read_bytes().splitlines()) == 4
    head.unlink()
    with pytest.raises(LogBroken, match="gone"):
        kept.entries()


def test_the_package_holds_what_a_report_needs(kept: Quarantine, tmp_path: Path) -> None:
    """Record with hashes, decisions and times; the file only where asked for; the folder whole, private, and new."""
    content = os.urandom(CHUNK + 5)
    id = kept.put(EVIDENCE, content)
    for included in (False, True):
        folder = tmp_path / f"package-{included}"
        assert kept.report(id, FolderReporter(folder), ANN, include_content=included) == str(folder)
        record = json.loads((folder / "evidence.json").read_text())
        assert record["sha256"] == hashlib.sha256(content).hexdigest()
        assert record["md5"] == hashlib.md5(content).hexdigest()
        assert (record["decisions"], record["content_included"]) == (EVIDENCE.record["decisions"], included)
        assert {path.name for path in folder.iterdir()} == {"evidence.json", *(["content.bin"] if included else [])}
        assert all(path.stat().st_mode & 0o077 == 0 for path in (folder, *folder.iterdir()))
    assert (tmp_path / "package-True" / "content.bin").read_bytes() == content
    damaged = kept.folder / "items" / id / "content"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(SealBroken):
        kept.report(id, FolderReporter(tmp_path / "c"), ANN, include_content=True)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((".c", "c"))]


def test_a_receiver_of_ones_own_gets_the_evidence(kept: Quarantine) -> None:
    """The seam: any object with a name and `report`; its reference is logged, its refusal too."""

    class Hotline:
        name = "a hotline"
        taken: bytes | None = None

        def report(self, package: Package) -> str:
            if package.content is None:
                raise AssayError("the hotline wants the file")
            self.taken = b"".join(package.content)
            return "report 42"

    id, hotline = kept.put(EVIDENCE, b"content"), Hotline()
    with pytest.raises(AssayError, match="wants the file"):
        kept.report(id, hotline, ANN, include_content=False)
    assert kept.report(id, hotline, ANN, include_content=True) == "report 42"
    assert hotline.taken == b"content"
    last = kept.log.lines()[-1]
    assert (last.event, last.facts) == ("reported", {"receiver": "a hotline", "reference": "report 42"})
    assert "report-failed" in [line.event for line in kept.log.lines()]


def test_content_that_cannot_be_read_leaves_nothing(kept: Quarantine, tmp_path: Path) -> None:
    """A missing original and a full disk leave no half item and no line."""
    with pytest.raises(FileNotFoundError):
        kept.put(EVIDENCE, tmp_path / "absent.mp4")

    def failing() -> Iterator[bytes]:
        yield b"x"
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assay.quarantine._chunks", lambda _: failing())
        with pytest.raises(OSError, match="No space"):
            kept.put(EVIDENCE, b"content")
    assert list((kept.folder / "items").iterdir()) == []
    assert kept.entries() == []


KILLED = """
import os, signal, sys
from pathlib import Path
import assay.accesslog, assay.quarantine
from assay.accesslog import Access
from assay.quarantine import AUTOMATIC, Evidence, Quarantine
folder, moment = Path(sys.argv[1]), sys.argv[2]
kept = Quarantine(folder / "quarantine", folder / "quarantine.key")
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
id = None
if moment.startswith("delete"):
    id = kept.put(Evidence("output", "a", {}), b"content")
    kept.release(id, AUTOMATIC, Access("a", "b"))
if moment == "put: sealed, not named":
    assay.quarantine.os.rename = die
elif moment == "put: named, not logged":
    assay.accesslog.AccessLog.append = die
elif moment == "put: logged, end not remembered":
    assay.accesslog.AccessLog._remember = die
elif moment == "delete: logged, not removed":
    Quarantine._remove = die
kept.delete(id, Access("a", "b")) if id else kept.put(Evidence("output", "a", {}), b"content")
"""


@pytest.mark.parametrize(
    ("moment", "left"),
    [("put: sealed, not named", 0), ("put: named, not logged", 1), ("put: logged, end not remembered", 1),
     ("delete: logged, not removed", 0)],
)  # fmt: skip
def test_a_kill_leaves_whole_items_and_a_true_log(moment: str, left: int, tmp_path: Path) -> None:
    """After SIGKILL an item is there whole and logged, or not at all; a deletion that was logged is finished."""
    command = [sys.executable, "-c", KILLED, str(tmp_path), moment]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    kept = Quarantine(tmp_path / "quarantine", tmp_path / "quarantine.key")
    entries = kept.entries()
    assert len(entries) == left
    for entry in entries:
        assert entry.holds == (AUTOMATIC,)
        assert kept.show(entry.id, ANN)["size"] == 7
    items = [path for path in (kept.folder / "items").iterdir() if not path.name.startswith(".staged-")]
    assert len(items) == left
    for path in (kept.folder / "items").iterdir():
        os.utime(path, (0, 0))
    kept.entries()
    assert len(list((kept.folder / "items").iterdir())) == left


def test_many_processes_write_one_chain(tmp_path: Path) -> None:
    """Four processes that put items at once leave one unbroken log with a line for each."""
    script = """
import sys
from pathlib import Path
from assay.quarantine import Evidence, Quarantine
folder = Path(sys.argv[1])
kept = Quarantine(folder / "quarantine", folder / "quarantine.key")
for number in range(5):
    kept.put(Evidence("output", str(number), {}), b"content")
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    running = [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]
    assert [each.wait(60) for each in running] == [0] * 4
    kept = Quarantine(tmp_path / "quarantine", tmp_path / "quarantine.key")
    assert len(kept.entries()) == len(kept.log.lines()) == 20
