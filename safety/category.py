"""The categories that scores and rules speak of, and the mission's five banned classes."""

from __future__ import annotations

import re
from types import MappingProxyType

# OpenAI's thirteen moderation names where they fit, ours added with a slash.
CATEGORIES = MappingProxyType(
    {
        "violence": "fights and physical force; a signal for review, not extreme violence",
        "violence/graphic": "extreme violence: gore, torture, mutilation, mass killing shown",
        "sexual": "sexual acts, nudity presented sexually",
        "sexual/minors": "sexual content with any cue of a minor",
        "hate": "attacks on people for who they are",
        "hate/threatening": "hate with a threat or call to violence",
        "hate/symbol": "symbols of hate movements in pictures",
        "harassment": "abuse of a person",
        "harassment/threatening": "threats against a person",
        "likeness/public-figure": "the likeness of a real, known person",
        "ip/character": "a character owned by somebody else",
        "ip/logo": "a brand, its logo or its product design",
        "ip/style": "the style of a living artist",
        "self-harm": "suicide, self-injury, eating disorders shown or encouraged",
        "self-harm/intent": "a person says they intend self-harm",
        "self-harm/instructions": "how to harm oneself",
        "illicit": "crime and wrongdoing shown as a guide or encouraged",
        "illicit/violent": "violent crime, weapons, terrorism as a guide",
        "deception": "footage made to mislead: fake news, staged evidence, fraud",
        "depiction/fire": "fire in the picture; information, no mission class",
        "audio": "sound that nobody judged",
        "canary": "the benign test glyph",
    }
)

# The mission's banned classes -> the categories that make them up.
BANNED_CLASSES = MappingProxyType(
    {
        "extreme violence": ("violence/graphic",),
        "sexual content": ("sexual", "sexual/minors"),
        "hateful imagery": ("hate", "hate/symbol"),
        "celebrity likeness": ("likeness/public-figure",),
        "third-party IP": ("ip/character", "ip/logo", "ip/style"),
    }
)

_BANK = re.compile(r"bank/[a-z0-9][a-z0-9_.-]{0,63}\Z")


def is_category(name: str) -> bool:
    """True for a name of `CATEGORIES` and for `bank/<name>` (known content)."""
    return name in CATEGORIES or _BANK.match(name) is not None
