"""Characters of the API: a picture out of a video that a tenant sent, kept under a name, for the videos that it makes.

What is kept is one picture, in the tenant's private folder. The whole video was looked at, as any input is, and what
the policy blocks is kept nowhere. A character lets nothing pass: each video that names one brings its picture along,
and that is judged again, under the policy of that day, before anything is drawn.
"""

from __future__ import annotations

import re
import shutil
from datetime import datetime
from pathlib import Path

from sqlalchemy import String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from assay.ledger import Ledger, now
from assay.schema import Table
from assay.settings import Settings

MOST = 200  # of a tenant
_ID = re.compile(r"char_[0-9a-f]{24}\Z")
_PICTURE = "picture.png"


class CharacterRow(Table):
    """One character."""

    __tablename__ = "characters"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(63), index=True)
    name: Mapped[str] = mapped_column(String(200))
    job: Mapped[str] = mapped_column(String(64))  # in which it was judged
    sha256: Mapped[str] = mapped_column(String(64))  # of the picture
    created: Mapped[datetime]


def folder(settings: Settings, id: str) -> Path:
    """The private folder (0700) of a character."""
    return settings.home / "characters" / id


def picture(settings: Settings, id: str) -> Path:
    """Its picture."""
    return folder(settings, id) / _PICTURE


def keep(ledger: Ledger, row: CharacterRow) -> bool:
    """Keeps it; False where its tenant has as many as it may have."""
    row.created = now()
    with ledger.write() as session:
        if len(session.scalars(select(CharacterRow.id).where(CharacterRow.tenant == row.tenant)).all()) >= MOST:
            return False
        session.add(row)
    return True


def find(ledger: Ledger, tenant: str, id: str) -> CharacterRow | None:
    """A tenant's own; None for another's, as for none."""
    if not _ID.match(id):
        return None
    with Session(ledger.engine, expire_on_commit=False) as session:
        row = session.get(CharacterRow, id)
    return row if row is not None and row.tenant == tenant else None


def forget(settings: Settings, ledger: Ledger, id: str) -> None:
    """Deletes it: its name, and the bytes. What was decided stays."""
    with ledger.write() as session:
        session.execute(delete(CharacterRow).where(CharacterRow.id == id))
    shutil.rmtree(folder(settings, id), ignore_errors=True)


def tidy(settings: Settings, ledger: Ledger, older_than: float) -> None:
    """Removes folders that no character knows and that are older than that moment: a kill left them."""
    root = settings.home / "characters"
    for each in root.iterdir() if root.is_dir() else ():
        with Session(ledger.engine) as session:
            known = session.get(CharacterRow, each.name) is not None
        if not known and each.stat().st_mtime < older_than:
            shutil.rmtree(each, ignore_errors=True)
