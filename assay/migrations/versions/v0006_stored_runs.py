"""Runs of `assay scan`: contents, what was decided of them, a row a path."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One version up."""
    op.create_table(
        "runs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("asked", sa.JSON(), nullable=False),
        sa.Column("policy_digest", sa.String(length=64), nullable=False),
        sa.Column("scoring_digest", sa.String(length=64), nullable=False),
        sa.Column("installation", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("updated", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_runs_key", "runs", ["key"], unique=False)
    op.create_index("ix_runs_installation", "runs", ["installation"], unique=False)
    op.create_table(
        "contents",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("scoring_digest", sa.String(length=64), nullable=False),
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("frames", sa.JSON(), nullable=True),
        sa.Column("partial", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"]),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("sha256", "scoring_digest"),
    )
    op.create_index("ix_contents_job", "contents", ["job"], unique=False)
    op.create_table(
        "decided",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("content", sa.Integer(), nullable=False),
        sa.Column("policy_digest", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("require_complete", sa.Boolean(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("decisions", sa.JSON(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["content"], ["contents.key"]),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("content", "policy_digest", "day", "require_complete"),
    )
    op.create_table(
        "seen_files",
        sa.Column("uri", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("uri"),
    )
    op.create_table(
        "path_rows",
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("uri", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("content", sa.Integer(), nullable=True),
        sa.Column("decided", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(), nullable=True),
        sa.Column("skipped", sa.Boolean(), nullable=False),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("extras", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("made", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.id"]),
        sa.ForeignKeyConstraint(["content"], ["contents.key"]),
        sa.ForeignKeyConstraint(["decided"], ["decided.key"]),
        sa.PrimaryKeyConstraint("run", "uri"),
    )
    op.create_index("ix_path_rows_content", "path_rows", ["content"], unique=False)
    op.create_index("path_rows_by_action", "path_rows", ["run", "action"], unique=False)
