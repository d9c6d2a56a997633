"""The embedded engine: the ledger, and a pool of worker processes of this machine. No server.

    feeder (a thread)    lists the sources, passes over what the run has, settles what is known without reading a file
      -> preparers       read a file for its hash, or fetch it; of the same content only the first goes on
        -> workers       a process each: models loaded once, one file at a time, a deadline on every stage
          -> intake      (the caller's thread) group commits, and rows told in order

Only so many files are under way at once (`_ahead`), so a slow reader or a full disk makes the listing wait.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from assay.batch import remote
from assay.batch.hand import Abandoned, Hand, failure_of
from assay.batch.installation import installation_key
from assay.batch.intake import Intake, same_content
from assay.batch.naming import Names
from assay.batch.plan import Plan
from assay.batch.sources import Source, fingerprint
from assay.batch.store import Filed, Known, Store, Under
from assay.batch.work import FileTask, Looked
from assay.settings import Settings
from assay.signing import sha256_of
from assay.worker import Listener
from media import AssayError
from safety import Policy

PREPARERS = 2  # threads that hash and fetch; hashing lets the others run
_PORTION = 256  # sources that are looked up together


@dataclass(frozen=True)
class Run:
    """A run under way: what was asked, and where it is kept."""

    id: str
    plan: Plan
    policy: Policy
    scoring_digest: str
    store: Store

    @property
    def under(self) -> Under:
        """What is decided now is decided under this."""
        return Under(self.policy, self.plan.circumstances())


@dataclass
class Errand:
    """One source on its way through the engine."""

    source: Source
    path: Path | None = None  # here, once it is; of a remote file a copy that goes when it was looked at
    sha256: str | None = None
    fingerprint: str | None = None
    known: Known | None = None
    signed_copy: Path | None = None
    borrowed: bool = False
    holds_room: bool = False

    def filed(self, **more: Any) -> Filed:
        """Its row, as far as it is known here."""
        return Filed(self.source.uri, self.sha256, self.fingerprint, **more)


@dataclass
class _Claims:
    """Which contents are under way, and who waits for each."""

    waiting: dict[str, list[Errand]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, errand: Errand) -> bool:
        """True where nobody has this content under way; else the errand waits for whoever has."""
        assert errand.sha256 is not None
        with self.lock:
            if errand.sha256 in self.waiting:
                self.waiting[errand.sha256].append(errand)
                return False
            self.waiting[errand.sha256] = []
            return True

    def followers(self) -> int:
        """How many wait for another."""
        with self.lock:
            return sum(map(len, self.waiting.values()))

    def release(self, sha256: str) -> list[Errand]:
        """Ends a claim; returns who waited."""
        with self.lock:
            return self.waiting.pop(sha256, [])


class Engine:
    """Runs a plan on this machine; see the module. `run` returns when every source has its row."""

    def __init__(self, settings: Settings, workers: int, scratch: Path) -> None:
        self._settings, self._scratch = settings, scratch
        self._hands = [Hand(settings) for _ in range(workers)]
        self._ahead = threading.Semaphore(64 + 16 * workers)
        self._room = threading.Semaphore(workers + 2)  # copies of remote files at once
        self._fresh: queue.Queue[Errand | None] = queue.Queue()
        self._ready: queue.Queue[Errand | None] = queue.Queue()
        self._finished: queue.Queue[tuple[Errand, Filed] | BaseException] = queue.Queue()
        self._claims = _Claims()
        self._over = threading.Event()
        self._fed: int | None = None  # how many sources there were, once that is known
        self.frames_under_way: dict[int, float] = {}

    def installation_key(self, policy: Policy) -> str | None:
        """The workers are this installation's."""
        return installation_key(self._settings, policy)

    def scoring_digest(self) -> str:
        """How the workers score; the first of them loads its models for that."""
        return self._hands[0].scoring_digest()

    def call(self, task: str, argument: object) -> Any:
        """Another task, in the first worker, when the run is over."""
        return self._hands[0].ask(task, argument)[0]

    def run(self, run: Run, intake: Intake, tick: Callable[[], None]) -> None:
        """Every source of the plan. tick: called a few times a second."""
        threads = [threading.Thread(target=self._feed, args=(run, intake), daemon=True, name="batch-feeder")]
        threads += [self._thread(self._prepare, run, number) for number in range(PREPARERS)]
        threads += [self._thread(self._work, run, number) for number in range(len(self._hands))]
        for thread in threads:
            thread.start()
        try:
            self._take_in(run, intake, tick)
        except BaseException:
            self._over.set()
            intake.commit()  # what is finished stays
            raise
        finally:
            self._end(threads)

    def close(self) -> None:
        """Ends every worker process."""
        for hand in self._hands:
            hand.close()

    def _thread(self, target: Callable[[Run, int], None], run: Run, number: int) -> threading.Thread:
        return threading.Thread(target=target, args=(run, number), daemon=True, name=f"batch-{number}")

    def _end(self, threads: Sequence[threading.Thread]) -> None:
        if self._over.is_set():
            for hand in self._hands:
                hand.stop()
        self._over.set()
        for _ in range(PREPARERS):
            self._fresh.put(None)
        for _ in self._hands:
            self._ready.put(None)
        for thread in threads[1 + PREPARERS :]:
            thread.join(10)

    # The caller's thread

    def _take_in(self, run: Run, intake: Intake, tick: Callable[[], None]) -> None:
        taken = 0
        under_way: dict[str, Errand] = {}
        while self._fed is None or taken < self._fed:
            try:
                came = self._finished.get(timeout=0.1)
            except queue.Empty:
                came = None
            if isinstance(came, BaseException):
                raise came
            if came is not None:
                errand, filed = came
                under_way[filed.uri] = errand
                intake.take(filed)
            if intake.due or (intake.waiting and self._nothing_comes(taken + intake.waiting)):
                for one in intake.commit():
                    taken += 1
                    self._ahead.release()
                    self._hand_on(run, one, under_way.pop(one.uri))
                tick()
            elif came is None:
                intake.tell()
                tick()
        intake.tell()  # rows from before the run was cut short, met after the last commit

    def _nothing_comes(self, finished: int) -> bool:
        """Whether what is still to come waits for what is finished: there is no larger group to wait for."""
        return self._fed is not None and finished + self._claims.followers() >= self._fed

    def _hand_on(self, run: Run, first: Filed, errand: Errand) -> None:
        """A content is written: whoever waited for it gets it too."""
        waiting = self._claims.release(errand.sha256) if errand.sha256 is not None else []
        if not waiting or errand.sha256 is None:
            return
        known = errand.known
        if known is None:
            known = run.store.known([errand.sha256], self._scoring_of(run, first), run.under).get(errand.sha256)
        for other in waiting:
            if known is None and first.error is None:
                self._fresh.put(replace(other, sha256=None))  # the file changed under the worker: these start anew
            else:
                self._finish_known(run, other, known, first)

    def _finish_known(self, run: Run, errand: Errand, known: Known | None, first: Filed) -> None:
        if known is not None and run.plan.of_the_path:
            errand.known = known
            self._ready.put(errand)
        else:
            self._done(errand, same_content(errand.filed(), first, known))

    @staticmethod
    def _scoring_of(run: Run, first: Filed) -> str:
        """As its content was scored: a bank may have gained entries since the run began."""
        return first.recorded.scoring_digest if first.recorded else run.scoring_digest

    # The feeder

    def _feed(self, run: Run, intake: Intake) -> None:
        try:
            fed, names = 0, Names(run.plan.sign_passed)
            listed = run.plan.sources()
            while portion := list(islice(listed, _PORTION)):
                had = run.store.words(run.id, [one.uri for one in portion])
                intake.already(had, had)
                intake.expect(one.uri for one in portion)
                errands = [Errand(one, one.path, signed_copy=names.of(one)) for one in portion]
                fresh = [one for one in errands if one.source.uri not in had]
                settle_known(run, fresh)
                fed += len(fresh)
                for errand in fresh:
                    while not self._ahead.acquire(timeout=0.5):
                        if self._over.is_set():
                            return
                    self._start(run, errand)
            self._fed = fed
        except BaseException as error:  # noqa: BLE001 (it is raised where the rows are taken in)
            self._finished.put(error)

    def _start(self, run: Run, errand: Errand) -> None:
        source = errand.source
        if source.error is not None:
            self._done(errand, Filed(source.uri, error=source.error, skipped=source.skipped))
        elif errand.known is not None and not run.plan.of_the_path:
            self._done(errand, errand.filed(known=errand.known))
        else:
            self._fresh.put(errand)

    # The preparers

    def _prepare(self, run: Run, number: int) -> None:
        for errand in self._each(self._fresh):
            try:
                self._bring(errand, wait=True)
                if errand.known is None and errand.sha256 is not None:
                    if not self._claims.take(errand):
                        self._give_back(errand)
                        continue
                    # After the claim: whoever had it until now has written what it found.
                    errand.known = run.store.known([errand.sha256], run.scoring_digest, run.under).get(errand.sha256)
                if errand.known is not None and not run.plan.of_the_path:
                    self._give_back(errand)
                    self._done(errand, errand.filed(known=errand.known))
                else:
                    self._ready.put(errand)
            except Exception as error:  # noqa: BLE001 (it becomes the row of its file, or ends the run)
                self._failed(errand, error)
                self._give_back(errand)

    def _bring(self, errand: Errand, wait: bool) -> None:
        """The file here, and its hash. What cannot be read is left for the worker to say so.

        wait: for room, of which there is little for copies; a worker does not wait, since workers make room.
        """
        if errand.source.path is None:
            while wait and not self._room.acquire(timeout=0.5):
                if self._over.is_set():
                    raise Abandoned
            errand.holds_room = wait
            errand.path, errand.sha256 = remote.fetch(errand.source.uri, self._scratch)
            errand.borrowed = True
            return
        if errand.sha256 is None:
            try:
                errand.sha256 = sha256_of(errand.source.path)
            except OSError:
                return
            if _fingerprint(errand.source) != errand.fingerprint:
                errand.fingerprint = None  # it is being written to

    # The workers

    def _work(self, run: Run, number: int) -> None:
        hand = self._hands[number]
        for errand in self._each(self._ready):
            try:
                self._done(errand, self._look(run, hand, errand, self._listener(number)))
            except Abandoned:
                return
            except Exception as error:  # noqa: BLE001 (it becomes the row of its file, or ends the run)
                self._failed(errand, error)
            finally:
                self.frames_under_way.pop(number, None)
                self._give_back(errand)

    def _look(self, run: Run, hand: Hand, errand: Errand, listener: Listener) -> Filed:
        if errand.path is None:  # a content that waited, whose copy has gone
            self._bring(errand, wait=False)
        assert errand.path is not None
        task = FileTask(errand.source.uri, errand.path, run.plan.wish, errand.signed_copy, errand.sha256)
        if errand.known is not None:
            outcome = run.store.outcome_of(errand.known) if run.plan.needs_outcome else None
            return errand.filed(known=errand.known, extras=hand.see_to(task, outcome))
        looked, attempts = hand.look(task, listener)
        return filed(errand.filed(attempts=attempts), looked)

    def _listener(self, number: int) -> Listener:
        def listen(stage: str, done: float, total: float) -> None:
            if stage == "frame":
                self.frames_under_way[number] = done

        return listen

    # Everybody's

    def _each(self, line: queue.Queue[Errand | None]) -> Iterator[Errand]:
        while (errand := line.get()) is not None and not self._over.is_set():
            yield errand

    def _done(self, errand: Errand, one: Filed) -> None:
        self._finished.put((errand, one))

    def _failed(self, errand: Errand, error: Exception) -> None:
        """An error that Assay raises on purpose is the file's row; any other is our fault, and ends the run."""
        if isinstance(error, Abandoned):
            return
        if not isinstance(error, AssayError):
            self._finished.put(error)
            return
        here, uri = str(errand.path), errand.source.uri
        said, code = failure_of(error, lambda text: text.replace(here, uri) if errand.path else text)
        self._done(errand, errand.filed(error=said, extras={"exit_code": int(code)}))

    def _give_back(self, errand: Errand) -> None:
        """The copy of a remote file goes, and makes room for the next."""
        if errand.borrowed and errand.path is not None:
            errand.path.unlink(missing_ok=True)
            errand.path, errand.borrowed = None, False
        if errand.holds_room:
            errand.holds_room = False
            self._room.release()


def filed(one: Filed, looked: Looked) -> Filed:
    """A file that a worker has looked at. Its hash is that of what was looked at."""
    recorded = looked.recorded
    same = one.sha256 == recorded.sha256
    kept = one.fingerprint if same else None
    return replace(one, sha256=recorded.sha256, fingerprint=kept, recorded=recorded, extras=looked.extras)


def settle_known(run: Run, errands: Sequence[Errand]) -> None:
    """Which of these are known, without reading any: they have not changed since they were read."""
    seen = run.store.fingerprints([one.source.uri for one in errands])
    for one in errands:
        one.fingerprint = _fingerprint(one.source)
        if one.fingerprint is not None and seen.get(one.source.uri, ("", ""))[0] == one.fingerprint:
            one.sha256 = seen[one.source.uri][1]
    hashes = {one.sha256 for one in errands if one.sha256 is not None}
    known = run.store.known(hashes, run.scoring_digest, run.under)
    for one in errands:
        one.known = known.get(one.sha256 or "")


def fingerprint_of(path: Path) -> str | None:
    """The fingerprint of a file that is there; None of one that is not."""
    try:
        return fingerprint(path)
    except OSError:
        return None


def _fingerprint(source: Source) -> str | None:
    return source.fingerprint if source.path is None else fingerprint_of(source.path)
