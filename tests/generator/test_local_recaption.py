"""Re-captioning by a language model: a tiny one, built, trained for seconds, saved and loaded; and a chat endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from guard_toys import REPLIES, build

from generator import GenerationError, GeneratorUnavailable, LocalRecaptioner


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chat model that answers with a few words, whatever it is asked."""
    return build("qwen3guard", tmp_path_factory.mktemp("writer"))


def test_a_saved_model_writes_a_prompt_out(writer: Path) -> None:
    """What the model writes comes back as text, the same for the same prompt."""
    made = LocalRecaptioner(str(writer))
    text = made.expand("a big zorp at night", 0)
    assert text == made.expand("a big zorp at night", 1)
    assert text.startswith(REPLIES["qwen3guard"][1].split()[0])
    assert made.name == f"local {writer.name}"


def test_a_model_that_is_not_there_or_writes_nothing_is_an_error(
    writer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing folder says what to give; an empty answer is no prompt."""
    with pytest.raises(GeneratorUnavailable, match="safetensors"):
        LocalRecaptioner(str(tmp_path / "none"))
    made = LocalRecaptioner(str(writer))

    class Mute:
        def __getattr__(self, name: str) -> Any:
            return getattr(tokenizer, name)

        def decode(self, *_: Any, **__: Any) -> str:
            return "  "

    tokenizer = made._tokenizer
    monkeypatch.setattr(made, "_tokenizer", Mute())
    with pytest.raises(GenerationError, match="could not be written out"):
        made.expand("a ball", 0)
