"""Webhooks: how an event is signed, and how a receiver knows that it is ours. Nothing here touches the network.

The signature is that of the Standard Webhooks, which the OpenAI client verifies: HMAC-SHA-256 over id, time-stamp and
body, under a secret written `whsec_<base64>`.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from media import AssayError, UsageError

PREFIX = "whsec_"
TOLERANCE_S = 300.0  # between the sender's clock and the receiver's: what is older may be a replay


class WebhookRefused(AssayError):
    """The request is not from who holds the secret, was changed, or is too old; it must not be acted on."""


def new_secret() -> str:
    """A secret of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def key_of(secret: str) -> bytes:
    """The bytes of a secret; UsageError where it is none."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError(f"a webhook secret reads {PREFIX}<base64>") from error
    if not secret.startswith(PREFIX) or len(key) < 24:
        raise UsageError(f"a webhook secret reads {PREFIX}<base64>, of 24 bytes at least")
    return key


def headers(event: str, body: bytes, signers: tuple[str, ...], at: float) -> dict[str, str]:
    """The three headers, signed with each of the secrets: two while one replaces the other. `at` is in seconds."""
    stamp = str(int(at))
    signatures = " ".join(f"v1,{_signature(secret, event, stamp, body)}" for secret in signers)
    return {"webhook-id": event, "webhook-timestamp": stamp, "webhook-signature": signatures}


def verify(
    body: bytes, given: Mapping[str, str], secret: str, *, tolerance_s: float = TOLERANCE_S, now: float | None = None
) -> dict[str, Any]:
    """The event, once it is certain whose it is. `given` are the request's headers.

    Raises WebhookRefused. An event may be delivered more than once: act on each `webhook-id` once (`Seen`).
    """
    lower = {name.lower(): value for name, value in given.items()}
    try:
        event, stamp, signatures = (lower[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as error:
        raise WebhookRefused(f"the header {error.args[0]} is missing") from error
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 16):
        raise WebhookRefused("webhook-timestamp is no number of seconds")
    wanted = _signature(secret, event, stamp, body)
    versions = (each.partition(",") for each in signatures.split())
    if not any(
        version == "v1" and hmac.compare_digest(made.encode(), wanted.encode()) for version, _, made in versions
    ):
        raise WebhookRefused("the signature is not that of this secret")
    late = (time.time() if now is None else now) - int(stamp)
    if abs(late) > tolerance_s:
        raise WebhookRefused(f"the request is {abs(late):.0f} s {'old' if late > 0 else 'ahead'}; it may be a replay")
    try:
        content = json.loads(body)
    except ValueError as error:
        raise WebhookRefused("the body is no JSON") from error
    if not isinstance(content, dict) or content.get("id") != event:
        raise WebhookRefused("the body is not of the event that the header names")
    return content


@dataclass
class Seen:
    """Which events a receiver has acted on: each once, whatever is repeated. In memory; a service keeps a table."""

    most: int = 10_000

    def __post_init__(self) -> None:
        self._ids: dict[str, None] = {}

    def first(self, event: str) -> bool:
        """True the first time that an event is asked about."""
        if event in self._ids:
            return False
        self._ids[event] = None
        while len(self._ids) > self.most:
            self._ids.pop(next(iter(self._ids)))
        return True


def _signature(secret: str, event: str, stamp: str, body: bytes) -> str:
    signed = hmac.digest(key_of(secret), f"{event}.{stamp}.".encode() + body, "sha256")
    return base64.b64encode(signed).decode("ascii")
