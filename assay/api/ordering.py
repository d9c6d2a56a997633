"""What the routes of reviewers and administrators share: who acts, in which words, and what an error answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field

from assay.api.auth import require
from assay.api.context import Context
from assay.api.errors import ApiError, not_found
from assay.errors import JobNotFound, ReviewClosed
from assay.jobs.tidying import OnLegalHold
from assay.tenants import Caller
from assay.withdrawal import Order

Reviewer = Annotated[Caller, Depends(require("reviews"))]
Admin = Annotated[Caller, Depends(require("admin"))]


class Strict(BaseModel):
    """A body in which nothing unknown may stand."""

    model_config = ConfigDict(extra="forbid")


class Because(Strict):
    """Why; kept with the decision."""

    reason: Annotated[str, Field(min_length=1, max_length=5_000)]


def name_of(here: Context, caller: Caller) -> str:
    """The pseudonym of whoever holds the key: what stands in records instead of the key's id."""
    return here.pseudonyms.of(f"reviewer\0{caller.tenant}\0{caller.key_id}")


def order(here: Context, caller: Caller, asked: Because) -> Order:
    """An order of this caller."""
    return Order(name_of(here, caller), asked.reason)


@contextmanager
def answered(what: str, id: str) -> Iterator[None]:
    """404 where there is no such thing, 409 where it was decided before or the law keeps it."""
    try:
        yield
    except JobNotFound as error:
        raise not_found(what, id) from error
    except ReviewClosed as error:
        raise ApiError(409, "closed", str(error)) from error
    except OnLegalHold as error:
        raise ApiError(409, "legal_hold", str(error)) from error
