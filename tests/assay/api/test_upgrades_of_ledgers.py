"""A ledger of every earlier schema, with a row in each of its tables, becomes one of today's, and nothing is lost."""

from __future__ import annotations

from datetime import date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    create_engine,
)
from sqlalchemy.orm import Session

from assay.auditing import tip
from assay.errors import LedgerVersion
from assay.ledger import Ledger
from assay.schema import VERSION, declared
from assay.upgrading import upgrade

EARLIER = [f"{number:04d}" for number in range(1, int(VERSION))]
_VALUES: dict[type, Any] = {
    Boolean: False, Integer: 1, Float: 0.5, DateTime: datetime(2026, 1, 1), Date: date(2026, 1, 1), JSON: {"a": 1},
    LargeBinary: b"x",
}  # fmt: skip


def some(column: Column[Any]) -> Any:
    """A value of the column's kind; the same for every text and number, so that rows refer to each other."""
    return next((value for kind, value in _VALUES.items() if isinstance(column.type, kind)), "x")


def filled(engine: Engine, revision: str) -> dict[str, dict[str, Any]]:
    """Makes the schema of a revision and puts a row into every table; the rows by table."""
    config = Config()
    config.set_main_option("script_location", str(files("assay") / "migrations"))
    rows = {}
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        metadata = MetaData()
        metadata.reflect(connection)
        for table in metadata.sorted_tables:
            if table.name in ("alembic_version", "audit_tip"):
                continue
            rows[table.name] = {column.name: some(column) for column in table.columns}
            connection.execute(table.insert().values(**rows[table.name]))
    return rows


@pytest.mark.parametrize("revision", EARLIER)
def test_every_earlier_ledger_is_upgraded(tmp_path: Path, revision: str) -> None:
    """Rows of each earlier schema stand unchanged in today's, which is exactly what the code declares."""
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    engine = create_engine(url)
    before = filled(engine, revision)
    assert before
    with pytest.raises(LedgerVersion, match="assay ledger upgrade"):
        Ledger(url)
    assert upgrade(url) == (revision, VERSION)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), declared()) == []
        metadata = MetaData()
        metadata.reflect(connection)
        for name, row in before.items():
            (found,) = connection.execute(metadata.tables[name].select()).mappings().all()
            assert {column: found[column] for column in row} == row, name
    engine.dispose()
    ledger = Ledger(url)
    with Session(ledger.engine) as session:
        entries = int("audit_entries" in before)
        assert [amount.count for amount in tip.written(session)] == [entries, entries]
        assert tip.written(session) == tip.here(session)
    job = ledger.open_job("scan", {}, ("worker-1", 60))
    assert ledger.job(job).attempt == 1
    ledger.close()
