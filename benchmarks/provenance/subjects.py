"""What the provenance benchmarks sign: small real files, MP4 of any size, and a manifest that may be signed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np

from provenance import GateRecord, Kind, Manifest, Origin, SourceType, build_manifest
from safety import Action, Decision, Stage


def manifest() -> Manifest:
    """A text-to-video manifest under one decision that allows."""
    allowed = Decision("dec_1", Stage.FRAME, Action.ALLOW, {"id": "p", "version": "1", "digest": "d"}, ())
    origin = Origin(Kind.TEXT_TO_VIDEO, "toy", "1", datetime.now(UTC), SourceType.TRAINED)
    return build_manifest(origin, GateRecord.of([allowed], ()), "clip")


def samples(folder: Path) -> list[Path]:
    """A short H.264 clip and one picture each of PNG, JPEG, WebP and GIF, made in `folder`."""
    pixels = np.random.default_rng(7).integers(0, 255, (32, 32, 3), np.uint8)
    found = [video(folder / "clip.mp4", 0)]
    for name, codec, pix_fmt in (
        ("still.png", "png", "rgb24"),
        ("still.jpg", "mjpeg", "yuvj420p"),
        ("still.webp", "libwebp", "yuv420p"),
        ("still.gif", "gif", "rgb8"),
    ):
        form = "gif" if codec == "gif" else "image2"
        with av.open(str(folder / name), "w", format=form, options={} if form == "gif" else {"update": "1"}) as made:
            stream = made.add_stream(codec, 1)
            stream.width = stream.height = 32
            stream.pix_fmt = pix_fmt
            made.mux(stream.encode(av.VideoFrame.from_ndarray(pixels).reformat(format=pix_fmt)))
            made.mux(stream.encode())
        found.append(folder / name)
    return found


def video(path: Path, megabytes: int) -> Path:
    """An MP4 of about `megabytes` MB (0: a few kB) of Motion JPEG noise, index behind the media."""
    side = 64 if not megabytes else 512
    pixels = np.random.default_rng(1).integers(0, 255, (side, side, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", 24)
        stream.width = stream.height = side
        stream.pix_fmt = "yuvj444p"
        packets = stream.encode(av.VideoFrame.from_ndarray(pixels).reformat(format="yuvj444p")) or stream.encode()
        content = bytes(packets[0])
        for number in range(megabytes * 1_000_000 // len(content) + 1):
            packet = av.Packet(content)
            packet.stream, packet.pts, packet.dts, packet.duration = stream, number, number, 1
            packet.time_base, packet.is_keyframe = stream.codec_context.time_base, True
            container.mux(packet)
    return path
