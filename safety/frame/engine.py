"""Every frame of a video, or one picture, before every classifier; nothing is skipped in silence.

One walk over the frames, in bounded memory. A thread decodes a little ahead of the models; each model has threads of
its own, and several batches are under way, so that nobody waits for the slowest. Pixels are dropped as soon as the
models have seen them, scores stay. For every model, decoded = scored + covered + failed (+ sampled, for those that
look only now and then); for the video, total = decoded + undecodable.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait

from media import Frame, MediaError, Video, give_back_memory
from safety.frame.asking import ask
from safety.frame.eye import entry
from safety.frame.feed import Batch, Feed
from safety.frame.gate import PICTURE
from safety.frame.traits import evidence_of, schedule_of
from safety.frame.walk import FrameExamination, Pending, ScanOptions, Walk
from safety.score import Absence, Examination, Item, Score, Stage
from safety.stages import FrameClassifier, source

NOBODY = "none@0"  # the source of what nobody said, as `safety.examine_text` writes it
ITEM_IDS = {Stage.FRAME: "frames", Stage.INPUT_VIDEO: "input-video"}

_UNDER_WAY = 2  # batches that the models work at: while one waits for its slowest model, the others have the next
# Frames after which free memory is given back: pictures are allocated by one thread and freed by others, and glibc
# keeps the gaps. Without it a process grew by 25 MB in a thousand 1080p frames.
_TIDY = 500
_BLINK_S = 0.05  # how often somebody who waits asks whether the scan was cancelled


def examine_video(
    video: Video,
    sha256: str,
    stage: Stage,
    classifiers: Sequence[FrameClassifier],
    wanted: Sequence[str],
    *,
    options: ScanOptions | None = None,
    progress: Callable[[int], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> FrameExamination:
    """Shows every decoded frame of the video to every classifier.

    sha256    of the file
    stage     frame or input video
    wanted    the categories that the policy speaks of at this stage; those whose picture no classifier judges in every
              frame are `not_configured`, also where words on the screen were read for them, or single frames judged
    progress  called with the number of frames done
    cancel    asked twenty times a second; once it is true, the frames not reached are failures, and what a model is
              still at is left to itself

    Nothing that a model or a decoder does is raised: it stands in the scores as `Absence.FAILED`.
    """
    if stage not in ITEM_IDS:
        raise ValueError(f"stage {stage.value!r}: needs stage 'frame' or 'input video'")
    options = options or ScanOptions()
    walk = Walk(classifiers, options)
    stopped, partial = None, False
    try:
        with Feed(video, walk.looks, options.batch) as feed:
            _show_all(walk, feed, progress, cancel or _never)
    except MediaError as error:
        stopped = f"stopped after {walk.total} frames: {error}"
    except _Cancelled:
        stopped, partial = f"cancelled after {walk.total} frames", True
    finally:
        walk.dismiss()
    if stopped is not None:
        walk.abandon(video.declared_frames, stopped)
    item = Item(stage, ITEM_IDS[stage], sha256, walk.total)
    unseen = _unseen(item, classifiers, wanted)
    return walk.end(item, unseen, stopped or walk.certain, partial or walk.certain is not None)


class _Cancelled(Exception):
    """Somebody wants the scan to end."""


def _never() -> bool:
    return False


def _show_all(walk: Walk, feed: Feed, progress: Callable[[int], None] | None, cancel: Callable[[], bool]) -> None:
    """Every batch through the models, in order, until the end, a certain block, or `cancel`."""

    def until_done(futures: Sequence[Future[list[str]]]) -> None:
        while wait(futures, _BLINK_S).not_done:
            if cancel():
                raise _Cancelled

    tidied = 0

    def settle(pending: Pending) -> None:
        nonlocal tidied
        walk.settle(pending, until_done)
        if walk.total - tidied >= _TIDY:
            tidied = walk.total
            give_back_memory()
        if progress is not None:
            progress(walk.total)

    under_way: deque[Pending] = deque()
    error: MediaError | None = None
    try:
        while (batch := _next(feed, cancel)) is not None and walk.certain is None:
            under_way.append(walk.show(batch))
            if len(under_way) >= _UNDER_WAY:
                settle(under_way.popleft())
    except MediaError as broken:
        error = broken  # what was read before it counts
    while under_way and walk.certain is None:
        settle(under_way.popleft())
    if error is not None and walk.certain is None:
        raise error


def _next(feed: Feed, cancel: Callable[[], bool]) -> Batch | None:
    while True:
        if cancel():
            raise _Cancelled
        try:
            return feed.next(_BLINK_S)
        except queue.Empty:
            continue


def examine_image(
    frame: Frame, item: Item, classifiers: Sequence[FrameClassifier], wanted: Sequence[str]
) -> Examination:
    """Shows one picture to every classifier; item: an input image, count 1; wanted as in `examine_video`."""
    if item.stage is not Stage.INPUT_IMAGE or item.count != 1:
        raise ValueError(f"a picture is examined at stage 'input image' with count 1, not {item}")
    scores: list[Score] = []
    posture = []
    for eye in classifiers:
        (answer,), faults = ask(eye, [frame])
        note = "; ".join(faults) or None
        for category, (value, where) in answer.items():
            if isinstance(value, Absence):
                scores.append(Score.absent(item, category, source(eye), value, note))
            else:
                scores.append(Score(item, category, source(eye), value, where=where, note=note))
        failed = any(value is Absence.FAILED for value, _ in answer.values())
        posture.append(entry(eye, item.stage, 1, int(failed)))
    return Examination((item,), (*scores, *_unseen(item, classifiers, wanted)), tuple(posture))


def _unseen(item: Item, classifiers: Sequence[FrameClassifier], wanted: Sequence[str]) -> list[Score]:
    """What is said of the categories whose picture nobody judges; of a video without frames, only that it failed."""
    pictures = [eye for eye in classifiers if evidence_of(eye) == PICTURE]
    everywhere = item.stage is Stage.INPUT_IMAGE  # one picture is shown to whoever samples, too
    judged = {c for eye in pictures if everywhere or schedule_of(eye) is None for c in eye.categories}
    judged |= {c for eye in classifiers for c in eye.categories if c.startswith("bank/")}  # a list is all that it means
    sampled = {category for eye in pictures for category in eye.categories} - judged
    unseen = []
    for category in dict.fromkeys(wanted):
        if category in judged:
            continue
        absence, note = Absence.NOT_CONFIGURED, "no model judges this category in the picture"
        if category in sampled:
            note = "only sampled: no model judges this category in every frame"
        if item.count == 0:
            absence, note = Absence.FAILED, "the video holds no frames"
        unseen.append(Score.absent(item, category, NOBODY, absence, note))
    return unseen
