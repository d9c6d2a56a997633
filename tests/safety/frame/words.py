"""Pictures with words on them, and a judge of words that needs no model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from safety import Absence, Item, Score, Where


def written(
    picture: np.ndarray, text: str, *, size: int = 24, at: tuple[int, int] = (20, 20), turn: int = 0
) -> np.ndarray:
    """The picture with a caption, white with a dark outline, in Pillow's own typeface; at: its upper left corner."""
    font = ImageFont.load_default(size)
    ruler = ImageDraw.Draw(Image.new("RGBA", (1, 1)))
    left, top, right, bottom = (int(edge) for edge in ruler.multiline_textbbox((0, 0), text, font, stroke_width=2))
    layer = Image.new("RGBA", (right - left + 4, bottom - top + 4))
    ImageDraw.Draw(layer).text((2 - left, 2 - top), text, font=font, fill="white", stroke_width=2, stroke_fill="black")
    canvas = Image.fromarray(picture).convert("RGBA")
    canvas.alpha_composite(layer.rotate(turn, expand=True), at)
    return np.array(canvas.convert("RGB"))


class Judge:
    """A prompt classifier that forbids the word "forbidden" and knows no other language than words with vowels."""

    name, version = "judge", "1"
    weights_sha256: str | None = None
    runtime: str | None = None
    categories = ("hate", "violence/graphic", "likeness/public-figure", "ip/logo", "ip/character")

    def __init__(self, answer: Callable[[Item, str, str], list[Score]] | None = None) -> None:
        self.answer = answer or judged
        self.asked: list[str] = []

    def score(self, item: Item, text: str) -> list[Score]:
        self.asked.append(text)
        return [score for category in self.categories for score in self.answer(item, category, text)]


def judged(item: Item, category: str, text: str) -> list[Score]:
    """0.9 for hate where the word is, with its span; unsupported without a vowel; 0.01 elsewhere."""
    start = text.lower().find("forbidden")
    if category == "hate" and start >= 0:
        return [Score(item, category, "judge@1", 0.9, where=Where(span=(start, start + 9)))]
    if not set(text.lower()) & set("aeiou"):
        return [Score.absent(item, category, "judge@1", Absence.UNSUPPORTED, "no vowels")]
    return [Score(item, category, "judge@1", 0.01)]
