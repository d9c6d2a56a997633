"""Who writes a short prompt out before it is made: the grammar of the embedded world, or a chat model. The spine judges
and keeps both texts.
"""

from __future__ import annotations

from generator import GenerationError
from safety import ChatEndpoint, ChatError

_LONGEST = 1000  # characters of an expanded prompt
_INSTRUCTIONS = """\
You write prompts for a video generator. The user message is a short prompt. Answer with one JSON object
{"prompt": TEXT} where TEXT says the same scene in one to three sentences: subject, what it does, place, light, camera.
Keep every word of meaning that the user gave, in the user's language; invent no person, brand, character or artist.
"""
_SHAPE = {
    "type": "object",
    "properties": {"prompt": {"type": "string", "minLength": 1, "maxLength": _LONGEST}},
    "required": ["prompt"],
    "additionalProperties": False,
}


class ChatRecaptioner:
    """Implements `generator.Recaptioner` by any OpenAI-compatible chat endpoint."""

    def __init__(self, endpoint: ChatEndpoint) -> None:
        self._endpoint = endpoint
        self.name = f"chat {endpoint.model}"

    def expand(self, prompt: str, seed: int) -> str:
        """The detailed prompt; GenerationError where the endpoint gave none. The seed is not the endpoint's to keep."""
        messages = [{"role": "system", "content": _INSTRUCTIONS}, {"role": "user", "content": prompt}]
        try:
            text = self._endpoint.ask(messages, _SHAPE).get("prompt")
        except ChatError as error:
            raise GenerationError(f"the prompt could not be written out: {error}") from error
        if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST:
            raise GenerationError(f"the prompt could not be written out: {self.name} answered no prompt")
        return text.strip()
