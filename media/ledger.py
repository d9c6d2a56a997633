"""Which packets still owe a picture. A decoder may drop one without a word; here nothing is dropped in silence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

# Packets a decoder may hold back before it must have answered: H.264 and HEVC reorder at most 16 frames, and
# FFmpeg's frame threads (at most 16 by default) hold one each.
PATIENCE = 64


@dataclass(eq=False)
class Owed:
    """A packet that was given to the decoder and has not been answered by a picture."""

    number: int  # in the order of submission
    pts: int | None
    reason: str = ""  # set once the decoder refused it


class Ledger:
    """Matches pictures to packets by pts, or by order where the container has none.

    Every packet submitted is answered by a picture, returned as owed, or was the second field of a pair.
    """

    def __init__(self, *, field_packets: bool = False) -> None:
        """`field_packets`: the codec may spread the two fields of one interlaced picture over two packets (H.264)."""
        self._owed: list[Owed] = []  # in the order of submission; never longer than PATIENCE + 1
        self._field_packets = field_packets
        self._second_fields: set[int] = set()  # packets that follow the first field of an interlaced picture
        self.submitted = 0
        self.answered = 0

    def submit(self, pts: int | None) -> None:
        """A packet goes to the decoder."""
        self._owed.append(Owed(self.submitted, pts))
        self.submitted += 1

    def refuse(self, reason: str) -> None:
        """The decoder raised at the packet submitted last."""
        if self._owed and self._owed[-1].number == self.submitted - 1:
            self._owed[-1].reason = reason

    def answer(self, pts: int | None, *, interlaced: bool) -> None:
        """The decoder gave a picture. One that no packet asked for is nobody's answer, and is welcome."""
        self.answered += 1
        owed = next((o for o in self._owed if pts is not None and o.pts == pts), None)
        if owed is None:  # by order, where one side has no pts
            first_fields = (o for o in self._owed if o.number not in self._second_fields)
            owed = next((o for o in first_fields if pts is None or o.pts is None), None)
        if owed is None:
            return
        self._owed.remove(owed)
        if interlaced and self._field_packets:
            self._second_fields.add(owed.number + 1)

    def passed(self, pts: int | None) -> Iterator[Owed]:
        """The refused packets that would have been shown before a picture with this pts, which just came."""
        for owed in list(self._owed):
            if owed.reason and (owed.pts is None or pts is None or owed.pts < pts):
                yield from self._settle(owed)

    def overdue(self) -> Iterator[Owed]:
        """What has waited too long."""
        while self._owed and self.submitted - self._owed[0].number > PATIENCE:
            yield from self._settle(self._owed[0])

    def rest(self) -> Iterator[Owed]:
        """Everything still owed, in the order of pts; the decoder has been flushed."""
        for owed in sorted(self._owed, key=lambda o: (o.pts is None, o.pts or 0, o.number)):
            yield from self._settle(owed)

    def _settle(self, owed: Owed) -> Iterator[Owed]:
        self._owed.remove(owed)
        second_field = owed.number in self._second_fields and not owed.reason
        oldest = self._owed[0].number if self._owed else self.submitted
        self._second_fields = {n for n in self._second_fields if n >= oldest}
        if not second_field:
            yield owed
