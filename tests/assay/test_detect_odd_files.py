"""A thousand broken or odd files: an answer, or none with a reason; never a crash, and never proof."""

from __future__ import annotations

import json
import wave
import zlib
from pathlib import Path
from typing import Any

import av
import jsonschema
import numpy as np
import pytest
from toy_encoders import wandering
from toy_run import ROOT

from assay.detect import detect
from media import write_image
from provenance import Trust

SCHEMA = json.loads((ROOT / "docs" / "schemas" / "detect.schema.json").read_text())
ANSWERS = {"likely-synthetic", "contradictory", "inconclusive", "no-evidence"}
CODECS = {"a.mp4": "libx264", "a.mkv": "libx264", "a.webm": "libvpx-vp9", "a.avi": "mpeg4", "a.mov": "libx264"}
EACH = 165  # damaged copies of each of six kinds: 990, with the odd ones more than a thousand


def video(path: Path, pictures: np.ndarray, codec: str = "libx264", rate: int = 8) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def ensure_sound(row: dict[str, Any]) -> None:
    """An answer with its evidence, or no answer and an error that names the file; in either case plain JSON."""
    json.dumps(row, allow_nan=False)
    jsonschema.validate(row, SCHEMA)
    if row["answer"] is None:
        assert Path(row["path"]).name in row["error"]["message"]
        return
    assert row["error"] is None
    assert row["answer"] in ANSWERS
    assert row["synthetic"] is None or 0.0 <= row["synthetic"] <= 1.0
    forensic = row["signals"]["forensic"]
    assert forensic is None or forensic["value"] is not None or forensic["absence"]
    assert all(part["start_s"] <= part["end_s"] for part in row["segments"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    for name, codec in CODECS.items():
        video(folder / name, wandering(9, 1, 48), codec)
    video(folder / "a.gif", wandering(9, 1, 48), "gif")
    return folder


def odd_files(folder: Path) -> list[Path]:
    """Files that are whole and strange."""
    sizes = ((8, 8), (8, 720), (720, 8), (16, 16), (34, 1000))
    made = [video(folder / f"{h}x{w}.mp4", np.full((10, h, w, 3), 90, np.uint8)) for h, w in sizes]
    made += [video(folder / f"{count}-frames.mp4", wandering(count, 2)) for count in (1, 2, 7, 8, 9)]
    made.append(video(folder / "still.mp4", np.repeat(wandering(1, 3), 40, axis=0)))
    made += [video(folder / f"{rate}-fps.mp4", wandering(12, 4), rate=rate) for rate in (1, 240)]
    made.append(video(folder / "black.mp4", np.zeros((20, 64, 64, 3), np.uint8)))
    made += [video(folder / "8k.mp4", np.full((9, 4320, 7680, 3), 60, np.uint8))]
    header = bytearray((folder / "a.mp4").read_bytes())
    at = header.rfind(b"avc1", 0, header.find(b"avcC"))
    header[at + 28 : at + 32] = (7680).to_bytes(2, "big") + (4320).to_bytes(2, "big")
    (folder / "8k-header.mp4").write_bytes(header)
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"\0\1" * 8000)
    write_image(folder / "picture.png", wandering(1, 5)[0])
    (folder / "picture.mp4").write_bytes((folder / "picture.png").read_bytes())
    made += [folder / name for name in ("8k-header.mp4", "sound.wav", "picture.png", "picture.mp4")]
    for name, content in {"empty.mp4": b"", "text.mp4": b"hello\n" * 99, "zeros.avi": b"\0" * 5000}.items():
        (folder / name).write_bytes(content)
        made.append(folder / name)
    return [*made, folder / "missing.mp4", folder]


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Patches anywhere, half of them in the header; now and then a cut."""
    made = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        reach = len(made) if rng.random() < 0.5 else max(1, len(made) // 10)
        at = int(rng.integers(reach))
        patch = rng.bytes(int(rng.integers(1, 9))) if rng.random() < 0.7 else b"\xff\xff\xff\xff"
        made[at : at + int(rng.integers(12))] = patch
    return bytes(made[: int(rng.integers(len(made)))] if rng.random() < 0.2 else made)


@pytest.mark.full
def test_odd_and_whole_files(folder: Path) -> None:
    """Every file that is whole and strange gets an answer, or none and a reason that names it, from one process."""
    files = odd_files(folder)
    for path in files:
        ensure_sound(detect(path, Trust()))
    assert len(files) + EACH * (len(CODECS) + 1) >= 1000


@pytest.mark.full
@pytest.mark.parametrize("name", [*CODECS, "a.gif"])
def test_damaged_files(folder: Path, name: str) -> None:
    """Every damaged copy of one kind, of a thousand of six, gets an answer, or none and a reason that names it."""
    rng, content, answered = np.random.default_rng(zlib.crc32(name.encode())), (folder / name).read_bytes(), 0
    for _ in range(EACH):
        path = folder / f"damaged-{name}"
        path.write_bytes(damaged(content, rng))
        row = detect(path, Trust())
        ensure_sound(row)
        answered += row["answer"] is not None
    assert answered  # the damage does not kill everything


def test_a_handful_of_odd_files(folder: Path) -> None:
    """One frame, eight pixels, sound alone, a picture, a text: an answer, or none with a reason."""
    for path in odd_files_small(folder):
        ensure_sound(detect(path, Trust()))


def odd_files_small(folder: Path) -> list[Path]:
    made = [video(folder / "one.mp4", wandering(1, 2)), video(folder / "tiny.mp4", np.full((10, 8, 8, 3), 9, np.uint8))]
    write_image(folder / "p.png", wandering(1, 5)[0])
    (folder / "t.mp4").write_bytes(b"text")
    return [*made, folder / "p.png", folder / "t.mp4", folder / "nowhere.mp4"]
