"""Gists of stored scores: by them another policy decides again without unpacking what is quiet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One version up."""
    op.create_table(
        "shapes",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "gists",
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("shape", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"]),
        sa.PrimaryKeyConstraint("job", "stage"),
    )
