"""What a run decided about, record by record: one a content, with the gists of its scores, in any number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from hashlib import sha256
from itertools import groupby
from typing import Any

from sqlalchemy import Row, String, bindparam, select, text, type_coerce
from sqlalchemy.orm import Session

from assay.batch.tables import ContentRow, DecidedRow, PathRow, RunRow
from assay.ledger import DecisionRow, ItemRow, Ledger, ScoreRow
from assay.replaying.tables import GistRow, ShapeRow, gist_columns, keep_gists
from safety import Circumstances, CorruptRecord, Decision, Gist, Score, Stage, Track, Unfold, decide

_PAGE = 1000
_SLOW_PAGE = 50  # examinations are whole there
_DAY = type_coerce(DecidedRow.day, String).label("day")  # read once a day, not once a row
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
        self._make_missing(run)
        columns = (
            PathRow.uri, PathRow.decided, ContentRow.job, ContentRow.sha256, ContentRow.scoring_digest,
            ContentRow.partial, DecidedRow.policy_digest, _DAY, DecidedRow.require_complete,
            DecidedRow.action, DecidedRow.decisions, GistRow.stage, GistRow.shape, GistRow.facts,
        )  # fmt: skip
        wanted = (
            select(*columns)
            .join(ContentRow, PathRow.content == ContentRow.key)
            .join(DecidedRow, PathRow.decided == DecidedRow.key)
            .outerjoin(GistRow, GistRow.job == ContentRow.job)
            .where(PathRow.run == run)
            .order_by(PathRow.decided, PathRow.uri, GistRow.stage)
        )
        with Session(self.ledger.engine) as session:
            if self.ledger.engine.dialect.name == "sqlite":
                session.execute(text("PRAGMA cache_size=-65536"))  # 64 MiB: the joined rows lie far apart
            rows = session.execute(wanted.execution_options(yield_per=_PAGE))
            for _, same in groupby(rows, key=lambda row: row.decided):
                yield self._record(session, list(same))

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

    def _record(self, session: Session, rows: list[Row[Any]]) -> Record:
        one = rows[0]
        if one.stage is None:
            raise CorruptRecord(f"{one.uri}: the ledger holds no score of it; score the file again")
        gists = {row.stage: row for row in rows}
        return Record(
            uris=tuple(dict.fromkeys(row.uri for row in rows)),
            job=one.job, sha256=one.sha256, scoring_digest=one.scoring_digest, partial=one.partial,
            policy_digest=one.policy_digest, under=_under(str(one.day), one.require_complete),
            action=one.action, decisions=tuple(one.decisions),
            gists=tuple((Stage(name), Gist(self._shape(session, row.shape), row.facts)) for name, row in gists.items()),
        )  # fmt: skip

    def _shape(self, session: Session, digest: str) -> str:
        if digest not in self._shapes:
            found = session.get(ShapeRow, digest)
            if found is None:
                raise CorruptRecord(f"shape {digest[:12]} of gists is gone; empty the table `gists`: it is derived")
            if len(self._shapes) > 4 * _PAGE:
                self._shapes.clear()
            self._shapes[digest] = found.body
        return self._shapes[digest]

    def _make_missing(self, run: str) -> None:
        """Gists of the run's contents that have none: every track is unpacked once, and never again."""
        while jobs := self._without(run):
            made = [(job, one) for job in jobs for one in gist_columns(self.ledger.examination(job))]
            if not made:
                raise CorruptRecord(f"job {jobs[0]} of run {run} holds no item; score its file again")
            with self.ledger.write() as session:
                keep_gists(session, made)

    def _without(self, run: str) -> Sequence[str]:
        here = select(GistRow.job).where(GistRow.job == ContentRow.job).exists()
        wanted = (
            select(ContentRow.job)
            .join(PathRow, PathRow.content == ContentRow.key)
            .where(PathRow.run == run, ~here)
            .distinct()
            .limit(_SLOW_PAGE)
        )
        with Session(self.ledger.engine) as session:
            return session.scalars(wanted).all()


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
