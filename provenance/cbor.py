"""How long a CBOR item says it is (RFC 8949): its lengths are walked, nothing is decoded and nothing allocated.

The library takes the memory that a length asks for before it sees that the bytes are not there. So a length is held
against the bytes that there are, before the library sees it.
"""

from __future__ import annotations

_DEEPEST = 128
_BREAK = 0xFF
# What is still open, innermost last: the number of items to come, or below 0 what only a break ends.
_ITEMS, _KEYS, _VALUES, _BYTES, _TEXT = -1, -2, -3, -4, -5
_UNENDING = {2: _BYTES, 3: _TEXT, 4: _ITEMS, 5: _KEYS}


class LengthError(ValueError):
    """A length that reaches beyond the bytes there are, or no well-formed CBOR."""


class LengthWalker:
    """Walks items, altogether at most `most` heads: a file of empty arrays must not keep a reader busy."""

    def __init__(self, most: int) -> None:
        self._left = most

    def end_of_item(self, content: bytes) -> int:
        """Where the first item ends; what follows is not looked at. Raises LengthError."""
        at, open_, tagged = 0, [1], False
        while open_:
            self._left -= 1
            if self._left < 0:
                raise LengthError("more items than a manifest has")
            if at >= len(content):
                raise LengthError("it ends within an item")
            if content[at] == _BREAK:
                if tagged or open_[-1] not in (_ITEMS, _KEYS, _BYTES, _TEXT):
                    raise LengthError(f"a break out of place at byte {at}")
                at += 1
                open_.pop()
                _complete(open_)
                continue
            major, value, body = _head(content, at)
            if open_[-1] <= _BYTES and (value is None or tagged or major != _BYTES - open_[-1] + 2):
                raise LengthError(f"a string in pieces holds something else at byte {at}")
            at, tagged = body, major == 6
            if major in (2, 3) and value is not None:
                at += value
            if at > len(content) or (major in (4, 5) and value is not None and value > len(content) - at):
                raise LengthError(f"a length of {value} where {len(content) - body} bytes are left")
            if value is None:
                open_.append(_UNENDING[major])
            elif major in (4, 5) and value:
                open_.append(value * (major - 3))
            elif not tagged:
                _complete(open_)
            if len(open_) > _DEEPEST:
                raise LengthError("nested beyond reason")
        return at


def _head(content: bytes, at: int) -> tuple[int, int | None, int]:
    """Major type, argument (None: ended by a break) and where the head ends; raises LengthError."""
    major, short = content[at] >> 5, content[at] & 31
    if short < 24:
        return major, short, at + 1
    if short == 31 and major in _UNENDING:
        return major, None, at + 1
    if short > 27:
        raise LengthError(f"no head of CBOR at byte {at}")
    end = at + 1 + (1 << (short - 24))
    if end > len(content):
        raise LengthError("it ends within a head")
    return major, int.from_bytes(content[at + 1 : end]), end


def _complete(open_: list[int]) -> None:
    """Counts an item that is over, and all that are over with it."""
    while open_:
        if open_[-1] == _KEYS:
            open_[-1] = _VALUES
        elif open_[-1] == _VALUES:
            open_[-1] = _KEYS
        elif open_[-1] > 1:
            open_[-1] -= 1
        elif open_[-1] == 1:
            open_.pop()
            continue
        return
