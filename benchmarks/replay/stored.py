"""A run of many rows, made without a video: ten tracks of 240 frames each, decided by `decide`, kept as scans are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from typing import Any

import numpy as np
from sqlalchemy import insert

from assay.batch.recording import body_of
from assay.batch.store import Scoring, Store
from assay.batch.tables import ContentRow, DecidedRow, PathRow
from assay.ledger import (
    DecisionRow,
    ItemRow,
    JobRow,
    Ledger,
    PostureRow,
    ScoreRow,
    State,
    decision_columns,
    now,
    posture_of,
    score_columns,
)
from assay.outcome import Outcome
from assay.replaying.tables import gist_columns, keep_gists
from safety import (
    Absence,
    Circumstances,
    Examination,
    FrameCounts,
    Item,
    Policy,
    PostureEntry,
    Score,
    Stage,
    Track,
    decide,
)

DIGEST, DAY, FRAMES, TRACKS, RATE = "5" * 64, date(2026, 11, 22), 240, 10, 24.0
_MANY = 500
_PTS = np.arange(FRAMES) / RATE


def make(ledger: Ledger, rows: int, policy: Policy, loud: float) -> str:
    """A run over that many files; `loud`: the share in which one track rises above 0.35. Returns its id."""
    store = Store(ledger)
    run = store.begin("benchmark", {}, policy, Scoring(DIGEST))
    random = np.random.default_rng(1)
    for start in range(0, rows, _MANY):
        portion = [_examined(number, policy, random, loud) for number in range(start, min(rows, start + _MANY))]
        _keep(ledger, run, start, portion, policy)
    store.settle(run, "completed")
    return run


def _examined(number: int, policy: Policy, random: np.random.Generator, loud: float) -> Examination:
    item = Item(Stage.FRAME, "frames", sha256(str(number).encode()).hexdigest(), FRAMES)
    names = list(policy.categories_for(Stage.FRAME))
    values = random.uniform(0.0, 0.15, (TRACKS, FRAMES)) * random.uniform(0.1, 1.0, (TRACKS, 1))
    if random.random() < loud:
        at, length = int(random.integers(0, FRAMES - 30)), int(random.integers(1, 30))
        values[int(random.integers(TRACKS)), at : at + length] = random.uniform(0.35, 1.0)
    scores: list[Score | Track] = [
        Track(item, name, "eye@1", said.astype(np.float16), _PTS, {}, {})
        for name, said in zip(names, values, strict=False)
    ]
    scores += [Score.absent(item, name, "none@0", Absence.NOT_CONFIGURED, "no model") for name in names[TRACKS:]]
    return Examination((item,), tuple(scores), (PostureEntry(Stage.FRAME, "eye", "1", None, "toy", FRAMES, 0),))


def _keep(ledger: Ledger, run: str, start: int, portion: list[Examination], policy: Policy) -> None:
    under = Circumstances(on=DAY, require_complete=False)
    columns = dict(_columns(run, start, portion, policy, under))
    with ledger.write() as session:
        session.execute(insert(JobRow), columns["jobs"])
        keys = session.scalars(insert(ItemRow).returning(ItemRow.key, sort_by_parameter_order=True), columns["items"])
        pairs = zip(keys.all(), portion, strict=True)
        session.execute(
            insert(ScoreRow), [score_columns(s) | {"item": key} for key, seen in pairs for s in seen.scores]
        )
        session.execute(insert(PostureRow), columns["posture"])
        session.execute(insert(DecisionRow), columns["decisions"])
        keep_gists(session, [(f"job_{start + n}", one) for n, seen in enumerate(portion) for one in gist_columns(seen)])
        for table in (ContentRow, DecidedRow, PathRow):
            session.execute(insert(table), columns[table.__tablename__])


def _columns(
    run: str, start: int, portion: list[Examination], policy: Policy, under: Circumstances
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    made = [decide(policy, seen.items, seen.scores, under) for seen in portion]
    counts = FrameCounts(FRAMES, FRAMES, 0, FRAMES, 0, 0)
    named = [(start + n, seen.items[0], seen, one) for n, (seen, one) in enumerate(zip(portion, made, strict=True))]
    of_job = {"kind": "scan", "request": {}, "state": State.COMPLETED, "attempt": 1, "created": now(), "updated": now()}
    yield "jobs", [of_job | {"id": f"job_{n}", "action": one.action.word} for n, _, _, one in named]
    yield (
        "items",
        [
            {"job": f"job_{n}", "stage": item.stage, "item": item.id, "sha256": item.sha256, "count": item.count}
            for n, item, _, _ in named
        ],
    )
    yield "posture", [{"job": f"job_{n}", "body": body} for n, _, seen, _ in named for body in posture_of(seen)]
    yield "decisions", [decision_columns(one, DIGEST) | {"job": f"job_{n}"} for n, _, _, one in named]
    yield "contents", [
        {"key": n + 1, "sha256": item.sha256, "scoring_digest": DIGEST, "job": f"job_{n}", "frames": vars(counts),
         "partial": None} for n, item, _, _ in named
    ]  # fmt: skip
    yield "decided", [
        {"key": n + 1, "content": n + 1, "policy_digest": policy.digest, "day": DAY, "require_complete": False,
         "action": one.action.word, "decisions": [one.id],
         "body": body_of(Outcome("", (one,), seen, frames=counts, sha256=item.sha256))} for n, item, seen, one in named
    ]  # fmt: skip
    yield "path_rows", [
        {"run": run, "uri": f"videos/{n:07}.mp4", "sha256": item.sha256, "content": n + 1, "decided": n + 1,
         "action": one.action.word, "skipped": False, "error": None, "extras": {}, "attempts": 1, "made": now()}
        for n, item, _, one in named
    ]  # fmt: skip
