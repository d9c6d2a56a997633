"""Alembic's scripts of the ledger; `assay ledger upgrade` runs them. They ship in the wheel."""
