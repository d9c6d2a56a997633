"""Strings for pages: whatever somebody else chose passes through `text`."""

from __future__ import annotations

import html
import unicodedata

LONGEST = 400  # characters of any one string


def plain(given: object, longest: int = LONGEST) -> str:
    """Without control and direction characters, bounded; not escaped, so only for places that take no markup."""
    words = str(given)
    shown = "".join("�" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") else c for c in words[:longest])
    return shown + ("…" if len(words) > longest else "")


def text(given: object, longest: int = LONGEST) -> str:
    """Text for the page: no markup, no control or direction characters, bounded."""
    return html.escape(plain(given, longest))


def clock(seconds: float) -> str:
    """1:02:03, 2:03 or 3.5 s."""
    if seconds < 60:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
