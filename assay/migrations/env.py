"""Alembic's entry: the connection comes from `assay.upgrading`, never from a configuration file."""

from __future__ import annotations

from alembic import context

from assay.schema import declared

context.configure(connection=context.config.attributes["connection"], target_metadata=declared(), render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
