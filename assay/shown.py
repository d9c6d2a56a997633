"""What a client may see of a job while it is made: read by the server, written by `assay.showing`."""

from __future__ import annotations

from typing import Any

from assay.ledger import JobRow, State


def shown(row: JobRow) -> dict[str, Any] | None:
    """What may be seen of a job now: only while it is being made, and only what this attempt has made."""
    found: dict[str, Any] | None = (row.wire or {}).get("shown")
    if found is None or row.state != State.RUNNING or row.cancelled or found["attempt"] != row.attempt:
        return None
    return found
