"""Taking a request for a video in: how much, what it brings along, whether its words pass, and into the queue."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.api.auth import pseudonyms
from assay.api.context import Context
from assay.api.errors import ApiError
from assay.api.objects import moderation_details, safety
from assay.api.standing import acting, count_refusal, refuse_cooling
from assay.api.uploads import digest_of
from assay.jobs.asking import Asked
from assay.jobs.queue import NewJob, Queue
from assay.ledger import JobRow, State, new_id
from assay.request import Request
from assay.tenants import Caller
from generator import GenerationRequest

_LONGEST_KEY = 255


@dataclass(frozen=True)
class Wish:
    """What a client wants.

    inputs  brings files along: given the job's folder, it returns the request's `image` or `video` and what is known
            of its length and size
    """

    prompt: str
    model: str | None = None
    seconds: float | None = None
    size: tuple[int, int] | None = None
    seed: int | None = None
    negative_prompt: str | None = None
    storyboard: tuple[tuple[float, str], ...] = ()
    expand: bool = False
    preview: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)  # further fields of Request
    wire: Mapping[str, Any] = field(default_factory=dict)
    inputs: Callable[[Path], dict[str, Path]] | None = None
    end_user: str | None = None
    parent: str | None = None


def take_in(here: Context, caller: Caller, wish: Wish, idempotency_key: str | None) -> JobRow:
    """The new job's row, or that of the job that the same key made before. Raises ApiError for every refusal."""
    queue = Queue(here.ledger, here.settings.serve)
    key = _key(caller, idempotency_key)
    wish_digest = ""
    job = new_id("job")
    folder = here.settings.videos / job
    try:
        request = _request(wish, folder)
        wish_digest = _digest(wish, request)
        if key is not None and (known := queue.by_key(key)) is not None:
            return _same(known, wish_digest)
        here.limiter.job(caller)
        names = pseudonyms(here, caller.tenant, wish.end_user) or tuple(
            name for name in (caller.actor, *caller.former) if name
        )
        actor, policy = names[0] if names else None, acting(here, caller, job)
        refuse_cooling(here, caller.tenant, names, policy)
        _ask(here, Asked(request, caller.tenant, actor, policy))
        new = NewJob(
            job, caller.tenant, request, _wire(wish, here) | {"digest": wish_digest}, actor=actor,
            policy=policy, parent=wish.parent, idempotency_key=key,
        )  # fmt: skip
        if queue.add(new, lambda session: here.limiter.room(session, caller)):
            folder = None  # type: ignore[assignment]  # the job's from here on
            return here.ledger.job(job)
        assert key is not None
        known = queue.by_key(key)
        assert known is not None
        return _same(known, wish_digest)
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _request(wish: Wish, folder: Path) -> Request:
    """The request in the spine's terms, its files in the job's folder. Raises InvalidRequest, a usage error."""
    defaults = GenerationRequest(
        prompt=wish.prompt, negative_prompt=wish.negative_prompt, storyboard=wish.storyboard,
        **{name: value for name in ("seconds", "size", "seed") if (value := getattr(wish, name)) is not None},
    )  # fmt: skip
    files: dict[str, Any] = dict(wish.inputs(folder)) if wish.inputs else {}
    return Request(
        prompt=wish.prompt, destination=folder / "video.mp4", negative_prompt=wish.negative_prompt,
        size=wish.size, seconds=wish.seconds, seed=defaults.seed, storyboard=wish.storyboard, expand=wish.expand,
        preview=wish.preview, **files, **wish.extra,
    )  # fmt: skip


def _ask(here: Context, asked: Asked) -> None:
    """Raises the refusal of the prompt stage, before anything is queued or billed."""
    refused = here.asker.call("ask", asked)
    if refused is None:
        return
    raise blocked(here, refused, asked.policy, "prompt")


def blocked(here: Context, refused: Mapping[str, Any], policy: str | None, param: str) -> ApiError:
    """The answer to a request that was refused before anything was made of it; it counts against its actor."""
    count_refusal(here, refused["job"], policy)
    said = safety(refused["decisions"], refused["posture"], word="block")
    more = {
        "moderation_details": moderation_details(refused["decisions"]),
        "safety": said | {"neutralised": refused["neutralised"], "record": refused["job"]},
    }
    return ApiError(400, "moderation_blocked", said["statement"], param, "invalid_request_error", more)


def _wire(wish: Wish, here: Context) -> dict[str, Any]:
    """What the client's own words were, or what stands where it said nothing."""
    defaults = GenerationRequest(prompt="-")
    width, height = wish.size or defaults.size
    shown = {"model": wish.model or here.settings.backend, "seconds": f"{wish.seconds or defaults.seconds:g}"}
    return {**shown, "size": f"{width}x{height}", **wish.wire}


def _key(caller: Caller, given: str | None) -> str | None:
    """The idempotency key with the tenant in it, so that tenants cannot meet each other's."""
    if not given:
        return None
    if len(given) > _LONGEST_KEY:
        raise ApiError(400, "invalid_value", f"Idempotency-Key: at most {_LONGEST_KEY} characters", "Idempotency-Key")
    return f"{caller.tenant}:{hashlib.sha256(given.encode()).hexdigest()}"


def _digest(wish: Wish, request: Request) -> str:
    """Of everything that was asked for, files by their content."""
    stated = request.to_json() | {"destination": None}
    stated |= {name: digest_of(path) if (path := getattr(request, name)) else None for name in ("image", "video")}
    return hashlib.sha256(json.dumps([stated, wish.model, dict(wish.wire)], sort_keys=True).encode()).hexdigest()


def _same(known: JobRow, digest: str) -> JobRow:
    if (known.wire or {}).get("digest") != digest:
        raise ApiError(409, "idempotency_mismatch", "this Idempotency-Key was used for another request before")
    if known.deleted is not None:
        raise ApiError(409, "idempotency_deleted", "the video of this Idempotency-Key was deleted")
    return known


def is_ready(row: JobRow) -> bool:
    """True where its video may be served or built upon."""
    return row.state == State.COMPLETED and row.action == "allow" and row.asset is not None
