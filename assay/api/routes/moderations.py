"""`/v1/moderations`: texts and pictures judged by the policy, in OpenAI's shape, with our categories beside its own."""

from __future__ import annotations

import io
import secrets
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from assay import banking
from assay.api import meters
from assay.api.auth import require
from assay.api.bodies import Text, _Body, body_at_once, documented_body
from assay.api.context import Context, Here
from assay.api.desks import all_of, ask, desks_of, policy_for
from assay.api.errors import COMMON, ApiError, documented
from assay.api.uploads import data_of, suffix_of
from assay.assemble import quarantine
from assay.evidence import evidence_of
from assay.fetching import Bounds, fetch
from assay.moderating import Entry, Malformed, PictureAsk, TextAsk, moderate, read_input
from assay.outcome import Outcome
from assay.tenants import Caller
from safety import Decision, Examination, Policy, Stage

router = APIRouter(prefix="/v1", tags=["moderations"], responses=COMMON)

_PICTURES = {"png", "jpg", "webp", "gif"}
_PART = {
    "oneOf": [
        {
            "type": "object",
            "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
            "required": ["type", "text"],
        },
        {
            "type": "object",
            "properties": {
                "type": {"const": "image_url"},
                "image_url": {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]},
            },
            "required": ["type", "image_url"],
        },
    ]
}
_INPUT = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "minItems": 1, "items": {"type": "string"}},
        {"type": "array", "minItems": 1, "items": _PART},
    ]
}


class Asked(_Body):
    """`POST /v1/moderations`. `model` is taken for the sake of clients; which models look is the server's to say."""

    input: Annotated[Any, Field(json_schema_extra=_INPUT)]
    model: Annotated[Text, Field(max_length=120)] | None = None
    require_complete: bool = True  # False: a category that no model here evaluates does not flag by itself
    user: Annotated[Text, Field(max_length=200)] | None = None
    safety_identifier: Annotated[Text, Field(max_length=200)] | None = None


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Safety(_Open):
    """What the policy decided, and what nobody looked at: by kind of input, category -> why."""

    decision: str
    complete: bool
    not_evaluated: dict[str, dict[str, str]]
    reasons: list[dict[str, Any]]
    posture: list[dict[str, Any]]
    policy: dict[str, str]
    quarantined: list[str]


class Moderation(_Open):
    """One answer. A category that nobody looked at is null, not false."""

    flagged: bool
    categories: dict[str, bool | None]
    category_scores: dict[str, float | None]
    category_applied_input_types: dict[str, list[str]]
    safety: Safety


class Moderations(_Open):
    """The answers, in the order of the input."""

    id: str
    model: str
    results: list[Moderation]


@router.post(
    "/moderations", response_model=Moderations, responses=documented(415), openapi_extra=documented_body(Asked)
)
async def create_moderation(
    here: Here,
    caller: Annotated[Caller, Depends(require("moderations"))],
    asked: Annotated[Asked, Depends(body_at_once(Asked))],
) -> Any:
    """Judge texts and pictures by the policy; one answer for each string, one for a multimodal array."""
    id = f"modr-{secrets.token_hex(12)}"
    try:
        entries = read_input(asked.input)
    except Malformed as error:
        raise ApiError(400, "invalid_value", str(error), error.param) from error
    policy = await policy_for(here, caller, id)
    pictures = [await _pictures(here, entry, policy) for entry in entries]
    seen = await _seen(here, entries, pictures, policy)
    answers = []
    for entry, shown, one in zip(entries, pictures, seen, strict=True):
        decisions: list[Decision] = []
        answer = moderate(entry, policy, one, require_complete=asked.require_complete, note=decisions.extend)
        meters.decided("moderation", decisions)
        outcome = Outcome(id, tuple(decisions), one)
        answer["safety"]["quarantined"] = await run_in_threadpool(_seal, here, outcome, shown) if shown else []
        answers.append(answer)
    return {"id": id, "model": f"assay-{policy.id}-{policy.version}", "results": answers}


async def _seen(
    here: Context, entries: Sequence[Entry], pictures: Sequence[Sequence[PictureAsk]], policy: Policy
) -> list[Examination]:
    """What was said of each entry: its texts in the batches of all clients, its pictures one by one."""
    desks, wanted = desks_of(here), policy.categories_for(Stage.PROMPT)
    texts = [[TextAsk(item, text, wanted) for item, text in entry.text_items] for entry in entries]
    flat = [one for some in texts for one in some]
    shown = [one for some in pictures for one in some]
    futures = ask(desks.texts, "texts", *flat, weight=sum(len(one.text) for one in flat)) if flat else []
    try:
        looking = ask(desks.pictures, "pictures", *shown) if shown else []
    except ApiError:
        for future in futures:
            future.cancel()
        raise
    answers = iter(await all_of([*futures, *looking]))
    read = [[next(answers) for _ in some] for some in texts]
    looked = [[next(answers) for _ in some] for some in pictures]
    return [sum((*a, *b), start=Examination()) for a, b in zip(read, looked, strict=True)]


async def _pictures(here: Context, entry: Entry, policy: Policy) -> list[PictureAsk]:
    if not entry.pictures:
        return []
    content = [await run_in_threadpool(_content, here, url) for url in entry.pictures]
    return [PictureAsk.of(number, each, policy) for number, each in enumerate(content, 1)]


def _content(here: Context, url: str) -> bytes:
    """The bytes of one picture; a format that is none, and a URL where none are fetched, is the client's fault."""
    serving, param = here.settings.serve, "input.image_url"
    if url.startswith("data:"):
        content = data_of(url, param)
    elif not serving.fetch_urls:
        raise ApiError(400, "urls_not_fetched", f"{param}: this server fetches no URLs; send a data: URL", param)
    else:
        target = io.BytesIO()
        fetch(url, target, Bounds(serving.max_moderation_bytes))
        content = target.getvalue()
    if suffix_of(content[:64]) not in _PICTURES:
        raise ApiError(400, "invalid_file", f"{param}: its content is none of {', '.join(sorted(_PICTURES))}", param)
    return content


def _seal(here: Context, outcome: Outcome, shown: Sequence[PictureAsk]) -> list[str]:
    """Ids of sealed evidence: pictures of the worst are kept for who must report them, and shown to nobody."""
    if not banking.is_worst(outcome, here.settings):
        return []
    kept = quarantine(here.settings)
    return [kept.put(evidence_of(outcome, "moderation", one.item.id), one.content) for one in shown]
