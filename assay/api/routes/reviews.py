"""Reviews: what a policy held, a person looks at, approves or refuses; and appeals against what was refused.

A key with the scope `reviews` sees what its own tenant's videos are held for; `admin` sees everybody's. Pictures are
blurred and grey unless asked for otherwise, and are never kept by a browser. Of the worst material there is none.
"""

from __future__ import annotations

import io
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from assay import review
from assay.api.context import Context, Here
from assay.api.errors import COMMON, ApiError, documented, not_found
from assay.api.ordering import Because, Reviewer, answered, name_of, order
from assay.appeals import AppealRow, appeals, decide_appeal
from assay.ledger import HeldRow, JobRow
from assay.report.thumbs import Thumbs
from assay.tenants import Caller
from assay.withdrawal import Order

router = APIRouter(prefix="/v1/admin", tags=["reviews"], responses=COMMON)

_CELLS = 12  # along the longer side: what is left of a blurred picture
_PICTURE: dict[int | str, Any] = {
    200: {"description": "A frame.", "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("/reviews")
def list_reviews(here: Here, caller: Reviewer, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> dict[str, Any]:
    """What waits for a person, oldest first."""
    review.expire(here.ledger)
    query = select(HeldRow.id).join(JobRow, JobRow.id == HeldRow.job).where(HeldRow.state == "waiting")
    if not _everybodys(caller):
        query = query.where(JobRow.tenant == caller.tenant)
    with Session(here.ledger.engine) as session:
        ids = session.scalars(query.order_by(HeldRow.created).limit(limit + 1)).all()
    shown = [_shown(review.held(here.ledger, id)) for id in ids[:limit]]
    return {"object": "list", "data": shown, "has_more": len(ids) > limit}


@router.get("/reviews/{id}")
def show_review(here: Here, caller: Reviewer, id: str) -> dict[str, Any]:
    """One held prompt or output, and why it is held."""
    return _shown(_own(here, caller, id))


@router.get("/reviews/{id}/picture", response_class=Response, responses={**_PICTURE, **documented(409)})
def show_picture(
    here: Here, caller: Reviewer, id: str, frame: Annotated[int | None, Query(ge=0, le=10_000_000)] = None,
    blur: bool = True,
) -> Response:  # fmt: skip
    """A frame of a held output: the gravest one unless another is asked for; blurred and grey unless `blur=false`."""
    one = _own(here, caller, id)
    if one.row.path is None or one.row.sha256 is None:
        raise ApiError(404, "no_picture", "a prompt is held, and it has no picture", "id")
    if one.row.state != "waiting":
        raise ApiError(409, "closed", f"{id} is {one.row.state}; its file is gone")
    wanted = _gravest(one) if frame is None else frame
    made = here.artist.call("thumbnails", Thumbs(_path(one), one.row.sha256, [wanted]))
    if wanted not in made:
        raise ApiError(404, "no_picture", f"there is no frame {wanted}, or it does not decode", "frame")
    picture = _blurred(made[wanted]) if blur else made[wanted]
    return Response(picture, media_type="image/jpeg", headers={"cache-control": "no-store"})


@router.post("/reviews/{id}/approve", responses=documented(409))
def approve_review(here: Here, caller: Reviewer, id: str, asked: Because) -> dict[str, Any]:
    """Let it pass: a held output is signed and published; a held prompt is made, and its frames judged like any."""
    one = _own(here, caller, id)
    with answered("review", id):
        if one.row.stage == "prompt":
            review.requeue(here.ledger, id, name_of(here, caller), asked.reason)
        else:
            from assay.assemble import signer  # provenance is loaded when something is signed

            review.approve_output(here.ledger, id, name_of(here, caller), asked.reason, signer(here.settings))
    return _shown(review.held(here.ledger, id))


@router.post("/reviews/{id}/refuse", responses=documented(409))
def refuse_review(here: Here, caller: Reviewer, id: str, asked: Because) -> dict[str, Any]:
    """Refuse it: the private file is deleted, the record stays."""
    _own(here, caller, id)
    with answered("review", id):
        review.refuse(here.ledger, id, name_of(here, caller), asked.reason)
    return _shown(review.held(here.ledger, id))


@router.get("/appeals")
def list_appeals(
    here: Here, caller: Reviewer, state: Literal["open", "upheld", "overturned"] = "open"
) -> dict[str, Any]:
    """Appeals, oldest first."""
    rows = appeals(here.ledger, state, None if _everybodys(caller) else caller.tenant)
    return {"object": "list", "data": [row.to_json() for row in rows]}


@router.post("/appeals/{id}/uphold", responses=documented(409))
def uphold_appeal(here: Here, caller: Reviewer, id: str, asked: Because) -> dict[str, Any]:
    """Uphold a refusal: the record says why."""
    return _ended(here, caller, id, order(here, caller, asked), overturn=False)


@router.post("/appeals/{id}/overturn", responses=documented(409))
def overturn_appeal(here: Here, caller: Reviewer, id: str, asked: Because) -> dict[str, Any]:
    """Overturn a refusal: its strike is taken away, and the record says so."""
    return _ended(here, caller, id, order(here, caller, asked), overturn=True)


def _ended(here: Context, caller: Caller, id: str, by: Order, *, overturn: bool) -> dict[str, Any]:
    with Session(here.ledger.engine) as session:
        row = session.get(AppealRow, id)
        if row is None or not (_everybodys(caller) or row.tenant == caller.tenant):
            raise not_found("appeal", id)
    with answered("appeal", id):
        return decide_appeal(here.ledger, id, by, overturn=overturn).to_json()


def _everybodys(caller: Caller) -> bool:
    return "admin" in caller.scopes


def _own(here: Context, caller: Caller, id: str) -> review.Held:
    """A review of the caller's own tenant, or anybody's for an administrator; 404 as for none."""
    review.expire(here.ledger)
    with answered("review", id):
        one = review.held(here.ledger, id)
    if not _everybodys(caller) and here.ledger.job(one.row.job).tenant != caller.tenant:
        raise not_found("review", id)
    return one


def _shown(one: review.Held) -> dict[str, Any]:
    """A review without the place of its file."""
    shown = {name: value for name, value in one.to_json().items() if name != "path"}
    posture = [entry.to_json() for entry in one.posture]
    return {"object": "review", **shown, "has_picture": one.row.path is not None, "posture": posture}


def _gravest(one: review.Held) -> int:
    """The frame that the gravest reason speaks of; the first where none does."""
    reasons = [reason for decision in one.decisions for reason in decision.reasons]
    for reason in sorted(reasons, key=lambda each: (-each.action, -(each.value or 0.0))):
        if reason.where is not None and reason.where.frame is not None:
            return reason.where.frame
    return 0


def _path(one: review.Held) -> Any:
    from pathlib import Path

    assert one.row.path is not None
    return Path(one.row.path)


def _blurred(jpeg: bytes) -> bytes:
    from PIL import Image, ImageFilter

    picture = Image.open(io.BytesIO(jpeg)).convert("L")
    small = picture.resize([max(1, side * _CELLS // max(picture.size)) for side in picture.size], Image.Resampling.BOX)
    out = io.BytesIO()
    large = small.resize(picture.size, Image.Resampling.BICUBIC)
    large.filter(ImageFilter.GaussianBlur(4)).save(out, "JPEG", quality=60)
    return out.getvalue()
