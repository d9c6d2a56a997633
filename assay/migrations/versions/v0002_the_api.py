"""The API: tenants and keys, retries, cancelling, expiry, and what a client asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One version up."""
    op.create_table(
        "tenants",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=True),
        sa.Column("limits", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("disabled", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("expires", sa.DateTime(), nullable=True),
        sa.Column("revoked", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant"],
            ["tenants.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("api_keys") as batch:
        batch.create_index("ix_api_keys_tenant", ["tenant"], unique=False)

    with op.batch_alter_table("decisions") as batch:
        batch.add_column(sa.Column("attempt", sa.Integer(), nullable=False, server_default="1"))

    with op.batch_alter_table("items") as batch:
        batch.add_column(sa.Column("attempt", sa.Integer(), nullable=False, server_default="1"))

    with op.batch_alter_table("jobs") as batch:
        batch.add_column(sa.Column("actor", sa.String(), nullable=True))
        batch.add_column(sa.Column("policy", sa.String(), nullable=True))
        batch.add_column(sa.Column("wire", sa.JSON(), nullable=True))
        batch.add_column(sa.Column("attempts_allowed", sa.Integer(), nullable=False, server_default="1"))
        batch.add_column(sa.Column("not_before", sa.DateTime(), nullable=True))
        batch.add_column(sa.Column("cancelled", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column("approval", sa.JSON(), nullable=True))
        batch.add_column(sa.Column("asset", sa.JSON(), nullable=True))
        batch.add_column(sa.Column("error_code", sa.String(), nullable=True))
        batch.add_column(sa.Column("completed", sa.DateTime(), nullable=True))
        batch.add_column(sa.Column("deleted", sa.DateTime(), nullable=True))
        batch.add_column(sa.Column("legal_hold", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.create_index("ix_jobs_actor", ["actor"], unique=False)
        batch.create_index("ix_jobs_created", ["created"], unique=False)

    with op.batch_alter_table("posture") as batch:
        batch.add_column(sa.Column("attempt", sa.Integer(), nullable=False, server_default="1"))
