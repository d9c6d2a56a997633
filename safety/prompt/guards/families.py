"""How each family of guards is asked, and how its answers are read. Data and parsing; no model is loaded here.

Two shapes exist. *One question a category* (ShieldGemma, Granite Guardian): the policy's definition goes in, Yes or No
comes out. *One question a text* (Llama Guard, Qwen3Guard): a word and the family's own names of risks come out, which
are mapped to our categories. In both, the value is the probability of the violating word against the innocent one at
the place where the word was written; a reply that is not of the documented form is no answer at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CONTROVERSIAL = 0.7  # between the thresholds of the shipped policies, review 0.5 and block 0.8


class Unparsable(ValueError):
    """The guard's reply is not of its documented form: nobody answered."""


@dataclass(frozen=True)
class Question:
    """One call of the guard: the conversation, arguments of its chat template, and what the answer speaks of."""

    categories: tuple[str, ...]
    messages: tuple[Mapping[str, Any], ...]
    template: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Family:
    """A family of guards.

    violating, innocent  the two words that a reply is decided by, as the model writes them
    form                 the whole reply must match; the group `word` holds the deciding word
    risks                the family's own name of a risk -> our categories; empty where it is asked category by category
    ask                  (text, our categories, definitions) -> questions
    named                the family's names of risks in a reply
    reply_tokens         length of the longest well-formed reply
    """

    name: str
    licence: str
    violating: str
    innocent: str
    form: re.Pattern[str]
    ask: Callable[[str, Sequence[str], Mapping[str, str]], list[Question]]
    risks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    named: Callable[[str], frozenset[str]] = lambda reply: frozenset()
    reply_tokens: int = 8

    def categories(self, definitions: Mapping[str, str]) -> tuple[str, ...]:
        """The categories of ours that the family can answer for, of those that have a definition."""
        if not self.risks:
            return tuple(definitions)
        known = {category for some in self.risks.values() for category in some}
        return tuple(category for category in definitions if category in known)

    def read(self, reply: str, probability: float, question: Question) -> dict[str, float]:
        """Our categories -> values, from a whole reply and the probability of the violating word.

        A risk that the reply does not name gets what is left: a guard that says "unsafe: S10" has looked at the others
        and not named them. Raises Unparsable.
        """
        match = self.form.fullmatch(reply.strip())
        if match is None:
            raise Unparsable(f"{self.name} answered {reply.strip()[:120]!r}")
        if not self.risks or match["word"].lower() == self.innocent.lower():
            return dict.fromkeys(question.categories, probability)
        if match["word"] == "Controversial":  # Qwen3Guard's middle level: for a person, never a block by itself
            probability = min(probability, CONTROVERSIAL)
        named = self.named(reply)
        ours = {category for risk in named for category in self.risks.get(risk, ())}
        return {c: probability if c in ours else min(probability, 1.0 - probability) for c in question.categories}


def _user(text: str) -> tuple[Mapping[str, Any], ...]:
    return ({"role": "user", "content": text},)


def _once(parts: bool) -> Callable[[str, Sequence[str], Mapping[str, str]], list[Question]]:
    """One question for all categories; parts: the template wants a list of typed parts."""

    def ask(text: str, categories: Sequence[str], definitions: Mapping[str, str]) -> list[Question]:
        content = [{"type": "text", "text": text}] if parts else text
        return [Question(tuple(categories), ({"role": "user", "content": content},))]

    return ask


def _by_guideline(text: str, categories: Sequence[str], definitions: Mapping[str, str]) -> list[Question]:
    """ShieldGemma: its template puts one guideline beside the text."""
    return [
        Question((name,), _user(text), {"guideline": f'"No {name}": The prompt shall not ask for: {definitions[name]}'})
        for name in categories
    ]


def _by_risk(text: str, categories: Sequence[str], definitions: Mapping[str, str]) -> list[Question]:
    """Granite Guardian: its template takes the definition of a risk of the deployment's own."""
    asked = []
    for name in categories:
        risk = {"risk_name": name, "risk_definition": f"The user message asks for: {definitions[name]}"}
        asked.append(Question((name,), _user(text), {"guardian_config": risk}))
    return asked


_LLAMA_RISKS: Mapping[str, tuple[str, ...]] = {
    "S1": ("violence/graphic", "violence"),  # violent crimes
    "S2": ("illicit",),  # non-violent crimes
    "S3": ("sexual",),  # sex-related crimes
    "S4": ("sexual/minors",),
    "S5": ("deception",),  # defamation
    "S7": ("likeness/public-figure",),  # privacy
    "S8": ("ip/character", "ip/logo", "ip/style"),
    "S9": ("illicit",),  # indiscriminate weapons
    "S10": ("hate",),
    "S11": ("self-harm",),
    "S12": ("sexual",),
    "S13": ("deception",),  # elections
}
_QWEN_RISKS: Mapping[str, tuple[str, ...]] = {
    "Violent": ("violence/graphic", "violence"),
    "Non-violent Illegal Acts": ("illicit",),
    "Sexual Content or Sexual Acts": ("sexual",),
    "PII": (),
    "Suicide & Self-Harm": ("self-harm",),
    "Unethical Acts": ("hate", "deception"),
    "Politically Sensitive Topics": ("deception",),
    "Copyright Violation": ("ip/character", "ip/logo", "ip/style"),
    "Jailbreak": (),
    "None": (),
}


def _llama_named(reply: str) -> frozenset[str]:
    return frozenset(re.findall(r"S\d{1,2}", reply))


def _qwen_named(reply: str) -> frozenset[str]:
    listed = reply.partition("Categories:")[2]
    return frozenset(name.strip() for name in re.split(r"[,\n]", listed) if name.strip())


_LLAMA_FORM = re.compile(r"(?P<word>safe|unsafe\s*\n(?:S\d{1,2})(?:,\s*S\d{1,2})*)")
_YES_NO = re.compile(r"(?:<score>\s*)?(?P<word>yes|no)\b(?:\s*</score>)?.*", re.IGNORECASE | re.DOTALL)
_QWEN_FORM = re.compile(r"Safety: (?P<word>Safe|Unsafe|Controversial)\s*\nCategories: [^\n]+(?:\n.*)?", re.DOTALL)

FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family(
            "llama-guard-3", "Llama 3.1 Community License", "unsafe", "safe", _LLAMA_FORM,
            _once(parts=False), _LLAMA_RISKS, _llama_named, 24,
        ),
        Family(
            "llama-guard-4", "Llama 4 Community License", "unsafe", "safe", _LLAMA_FORM,
            _once(parts=True), _LLAMA_RISKS, _llama_named, 24,
        ),
        Family("shieldgemma", "Gemma Terms of Use", "Yes", "No", _YES_NO, _by_guideline, reply_tokens=1),
        Family(
            "qwen3guard", "Apache-2.0", "Unsafe", "Safe", _QWEN_FORM,
            _once(parts=False), _QWEN_RISKS, _qwen_named, 32,
        ),
        Family("granite-guardian", "Apache-2.0", "Yes", "No", _YES_NO, _by_risk, reply_tokens=8),
    )
}  # fmt: skip
"""The families by the name that settings use."""
