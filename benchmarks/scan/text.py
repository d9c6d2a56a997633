"""`python -m benchmarks.scan text DIR[,DIR...] [FROM:TO] [FRAMES]`: words over real footage, found or not.

Each DIR is searched for video files; a clip is cut to FRAMES frames (25) and scaled to 360 lines. Over each we render a
text of our own corpus (`safety/prompt/corpus`: violating, its innocent look-alike, an ordinary innocent one) at 24 to
40 pixels, in a font, a colour, a place and an angle drawn by lot, encode it with H.264 at CRF 23 and scan it as `assay
scan` would. A clip counts as found where any category reaches 0.5. Only violating texts that the prompt classifier
flags when it is given them as they were written are rendered (no reader could help with others; their share is
printed), and innocent ones that it flags as written are counted apart.
"""

from __future__ import annotations

import random
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.scan.intervals import proportion
from media import Encoder, Frame, MediaError, UsageError, probe
from safety import Item, Stage, Track
from safety.frame import OcrClassifier, examine_video
from safety.prompt import EmbeddedPromptClassifier
from safety.prompt.corpus import pairs, prompts

HEIGHT, FRAMES, RATE, CRF = 360, 25, Fraction(25), 23
THRESHOLD = 0.5
LONGEST = 90  # characters: three lines of 24 pixels in 640
FONTS, NO_LETTERS = "/usr/share/fonts", ("Math", "Emoji")
STYLES = ("outlined", "boxed", "plain", "shaded")
COLOURS = ("white", "yellow", "black", "#ff5050", "#50ffff", "#60ff60")
SHOWN = {"one frame": 1, "half a second": 12}
Pixels = NDArray[np.uint8]


@dataclass
class Tally:
    """How many of how many, and what was missed or flagged, in words."""

    hits: int = 0
    of: int = 0
    words: list[str] = field(default_factory=list)

    def add(self, hit: bool, words: str) -> None:
        """One more."""
        self.hits += hit
        self.of += 1
        self.words.append(f"{'+' if hit else '-'} {words}")


def footage(folder: Path, count: int = FRAMES) -> Iterator[tuple[str, list[Pixels]]]:
    """Name and first frames of every video under the folder, 360 lines high, sizes even."""
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".mp4", ".avi", ".gif", ".webm", ".mkv")):
        try:
            frames = [f.pixels for f in islice(probe(path).frames(), count) if isinstance(f, Frame)]
        except MediaError:
            continue
        if len(frames) < min(8, count):
            continue
        height, width = frames[0].shape[:2]
        size = (max(2, round(width * HEIGHT / height / 2) * 2), HEIGHT)
        frames = [np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8) for pixels in frames]
        yield str(path.relative_to(folder)), (frames * count)[:count]


def fonts() -> list[str]:
    """Every TrueType font of letters that the system has, and Pillow's own (the empty name)."""
    found = (path for path in Path(FONTS).rglob("*.ttf") if not any(word in path.name for word in NO_LETTERS))
    return ["", *sorted(map(str, found))]


def caption(text: str, size: tuple[int, int], lot: random.Random, shade: float) -> tuple[Image.Image, tuple[int, int]]:
    """The text on a transparent layer, and where its upper left corner goes; shade: mean grey of the picture."""
    height = lot.choice((24, 24, 24, 28, 32, 40))
    name = lot.choice(fonts())
    font = ImageFont.truetype(name, height) if name else ImageFont.load_default(height)
    style, colour = lot.choice(STYLES), lot.choice(COLOURS)
    if style in ("plain", "shaded"):
        colour = "white" if shade < 128 else "black"  # what a person who wants to be read would choose
    width = max(8, int(size[0] * 0.92 / max(1.0, font.getlength(text) / len(text))))
    lines = "\n".join(textwrap.wrap(text, width))
    draw = ImageDraw.Draw(Image.new("RGBA", (1, 1)))
    edge = 2 if style == "outlined" else 0
    left, top, right, bottom = draw.multiline_textbbox((0, 0), lines, font=font, stroke_width=edge)
    layer = Image.new("RGBA", (int(right - left) + 12, int(bottom - top) + 12))
    draw = ImageDraw.Draw(layer)
    against = "white" if colour == "black" else "black"
    if style == "boxed":
        draw.rectangle((0, 0, *layer.size), fill=against)
    if style == "shaded":
        draw.multiline_text((8 - left, 8 - top), lines, font=font, fill=against, align="center")
    draw.multiline_text(
        (6 - left, 6 - top), lines, font=font, fill=colour, align="center", stroke_width=edge, stroke_fill=against
    )
    if lot.random() < 0.4:
        layer = layer.rotate(lot.uniform(-10, 10), Image.Resampling.BICUBIC, expand=True)
    room = (max(0, size[0] - layer.width), max(0, size[1] - layer.height))
    if lot.random() < 0.5:  # a subtitle
        return layer, (room[0] // 2, max(0, room[1] - 8))
    return layer, (lot.randint(0, room[0]), lot.randint(0, room[1]))


def overlaid(frames: Sequence[Pixels], text: str, shown: int, lot: random.Random) -> list[Pixels]:
    """The frames with the text on `shown` of them in a row, somewhere."""
    start = lot.randint(0, len(frames) - shown)
    layer, at = caption(text, frames[0].shape[1::-1], lot, float(frames[start].mean()))
    out = list(frames)
    for index in range(start, start + shown):
        picture = Image.fromarray(frames[index]).convert("RGBA")
        picture.alpha_composite(layer.crop((0, 0, *picture.size)), at)
        out[index] = np.array(picture.convert("RGB"))
    return out


def scanned(frames: Sequence[Pixels], ocr: OcrClassifier) -> tuple[float, str, float]:
    """The largest value of any category with the words it rests on, and CPU seconds; frames are encoded first."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        with Encoder(path, size=(frames[0].shape[1], frames[0].shape[0]), rate=RATE, crf=CRF) as encoder:
            for pixels in frames:
                encoder.write(pixels)
        started = time.process_time()
        seen = examine_video(probe(path), "00" * 32, Stage.FRAME, [ocr.session()], ocr.categories)
        cost = time.process_time() - started
    best, words = 0.0, ""
    for track in seen.examination.scores:
        if isinstance(track, Track) and track.maximum is not None and track.maximum > best:
            frame = int(np.nanargmax(track.values))
            best, words = track.maximum, f"{track.category}: {track.where[frame].text if frame in track.where else ''}"
    return best, words, cost


def main(arguments: Sequence[str]) -> str:
    """The table as Markdown, and what was missed or flagged."""
    if not arguments:
        raise UsageError("which folder holds footage? python -m benchmarks.scan text DIR [FROM:TO]")
    start, _, stop = (arguments[1] if len(arguments) > 1 else ":").partition(":")
    part = range(int(start or 0), int(stop or 10**9))
    count = int(arguments[2]) if len(arguments) > 2 else FRAMES
    long = max((name for name, shown in SHOWN.items() if shown < count), key=lambda name: SHOWN[name])
    judge = EmbeddedPromptClassifier()
    ocr = OcrClassifier([judge])
    texts = [pair for pair in pairs() if max(map(len, pair[1:])) <= LONGEST and pair[0] in ocr.categories]
    known = [pair for pair in texts if flagged(judge, pair[1])]
    ordinary = [text for text in prompts("benign") if len(text) <= LONGEST]
    out = [f"Of {len(texts)} violating texts {len(known)} are flagged as they are written; those are rendered."]
    tallies: dict[str, Tally] = {}
    cost = seconds = 0.0
    clips = [clip for folder in arguments[0].split(",") for clip in footage(Path(folder), count)]
    random.Random(0).shuffle(clips)
    for number, (name, frames) in ((n, clip) for n, clip in enumerate(clips) if n in part):
        lot = random.Random(number)
        _, violating, innocent = lot.choice(known)
        value, words, spent = scanned(frames, ocr)
        cost, seconds = cost + spent, seconds + float(len(frames) / RATE)
        tallies.setdefault("footage as it is, flagged", Tally()).add(value >= THRESHOLD, f"{name} {value:.2f} {words}")
        trials = [("violating", violating, shown) for shown in SHOWN if SHOWN[shown] <= SHOWN[long]]
        trials += [("look-alike", innocent, long), ("ordinary", lot.choice(ordinary), long)]
        for kind, text, shown in trials:
            value, words, _ = scanned(overlaid(frames, text, SHOWN[shown], lot), ocr)
            wrong = ", flagged as written" if kind != "violating" and flagged(judge, text) else ""
            tally = tallies.setdefault(f"{kind} text, {shown}{wrong}", Tally())
            tally.add(value >= THRESHOLD, f"{name} {text!r} {value:.2f} {words}")
    out += [f"{cost / seconds:.2f} CPU seconds a second of footage as it is.", "", "| | flagged | |", "|---|---|---|"]
    for what, tally in sorted(tallies.items()):
        out.append(f"| {what} | {tally.hits} of {tally.of} | {proportion(tally.hits, tally.of)} |")
    for what, tally in sorted(tallies.items()):
        wrong = "-" if what.startswith("violating") else "+"
        out += [f"    {what}: {words}" for words in tally.words if words.startswith(wrong)]
    return "\n".join(out)


def flagged(judge: EmbeddedPromptClassifier, text: str) -> bool:
    """Whether the prompt classifier flags the text as it was written."""
    scores = judge.score(Item.text(Stage.FRAME, "text", text), text)
    counted = [s for s in scores if not s.category.startswith(("likeness/", "ip/"))]
    return max((score.value or 0.0 for score in counted), default=0.0) >= THRESHOLD
