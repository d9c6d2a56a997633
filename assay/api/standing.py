"""Under which policy a request is taken in, and whether its actor may ask at all."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from assay import banking, rollout, strikes
from assay.api.context import Context
from assay.api.errors import ApiError
from assay.ledger import now
from assay.rollout import RolloutRow
from assay.tenants import Caller
from safety import Policy

_GUARD = threading.Lock()


def acting(here: Context, caller: Caller, request_id: str) -> str | None:
    """The policy that acts for a request: a roll-out of the tenant's own, the tenant's policy, a roll-out for all."""
    own = select(RolloutRow.key).where(RolloutRow.tenant == caller.tenant).limit(1)
    with Session(here.ledger.engine) as session:
        of_tenant = session.scalars(own).first() is not None
    if caller.policy is not None and not of_tenant:
        return caller.policy
    return rollout.policy_name(here.ledger, here.settings.policies, request_id, caller.tenant) or caller.policy


def policy_of(here: Context, name: str | None) -> Policy:
    """A policy by its name or path, loaded once, and anew where a bank or an emergency rule has changed."""
    wanted = here.settings if name is None else here.settings.model_copy(update={"policy": name})
    state = banking.state(wanted)
    with _GUARD:
        kept: dict[str, tuple[object, Policy]] = here.parts.setdefault("acting policies", {})
        known = kept.get(wanted.policy)
    if known is None or known[0] != state:
        known = (state, banking.policy(wanted))
        with _GUARD:
            kept[wanted.policy] = known
    return known[1]


def refuse_cooling(here: Context, tenant: str, names: Sequence[str], policy: str | None) -> None:
    """Raises ApiError 429 `cool_down` while an actor's strikes ask for it; `names` are the actor's pseudonyms."""
    stands = strikes.standing(here.ledger, tenant, names, policy_of(here, policy).strikes)
    if stands.cooling and stands.until is not None:
        seconds = (stands.until - now()).total_seconds()
        words = f"too many refused requests ({stands.strikes}); nothing is accepted until {stands.until.isoformat()}Z"
        raise ApiError(429, "cool_down", words, retry_after_s=max(1.0, seconds))


def count_refusal(here: Context, job: str, policy: str | None) -> None:
    """Counts a refusal of what the actor asked for, where the policy that refused says so."""
    strikes.strike(here.ledger, job, policy_of(here, policy).strikes)
