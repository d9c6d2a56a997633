"""Every frame of a video, or one picture, before every classifier; nothing is skipped in silence.

One walk over the frames, in bounded memory: pixels are dropped as soon as the models have seen them, scores stay. For
every model, decoded = scored + covered + failed; for the video, total = decoded + undecodable.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing

from media import Frame, MediaError, Undecodable, Video
from safety.frame.asking import ask
from safety.frame.gate import PICTURE
from safety.frame.traits import evidence_of
from safety.frame.walk import FrameExamination, Walk, entry
from safety.score import Absence, Examination, Item, Score, Stage
from safety.stages import FrameClassifier, source

NOBODY = "none@0"  # the source of what nobody said, as `safety.examine_text` writes it
ITEM_IDS = {Stage.FRAME: "frames", Stage.INPUT_VIDEO: "input-video"}

_BATCH_BYTES = 24 << 20  # four frames of 1080p: a batch gains little on a CPU, and must not cost a gigabyte at 4K


def examine_video(
    video: Video,
    sha256: str,
    stage: Stage,
    classifiers: Sequence[FrameClassifier],
    wanted: Sequence[str],
    *,
    batch: int = 16,
    progress: Callable[[int], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> FrameExamination:
    """Shows every decoded frame of the video to every classifier.

    sha256    of the file
    stage     frame or input video
    wanted    the categories that the policy speaks of at this stage; those whose picture no classifier judges are
              `not_configured`, also where the words on the screen were read for them
    batch     frames shown to a model at once (fewer where they are large)
    progress  called with the number of frames done
    cancel    asked between batches; once it is true, the frames not reached are failures

    Nothing that a model or a decoder does is raised: it stands in the scores as `Absence.FAILED`.
    """
    if stage not in ITEM_IDS or batch < 1:
        raise ValueError(f"stage {stage.value!r}, batch {batch}: needs stage 'frame' or 'input video', and batch >= 1")
    walk = Walk(classifiers)
    stopped = None
    try:
        with closing(_batches(video, batch)) as batches:
            for some in batches:
                if cancel is not None and cancel():
                    stopped = f"cancelled after {walk.total} frames"
                    break
                walk.show(some)
                if progress is not None:
                    progress(walk.total)
    except MediaError as error:
        stopped = f"stopped after {walk.total} frames: {error}"
    if stopped is not None:
        walk.abandon(video.declared_frames, stopped)
    item = Item(stage, ITEM_IDS[stage], sha256, walk.total)
    return walk.end(item, _unseen(item, classifiers, wanted), stopped)


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


def _batches(video: Video, size: int) -> Generator[list[Frame | Undecodable], None, None]:
    """Stretches of the walk, bounded in frames and in bytes; what was read before an error is shown before it."""
    some: list[Frame | Undecodable] = []
    held = 0
    frames = video.frames()
    try:
        for frame in frames:
            some.append(frame)
            held += frame.pixels.nbytes if isinstance(frame, Frame) else 0
            if len(some) >= size or held >= _BATCH_BYTES:
                yield some
                some, held = [], 0
    except MediaError:
        if some:
            yield some
        raise
    finally:
        if isinstance(frames, Generator):
            frames.close()  # the file, now rather than when the garbage is collected
    if some:
        yield some


def _unseen(item: Item, classifiers: Sequence[FrameClassifier], wanted: Sequence[str]) -> list[Score]:
    """What is said of the categories whose picture nobody judges; of a video without frames, only that it failed."""
    judged = {
        category
        for eye in classifiers
        for category in eye.categories
        if evidence_of(eye) == PICTURE or category.startswith("bank/")  # a bank is the whole of what its own name means
    }
    absence, note = Absence.NOT_CONFIGURED, "no model judges this category in the picture"
    if item.count == 0:
        absence, note = Absence.FAILED, "the video holds no frames"
    return [
        Score.absent(item, category, NOBODY, absence, note)
        for category in dict.fromkeys(wanted)
        if category not in judged
    ]
