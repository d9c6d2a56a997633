"""The ledger's schema and its version: a new database is made whole, an older one is refused until it is upgraded.

The tables stand in several modules (`TABLES`); Alembic's scripts in `assay/migrations` bring an existing database from
any version to `VERSION`. Whoever adds a table adds its module here, a migration, and moves `VERSION` on.
"""

from __future__ import annotations

import fcntl
import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import JSON, Connection, Engine, inspect, text
from sqlalchemy.orm import DeclarativeBase

from assay.errors import LedgerVersion

VERSION = "0008"  # of the newest migration
TABLES = (  # modules that declare tables
    "assay.ledger", "assay.tenants", "assay.auditing.tables", "assay.auditing.tip", "assay.characters",
    "assay.checking", "assay.outbox", "assay.rollout", "assay.shadow", "assay.strikes", "assay.emergency",
    "assay.withdrawal", "assay.appeals", "assay.batch.tables", "assay.replaying.tables",
)  # fmt: skip
_LOCK = 0x61737361  # of PostgreSQL's advisory locks, ours: "assa"
_MAKE = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"


class Table(DeclarativeBase):
    """What every table of the ledger comes from."""

    # None is SQL's NULL, not JSON's: "no such thing" must be found by IS NULL.
    type_annotation_map = {dict[str, Any]: JSON(none_as_null=True), list[Any]: JSON(none_as_null=True)}  # noqa: RUF012


def declared() -> Any:
    """The metadata with every table of every module."""
    for module in TABLES:
        importlib.import_module(module)
    return Table.metadata


def prepare(engine: Engine) -> None:
    """Makes the tables of an empty database; raises LedgerVersion where it is of another version than this code."""
    found = version(engine)
    if found is None:
        with _alone(engine) as connection:
            if _version(connection) is None:  # nobody else was quicker
                declared().create_all(connection)
                connection.execute(text(_MAKE))
                connection.execute(text("INSERT INTO alembic_version VALUES (:version)"), {"version": VERSION})
        found = version(engine)
    if found != VERSION:
        raise LedgerVersion(engine.url.render_as_string(), found or "", VERSION)


def version(engine: Engine) -> str | None:
    """The schema version of a database: None where it is empty, "" where it is older than versions are."""
    with engine.connect() as connection:
        return _version(connection)


def _version(connection: Connection) -> str | None:
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" in tables:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none() or ""
    return "" if "jobs" in tables else None


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction in which no other process makes tables."""
    if engine.dialect.name == "sqlite" and engine.url.database not in (None, "", ":memory:"):
        descriptor = os.open(f"{engine.url.database}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with engine.begin() as connection:
                yield connection
        finally:
            os.close(descriptor)
        return
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        yield connection
