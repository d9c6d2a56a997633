"""Hints: what a file's tags and bytes suggest to a person. They are easily lost and easily forged, and so no evidence.

None enters the score or the answer: on the shared clips, such facts alone tell 0.87 of generated from real files by
accident of how they were collected, and nothing where somebody re-encoded both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from media import AssayError, Tag, Video, tags

_LONGEST = 200  # characters of a stranger's text that are shown
_EDGE = 256 * 1024  # bytes at either end of a file in which embedded notes are looked for

_ENCODERS = (
    "encoder",
    "encoding_tool",
    "writing_application",
    "software",
    "handler_name",
    "com.apple.quicktime.software",
)
_CAMERAS = (
    "com.apple.quicktime.make", "com.apple.quicktime.model", "com.android.version", "com.android.manufacturer",
    "com.android.model", "make", "model", "camera_make_name", "device_make", "lens",
)  # fmt: skip
# Names by which generators and the tools around them sign tags; matched as whole words.
_GENERATORS = (
    "openai", "sora", "runway", "runwayml", "pika labs", "pika.art", "kling", "klingai", "hailuo", "minimax",
    "lumalabs", "luma ai", "dream machine", "google veo", "veo 2", "veo 3", "veo3", "synthid", "midjourney",
    "stable diffusion",
    "stable video diffusion", "stable-diffusion", "svd_xt", "animatediff", "modelscope", "cogvideo", "cogvideox",
    "hunyuanvideo", "wan2.1", "wan2.2", "ltx-video", "ltxv", "open-sora", "opensora", "comfyui", "automatic1111",
    "invokeai", "diffusers", "dall-e", "adobe firefly", "genmo", "pixverse", "vidu", "jimeng", "seedance", "haiper",
    "moonvalley", "skyreels", "zeroscope", "aigc", "ksampler", "text2video", "text-to-video", "ai-generated",
    "ai generated",
)  # fmt: skip
_GENERATOR = re.compile(
    r"(?<![\w.])(" + "|".join(re.escape(name) for name in _GENERATORS) + r")(?![\w])", re.IGNORECASE
)
# Notes outside the container's tags: the XMP field of IPTC, the labels of China's GB 45438-2025, an x264 message.
_MARKS = (
    ("xmp", re.compile(rb"DigitalSourceType[^A-Za-z]{1,4}(https?://[\x21-\x7e]{1,120}?)[\"'<]")),
    ("aigc label", re.compile(rb"\"?AIGC\"?\s*[:=]\s*(\{[\x20-\x7e]{1,160}?\})")),
    ("encoder message", re.compile(rb"(x26[45][ (][\x20-\x7e]{1,60}?) - ")),
)
_DECLARES = (
    "trainedAlgorithmicMedia",
    "algorithmicMedia",
    "compositeSynthetic",
    "compositeWithTrainedAlgorithmicMedia",
)


@dataclass(frozen=True)
class Hint:
    """Something that a person may want to know. `says` is the stranger's text, without control characters."""

    name: str  # encoder, camera, no-camera, generator-string, declared-in-metadata, encoder-message, zero-shot
    where: str  # "file", "video 0", "bytes", "pixels"
    says: str | None
    meaning: str  # in plain words, and how little it is worth

    def to_json(self) -> dict[str, Any]:
        """As `hints` shows it."""
        return asdict(self)


def hints(video: Video) -> tuple[Hint, ...]:
    """The hints of a file; where its tags or its bytes cannot be read, a hint that says so. Raises nothing."""
    found: list[Hint] = []
    try:
        found += _of_tags(tags(video.path))
    except AssayError as error:
        found.append(Hint("unread", "file", _shown(str(error)), "its tags could not be read"))
    try:
        found += _of_bytes(_edges(video.path))
    except OSError as error:
        found.append(Hint("unread", "bytes", _shown(str(error)), "its bytes could not be read"))
    return tuple(dict.fromkeys(found))


def _of_tags(found: Sequence[Tag]) -> Iterator[Hint]:
    cameras = [tag for tag in found if tag.name in _CAMERAS]
    for tag in found:
        if tag.name in _ENCODERS and tag.value.strip():
            yield Hint("encoder", tag.where, _shown(tag.value), "the software that last wrote the file says so")
        for text in (tag.name, tag.value):
            if name := _GENERATOR.search(text):
                meaning = f"a tag ({_shown(tag.name)}) names {name.group(1)!r}; anybody can write or remove it"
                yield Hint("generator-string", tag.where, _shown(_around(text, name)), meaning)
    for tag in cameras:
        yield Hint(
            "camera", tag.where, _shown(tag.value), f"a tag ({_shown(tag.name)}) names a camera; anybody can write it"
        )
    if not cameras:
        yield Hint(
            "no-camera", "file", None, "no tag names a camera; most files that were sent or re-encoded have none"
        )


def _of_bytes(edges: bytes) -> Iterator[Hint]:
    for kind, pattern in _MARKS:
        for match in list(pattern.finditer(edges))[:4]:
            says = _shown(match.group(1).decode("ascii", "replace"))
            if kind == "encoder message":
                yield Hint("encoder-message", "bytes", says, "the stream carries a message of the encoder")
            elif kind == "aigc label":
                yield Hint("declared-in-metadata", "bytes", says, "a label for generated content, which nobody signed")
            elif says.rpartition("/")[2] in _DECLARES:
                yield Hint("declared-in-metadata", "bytes", says, "XMP declares a generator; nobody signed it")
            else:
                yield Hint("source-type-in-metadata", "bytes", says, "XMP declares a source; nobody signed it")


def _edges(path: Path) -> bytes:
    """The first and last bytes of a file; all of it where it is short."""
    with path.open("rb") as file:
        head = file.read(_EDGE)
        size = file.seek(0, 2)
        if size <= _EDGE:
            return head
        file.seek(max(_EDGE, size - _EDGE))
        return head + b"\0" + file.read(_EDGE)


def _around(text: str, name: re.Match[str]) -> str:
    start = max(0, name.start() - 60)
    return text[start : name.end() + 100]


def _shown(text: str) -> str:
    """A stranger's text on one line, without what could command a terminal, cut to 200 characters."""
    kept = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(kept.split())[:_LONGEST]
