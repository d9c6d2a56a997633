"""The cluster engine: Ray Data streams the sources through a pool of actors; the ledger stays with the driver.

    driver   lists the sources in waves, settles what it knows, writes the rows that come back (the only writer)
    actors   one a share of a CPU (or GPU), each with a worker process of its own: models loaded once, deadlines,
             and a file that takes the process down costs only its own row; remote files are fetched to the node's disk
    claims   one small actor that knows which content is under way, so that no two actors look at the same

Ray runs a task again when its actor or node dies, so a file may be looked at twice; it is written once, by the key of
its content. An actor asks for half a CPU: Ray Data needs some for itself, and actors that took all would wait for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from assay.batch import remote
from assay.batch.engine import Errand, Run, filed, fingerprint_of, settle_known
from assay.batch.hand import Hand, failure_of
from assay.batch.installation import installation_key
from assay.batch.intake import Intake, same_content
from assay.batch.store import Filed
from assay.batch.work import FileTask, ScoringChanged, Wish
from assay.leftovers import OwnerLock, new_owner
from assay.settings import Settings
from assay.signing import sha256_of
from media import AssayError, UsageError
from safety import Policy

try:
    import ray
    from ray.data import ActorPoolStrategy, DataContext
except ImportError as missing:
    raise UsageError("--engine ray needs Ray: pip install 'assay-video[ray]'") from missing

WAVE = 50_000  # sources in one stream: bounds the driver's memory; models are loaded anew for each wave
_FILES = 4  # in a task: what is done again where an actor dies
_SHARE = 0.5  # of a CPU, that an actor asks for
_PORTION = 256


class Claims:
    """Who looks at which content; the same asker may ask again, since its task may be run again."""

    def __init__(self, known: frozenset[str]) -> None:
        self._known, self._askers = known, dict[str, str]()

    def take(self, sha256: str, uri: str) -> bool:
        """True where this file is the one to look at for this content."""
        return sha256 not in self._known and self._askers.setdefault(sha256, uri) == uri


class Scanner:
    """What Ray makes one of for each actor: a worker process that looks at one file after the other."""

    def __init__(self, settings: Settings, wish: Wish, claims: Any) -> None:
        settings = _here(settings)
        self._hand, self._wish, self._claims = Hand(settings), wish, claims
        self._owner = new_owner()
        self._scratch = settings.private / self._owner
        self._lock = OwnerLock(settings, self._owner)
        self._lock.__enter__()
        if (here := self._hand.scoring_digest()) != wish.scoring_digest:
            raise ScoringChanged(
                f"this machine scores under {here[:12]}, the run under {(wish.scoring_digest or '')[:12]}: give every "
                "machine the same models, banks and settings"
            )

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """The files of a batch: what is to be written of each."""
        rows = zip(batch["uri"], batch["local"], batch["given"], batch["alone"], strict=True)
        done = [self._one(str(uri), str(local), str(given), bool(alone)) for uri, local, given, alone in rows]
        return {"filed": done, "local": list(batch["local"])}

    def _one(self, uri: str, local: str, given: str, alone: bool) -> Filed:
        path: Path | None = None
        one = Filed(uri, fingerprint=given or None)
        try:
            path, one = self._bring(one, local)
            task = FileTask(uri, path, self._wish)
            if one.sha256 and not alone and not ray.get(self._claims.take.remote(one.sha256, uri)):
                return replace(one, extras=self._hand.see_to(task, None) if self._wish.riders else {})
            looked, attempts = self._hand.look(task)
            return filed(replace(one, attempts=attempts), looked)
        except AssayError as error:
            here = str(path)
            said, code = failure_of(error, lambda text: text.replace(here, uri))
            return replace(one, error=said, extras={"exit_code": int(code)})
        finally:
            if path is not None and not local:
                path.unlink(missing_ok=True)

    def _bring(self, one: Filed, local: str) -> tuple[Path, Filed]:
        if not local:
            path, sha256 = remote.fetch(one.uri, self._scratch)
            return path, replace(one, sha256=sha256)
        path = Path(local)
        before = fingerprint_of(path)
        try:
            sha256 = sha256_of(path)
        except OSError:
            return path, one  # the worker says why it cannot be read
        return path, replace(one, sha256=sha256, fingerprint=before if before == fingerprint_of(path) else None)


class RayEngine:
    """Runs a plan on a Ray cluster; the same rows as the embedded engine."""

    def __init__(self, settings: Settings, address: str, actors: int | None, gpus: float, scratch: Path) -> None:
        self._settings, self._gpus, self._digest = settings, gpus, ""
        self.frames_under_way: dict[int, float] = {}
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, ignore_reinit_error=True)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UsageError(
                f"--engine ray --address {address}: no cluster answers ({error}); `ray start --head` starts one"
            ) from error
        self._actors = actors or max(1, int(_cluster().get("CPU", 1)))
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)  # stderr is for people who wait for rows

    def installation_key(self, policy: Policy) -> str | None:
        """This machine's; every actor compares what it would do with the digest of the run."""
        return installation_key(self._settings, policy)

    def scoring_digest(self) -> str:
        """How the cluster scores; one of its machines loads the models for that."""
        if not self._digest:
            ask = ray.remote(num_cpus=_SHARE, num_gpus=self._gpus)(_digest_of)
            self._digest = str(self._got(lambda: ray.get(ask.remote(self._settings))))
        return self._digest

    def call(self, task: str, argument: object) -> Any:
        """Another task, on this machine."""
        hand = Hand(self._settings)
        try:
            return hand.ask(task, argument)[0]
        finally:
            hand.close()

    def run(self, run: Run, intake: Intake, tick: Callable[[], None]) -> None:
        """Every source of the plan, wave by wave."""
        wish = replace(run.plan.wish, scoring_digest=run.scoring_digest)
        known = frozenset(run.store.hashes(run.scoring_digest))
        claims = ray.remote(num_cpus=0, max_restarts=-1)(Claims).remote(known)
        waiting: dict[str, list[tuple[Filed, str]]] = {}  # by content: paths that somebody else looks at for
        ended: dict[str, Filed] = {}  # by content: the path that brought it in, where no decision was reached
        try:
            for wave in _waves(run, intake):
                for one, path in self._streamed(wave, wish, claims, alone=False):
                    if one.recorded is None and one.error is None:
                        waiting.setdefault(one.sha256 or "", []).append((one, path))
                    else:
                        if one.error is not None and one.sha256:
                            ended[one.sha256] = one
                        intake.take(one)
                    self._write(intake, tick)
                self._write(intake, tick, due=True)
                self._join(run, intake, waiting, ended)
            left = [pair for pairs in waiting.values() for pair in pairs]
            again = [{"uri": one.uri, "local": path, "given": one.fingerprint or ""} for one, path in left]
            for one, _ in self._streamed(again, wish, claims, alone=True):
                intake.take(one)  # a content whose first look another policy had cut short
                self._write(intake, tick)
        finally:
            intake.commit()

    def close(self) -> None:
        """Leaves the cluster; its actors end with that."""
        ray.shutdown()

    def _streamed(
        self, rows: list[dict[str, Any]], wish: Wish, claims: Any, *, alone: bool
    ) -> Iterator[tuple[Filed, str]]:
        if not rows:
            return
        actors = min(self._actors, len(rows))
        blocks = max(1, min(len(rows), max(actors * 4, len(rows) // _FILES)))
        stream = ray.data.from_items([row | {"alone": alone} for row in rows], override_num_blocks=blocks).map_batches(
            Scanner,
            fn_constructor_args=(self._settings, wish, claims),
            batch_size=_FILES,
            compute=ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=2),
            num_cpus=_SHARE,
            num_gpus=self._gpus or None,
        )
        came = iter(stream.iter_rows())
        while (row := self._got(lambda: next(came, None))) is not None:
            yield row["filed"], str(row["local"])

    @staticmethod
    def _got(ask: Callable[[], Any]) -> Any:
        """What Ray answers; an error of ours as it was raised."""
        try:
            return ask()
        except ray.exceptions.RayError as error:
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, AssayError):
                cause = getattr(cause, "cause", None) or cause.__cause__
            if isinstance(cause, AssayError):
                raise cause from error
            raise AssayError(f"the Ray cluster gave up ({str(error).strip().splitlines()[-1][:300]})") from error

    @staticmethod
    def _write(intake: Intake, tick: Callable[[], None], due: bool = False) -> None:
        if due or intake.due:
            intake.commit()
            tick()

    @staticmethod
    def _join(run: Run, intake: Intake, waiting: dict[str, list[tuple[Filed, str]]], ended: dict[str, Filed]) -> None:
        """Paths of contents that are decided, or failed, by now."""
        known = run.store.known(waiting, run.scoring_digest, run.under)
        for sha256 in [each for each in waiting if each in known or each in ended]:
            for one, _ in waiting.pop(sha256):
                intake.take(same_content(one, ended.get(sha256, one), known.get(sha256)))
        intake.commit()


def _cluster() -> dict[str, float]:
    resources: Callable[[], dict[str, float]] = ray.cluster_resources
    return resources()


def _here(settings: Settings) -> Settings:
    """The run's settings with this machine's own home: private folders, banks and names lie there."""
    return settings.model_copy(update={"home": Settings().home})


def _digest_of(settings: Settings) -> str:
    hand = Hand(_here(settings))
    try:
        return hand.scoring_digest()
    finally:
        hand.close()


def _waves(run: Run, intake: Intake) -> Iterator[list[dict[str, Any]]]:
    """What actors are to look at, `WAVE` at a time; what is known or passed over is taken in on the way."""
    wave: list[dict[str, Any]] = []
    listed = run.plan.sources()
    while portion := list(islice(listed, _PORTION)):
        had = run.store.words(run.id, [one.uri for one in portion])
        intake.already(had, had)
        intake.expect(one.uri for one in portion)
        errands = [Errand(one, one.path) for one in portion if one.uri not in had]
        settle_known(run, errands)
        for errand in errands:
            if errand.source.error is not None:
                intake.take(Filed(errand.source.uri, error=errand.source.error, skipped=errand.source.skipped))
            elif errand.known is not None and not run.plan.of_the_path:
                intake.take(errand.filed(known=errand.known))
            else:
                wave.append(_row(errand))
        intake.commit()
        if len(wave) >= WAVE:
            yield wave
            wave = []
    yield wave


def _row(errand: Errand) -> dict[str, Any]:
    local = "" if errand.source.path is None else str(errand.source.path.absolute())
    return {"uri": errand.source.uri, "local": local, "given": errand.fingerprint or ""}
