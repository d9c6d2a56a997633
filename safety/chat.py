"""One question to an OpenAI-compatible chat endpoint, answered by JSON of a given schema, or not answered at all.

For judges that run elsewhere: a guard that reads texts, a vision model that looks at pictures. Whatever is not a JSON
object of the form asked for (a refusal, prose, a cut-off reply, an error page, a redirect, a slow or an endless body)
is a `ChatError`: nobody answered. Needs httpx.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from safety.errors import ModelUnavailable

_REPLY_BYTES = 1 << 20  # a judge's JSON is a few hundred bytes; an endless body is not read to its end
_QUOTED = 160


class ChatError(Exception):
    """Nobody answered: says which endpoint, and why."""


@dataclass(frozen=True)
class ChatEndpoint:
    """Where a judge is asked.

    url          of the server's OpenAI-compatible base, e.g. `http://judge:8000/v1`
    model        as the server names it
    api_key_env  name of the environment variable that holds the key; None where the server asks for none
    timeout_s    for the whole answer
    """

    url: str
    model: str
    api_key_env: str | None = None
    timeout_s: float = 20.0

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ModelUnavailable(f"{self.url!r} is no http(s) address of a chat endpoint")
        if self.timeout_s <= 0:
            raise ModelUnavailable(f"a time-out of {self.timeout_s} s: must be above 0")

    def ask(self, messages: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that the model answers; temperature 0, and the schema as `response_format`.

        Only that it is one JSON object is looked at here; its fields are the caller's. Raises ChatError.
        """
        body = {
            "model": self.model,
            "messages": list(messages),
            "temperature": 0,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": schema},
            },
        }
        reply = _json(self._post(body), "its reply is not JSON")
        try:
            choice = reply["choices"][0]
            content, ended = choice["message"]["content"], choice.get("finish_reason")
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ChatError(f"{self.url}: its reply is no chat completion ({error!r})") from error
        if ended not in (None, "stop"):
            raise ChatError(f"{self.url}: the answer ended by {ended!r}")
        if not isinstance(content, str):
            raise ChatError(f"{self.url}: {self.model} answered without text")
        answer = _json(content, f"{self.model} did not answer in JSON")
        if not isinstance(answer, dict):
            raise ChatError(f"{self.url}: {self.model} answered {content[:_QUOTED]!r}, not one JSON object")
        return answer

    def _post(self, body: Mapping[str, Any]) -> bytes:
        httpx = _httpx()
        headers = {}
        if self.api_key_env is not None:
            key = os.environ.get(self.api_key_env)
            if not key:
                raise ModelUnavailable(f"the environment variable {self.api_key_env} holds no key for {self.url}")
            headers["authorization"] = f"Bearer {key}"
        until = time.monotonic() + self.timeout_s
        read = bytearray()
        try:
            with httpx.stream(
                "POST", f"{self.url.rstrip('/')}/chat/completions", json=body, headers=headers,
                timeout=self.timeout_s, follow_redirects=False, trust_env=False,
            ) as response:  # fmt: skip
                for chunk in response.iter_bytes(65536):
                    read += chunk
                    if len(read) > _REPLY_BYTES or time.monotonic() > until:
                        raise ChatError(f"{self.url}: its reply is longer than {_REPLY_BYTES} bytes or too slow")
                if response.status_code != 200:
                    raise ChatError(f"{self.url}: HTTP {response.status_code} {bytes(read[:_QUOTED])!r}")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ChatError(f"{self.url}: {type(error).__name__}: {error}") from error
        return bytes(read)


def probability(value: object) -> float:
    """A probability that a judge wrote; ChatError for everything that is not a number in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ChatError(f"answered {value!r:.80} where a number from 0 to 1 was asked for")
    if not 0.0 <= value <= 1.0:
        raise ChatError(f"answered {value} where a number from 0 to 1 was asked for")
    return float(value)


def _json(raw: str | bytes, fault: str) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ChatError(f"{fault}: {raw[:_QUOTED]!r}") from error


def _httpx() -> Any:
    try:
        import httpx
    except ImportError as error:
        raise ModelUnavailable("a chat endpoint needs httpx: pip install 'assay-video[chat]'") from error
    return httpx
