"""From a request to the generator's own terms, and from its record to the origin that the manifest states."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from assay.request import Request
from generator import Conditioning, Footage, GenerationRecord, GenerationRequest
from generator.request import MAX_FPS, MAX_PIXELS, MAX_SECONDS, MAX_SIDE
from media import UsageError, Video, probe, read_image
from provenance import Kind, Origin, SourceType

_LONGER_S = 2.0  # what an extension adds where no length was asked for


def generation_request(request: Request) -> GenerationRequest:
    """The request in the generator's terms; what it was not told is left to its defaults, or taken from its video.

    Raises UsageError where a video cannot be extended as asked.
    """
    wishes: dict[str, Any] = {
        "prompt": request.prompts_to_make[0], "negative_prompt": request.negative_prompt, "seed": request.seed,
        "storyboard": tuple(
            (at, text) for (at, _), text in zip(request.storyboard, request.prompts_to_make[1:], strict=True)
        ),
    }  # fmt: skip
    if request.video is not None:
        wishes |= _from_video(request, probe(request.video))
    if request.size is not None:
        wishes["size"] = request.size
    if request.seconds is not None:
        wishes["seconds"] = request.seconds
    if request.image is not None:
        wishes["conditioning"] = (Conditioning(read_image(request.image).pixels[None], 0, 1.0),)
    return GenerationRequest(**wishes)


def origin_of(request: Request, record: GenerationRecord) -> Origin:
    """How the video was made, in the manifest's terms. Frames of the given video stand in an extension as they were."""
    kind = Kind.EXTENSION if record.mode == "in-filling" else Kind(record.mode)
    source = SourceType(record.digital_source_type)
    if kind is Kind.EXTENSION and source is SourceType.TRAINED:
        source = SourceType.COMPOSITE
    return Origin(
        kind=kind, model=record.model, version=record.version, mode=record.mode, seed=record.seed,
        weights_sha256=record.weights_sha256, digital_source_type=source, created_at=datetime.now(UTC),
        inputs=tuple(path for path in (request.image, request.video) if path is not None),
    )  # fmt: skip


def _from_video(request: Request, video: Video) -> dict[str, Any]:
    """Size, rate, length and given frames from the video that a request brings along."""
    name = request.video.name if request.video else ""
    fps = min(max(video.rate or Fraction(24), Fraction(1)), Fraction(MAX_FPS))
    path = video.path
    given = Footage(path, fps)
    there = len(given)
    if request.extend is None:
        return _shape(video, fps, there / fps) | {"conditioning": (Conditioning(given, 0, request.strength),)}
    seconds = request.seconds or min(float(there / fps) + (request.longer_s or _LONGER_S), MAX_SECONDS)
    total = max(1, round(Fraction(seconds) * fps))
    if total <= there:
        raise UsageError(
            f"--seconds {seconds:g}: {name} lasts {float(there / fps):g} s already; ask for a longer video (at most "
            f"{MAX_SECONDS:g} s)"
        )
    if request.extend == "forward":
        parts: tuple[Conditioning, ...] = (Conditioning(given, 0),)
    elif request.extend == "backward":
        parts = (Conditioning(given, total - there),)
    else:
        cut = there // 2  # the gap opens in the middle
        if cut < 1:
            raise UsageError(f"{name}: one frame has no middle to fill; use --image, or extend it forward")
        rest = Footage(path, fps, start_s=float(cut / fps), frames=there - cut)
        parts = (Conditioning(Footage(path, fps, frames=cut), 0), Conditioning(rest, total - len(rest)))
    return _shape(video, fps, seconds) | {"conditioning": parts}


def _shape(video: Video, fps: Fraction, seconds: Fraction | float) -> dict[str, Any]:
    """The video's own size where a generator may make it, its rate, and the length."""
    width, height = video.width, video.height
    shrink = min(1.0, MAX_SIDE / max(width, height), (MAX_PIXELS / (width * height)) ** 0.5)
    size = tuple(max(16, int(side * shrink) // 2 * 2) for side in (width, height))  # even, as H.264 wants them
    return {"size": size, "fps": fps, "seconds": float(seconds)}
