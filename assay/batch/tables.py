"""The tables of stored runs, beside the ledger's own; `assay.batch.store` says what they mean together."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from assay.schema import Table


class RunRow(Table):
    """One `assay scan`, and what it was asked to do."""

    __tablename__ = "runs"
    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(
        index=True
    )  # hash of what was asked: `--resume` goes on with the newest of its key
    asked: Mapped[dict[str, Any]]
    policy_digest: Mapped[str] = mapped_column(String(64))
    scoring_digest: Mapped[str] = mapped_column(String(64))  # as the run began; a content's own stands with it
    installation: Mapped[str | None] = mapped_column(String(64), index=True)  # what the digest follows from, if told
    state: Mapped[str]  # running, completed, stopped
    created: Mapped[datetime]
    updated: Mapped[datetime]


class ContentRow(Table):
    """One content under one scoring digest, and the job whose items and scores are its examination."""

    __tablename__ = "contents"
    __table_args__ = (UniqueConstraint("sha256", "scoring_digest"),)
    key: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    scoring_digest: Mapped[str] = mapped_column(String(64))
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    frames: Mapped[dict[str, Any] | None]
    partial: Mapped[str | None]


class DecidedRow(Table):
    """What one policy says of one content under the circumstances of one day."""

    __tablename__ = "decided"
    __table_args__ = (UniqueConstraint("content", "policy_digest", "day", "require_complete"),)
    key: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[int] = mapped_column(ForeignKey("contents.key"))
    policy_digest: Mapped[str] = mapped_column(String(64))
    day: Mapped[date]
    require_complete: Mapped[bool]
    action: Mapped[str]
    decisions: Mapped[list[Any]]  # their ids
    body: Mapped[dict[str, Any]]


class PathRow(Table):
    """One file of one run."""

    __tablename__ = "path_rows"
    __table_args__ = (Index("path_rows_by_action", "run", "action"),)
    run: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    uri: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str | None] = mapped_column(String(64))
    content: Mapped[int | None] = mapped_column(ForeignKey("contents.key"), index=True)
    decided: Mapped[int | None] = mapped_column(ForeignKey("decided.key"))
    action: Mapped[str | None]  # as decided; None where no decision was reached
    skipped: Mapped[bool] = mapped_column(default=False)
    error: Mapped[dict[str, Any] | None]
    extras: Mapped[dict[str, Any]]  # signed, quarantined; provenance and detect where they were asked for
    attempts: Mapped[int] = mapped_column(default=1)
    made: Mapped[datetime]


class SeenFile(Table):
    """The hash of a file as long as its fingerprint (size, times, inode; a remote file's ETag) is the same."""

    __tablename__ = "seen_files"
    uri: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64))
