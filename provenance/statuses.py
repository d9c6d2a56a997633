"""A correction of what the library reports: who may stamp the time may not therefore sign claims.

In 0.38 a trust anchor of kind `tsa` also makes claim signers trusted. Its report says under which list it found a
signer; only those found in ours for claims stay trusted, and whatever it does not say is taken as the worse case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provenance.credentials import TRUSTED_CODE, UNTRUSTED_CODE
from provenance.trust import CLAIM_STORE

_ALLOWED_LIST = ""  # certificates that are allowed one by one are in a list without a name
Report = Mapping[str, Any]  # as parsed from JSON


def trusting_only_claim_signers(report: Report) -> Report:
    """The report with every signer untrusted whom only a time-stamp authority's anchor vouches for."""
    validation = report.get("validation_results")
    if not isinstance(validation, dict):
        return report
    active, moved = _corrected(validation.get("activeManifest"))
    deltas = validation.get("ingredientDeltas")
    corrected: dict[str, Any] = {**validation, "activeManifest": active}
    if isinstance(deltas, list):
        corrected["ingredientDeltas"] = [
            {**each, "validationDeltas": _corrected(each.get("validationDeltas"))[0]}
            for each in deltas
            if isinstance(each, dict)
        ]
    state = report.get("validation_state")
    state = "Valid" if moved and state == "Trusted" else state
    return {**report, "validation_results": corrected, "validation_state": state}


def _corrected(group: Any) -> tuple[Any, bool]:
    """A group of statuses with such trust turned into its opposite, and whether there was any."""
    if not isinstance(group, dict) or not isinstance(group.get("success"), list):
        return group, False
    wrong = [each for each in group["success"] if _trusted_elsewhere(each)]
    found = group.get("failure")
    failures = found if isinstance(found, list) else []
    return {
        **group,
        "success": [each for each in group["success"] if each not in wrong],
        "failure": [*failures, *({**each, "code": UNTRUSTED_CODE} for each in wrong)],
    }, bool(wrong)


def _trusted_elsewhere(status: Any) -> bool:
    if not isinstance(status, dict) or status.get("code") != TRUSTED_CODE:
        return False
    return not any(f"[{name}]" in str(status.get("explanation")) for name in (CLAIM_STORE, _ALLOWED_LIST))
