"""What a stored run is: the ledger's jobs, and the tables (`assay.batch.tables`) that say which files they stand for.

    runs            one `assay scan`: what was asked (`asked`), under which policy, state running | completed | stopped
      `- path_rows  one row a file and run, primary key (run, uri). `uri` is the `path` of the row. Either it points to
           |        what was decided (`decided`, `content`), or it has an `error` (with `skipped`: no video, not tried)
           |- decided   what one policy says of one content, unique (content, policy_digest, day, require_complete):
           |            `body` is the contract row without path, signed, quarantined, error; `decisions` are ids
           `- contents  one examined content, unique (sha256, scoring_digest): whatever an engine repeats is kept once
                |       `frames` (FrameCounts), `partial` (why a walk ended early: a replay must refuse), and `job`:
                `- jobs       -> items -> scores: every score as it was; a video's: float16 tracks with `maximum`
                              -> posture (who looked), decisions (one row a stage and policy, by `policy_digest`)
    policies        every policy as it stood, by digest
    seen_files      uri -> (fingerprint, sha256): a file that has not changed is not read again to know its hash

Paths of the same content share `content` and `decided`. Deciding again (another policy, another day) adds rows to
`decided` and `decisions` and reads no file: `Ledger.examination(content.job)` and `Ledger.policy(digest)` are all it
needs; to sift many contents first, `scores.maximum` by `scores.category`, over items.job = contents.job, is indexed.
Circumstances of a scan: backend None, `day`, `require_complete`.

One process writes a run, in group commits (`Store.keep`): one transaction for as many files as were finished meanwhile.
Rows are inserted or left as they stand, never doubled, so a run that was killed goes on where its last commit ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import case, func, insert, select, text, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from assay.batch.recording import Recorded, body_of
from assay.batch.tables import ContentRow, DecidedRow, PathRow, RunRow, SeenFile
from assay.errors import EXIT_BY_ACTION, ExitCode, JobNotFound
from assay.ledger import (
    DecisionRow,
    ItemRow,
    JobRow,
    Ledger,
    PolicyRow,
    PostureRow,
    ScoreRow,
    State,
    decision_columns,
    new_id,
    now,
)
from assay.outcome import Asset, Outcome
from assay.replaying.tables import GistRow, ShapeRow, keep_gists
from safety import Circumstances, CorruptRecord, Examination, FrameCounts, Policy, Stage, decide

_TABLES = [each.__table__ for each in (RunRow, ContentRow, DecidedRow, PathRow, SeenFile, ShapeRow, GistRow)]
_WORD = func.coalesce(PathRow.action, case((PathRow.skipped, "skipped"), else_="failed"))
_MANY = 500  # names in one question: SQLite's statements have a limit


class Known(NamedTuple):
    """A content that need not be looked at: keys in `contents` and `decided`, and the action."""

    content: int
    decided: int
    action: str


@dataclass(frozen=True)
class Filed:
    """One file that is finished: what `Store.keep` writes a row of.

    recorded   what was seen and decided, where a worker has looked; None where the content is known, or there is none
    known      where the content is known: what was decided of it
    error      why no decision was reached; then neither of the two above is given
    extras     signed, quarantined, and what rides along; where it was asked for
    """

    uri: str
    sha256: str | None = None
    fingerprint: str | None = None
    recorded: Recorded | None = None
    known: Known | None = None
    error: dict[str, Any] | None = None
    skipped: bool = False
    extras: dict[str, Any] = field(default_factory=dict)
    attempts: int = 1


@dataclass(frozen=True)
class Under:
    """What a decision is made under: the policy, the day, and whether everything must have been evaluated."""

    policy: Policy
    circumstances: Circumstances

    @property
    def columns(self) -> dict[str, Any]:
        """As `decided` has them."""
        on = self.circumstances
        return {"policy_digest": self.policy.digest, "day": on.on, "require_complete": on.require_complete}


class Scoring(NamedTuple):
    """How scores are made, and the installation that this follows from; None: nobody vouches for that."""

    digest: str
    installation: str | None = None


class Stored(NamedTuple):
    """A contract row as it was kept, and the exit code that stands for it."""

    row: dict[str, Any]
    exit_code: ExitCode


class Store:
    """The runs of a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    # Runs

    def begin(self, key: str, asked: dict[str, Any], policy: Policy, scoring: Scoring) -> str:
        """A new run; returns its id."""
        run = new_id("run")
        with self.ledger.write() as session:
            session.merge(PolicyRow(digest=policy.digest, document=policy.document()))
            session.add(
                RunRow(
                    id=run, key=key, asked=asked, policy_digest=policy.digest, state="running",
                    scoring_digest=scoring.digest, installation=scoring.installation,
                    created=now(), updated=now(),
                )
            )  # fmt: skip
        return run

    def scoring_of(self, installation: str | None) -> str | None:
        """The scoring digest of an installation that has scored before."""
        newest = select(RunRow.scoring_digest).where(RunRow.installation == installation)
        with self._reading() as session:
            return session.scalars(newest.order_by(RunRow.created.desc())).first() if installation else None

    def newest(self, key: str) -> str | None:
        """The newest run that was asked the same; None where there is none."""
        with self._reading() as session:
            return session.scalars(select(RunRow.id).where(RunRow.key == key).order_by(RunRow.created.desc())).first()

    def settle(self, run: str, state: str) -> None:
        """Says how a run stands: running, completed or stopped."""
        with self.ledger.write() as session:
            session.execute(update(RunRow).where(RunRow.id == run).values(state=state, updated=now()))

    def run(self, id: str) -> RunRow:
        """A run; `latest` means the newest of all. JobNotFound where there is none."""
        wanted = select(RunRow).order_by(RunRow.created.desc())
        with self._reading() as session:
            row = session.scalars(wanted if id == "latest" else wanted.where(RunRow.id == id)).first()
        if row is None:
            raise JobNotFound(f"{id}: no such run in this ledger; `assay scan` says the id of its run when it ends")
        return row

    # Rows

    def rows(self, run: str, uris: Sequence[str]) -> dict[str, Stored]:
        """The contract rows of those files, as far as the run has them."""
        found: dict[str, Stored] = {}
        wanted = select(PathRow, DecidedRow).outerjoin(DecidedRow, PathRow.decided == DecidedRow.key)
        ref = self._policy_ref(run)
        with self._reading() as session:
            for some in _portions(uris):
                kept = session.execute(wanted.where(PathRow.run == run, PathRow.uri.in_(some)))
                found |= {path.uri: Stored(row_of(path, decided, ref), exit_code_of(path)) for path, decided in kept}
        return found

    def words(self, run: str, uris: Sequence[str]) -> dict[str, str]:
        """What became of those files, in a word: allow, review, block, skipped, failed."""
        found: dict[str, str] = {}
        with self._reading() as session:
            for some in _portions(uris):
                kept = session.execute(select(PathRow.uri, _WORD).where(PathRow.run == run, PathRow.uri.in_(some)))
                found |= dict(kept.all())
        return found

    @lru_cache(maxsize=8)  # noqa: B019 (a store lives as long as its command)
    def _policy_ref(self, run: str) -> dict[str, str]:
        return self.ledger.policy(self.run(run).policy_digest).ref

    def paths(self, run: str) -> Iterator[tuple[PathRow, DecidedRow | None]]:
        """Every file of a run with what was decided of it, by uri; in portions, so that any number fits."""
        wanted = select(PathRow, DecidedRow).outerjoin(DecidedRow, PathRow.decided == DecidedRow.key)
        last = ""
        while True:
            with self._reading() as session:
                page = wanted.where(PathRow.run == run, PathRow.uri > last).order_by(PathRow.uri).limit(_MANY)
                found = session.execute(page).all()
            yield from ((path, decided) for path, decided in found)
            if len(found) < _MANY:
                return
            last = found[-1][0].uri

    def outcome(self, run: str, uri: str) -> Outcome | None:
        """A file's outcome, made again from its scores under the policy of the run; None where none was reached.

        Raises CorruptRecord where it is not what was recorded.
        """
        with self._reading() as session:
            path = session.get(PathRow, (run, uri))
        if path is None or path.decided is None or path.content is None:
            return None
        known = self.outcome_of(Known(path.content, path.decided, path.action or ""))
        signed = path.extras.get("signed")
        asset = None if signed is None else Asset(**(signed | {"path": Path(signed["path"])}))
        return replace(known, asset=asset, quarantined=tuple(path.extras.get("quarantined", ())))

    def outcome_of(self, known: Known) -> Outcome:
        """The same of a content."""
        with self._reading() as session:
            decided, content = session.get_one(DecidedRow, known.decided), session.get_one(ContentRow, known.content)
        made = {one.id: one for one in self.ledger.decisions(content.job)}
        frames = None if content.frames is None else FrameCounts(**content.frames)
        try:
            decisions = tuple(made[id] for id in decided.decisions)
        except KeyError as error:
            raise CorruptRecord(f"{content.job}: the decision {error} is not in this ledger any more") from error
        seen = self.ledger.examination(content.job)
        return Outcome(content.job, decisions, seen, frames=frames, sha256=content.sha256)

    # Contents

    def fingerprints(self, uris: Sequence[str]) -> dict[str, tuple[str, str]]:
        """(fingerprint, sha256) of those files that were read before."""
        found: dict[str, tuple[str, str]] = {}
        with self._reading() as session:
            for some in _portions(uris):
                kept = session.scalars(select(SeenFile).where(SeenFile.uri.in_(some)))
                found |= {row.uri: (row.fingerprint, row.sha256) for row in kept}
        return found

    def hashes(self, scoring_digest: str) -> Iterator[str]:
        """Every content that is known under that digest."""
        with self._reading() as session:
            mine = select(ContentRow.sha256).where(ContentRow.scoring_digest == scoring_digest)
            yield from session.scalars(mine.execution_options(yield_per=10_000))

    def known(self, sha256s: Iterable[str], scoring_digest: str, under: Under) -> dict[str, Known]:
        """Those contents that need not be looked at, because their scores are here.

        What was not decided under these circumstances yet is decided now, from the scores. A content that another
        policy let be looked at only in part, or for other categories, is not known.
        """
        found: dict[str, Known] = {}
        on = under.columns
        same = (DecidedRow.policy_digest == on["policy_digest"]) & (DecidedRow.day == on["day"])
        same &= DecidedRow.require_complete == on["require_complete"]
        joined = (DecidedRow.content == ContentRow.key) & same
        wanted = select(ContentRow, DecidedRow.key, DecidedRow.action).outerjoin(DecidedRow, joined)
        with self._reading() as session:
            for some in _portions(list(sha256s)):
                mine = ContentRow.sha256.in_(some), ContentRow.scoring_digest == scoring_digest
                pairs = session.execute(wanted.where(*mine)).all()
                for content, decided, action in pairs:
                    one = self._decide_again(content, under) if decided is None else Known(content.key, decided, action)
                    found |= {} if one is None else {content.sha256: one}
        return found

    def _decide_again(self, content: ContentRow, under: Under) -> Known | None:
        """What that policy says of recorded scores; None where they do not hold all that it asks about."""
        seen = _as_asked(self.ledger.examination(content.job), under.policy)
        if seen is None or content.partial is not None:
            return None
        frames = None if content.frames is None else FrameCounts(**content.frames)
        made = decisions_about(seen, under)
        outcome = Outcome(content.job, made, seen, frames=frames, sha256=content.sha256)
        row = _decided_columns(content.key, under.columns, outcome)
        with self.ledger.write() as session:
            lines = [decision_columns(one, content.scoring_digest) | {"job": content.job} for one in made]
            return Known(content.key, self._decided(session, [(row, lines)])[0], outcome.action.word)

    # The group commit

    def keep(self, run: str, finished: Sequence[Filed]) -> None:
        """Writes rows of those files in one transaction. What is there already stays as it is."""
        try:
            self._keep(run, finished)
        except IntegrityError:  # another process was quicker with one of the contents (PostgreSQL; SQLite waits)
            self._keep(run, finished)

    def _keep(self, run: str, finished: Sequence[Filed]) -> None:
        with self.ledger.write() as session:
            if session.get_bind().dialect.name == "sqlite":
                session.execute(text("BEGIN IMMEDIATE"))  # so that nobody writes between our looking and our writing
            recorded = {_name(one.recorded): one.recorded for one in finished if one.recorded is not None}
            keys = self._contents(session, recorded)
            rows = [_path_columns(run, one, one.known or keys.get(_name(one.recorded))) for one in finished]
            if rows:
                session.execute(_insert_or_leave(session, PathRow), rows)
            seen = [
                {"uri": one.uri, "fingerprint": one.fingerprint, "sha256": one.sha256}
                for one in finished
                if one.fingerprint and one.sha256
            ]
            if seen:
                put = _dialect(session).insert(SeenFile)
                changed = {"fingerprint": put.excluded.fingerprint, "sha256": put.excluded.sha256}
                session.execute(put.on_conflict_do_update(index_elements=["uri"], set_=changed), seen)
            session.execute(update(RunRow).where(RunRow.id == run).values(updated=now()))

    def _contents(self, session: Session, recorded: dict[tuple[str, str], Recorded]) -> dict[tuple[str, str], Known]:
        """What is known of each; what is not there yet is inserted, with its job."""
        if not recorded:
            return {}
        pair = tuple_(ContentRow.sha256, ContentRow.scoring_digest)
        kept = session.scalars(select(ContentRow).where(pair.in_(recorded)))
        known = {(row.sha256, row.scoring_digest): row for row in kept}
        new = {name: one for name, one in recorded.items() if name not in known}
        if new:
            self._jobs(session, list(new.values()))
            columns = [
                {
                    "sha256": one.sha256, "scoring_digest": one.scoring_digest, "job": one.job,
                    "frames": one.frames, "partial": one.partial,
                }
                for one in new.values()
            ]  # fmt: skip
            rows = session.scalars(insert(ContentRow).returning(ContentRow, sort_by_parameter_order=True), columns)
            known |= {(row.sha256, row.scoring_digest): row for row in rows}
        wanted = []
        for name, one in recorded.items():
            content = known[name]
            under = {"policy_digest": one.policy_digest, "day": one.day, "require_complete": one.require_complete}
            ids = [line["decision"] for line in one.decisions]
            row = {"content": content.key, **under, "action": one.action, "decisions": ids, "body": one.body}
            wanted.append((row, [line | {"job": content.job} for line in one.decisions]))
        made = zip(recorded.items(), self._decided(session, wanted), strict=True)
        return {name: Known(known[name].key, key, one.action) for (name, one), key in made}

    def _jobs(self, session: Session, new: Sequence[Recorded]) -> None:
        """Settled jobs with their items, scores and posture; decisions come with `_decided`."""
        job = {
            "kind": "scan",
            "request": {},
            "state": State.COMPLETED,
            "attempt": 1,
            "created": now(),
            "updated": now(),
        }
        session.execute(insert(JobRow), [job | _job_columns(one) for one in new])
        documents = {one.policy_digest: one.policy for one in new if one.policy is not None}
        if documents:
            columns = [{"digest": digest, "document": document} for digest, document in documents.items()]
            session.execute(_insert_or_leave(session, PolicyRow), columns)
        items = [item | {"job": one.job} for one in new for item, _ in one.items]
        keys = session.scalars(insert(ItemRow).returning(ItemRow.key, sort_by_parameter_order=True), items).all()
        said = [scores for one in new for _, scores in one.items]
        lines = [score | {"item": key} for key, scores in zip(keys, said, strict=True) for score in scores]
        if lines:
            session.execute(insert(ScoreRow), lines)
        keep_gists(session, [(one.job, gist) for one in new for gist in one.gists])
        posture = [{"job": one.job, "body": body} for one in new for body in one.posture]
        if posture:
            session.execute(insert(PostureRow), posture)

    def _decided(self, session: Session, rows: Sequence[tuple[dict[str, Any], list[dict[str, Any]]]]) -> list[int]:
        """The keys in `decided` of (its columns, columns of `decisions`) each; inserts what is not there."""
        unique = ("content", "policy_digest", "day", "require_complete")
        names = [tuple(row[name] for name in unique) for row, _ in rows]
        columns = [getattr(DecidedRow, name) for name in unique]
        mine = DecidedRow.content.in_({row["content"] for row, _ in rows})
        keys = {tuple(found[:-1]): found[-1] for found in session.execute(select(*columns, DecidedRow.key).where(mine))}
        new = {name: pair for name, pair in zip(names, rows, strict=True) if name not in keys}
        if new:
            put = insert(DecidedRow).returning(DecidedRow.key, sort_by_parameter_order=True)
            made = session.scalars(put, [row for row, _ in new.values()])
            keys |= dict(zip(new, made, strict=True))
            session.execute(insert(DecisionRow), [line for _, lines in new.values() for line in lines])
        return [keys[name] for name in names]

    def count(self, run: str) -> dict[str, int]:
        """How many files of a run were allowed, sent to review, blocked, skipped, or failed."""
        with self._reading() as session:
            return dict(session.execute(select(_WORD, func.count()).where(PathRow.run == run).group_by(_WORD)).all())

    def _reading(self) -> Session:
        return Session(self.ledger.engine, expire_on_commit=False)


def row_of(path: PathRow, decided: DecidedRow | None, policy: dict[str, str]) -> dict[str, Any]:
    """The contract row of a file; `policy` is the run's, for files about which no decision was reached."""
    from assay.rows import failed_scan_row

    extras = dict(path.extras)
    signed, sealed = extras.pop("signed", None), extras.pop("quarantined", [])
    extras.pop("exit_code", None)
    if decided is None:
        row = failed_scan_row(path.uri, policy, path.error or {}) | {"sha256": path.sha256}
    else:
        row = {
            "path": path.uri, **decided.body, "signed": signed and signed["path"], "quarantined": sealed, "error": None
        }  # fmt: skip
    return row | extras


def exit_code_of(path: PathRow) -> ExitCode:
    """The exit code of a command about that file alone."""
    if path.action is not None:
        return EXIT_BY_ACTION[path.action]
    return ExitCode.OK if path.skipped else ExitCode(path.extras.get("exit_code") or ExitCode.UNDECIDED)


def decisions_about(seen: Examination, under: Under) -> tuple[Any, ...]:
    """One decision a stage, in the order of the stages."""
    by_stage = groupby(sorted(seen.items, key=lambda item: item.stage), key=lambda item: item.stage)
    return tuple(decide(under.policy, list(items), seen.scores, under.circumstances) for _, items in by_stage)


def _as_asked(seen: Examination, policy: Policy) -> Examination | None:
    """The items that a scan under that policy would look at; None where something it asks about was not scored."""
    stages = {Stage.FRAME} | ({Stage.FILE} if policy.categories_for(Stage.FILE) else set())
    items = tuple(item for item in seen.items if item.stage in stages)
    asked = {(item, name) for item in items for name in policy.categories_for(item.stage)}
    if stages != {item.stage for item in items} or asked - {(score.item, score.category) for score in seen.scores}:
        return None
    return Examination(items, tuple(score for score in seen.scores if score.item in items), seen.posture)


def _decided_columns(content: int, under: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    ids = [one.id for one in outcome.decisions]
    body = body_of(outcome)
    return {"content": content, **under, "action": outcome.action.word, "decisions": ids, "body": body}


def _name(recorded: Recorded | None) -> tuple[str, str]:
    return ("", "") if recorded is None else (recorded.sha256, recorded.scoring_digest)


def _path_columns(run: str, one: Filed, known: Known | None) -> dict[str, Any]:
    content, decided, action = known or (None, None, None)
    return {
        "run": run, "uri": one.uri, "sha256": one.sha256, "content": content, "decided": decided, "action": action,
        "skipped": one.skipped, "error": one.error, "extras": one.extras, "attempts": one.attempts, "made": now(),
    }  # fmt: skip


def _job_columns(one: Recorded) -> dict[str, Any]:
    return {"id": one.job, "action": one.action, "request": {"sha256": one.sha256}}


def _dialect(session: Session) -> Any:
    return postgresql if session.get_bind().dialect.name == "postgresql" else sqlite


def _insert_or_leave(session: Session, table: Any) -> Any:
    return _dialect(session).insert(table).on_conflict_do_nothing()


def _portions(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + _MANY] for start in range(0, len(names), _MANY))
