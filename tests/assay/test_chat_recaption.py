"""Prompts written out by a chat endpoint: what it answers is used and judged; what is no prompt is an error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from assay.recaptioning import ChatRecaptioner
from generator import GenerationError
from safety import ChatEndpoint, ChatError


def endpoint(monkeypatch: pytest.MonkeyPatch, answer: Any) -> ChatEndpoint:
    def ask(self: ChatEndpoint, messages: Any, schema: Any) -> Any:
        assert json.dumps(schema)
        assert messages[-1] == {"role": "user", "content": "a red ball"}
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(ChatEndpoint, "ask", ask)
    return ChatEndpoint("http://127.0.0.1:9/v1", "writer")


def test_what_the_endpoint_writes_is_the_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint's text is taken, without the spaces around it."""
    made = ChatRecaptioner(endpoint(monkeypatch, {"prompt": " A red ball rolls over wet sand. "}))
    assert made.expand("a red ball", 0) == "A red ball rolls over wet sand."
    assert made.name == "chat writer"


@pytest.mark.parametrize(
    "answer", [{}, {"prompt": " "}, {"prompt": 3}, {"prompt": "x" * 1001}, ChatError("gone")],
    ids=["nothing", "empty", "a number", "endless", "unreachable"],
)  # fmt: skip
def test_what_is_no_prompt_is_an_error(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    """No answer is not the user's own prompt in silence: the job ends with an error."""
    with pytest.raises(GenerationError, match="could not be written out"):
        ChatRecaptioner(endpoint(monkeypatch, answer)).expand("a red ball", 0)
