"""The prompt stage: the policy, the classifiers of texts, and every text of a request. `assay prompt` needs no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assay.request import Request
from safety import Examination, Item, Policy, PromptClassifier, Stage, examine_text

_WHOLE = 20_000  # characters of a joined request; parts are judged in full, the joint only shows what they say together


@dataclass(frozen=True)
class Texts:
    """Every text that one request brings: its prompts in the order of the video, and what stands beside them.

    `rewritten` is what a rewriter made of a prompt and the generator is given; `shown` is what was read in the pictures
    that the request brings along, which a generator may draw as well.
    """

    prompts: tuple[str, ...]
    negative: str | None = None
    rewritten: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()

    def items(self) -> Iterator[tuple[Item, str]]:
        """Each text with the item that it is judged as; the prompts once more as one, where there are several."""
        for id, text in (*_numbered("prompt", self.prompts), *_numbered("rewritten-prompt", self.rewritten)):
            yield Item.text(Stage.PROMPT, id, text), text
        for name, parts in (("prompts-together", self.prompts), ("rewritten-together", self.rewritten)):
            if len(parts) > 1:
                whole = joined(parts)
                yield Item.text(Stage.PROMPT, name, whole), whole
        for id, text in _numbered("text-in-image", self.shown):
            if text.strip():
                yield Item.text(Stage.PROMPT, id, text), text
        if self.negative:
            yield Item.text(Stage.NEGATIVE_PROMPT, "negative-prompt", self.negative), self.negative


@dataclass(frozen=True)
class PromptStage:
    """The policy, and who reads texts for it."""

    policy: Policy
    classifiers: Sequence[PromptClassifier]

    def read_text(self, item: Item, text: str) -> Examination:
        """One text, judged for the categories that the policy speaks of at its stage."""
        return examine_text(item, text, self.classifiers, self.policy.categories_for(item.stage))

    def read_texts(self, texts: Texts) -> Examination:
        """Every text of a request, each alone and the prompts together: steps may be innocent one by one."""
        seen = Examination()
        for item, text in texts.items():
            seen += self.read_text(item, text)
        return seen

    def read(self, request: Request) -> Examination:
        """Every text of the request: what was written, what came of it, and the negative prompt by rules of its own."""
        return self.read_texts(Texts(request.prompts, request.negative_prompt, request.written_out))


def joined(parts: Sequence[str]) -> str:
    """Prompts as one text, a sentence each; of very long ones the beginnings, in equal shares."""
    share = max(1, _WHOLE // len(parts))
    cut = [part.strip()[:share] for part in parts]
    return " ".join(part if part.endswith((".", "!", "?", "。")) else f"{part}." for part in cut if part)


def _numbered(name: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    return [(name if len(texts) == 1 else f"{name}-{number}", text) for number, text in enumerate(texts, 1)]
