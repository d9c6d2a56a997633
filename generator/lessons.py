"""What the embedded model learns from, drawn as it is needed: tracks for the planner, sheets for the painter, clips and
their drafts for the filmer. A batch is a function of the seed and its number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor

from generator.checkpoint import Part
from generator.codec import CLIP_PATCH, SHEET_PATCH, TRACK_PATCH, Patch, PatchCodec, fold, to_signed
from generator.dit import Shape
from generator.draft import Shot, draft_of
from generator.flow import Clue
from generator.geometry import BUCKETS, LEAST as FRAMES, NATIVE_FPS as FPS, Given
from generator.layers import Layers
from generator.studio import Studio
from generator.text import BACKDROP, encode, words
from generator.told import CLOCK, DRAFT, clock, drafted, in_clear_weather
from generator.world.render import render_clip
from generator.world.scene import BACKDROPS, KINDS, SHAPES, SPRITES, Range, SceneSpec, draw_scene
from generator.world.sheet import LANDSCAPE, SHEET, SUBJECT, sheet_of
from generator.world.track import NUMBERS, Track, track_of

UNTOLD_SHARE: Final = 0.06  # sheets without a caption, for classifier-free guidance
HUSHED_SHARE: Final = 0.03  # of each attribute, where there is a caption
SUBJECT_WEIGHT: Final = 0.5  # what a patch of the subject or of its alpha counts more than one of the landscape
# The curriculum: half of the kinds in daylight first, then all of them by day, at dusk and at night.
STAGES: Final = {
    "first": Range(kinds=(*SHAPES, *tuple(SPRITES)[:24]), emblem=0.03, dyed=0.1, weather=0.0, dusk=0.0, pairs=0.0),
    "whole": Range(emblem=0.03, dyed=0.12, weather=0.0, dusk=0.2, pairs=0.0, backdrops=1),
}


CPU: Final = torch.device("cpu")
LONG_SHARE: Final = 0.25  # of batches of tracks: longer than two seconds
LONGEST: Final = 120  # patches of a track: a minute
BUCKET_SHARES: Final = (0.7, 0.15, 0.15)  # of clips: landscape mostly, since that is what people ask for
# What is given of a clip: nothing, the first frame, a beginning, an end, both ends.
GIVEN_SHARES: Final = (0.64, 0.12, 0.1, 0.04, 0.1)
LEFT: Final = 0.01  # mean square that drafts lack on average
UNSURE: Final = (0.9, 1.0)  # times at which the painter guesses the sheets that drafts are made of


@dataclass(frozen=True, eq=False)
class Batch:
    """What is to be made, (B, T, H, W, C) as the codec takes it, what is told, and what each patch counts."""

    pixels: Tensor
    clue: Clue
    weight: Tensor  # (B, t, h, w), or one that can be expanded to it

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        told = None if self.clue.told is None else self.clue.told.to(device)
        clue = Clue(self.clue.tokens.to(device), told)
        return Batch(self.pixels.to(device), clue, self.weight.to(device))


def trained_words(of: Range) -> tuple[str, ...]:
    """The words that training on a range of scenes gives a meaning to."""
    off = {
        BACKDROP: tuple(str(n) for n in range(of.backdrops, BACKDROPS)),
        "kind": tuple(k for k in KINDS if k not in of.kinds),
        "weather": ("rain", "snowfall", "fog") if of.weather == 0 else (),
        "light": ("sunset", "dark") if of.dusk == 0 else (),
        "motion": ("meet",) if of.pairs == 0 else (),
        "second": KINDS if of.pairs == 0 else tuple(k for k in KINDS if k not in of.kinds),
    }
    return tuple(w for w in words() if w.split(":")[1] not in off.get(w.split(":")[0], ()))


@dataclass(frozen=True)
class Which:
    """Which batch: its contents are a function of these."""

    seed: int
    index: int
    size: int  # B
    half: bool = False  # in clips of half the lines, where a lesson knows such
    device: torch.device = CPU  # where clips and drafts are drawn, and where the painter is

    @property
    def random(self) -> np.random.Generator:
        """What the batch is drawn with, from its beginning."""
        return np.random.default_rng((self.seed, self.index))


@dataclass(frozen=True)
class Lesson:
    """How one network is made and what it learns from: `draw(which, scenes, painter)` gives a batch."""

    shape: Shape
    patch: Patch
    scenes: Range
    draw: Callable[[Which, Range, Part | None], Batch]
    coarse: float = 0.0  # the share of a run that learns from half the lines: four batches for the price of one


def draw_tracks(which: Which, of: Range, painter: Part | None = None) -> Batch:
    """Tracks of two seconds or longer, as clips of one pixel."""
    rng = which.random
    t = int(rng.integers(5, LONGEST + 1)) if rng.random() < LONG_SHARE else FRAMES // TRACK_PATCH[0]
    count = max(1, which.size * 4 // t)  # batches of long tracks are as many patches
    scenes = [draw_scene(rng, of) for _ in range(count)]
    tracks = np.stack([_long_track(rng, scene, t) for scene in scenes])[:, :, None, None]  # (B, T, 1, 1, C)
    clue = Clue(torch.from_numpy(encode([_told(rng, scene) for scene in scenes])), clock(count, t))
    return Batch(torch.from_numpy(tracks), clue, torch.ones(1))


def _long_track(rng: np.random.Generator, scene: SceneSpec, t: int) -> Track:
    """A track of t patches; a clip may end anywhere in the last one, from where on everything stands."""
    frames = TRACK_PATCH[0] * t
    ends = frames - int(rng.integers(0, TRACK_PATCH[0])) if t > FRAMES // TRACK_PATCH[0] else frames
    return track_of(scene, ends, FPS)[np.minimum(np.arange(frames), ends - 1)]


def draw_sheets(which: Which, of: Range, painter: Part | None = None) -> Batch:
    """Sheets, and more weight on their subjects."""
    rng = which.random
    scenes = [draw_scene(rng, of) for _ in range(which.size)]
    sheets = np.stack([sheet_of(scene) for scene in scenes])[:, None]  # (B, 1, H, W, 3)
    tokens = encode([_told(rng, scene) for scene in scenes])
    h, w = SHEET[1] // SHEET_PATCH[1], SHEET[0] // SHEET_PATCH[2]
    weight = np.ones((which.size, 1, h, w), np.float32)
    weight[:, :, LANDSCAPE[1] // SHEET_PATCH[1] :, : 2 * SUBJECT // SHEET_PATCH[2]] += SUBJECT_WEIGHT
    return Batch(to_signed(torch.from_numpy(sheets)), Clue(torch.from_numpy(tokens)), torch.from_numpy(weight))


def draw_clips(which: Which, of: Range, painter: Part | None = None) -> Batch:
    """What the drafts of clips lack, in [-1, 1], drafts being made from sheets that the painter guessed.

    Without a painter from true sheets, which is only good for tests. Given frames are in the draft as they are.
    """
    rng = which.random
    bucket = BUCKETS[rng.choice(len(BUCKETS), p=BUCKET_SHARES)]
    shape = halved(bucket) if which.half else bucket
    scenes = [draw_scene(rng, of) for _ in range(which.size)]
    clips = drawn_clips(scenes, shape, which.device)  # (B, T, H, W, 3)
    sheets = guessed(rng, scenes, painter, which.device)  # (B, H, W, 3)
    drafts, known = [], []
    for scene, clip, sheet in zip(scenes, clips, sheets, strict=True):
        given = Given(clip.cpu().numpy(), _given(rng), np.zeros(FRAMES))
        shot = Shot(track_of(scene, FRAMES, FPS), 0, shape)
        drafts.append(draft_of([shot], [Layers.of(sheet)], given))
        known.append(given.known)
    draft = torch.stack(drafts)  # (B, T, H, W, 3)
    clue = Clue(
        torch.from_numpy(encode([_told(rng, scene) for scene in scenes])).to(draft.device),
        drafted(draft, torch.from_numpy(np.stack(known)).to(draft.device)),
    )
    left = (clips.float() - draft) / 127.5  # (B, T, H, W, 3)
    # Each clip counts alike: rain leaves a hundred times more to learn than the edges of a fox.
    weight = 1 / (left.square().mean(dim=(1, 2, 3, 4)) / LEFT + 0.1)
    return Batch(left, clue, weight[:, None, None, None])


def drawn_clips(scenes: list[SceneSpec], size: tuple[int, int], device: torch.device) -> Tensor:
    """The scenes' clips, uint8 (B, T, H, W, 3): by OpenCV on a CPU, where that is faster, elsewhere by torch."""
    if device.type == "cpu":
        return torch.from_numpy(np.stack([render_clip(scene, size, FRAMES, FPS) for scene in scenes]))
    return torch.stack([_studio(device).clip(scene, size, FRAMES, FPS) for scene in scenes])


@cache
def _studio(device: torch.device) -> Studio:
    return Studio(device)


def halved(size: tuple[int, int]) -> tuple[int, int]:
    """Half a width and height, in whole patches."""
    across, down = (-(-half // 2 // step) * step for half, step in zip(size, CLIP_PATCH[2:0:-1], strict=True))
    return across, down


def guessed(rng: np.random.Generator, scenes: list[SceneSpec], painter: Part | None, device: torch.device) -> Tensor:
    """The painter's guess of the scenes' sheets from noisy ones, (B, H, W, 3) in [0, 255]: as good as in a walk."""
    true = torch.from_numpy(np.stack([sheet_of(scene) for scene in scenes]))[:, None].to(device)  # (B, 1, H, W, 3)
    if painter is None:
        return true[:, 0].float()
    clear = [in_clear_weather(_words(scene)) for scene in scenes]
    clean = painter.codec.encode(to_signed(true))
    random = torch.Generator().manual_seed(int(rng.integers(2**62)))
    s = torch.from_numpy(rng.uniform(*UNSURE, len(scenes)).astype(np.float32)).to(device)
    at = s[:, None, None, None, None]
    noisy = (1 - at) * clean + at * torch.randn(clean.shape, generator=random).to(device)
    with torch.no_grad():
        pixels = painter.codec.decode(painter.net(noisy, torch.from_numpy(encode(clear)).to(device), s))
    return ((pixels[:, 0] + 1) * 127.5).clamp(0, 255)


def _given(rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    known = np.zeros(FRAMES, bool)
    match rng.choice(len(GIVEN_SHARES), p=GIVEN_SHARES):
        case 1:
            known[0] = True
        case 2:
            known[: rng.integers(2, 13)] = True
        case 3:
            known[-rng.integers(1, 13) :] = True
        case 4:
            known[: rng.integers(1, 5)] = True
            known[-rng.integers(1, 5) :] = True
    return known


def _told(rng: np.random.Generator, scene: SceneSpec) -> dict[str, str]:
    if rng.random() < UNTOLD_SHARE:
        return {}
    return {name: value for name, value in _words(scene).items() if rng.random() >= HUSHED_SHARE}


def _words(scene: SceneSpec) -> dict[str, str]:
    """All that can be told of a scene."""
    return {**scene.words(), BACKDROP: str(scene.backdrop_seed % BACKDROPS)}


LESSONS: Final = {
    "planner": Lesson(
        Shape(latent=TRACK_PATCH[0] * NUMBERS, width=160, heads=4, blocks=4, attend_every=1, told=CLOCK),
        TRACK_PATCH, replace(STAGES["whole"], weather=0.1), draw_tracks,
    ),
    "painter": Lesson(Shape(latent=160, width=320, heads=5, blocks=4), SHEET_PATCH, STAGES["whole"], draw_sheets),
    "filmer": Lesson(
        Shape(latent=160, width=192, heads=4, blocks=2, attend_every=1, told=DRAFT, direct=256, reads=1),
        CLIP_PATCH, replace(STAGES["whole"], weather=0.25, dyed=0.2, styled=0.5), draw_clips,
        coarse=0.4,
    ),
}  # fmt: skip


def fit_codec(lesson: Lesson, seed: int, batches: int, painter: Part | None = None) -> PatchCodec:
    """The codec of what a network makes, from patches of batches of 20 drawn at random."""
    drawn = [lesson.draw(Which(seed, -1 - i & 0xFFFFFFFF, 20), lesson.scenes, painter).pixels for i in range(batches)]
    patches = torch.cat([fold(pixels, lesson.patch).flatten(0, 3) for pixels in drawn])
    order = torch.randperm(len(patches), generator=torch.Generator().manual_seed(seed))[:120_000]
    return PatchCodec.fit(lesson.patch, patches[order], lesson.shape.latent)
