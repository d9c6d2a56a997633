"""The row that counts the entries of the audit chain, and characters of the API."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from assay.auditing.tip import begin

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One version up."""
    op.create_table(
        "audit_tip",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("sum", sa.String(length=64), nullable=False),
        sa.Column("sealed_count", sa.Integer(), nullable=False),
        sa.Column("sealed_sum", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    found = op.get_bind().execute(sa.text("SELECT id, commitment, batch FROM audit_entries"))
    begin(op.get_bind(), [(row.id, row.commitment, row.batch is not None) for row in found])
    op.create_table(
        "characters",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_characters_tenant", "characters", ["tenant"], unique=False)
