"""What a run decided about, record by record: one a content, with the gists of its scores, in any number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from hashlib import sha256
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row, String, bindparam, select, text, type_coerce
from sqlalchemy.orm import Session

from assay.batch.tables import ContentRow, DecidedRow, PathRow, RunRow
from assay.ledger import DecisionRow, ItemRow, Ledger, ScoreRow
from assay.replaying.tables import GistRow, ShapeRow, gist_columns, keep_gists
from safety import Circumstances, CorruptRecord, Decision, Gist, Score, Stage, Track, Unfold, decide

_PAGE = 1000  # contents that are fetched together
_SLOW_PAGE = 50  # examinations are whole there
_STAGES = {stage.value: stage for stage in Stage}
_DAY = type_coerce(DecidedRow.day, String).label("day")  # read once a day, not once a row
_DECIDED = (  # by their keys, not in one join over a whole run: sorting so wide rows took longer than deciding
    select(
        DecidedRow.key, ContentRow.job, ContentRow.sha256, ContentRow.scoring_digest, ContentRow.partial,
        DecidedRow.policy_digest, _DAY, DecidedRow.require_complete, DecidedRow.action, DecidedRow.decisions,
        GistRow.stage, GistRow.shape, GistRow.facts,
    )
    .join(ContentRow, DecidedRow.content == ContentRow.key)
    .outerjoin(GistRow, GistRow.job == ContentRow.job)
    .where(DecidedRow.key.in_(bindparam("keys", expanding=True)))
    .order_by(DecidedRow.key, GistRow.stage)
)  # fmt: skip
_SCORES = (  # built once: it is asked for every record that is not quiet
    select(ScoreRow.track, ScoreRow.score)
    .join(ItemRow, ScoreRow.item == ItemRow.key)
    .where(ItemRow.job == bindparam("job"), ItemRow.stage == bindparam("stage"))
    .order_by(ItemRow.key, ScoreRow.key)
    .limit(1)
    .offset(bindparam("number"))
)


@dataclass(frozen=True)
class Record:
    """One content, and what the run decided about it.

    uris       the paths of the run that have this content
    gists      by stage
    partial    why some of it was not looked at, where the walk ended early
    under      the circumstances of that day
    decisions  their ids, as they were made
    """

    uris: tuple[str, ...]
    job: str
    sha256: str
    scoring_digest: str
    partial: str | None
    policy_digest: str
    under: Circumstances
    action: str
    decisions: tuple[str, ...]
    gists: tuple[tuple[Stage, Gist], ...]


class Records:
    """The records of a ledger's runs. Reading makes gists for jobs from before there were any."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._shapes: dict[str, str] = {}

    def of(self, run: str) -> Iterator[Record]:
        """Every content of a run about which a decision was reached, each once; memory does not grow with the run."""
        paths = (
            select(PathRow.decided, PathRow.uri)
            .where(PathRow.run == run, PathRow.decided.is_not(None))
            .order_by(PathRow.decided, PathRow.uri)
        )
        engine = self.ledger.engine
        with engine.connect() as names, engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                connection.execute(text("PRAGMA cache_size=-65536"))  # 64 MiB: the joined rows lie far apart
            found = names.execution_options(yield_per=_PAGE).execute(paths)
            by_key = ((key, tuple(uri for _, uri in same)) for key, same in groupby(found, key=itemgetter(0)))
            while some := dict(islice(by_key, _PAGE)):
                yield from self._page(connection, some)

    def unfold(self, record: Record, stage: Stage) -> Unfold:
        """Fetches scores of a record by their numbers."""

        def fetch(numbers: Sequence[int]) -> list[Score | Track]:
            of = {"job": record.job, "stage": stage.value}
            with self.ledger.engine.connect() as connection:
                kept = [connection.execute(_SCORES, of | {"number": number}).first() for number in numbers]
            if None in kept:
                raise CorruptRecord(f"{record.uris[0]}: some of its scores are gone; score the file again")
            return [_score(row) for row in kept if row is not None]

        return fetch

    def recorded(self, record: Record) -> dict[str, dict[str, Any]]:
        """The decisions of a record as they were written, by id."""
        mine = (DecisionRow.job == record.job) & (DecisionRow.policy_digest == record.policy_digest)
        with Session(self.ledger.engine) as session:
            kept = session.execute(select(DecisionRow.decision, DecisionRow.body).where(mine))
            return {row.decision: row.body for row in kept}

    def _page(self, connection: Connection, uris: dict[int, tuple[str, ...]]) -> Iterator[Record]:
        """The records of those keys of `decided`, each with the paths that it stands for."""
        rows = connection.execute(_DECIDED, {"keys": list(uris)}).all()
        if without := [row.job for row in rows if row.stage is None]:
            self._make(without)
            rows = connection.execute(_DECIDED, {"keys": list(uris)}).all()
        for key, same in groupby(rows, key=itemgetter(0)):
            yield self._record(uris[key], [tuple(row) for row in same])

    def _record(self, uris: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> Record:
        _, job, sha256, scoring, partial, policy, day, complete, action, decisions, *_rest = rows[0]
        gists = tuple((_STAGES[row[-3]], Gist(self._shape(row[-2]), row[-1])) for row in rows)
        under = _under(str(day), complete)
        return Record(uris, job, sha256, scoring, partial, policy, under, action, tuple(decisions), gists)

    def _shape(self, digest: str) -> str:
        known = self._shapes.get(digest)
        if known is None:
            with Session(self.ledger.engine) as session:
                found = session.get(ShapeRow, digest)
            if found is None:
                raise CorruptRecord(f"shape {digest[:12]} of gists is gone; empty the table `gists`: it is derived")
            if len(self._shapes) > 4 * _PAGE:
                self._shapes.clear()
            known = self._shapes[digest] = found.body
        return known

    def _make(self, jobs: Sequence[str]) -> None:
        """Gists of contents that have none: every track is unpacked once, and never again."""
        for start in range(0, len(jobs), _SLOW_PAGE):
            some = dict.fromkeys(jobs[start : start + _SLOW_PAGE])
            made = {job: gist_columns(self.ledger.examination(job)) for job in some}
            if empty := [job for job, gists in made.items() if not gists]:
                raise CorruptRecord(f"job {empty[0]} holds no item; score its file again")
            with self.ledger.write() as session:
                keep_gists(session, [(job, one) for job, gists in made.items() for one in gists])


@lru_cache(64)
def _under(day: str, require_complete: bool) -> Circumstances:
    return Circumstances(None, date.fromisoformat(day), require_complete)


def whole_decision(records: Records, record: Record, stage: Stage, policy: Any) -> Decision:
    """The decision from every score unpacked, by `decide` itself: what maxima first must equal."""
    seen = records.ledger.examination(record.job)
    return decide(policy, [item for item in seen.items if item.stage == stage], seen.scores, record.under)


def run_row(ledger: Ledger, id: str) -> RunRow:
    """A run by its id; `latest` is the newest. JobNotFound where there is none."""
    from assay.batch.store import Store

    return Store(ledger).run(id)


def _score(row: Row[Any]) -> Score | Track:
    if row.track is None:
        return Score.from_json(row.score or {})
    track = Track.from_bytes(row.track)
    track.__dict__["sha256"] = sha256(row.track).hexdigest()  # what was stored, without writing it again to hash it
    return track
