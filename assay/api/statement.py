"""A decision in words that whoever asked for the video can read: what, where, by which rule, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_PLACES = {
    "prompt": "in the prompt", "negative prompt": "in the negative prompt", "input image": "in the picture you sent",
    "input video": "in the video you sent", "frame": "in the video that was made", "file": "in the file that was made",
}  # fmt: skip
_ABSENT = {
    "failed": "could not be evaluated, because a model failed",
    "unsupported": "could not be evaluated for this content",
    "not_configured": "is not evaluated by this installation",
}
_MOST = 5  # reasons told; the object has them all


def statement(action: str | None, reasons: Sequence[Mapping[str, Any]], policy: Mapping[str, Any] | None) -> str | None:
    """The statement; None where nothing was decided yet."""
    if action is None:
        return None
    if action == "allow":
        return "Nothing was found that the policy does not allow." + _cited(policy)
    grave = [reason for reason in reasons if reason["action"] == action] or list(reasons)
    told = list(dict.fromkeys(_reason(reason) for reason in grave))
    began = "This was refused" if action == "block" else "A person must look at this before it can go on"
    more = f" and {len(told) - _MOST} more" if len(told) > _MOST else ""
    return f"{began}: {'; '.join(told[:_MOST])}{more}." + _cited(policy)


def _reason(reason: Mapping[str, Any]) -> str:
    place = _PLACES.get(reason["stage"], f"at stage {reason['stage']}")
    if reason["absence"] is not None:
        return f"{reason['category']} {place} {_ABSENT.get(reason['absence'], 'was not evaluated')}"
    words = f"{reason['category']} {place}"
    if reason.get("start_s") is not None:
        words += f", from {reason['start_s']:.1f} s to {reason['end_s']:.1f} s"
    elif reason.get("span"):
        words += f", at characters {reason['span'][0]} to {reason['span'][1]}"
    return f"{words} (rule {reason['rule']})"


def _cited(policy: Mapping[str, Any] | None) -> str:
    return f" Decided under policy {policy['id']}@{policy['version']}." if policy else ""
