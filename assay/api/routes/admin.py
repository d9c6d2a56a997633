"""Administration: policies at run time, emergency rules, take-downs, legal holds, and the audit chain's checkpoint.

Every route needs the scope `admin`; who ordered what, under a pseudonym, and why, stands in the audit chain.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from assay import banking, emergency, rollout, shadow, withdrawal
from assay.api.context import Context, Here
from assay.api.errors import COMMON, ApiError, documented, not_found
from assay.api.ordering import Admin, Because, Strict, answered, name_of, order
from assay.auditing.sealing import remembered, waiting
from assay.tenants import Caller
from safety import CorruptRecord, Policy, PolicyError, lint

router = APIRouter(prefix="/v1/admin", tags=["admin"], responses=COMMON)

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PolicyBody(Strict):
    """A policy to keep: a document, its YAML, or the name of a shipped one. Keeping it lets nothing act."""

    document: dict[str, Any] | None = None
    yaml: Annotated[str, Field(max_length=1 << 20)] | None = None
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)] | None = None


class RolloutBody(Strict):
    """What counts from now on, for one tenant or for all."""

    acting: Digest | None = None
    candidate: Digest | None = None
    percent: Annotated[float, Field(ge=0, le=100)] = 0.0
    shadows: Annotated[tuple[Digest, ...], Field(max_length=8)] = ()
    tenant: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] | None = None


class EmergencyBody(Because):
    """A rule that every policy has from now on."""

    stage: str
    category: str
    threshold: Annotated[float, Field(ge=0, le=1)]
    action: Annotated[str, Field(pattern="^(review|block)$")] = "block"
    source: Annotated[str, Field(max_length=200)] | None = None
    take_down: bool = True


class HoldBody(Because):
    """A matter for which a video is kept."""

    matter: Annotated[str, Field(min_length=1, max_length=200)]


@router.get("/policies")
def list_policies(here: Here, _: Admin) -> dict[str, Any]:
    """What is kept, what acts, what watches, and how often those that watch would have decided otherwise."""
    now = rollout.current(here.ledger)
    return {
        "settings": banking.policy(here.settings).ref,
        "rollout": {**vars(now), "shadows": list(now.shadows)},
        "kept": rollout.known(here.ledger),
        "shadows": [vars(one) for one in shadow.comparisons(here.ledger)],
        "history": [
            {"tenant": row.tenant, "by": row.by, "made": f"{row.made.isoformat()}Z", **row.body}
            for row in rollout.history(here.ledger)
        ],
    }


@router.post("/policies")
def keep_policy(here: Here, _: Admin, asked: PolicyBody) -> dict[str, Any]:
    """Keep a policy under its digest, after its linting; a roll-out may then name it."""
    policy = _policy(asked)
    findings = lint(policy)
    if any(finding.severity == "error" for finding in findings):
        faults = "; ".join(f"{finding.where}: {finding.message}" for finding in findings if finding.severity == "error")
        raise ApiError(400, "invalid_policy", faults[:2_000])
    rollout.keep(here.ledger, here.settings.policies, policy)
    return {**policy.ref, "findings": [finding.to_json() for finding in findings]}


@router.post("/policies/rollout")
def roll_out_policy(here: Here, caller: Admin, asked: RolloutBody) -> dict[str, Any]:
    """Put a roll-out in force: which policy acts, which for a share of requests, which only watch."""
    wanted = rollout.Rollout(asked.acting, asked.candidate, asked.percent, asked.shadows)
    return _rolled(here, caller, wanted, asked.tenant)


@router.post("/policies/reload")
def reload_policy(here: Here, caller: Admin) -> dict[str, Any]:
    """Read the policy of the settings again, from its file, and let it act; what shadows there are stay."""
    try:
        policy = Policy.load(here.settings.policy)
    except PolicyError as error:
        raise ApiError(400, "invalid_policy", str(error)[:2_000]) from error
    digest = rollout.keep(here.ledger, here.settings.policies, policy)
    now = rollout.current(here.ledger)
    return _rolled(here, caller, rollout.Rollout(digest, now.candidate, now.percent, now.shadows), None)


@router.get("/emergency")
def list_emergency_rules(here: Here, _: Admin) -> dict[str, Any]:
    """Every emergency rule, lifted ones too, and what came of each over the released."""
    shown = []
    for row in emergency.rules(here.ledger, lifted=True):
        came: dict[str, int] = {}
        for swept in emergency.sweeps(here.ledger, row.id):
            came[swept.came] = came.get(swept.came, 0) + 1
        lifted = f"{row.lifted.isoformat()}Z" if row.lifted else None
        shown.append({"id": row.id, **row.body, "reason": row.reason, "by": row.by, "lifted": lifted, "swept": came})
    return {"object": "list", "data": shown}


@router.post("/emergency")
def declare_emergency(here: Here, caller: Admin, asked: EmergencyBody) -> dict[str, Any]:
    """Put a rule in force with the next decision, and run it over what was released, from stored scores at once.

    What must be scanned again is scanned by the housekeeper; `GET /v1/admin/emergency` says how far it is.
    """
    rule = emergency.EmergencyRule(**asked.model_dump(exclude={"reason"}))
    try:
        id = emergency.declare(here.ledger, banking.policy(here.settings), rule, order(here, caller, asked))
    except PolicyError as error:
        raise ApiError(400, "invalid_rule", str(error)[:2_000]) from error
    return {"id": id, "swept": vars(emergency.sweep(here.ledger))}


@router.post("/emergency/{id}/lift")
def lift_emergency(here: Here, caller: Admin, id: str, asked: Because) -> dict[str, Any]:
    """End a rule. What it took down stays down."""
    with answered("emergency rule", id):
        emergency.lift(here.ledger, id, order(here, caller, asked))
    return {"id": id, "lifted": True}


@router.get("/emergency/{id}/sweep")
def show_sweep(here: Here, _: Admin, id: str) -> dict[str, Any]:
    """What came of a rule over each released video."""
    rows = emergency.sweeps(here.ledger, id)
    shown = [{"job": row.job, "came": row.came, "by": row.by, "why": row.why} for row in rows]
    return {"object": "list", "data": shown}


@router.post("/videos/{id}/takedown")
def take_down_video(here: Here, caller: Admin, id: str, asked: Because) -> dict[str, Any]:
    """End the serving of a video at once and delete its files, unless it is on legal hold."""
    with answered("video", id):
        fresh = withdrawal.take_down(here.ledger, id, order(here, caller, asked))
    down = withdrawal.withdrawn(here.ledger, id)
    return {"id": id, "taken_down": True, "again": not fresh, "erased": bool(down and down.erased)}


@router.get("/videos/{id}/holds")
def list_holds(here: Here, _: Admin, id: str) -> dict[str, Any]:
    """The legal holds of a video."""
    return {"object": "list", "data": [_hold(row) for row in withdrawal.holds(here.ledger, id)]}


@router.post("/videos/{id}/holds")
def hold_video(here: Here, caller: Admin, id: str, asked: HoldBody) -> dict[str, Any]:
    """Keep a video for a matter: from now on nothing deletes it."""
    with answered("video", id):
        return {"id": withdrawal.hold(here.ledger, id, asked.matter, order(here, caller, asked)), "video": id}


@router.post("/holds/{id}/release")
def release_hold(here: Here, caller: Admin, id: str, asked: Because) -> dict[str, Any]:
    """End one hold; the video may be deleted once none is left."""
    with answered("hold", id):
        withdrawal.release(here.ledger, id, order(here, caller, asked))
    return {"id": id, "released": True}


@router.get("/audit/checkpoint", responses=documented(404))
def last_checkpoint(here: Here, _: Admin) -> dict[str, Any]:
    """The last signed checkpoint of the audit chain, to be kept elsewhere, and how much waits for the next."""
    kept = remembered(here.settings.audit)
    if not kept:
        raise not_found("checkpoint", "last")
    return {"checkpoint": kept[-1].to_json(), "waiting": waiting(here.ledger)}


def _policy(asked: PolicyBody) -> Policy:
    given = [each for each in (asked.document, asked.yaml, asked.name) if each is not None]
    if len(given) != 1:
        raise ApiError(400, "invalid_value", "send exactly one of document, yaml and name")
    try:
        if asked.name is not None:
            return Policy.load(asked.name)
        if asked.yaml is not None:
            return Policy.parse(asked.yaml, "the policy sent")
        return Policy.from_document(asked.document, "the policy sent")
    except PolicyError as error:
        raise ApiError(400, "invalid_policy", str(error)[:2_000]) from error


def _rolled(here: Context, caller: Caller, wanted: rollout.Rollout, tenant: str | None) -> dict[str, Any]:
    try:
        rollout.roll_out(here.ledger, here.settings.policies, wanted, name_of(here, caller), tenant)
    except CorruptRecord as error:
        raise ApiError(400, "unknown_policy", "a policy of that digest is not kept here; keep it first") from error
    return {**vars(wanted), "shadows": list(wanted.shadows), "tenant": tenant}


def _hold(row: withdrawal.HoldRow) -> dict[str, Any]:
    released = f"{row.released.isoformat()}Z" if row.released else None
    return {"id": row.id, "matter": row.matter, "by": row.by, "made": f"{row.made.isoformat()}Z", "released": released}
