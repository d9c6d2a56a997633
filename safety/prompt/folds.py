"""Tables that fold one character: invisible ones to nothing, look-alikes to ASCII letters, leetspeak to letters.

Unicode's confusables come from the `confusable-homoglyphs` package, which ships Unicode's own table; what that table
leaves out (small capitals, squared letters) is added here.
"""

from __future__ import annotations

import string
import unicodedata
from functools import cache, lru_cache

# Letters by category, yet drawn as nothing.
_BLANK_LETTERS = frozenset("\u115f\u1160\u17b4\u17b5\u3164\uffa0\u034f\u2800")
# Arabic letters that are written one for the other, and the stroke that only stretches a word.
_ARABIC = str.maketrans({"ٱ": "ا", "ى": "ي", "ة": "ه", "ـ": ""})
_SMALL_CAPITALS = dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz", strict=True))
# Negative circled, squared and negative squared capitals, and regional indicators: 26 in a row each.
_LETTER_ROWS = (0x1F150, 0x1F170, 0x1F130, 0x1F1E6)

LEET: dict[str, str] = {
    "0": "o",
    "1": "il",
    "3": "e",
    "4": "a",
    "5": "s",
    "6": "g",
    "7": "t",
    "8": "b",
    "9": "g",
    "@": "a",
    "$": "s",
    "!": "i",
    "|": "il",
    "+": "t",
    "€": "e",
    "£": "l",
    "¢": "c",
}


def is_invisible(char: str) -> bool:
    """True for a character that is drawn as nothing: formats, controls, variation selectors, blank letters."""
    if char in _BLANK_LETTERS:
        return True
    category = unicodedata.category(char)
    if category in ("Cf", "Cs", "Co", "Cn"):
        return True
    return (
        (category == "Cc" and not char.isspace())
        or "\ufe00" <= char <= "\ufe0f"
        or "\U000e0100" <= char <= "\U000e01ef"
    )


def is_mark(char: str) -> bool:
    """True for a combining mark, which belongs to the character before it."""
    return unicodedata.category(char)[0] == "M"


@lru_cache(maxsize=65536)
def plain(cluster: str) -> str:
    """A character and its marks in NFKC and folded case, without invisible signs, accents or Arabic vowels."""
    if cluster.isspace():
        return " "
    visible = "".join(c for c in cluster if not is_invisible(c))
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
    if folded.isascii() or not folded:
        return folded if folded.isprintable() else " "
    # Marks fall off letters of four scripts, where texts do without them: in others they are vowels.
    base = unicodedata.normalize("NFD", folded)
    script = unicodedata.name(base[0], "").partition(" ")[0]
    if script == "ARABIC":
        return "".join(c for c in base if not is_mark(c)).translate(_ARABIC)
    if script in ("LATIN", "GREEK", "CYRILLIC") and folded not in ("й", "ї"):
        return "".join(c for c in base if not is_mark(c))
    return " " if folded.isspace() else folded


@lru_cache(maxsize=65536)
def latin(cluster: str) -> str:
    """The ASCII letter that a cluster is drawn like, or `plain(cluster)` where it is drawn like none."""
    folded = plain(cluster)
    if folded.isascii():
        return folded
    table = confusables()
    # Capitals are looked up as they are written: the Cyrillic capital is drawn like H, its small form is not.
    for char in (cluster[0], unicodedata.normalize("NFKC", cluster)[:1], folded[0] if len(folded) == 1 else ""):
        if char in table:
            return table[char]
    return folded


@cache
def confusables() -> dict[str, str]:
    """Every non-ASCII character that is drawn like one ASCII letter, with that letter in lower case."""
    from confusable_homoglyphs.confusables import confusables_data

    table: dict[str, str] = {}
    for char, alike in confusables_data.items():
        if len(char) != 1 or char.isascii():
            continue
        letters = [entry["c"] for entry in alike if len(entry["c"]) == 1 and entry["c"] in string.ascii_letters]
        if letters:
            same_case = [letter for letter in letters if letter.isupper() == char.isupper()]
            table[char] = (same_case or letters)[0].lower()
    table.update(_SMALL_CAPITALS)
    for row in _LETTER_ROWS:
        table.update({chr(row + i): letter for i, letter in enumerate(string.ascii_lowercase)})
    return table
