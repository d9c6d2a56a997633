"""The picture models that an operator names: open_clip, image classifiers, a judge behind an endpoint."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from assay.settings import ImageClassifier, OpenClip, Settings, Vlm
from safety import ChatEndpoint, FrameClassifier, Policy

if TYPE_CHECKING:
    from safety.frame import VlmJudge


def configured(settings: Settings, policy: Policy) -> list[FrameClassifier]:
    """The models, loaded; ModelUnavailable or PolicyError with the remedy where one cannot be had."""
    made: list[FrameClassifier] = []
    if settings.openclip is not None:
        made.append(_openclip(settings.openclip, policy))
    made += [_images(one) for one in settings.images]
    if settings.vlm is not None:
        made.append(_judge(settings.vlm, policy))
    return made


def _openclip(named: OpenClip, policy: Policy) -> FrameClassifier:
    from safety.frame import OpenClipClassifier, Trained

    return OpenClipClassifier.of_policy(named.model, named.pretrained, policy, Trained(named.heads, named.calibration))


def _images(named: ImageClassifier) -> FrameClassifier:
    from safety.frame import ImageModel, TransformersImageClassifier

    return TransformersImageClassifier(
        ImageModel(named.model, named.labels, named.licence, named.calibration, named.download)
    )


def _judge(named: Vlm, policy: Policy) -> VlmJudge:
    from safety.frame import Schedule, VlmJudge, VlmOptions

    endpoint = ChatEndpoint(named.url, named.model, named.api_key_env, named.timeout_s)
    schedule = replace(Schedule(), every_s=named.every_s, escalate=named.escalate, escalated_s=named.escalated_s)
    return VlmJudge.of_policy(endpoint, policy, VlmOptions(named.side, schedule, named.licence))
