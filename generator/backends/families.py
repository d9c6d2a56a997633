"""What the video pipelines of diffusers want: frame rules, size steps, rates, places for given frames. Data only.

Libraries round silently; here the rule is applied before the call and every change is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Takes = Literal["nothing", "first", "first and last", "conditions", "video and mask", "video"]
Latents = Literal["scaled", "packed", "frame by frame", "by itself"]


@dataclass(frozen=True)
class Family:
    """One family of pipelines.

    frame_step  the number of frames is frame_step x n + 1; 0: fixed by the model's own configuration
    size_step   width and height are multiples of this, unless the loaded model says otherwise
    fps         frames a second that the model was trained at
    takes       the given frames that the pipeline has a place for
    guidance    the name of the call's guidance argument
    latents     the form in which its latents become frames (`diffusers_decode`)
    """

    frame_step: int
    size_step: int
    fps: int
    takes: Takes = "nothing"
    guidance: str = "guidance_scale"
    negative: bool = True
    text: bool = True
    latents: Latents = "scaled"


FAMILIES: Mapping[str, Family] = {
    "WanPipeline": Family(4, 16, 16),
    "WanImageToVideoPipeline": Family(4, 16, 16, "first and last"),
    "WanVACEPipeline": Family(4, 16, 16, "video and mask"),
    "WanVideoToVideoPipeline": Family(4, 16, 16, "video"),
    "LTXPipeline": Family(8, 32, 24, latents="packed"),
    "LTXImageToVideoPipeline": Family(8, 32, 24, "first", latents="packed"),
    "LTXConditionPipeline": Family(8, 32, 24, "conditions", latents="packed"),
    "CogVideoXPipeline": Family(4, 16, 8, latents="by itself"),
    "CogVideoXImageToVideoPipeline": Family(4, 16, 8, "first", latents="by itself"),
    "CogVideoXVideoToVideoPipeline": Family(4, 16, 8, "video", latents="by itself"),
    "HunyuanVideoPipeline": Family(4, 16, 24, guidance="true_cfg_scale"),
    "HunyuanVideoImageToVideoPipeline": Family(4, 16, 24, "first", "true_cfg_scale"),
    "HunyuanVideo15Pipeline": Family(4, 16, 24, guidance=""),
    "HunyuanVideo15ImageToVideoPipeline": Family(4, 16, 24, "first", ""),
    "MochiPipeline": Family(6, 16, 30),
    "StableVideoDiffusionPipeline": Family(
        0, 64, 7, "first", "max_guidance_scale", negative=False, text=False, latents="frame by frame"
    ),
}
"""The families by the pipeline class that a model's index names."""


def frames_for(seconds: float, family: Family, fixed: int | None) -> int:
    """The least number of frames of the family's rule that lasts at least so long, counting the first frame."""
    if family.frame_step == 0:
        return fixed or 1
    needed = max(1, round(seconds * family.fps))
    return -(-(needed - 1) // family.frame_step) * family.frame_step + 1
