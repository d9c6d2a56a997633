"""A picture is all that its file shows: every picture of an animation, and the colours that transparency hides."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from assay import banking
from assay.looking import MOST_LOOKS
from assay.moderating import Entry, PictureAsk, moderate
from assay.settings import Settings
from assay.tasks import Bench, picture
from assay.watch import Silent
from media import UsageError

GREY, RED = (90, 90, 90), (255, 0, 0)


@pytest.fixture
def bench(api_settings: Settings) -> Iterator[Bench]:
    made = Bench(api_settings, "worker-pictures")
    yield made
    made.close()


def plain(colour: tuple[int, int, int]) -> Image.Image:
    return Image.new("RGB", (64, 48), colour)


def animation(*colours: tuple[int, int, int]) -> bytes:
    target = io.BytesIO()
    first, *others = (plain(colour) for colour in colours)
    first.save(target, "GIF", save_all=True, append_images=others, duration=100, disposal=2)
    return target.getvalue()


def still(mode: str) -> bytes:
    """Grey as a page shows it; with `hidden`, red where it is transparent."""
    target = io.BytesIO()
    pixels = np.full((48, 64, 4), (*RED, 0) if mode == "hidden" else (*GREY, 255), np.uint8)
    Image.fromarray(pixels, "RGBA").save(target, "PNG")
    return target.getvalue()


def flagged(bench: Bench, content: bytes) -> bool:
    policy = banking.policy(bench.settings)
    ask = PictureAsk.of(1, content, policy)
    seen = picture(bench, ask, Silent())
    answer = moderate(Entry(pictures=("data:",)), policy, seen, require_complete=False)
    assert answer["category_applied_input_types"]["violence/graphic"] == ["image"]
    return bool(answer["flagged"])


@pytest.mark.parametrize("at", [0, 1, 2])
def test_every_picture_of_an_animation(bench: Bench, at: int) -> None:
    """A picture that is refused alone is refused wherever it stands in an animation."""
    colours = [GREY] * 3
    assert not flagged(bench, animation(GREY, (95, 95, 95), (100, 100, 100)))
    colours[at] = RED
    assert flagged(bench, animation(*colours))


def test_what_transparency_hides(bench: Bench) -> None:
    """Colours below full transparency are looked at: another page, or another program, shows them."""
    assert not flagged(bench, still("shown"))
    assert flagged(bench, still("hidden"))


def test_long_animations_are_refused(bench: Bench) -> None:
    """What has more pictures than are looked at is refused, not judged by a part of it; nothing stays on the disk."""
    with pytest.raises(UsageError, match="/v1/scans"):
        flagged(bench, animation(*((level, level, level) for level in range(60, 62 + 2 * MOST_LOOKS, 2))))
    assert not list(bench.scanning.private.glob("picture-*"))
