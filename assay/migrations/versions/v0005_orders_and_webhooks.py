"""Webhooks, roll-outs and shadows of policies, strikes, emergency rules, take-downs, legal holds, appeals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One version up."""
    op.create_table(
        "appeals",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("made", sa.DateTime(), nullable=False),
        sa.Column("decided", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job"),
    )
    op.create_index("ix_appeals_state", "appeals", ["state"], unique=False)
    op.create_index("ix_appeals_tenant", "appeals", ["tenant"], unique=False)
    op.create_table(
        "emergency_rules",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("body", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("made", sa.DateTime(), nullable=False),
        sa.Column("lifted", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "emergency_sweeps",
        sa.Column("rule", sa.String(length=40), nullable=False),
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("came", sa.String(length=12), nullable=False),
        sa.Column("by", sa.String(length=12), nullable=False),
        sa.Column("why", sa.String(), nullable=True),
        sa.Column("made", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("rule", "job"),
    )
    op.create_table(
        "legal_holds",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("matter", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("made", sa.DateTime(), nullable=False),
        sa.Column("released", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_legal_holds_job", "legal_holds", ["job"], unique=False)
    op.create_table(
        "rollouts",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=True),
        sa.Column("body", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("made", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_rollouts_tenant", "rollouts", ["tenant"], unique=False)
    op.create_table(
        "shadows",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.String(length=32), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("acted", sa.String(length=10), nullable=False),
        sa.Column("would", sa.String(length=10), nullable=True),
        sa.Column("why", sa.String(), nullable=True),
        sa.Column("made", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_shadows_digest", "shadows", ["digest"], unique=False)
    op.create_index("ix_shadows_job", "shadows", ["job"], unique=False)
    op.create_index("ux_shadows_once", "shadows", ["job", "stage", "digest"], unique=True)
    op.create_table(
        "strikes",
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("decision", sa.String(length=64), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("made", sa.DateTime(), nullable=False),
        sa.Column("lifted", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("job"),
    )
    op.create_index("ix_strikes_actor", "strikes", ["actor"], unique=False)
    op.create_index("ix_strikes_tenant", "strikes", ["tenant"], unique=False)
    op.create_table(
        "takedowns",
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("made", sa.DateTime(), nullable=False),
        sa.Column("erased", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("job"),
    )
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("retired", sa.LargeBinary(), nullable=True),
        sa.Column("retired_until", sa.DateTime(), nullable=True),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("disabled", sa.DateTime(), nullable=True),
        sa.Column("why_disabled", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_webhook_endpoints_tenant", "webhook_endpoints", ["tenant"], unique=False)
    op.create_table(
        "webhook_outbox",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("endpoint", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due", sa.DateTime(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("ended", sa.DateTime(), nullable=True),
        sa.Column("last", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint"],
            ["webhook_endpoints.id"],
        ),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_webhook_outbox_due", "webhook_outbox", ["state", "due"], unique=False)
    op.create_index("ix_webhook_outbox_endpoint", "webhook_outbox", ["endpoint"], unique=False)
    op.create_index("ix_webhook_outbox_event", "webhook_outbox", ["event"], unique=False)
