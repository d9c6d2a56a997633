"""Gists beside the scores of a job: a derived index, which can be dropped and is made again from the scores."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from assay.schema import Table
from safety import Examination, Gist


class ShapeRow(Table):
    """The shape that the gists of many jobs share."""

    __tablename__ = "shapes"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    body: Mapped[str]


class GistRow(Table):
    """What a decision needs to know of a job's scores before it needs the scores, one a stage."""

    __tablename__ = "gists"
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    shape: Mapped[str] = mapped_column(String(64))
    facts: Mapped[str]


def gist_columns(seen: Examination) -> list[dict[str, Any]]:
    """Stage, shape and facts of an examination, one a stage; plain values that cross process lines."""
    made = []
    for stage in dict.fromkeys(item.stage for item in seen.items):
        gist = Gist.of([item for item in seen.items if item.stage == stage], seen.scores)
        made.append({"stage": stage.value, "shape": gist.shape, "facts": gist.facts})
    return made


def keep_gists(session: Session, gists: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Writes (job, `gist_columns`) each, inside a transaction of others. What is there already stays as it is."""
    if not gists:
        return
    digests = {text: hashlib.sha256(text.encode()).hexdigest() for text in {one["shape"] for _, one in gists}}
    put: Any = _dialect(session)
    shapes = [{"digest": digest, "body": text} for text, digest in digests.items()]
    session.execute(put(ShapeRow).on_conflict_do_nothing(), shapes)
    rows = [{**one, "job": job, "shape": digests[one["shape"]]} for job, one in gists]
    session.execute(put(GistRow).on_conflict_do_nothing(), rows)


def _dialect(session: Session) -> Any:
    from sqlalchemy.dialects import postgresql, sqlite

    return (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
