"""Decodes in a thread of its own, a little ahead of the models and never far: full means that decoding waits."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from types import TracebackType

from media import Frame, Look, Undecodable, Video

AHEAD = 2  # batches that may wait; more would only cost memory
BATCH_BYTES = 24 << 20  # of pixels held; a batch gains little on a CPU, and must not cost a gigabyte at 4K
_LOST = 1024  # frames that did not decode take no room, and a header may declare a million of them
_PATIENCE_S = 0.4  # that a decoder is given to come to an end when nobody wants more

Batch = list[Frame | Undecodable]


class Feed:
    """The batches of one walk over a video; a context manager that closes the file on leaving.

    Batches are bounded in frames and in bytes. What was read before an error comes before the error.
    """

    def __init__(self, video: Video, looks: frozenset[Look], size: int) -> None:
        self._batches: queue.Queue[Batch | BaseException | None] = queue.Queue(AHEAD)
        self._unwanted = threading.Event()
        self._video, self._looks, self._size = video, looks, size
        self._thread = threading.Thread(target=self._decode, name="decode", daemon=True)

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unwanted.set()
        while self._thread.is_alive():
            try:
                self._batches.get_nowait()  # so that it finds room for what it has, and then sees that it may stop
            except queue.Empty:
                break
        self._thread.join(_PATIENCE_S)

    def next(self, timeout_s: float) -> Batch | None:
        """The next batch, or None at the end; raises queue.Empty when it takes longer, and what the decoder raised."""
        some = self._batches.get(timeout=timeout_s)
        if isinstance(some, BaseException):
            raise some
        return some

    def _decode(self) -> None:
        try:
            frames = self._video.frames(looks=self._looks)
            with closing(frames if isinstance(frames, Generator) else _generated(frames)) as walk:
                for some in _batches(self._wanted(walk), self._size):
                    if not self._put(some):
                        return
            self._put(None)
        except BaseException as error:  # noqa: BLE001 (it is raised where the frames are asked for)
            self._put(error)

    def _wanted(self, frames: Iterator[Frame | Undecodable]) -> Iterator[Frame | Undecodable]:
        """The frames, until nobody wants more: not a whole batch longer."""
        for frame in frames:
            yield frame
            if self._unwanted.is_set():
                return

    def _put(self, some: Batch | BaseException | None) -> bool:
        """False where nobody wants it any more."""
        while not self._unwanted.is_set():
            try:
                self._batches.put(some, timeout=0.05)
            except queue.Full:
                continue
            return True
        return False


def _generated(frames: Iterator[Frame | Undecodable]) -> Generator[Frame | Undecodable, None, None]:
    yield from frames


def _batches(frames: Iterator[Frame | Undecodable], size: int) -> Iterator[Batch]:
    some: Batch = []
    shown = held = 0
    try:
        for frame in frames:
            some.append(frame)
            if isinstance(frame, Frame):
                shown, held = shown + 1, held + frame.held_bytes
            if shown >= size or held >= BATCH_BYTES or len(some) >= _LOST:
                yield some
                some, shown, held = [], 0, 0
    except Exception:
        if some:
            yield some
        raise
    if some:
        yield some
