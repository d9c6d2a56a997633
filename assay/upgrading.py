"""Brings an existing ledger to the schema of this code. Needs Alembic, of the extra `serve`."""

from __future__ import annotations

import importlib.util
from importlib.resources import files

from sqlalchemy import create_engine

from assay.schema import VERSION, version
from media import UsageError

_FIRST = "0001"  # the schema of ledgers that were made before there were versions


def upgrade(url: str) -> tuple[str | None, str]:
    """Every migration that is missing, in one transaction; returns the versions before and after.

    Stop servers and workers first. Raises UsageError without Alembic, or where the database is newer than this code.
    """
    if importlib.util.find_spec("alembic") is None:
        raise UsageError("upgrading a ledger needs Alembic: pip install 'assay-video[serve]'")
    from alembic import command
    from alembic.config import Config

    engine = create_engine(url)
    try:
        before = version(engine)
        if before is not None and before > VERSION:
            raise UsageError(f"the ledger has schema {before}, newer than {VERSION}; upgrade Assay instead")
        config = Config()
        config.set_main_option("script_location", str(files("assay") / "migrations"))
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            if before == "":
                command.stamp(config, _FIRST)
            command.upgrade(config, "head")
        return before, version(engine) or ""
    finally:
        engine.dispose()
