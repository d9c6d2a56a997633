"""Given frames in the words of each family of diffusers pipelines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from generator.backends.diffusers_plan import Plan
from generator.backends.families import Family
from generator.errors import InvalidRequest
from generator.geometry import fitted
from generator.request import GenerationRequest


def given_frames(pipe: Any, family: Family, request: GenerationRequest, plan: Plan) -> dict[str, Any]:
    """The given frames in the pipeline's words; InvalidRequest where it has no place for them, or needs some."""
    kind = type(pipe).__name__
    if not request.conditioning:
        if family.takes in ("first", "first and last", "video"):
            raise InvalidRequest(f"conditioning: {kind} makes videos from given frames; give the first one")
        return {}
    if family.takes == "conditions":
        from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition

        return {
            "conditions": [
                LTXVideoCondition(video=pictures, frame_index=index, strength=strength)
                for pictures, index, strength in _native(request, plan)
            ]
        }
    at = {index: pictures for pictures, index, strength in _native(request, plan) if strength == 1}
    if family.takes in ("first", "first and last"):
        places = {0} if family.takes == "first" else {0, plan.native_frames - 1}
        if 0 not in at or not set(at) <= places or any(len(some) != 1 for some in at.values()):
            raise InvalidRequest(f"conditioning: {kind} takes the {family.takes} frame alone, at strength 1")
        rest = {"last_image": at[plan.native_frames - 1][0]} if len(at) > 1 else {}
        return {"image": at[0][0], **rest}
    if family.takes == "video and mask" and len(at) == len(request.conditioning):
        return _masked(at, plan)
    if family.takes == "video" and len(request.conditioning) == 1:
        ((pictures, index, strength),) = _native(request, plan)
        if index == 0 and strength < 1:
            pictures += pictures[-1:] * (plan.native_frames - len(pictures))
            return {
                "video": pictures[: plan.native_frames],
                "strength": 1 - strength,
            }  # theirs says how much is changed
    raise InvalidRequest(f"conditioning: {kind} has no place for these frames; it takes: {family.takes}")


def _native(request: GenerationRequest, plan: Plan) -> Iterator[tuple[list[Any], int, float]]:
    """Each run of given frames as pictures at the model's size and rate, its index there, and its strength."""
    from PIL import Image

    for one in request.conditioning:
        first, stop = one.frame_index / request.fps, min(one.stop, request.frames) / request.fps
        start = min(round(first * plan.fps), plan.native_frames - 1)
        count = max(1, round((stop - first) * plan.fps)) if one.frames.shape[0] > 1 else 1
        taken = [min(round(n / plan.fps * request.fps), one.frames.shape[0] - 1) for n in range(count)]
        pictures = [Image.fromarray(fitted(one.frames[index], plan.native)) for index in taken]
        last = one.stop >= request.frames  # what ends the video ends the model's clip too
        yield pictures, plan.native_frames - len(pictures) if last and start > 0 else start, one.strength


def _masked(at: Mapping[int, list[Any]], plan: Plan) -> dict[str, Any]:
    """Known frames and a mask that is white where the model is to make its own, as VACE takes them."""
    from PIL import Image

    grey, white, black = (Image.new("RGB", plan.native, (v, v, v)) for v in (128, 255, 0))
    video, mask = [grey] * plan.native_frames, [white] * plan.native_frames
    for index, pictures in at.items():
        for offset, picture in enumerate(pictures[: plan.native_frames - index]):
            video[index + offset], mask[index + offset] = picture, black
    return {"video": video, "mask": mask}
