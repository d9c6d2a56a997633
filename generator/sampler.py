"""The torch side of the embedded back-end: prompts and noise in, native clips out, step by step.

Three networks of one class, each walked from noise (`generator.flow`): the planner makes a track (where subject and
camera are), the painter a sheet (what they look like), and the filmer the clip itself, in spacetime patches, told the
words and the draft that track and sheet make together. Emu Video (2023) factorises in this way, by a picture first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from generator.checkpoint import read
from generator.codec import CLIP_PATCH, SHEET_PATCH, TRACK_PATCH, to_signed
from generator.draft import Shot, draft_of, fitted
from generator.film import Clip, Film
from generator.flow import Clue, Pull, walk
from generator.geometry import LEAST, NATIVE_FPS, WINDOW, Geometry, Given
from generator.layers import Layers
from generator.request import GenerationRequest
from generator.text import BACKDROP, encode, prompt_words
from generator.told import clock, drafted, in_clear_weather
from generator.world.parse import read_prompt
from generator.world.scene import planned
from generator.world.sheet import SHEET, sheet_from

# How much of the guidance above 1 is used: what a sheet shows hangs on the words alone, so a scale of 3, which is usual
# where words and pictures go together loosely, would only raise the contrast.
GUIDED: Final = 0.1
PLANNED_IN: Final = 6  # steps of the planner: a thousandth of the work
FILMED: Final = 3  # one step of so many is the filmer's
_MOST: Final = 6.0  # units that a number of a track may be away from 0


@dataclass(frozen=True, eq=False)
class Part:
    """What follows one prompt: its words for the painter and the filmer, and its native frames."""

    words: dict[str, str]
    first: int
    frames: int


def shared(steps: int) -> tuple[int, int]:
    """How many of the steps asked for are the painter's, and how many the filmer's; each has one at least."""
    filming = max(1, steps // FILMED)
    return max(1, steps - filming), filming


class Sampler:
    """Loaded networks."""

    def __init__(self, folder: Path) -> None:
        self._model = read(folder)
        self._known = self._model.known
        self._backdrops = max(1, sum(word.startswith(f"{BACKDROP}:") for word in self._known))

    def steps(self, request: GenerationRequest, geometry: Geometry, given: Given) -> Iterator[Callable[[], Film]]:
        """After each denoising step, a function that decodes the clip believed in; the last one gives the clip."""
        parts = self._parts(request, geometry)
        shots = self._plan(parts, geometry, _random(request, 0))
        painting, filming = shared(request.steps)
        sheets = torch.empty(0)
        for sheets in self._paint(request, parts, shots, given, painting):
            if request.steps > 1:
                yield partial(self._draft, sheets, shots, given)
        draft = self._draft(sheets, shots, given)
        for latents in self._film(parts, geometry, (draft.clip, given), _random(request, 2), filming):
            yield partial(self._filmed, draft, latents)

    def _parts(self, request: GenerationRequest, geometry: Geometry) -> list[Part]:
        """The parts of the clip that follow one prompt each; what a prompt leaves open is drawn from the seed."""
        starts = [0, *(round(start_s * NATIVE_FPS) for start_s, _ in request.storyboard)]
        ends = [min(end, geometry.native_frames) for end in (*starts[1:], geometry.native_frames)]
        parts = []
        for prompt, first, end in zip(request.prompts, starts, ends, strict=True):
            said = prompt_words(prompt, self._known)
            scene = planned(said, request.seed)
            seeded = {**scene.words(), BACKDROP: str(scene.backdrop_seed % self._backdrops)}
            words = {**seeded, **said} if said else seeded
            if end > first:  # a prompt that would begin after the last frame has no part
                parts.append(Part(words, first, end - first))
        return parts

    def _plan(self, parts: list[Part], geometry: Geometry, random: torch.Generator) -> list[Shot]:
        """Each part's track, from noise."""
        net, codec = self._model.planner.net, self._model.planner.codec
        # At least two seconds, in which a motion has its pace; one noise for all, so that likes begin in one place.
        lengths = [-(-max(part.frames, LEAST) // TRACK_PATCH[0]) for part in parts]
        every = torch.randn(1, max(lengths), 1, 1, net.shape.latent, generator=random)
        shots = []
        for part, t in zip(parts, lengths, strict=True):
            noise = every[:, :t]
            clue = Clue(self._tokens([part.words]), clock(1, t))
            *_, latents = walk(net, noise, [clue], [0], Pull.none(noise), steps=PLANNED_IN)
            numbers = codec.decode(latents)[0, : part.frames, 0, 0].clamp(-_MOST, _MOST).numpy()
            shots.append(Shot(numbers, part.first, geometry.native))
        return shots

    def _paint(
        self, request: GenerationRequest, parts: list[Part], shots: list[Shot], given: Given, steps: int
    ) -> Iterator[Tensor]:
        """The sheets (B, 1, h, w, K), one a part, believed in after each step."""
        net = self._model.painter.net
        grid = (1, SHEET[1] // SHEET_PATCH[1], SHEET[0] // SHEET_PATCH[2])
        # One noise for all: what two prompts have in common looks the same in both.
        random = _random(request, 1)
        noise = torch.randn(1, *grid, net.shape.latent, generator=random).repeat(len(parts), 1, 1, 1, 1)
        away = [read_prompt(request.negative_prompt or "").attributes] * len(parts)
        tokens = torch.cat([self._tokens([in_clear_weather(part.words) for part in parts]), self._tokens(away)])
        guidance = 1 + (request.guidance_scale - 1) * GUIDED
        pull = self._pull(shots, given, noise)
        return walk(net, noise, [Clue(tokens)], [0], pull, steps=steps, guidance=guidance)

    def _film(
        self, parts: list[Part], geometry: Geometry, draft: tuple[Clip, Given], random: torch.Generator, steps: int
    ) -> Iterator[Tensor]:
        """The latents of what the clip has and its draft has not, in windows; each is told its draft and its words."""
        pictures, known = draft[0], draft[1].known
        whole = np.minimum(np.arange(geometry.windows[-1] + WINDOW), len(pictures) - 1)  # the end stays
        told = drafted(torch.from_numpy(pictures[whole])[None], torch.from_numpy(known[whole])[None])
        starts, length = [first // CLIP_PATCH[0] for first in geometry.windows], WINDOW // CLIP_PATCH[0]
        clues = []
        for first, start in zip(geometry.windows, starts, strict=True):
            middle = min(first + WINDOW / 2, len(pictures) - 1)
            part = [part for part in parts if part.first <= middle][-1]
            clues.append(Clue(self._tokens([part.words]), told[:, start : start + length]))
        net = self._model.filmer.net
        noise = torch.randn(*told.shape[:4], net.shape.latent, generator=random)
        return walk(net, noise, clues, starts, Pull.none(noise), steps=steps)

    def _pull(self, shots: list[Shot], given: Given, noise: Tensor) -> Pull:
        """The latents of the given frame in the middle of those that only pull in a shot, and how long it does."""
        pull = Pull.none(noise)
        for row, shot in enumerate(shots):
            frames = [i for i in shot.frames if given.pull[i] > 0]
            if frames:
                at = frames[len(frames) // 2]
                sheet = to_signed(torch.from_numpy(sheet_from(given.native[at].astype(np.float32), shot.view(at))))
                pull.latents[row] = self._model.painter.codec.encode(sheet[None, None])[0]
                pull.until[row] = 1 - float(given.pull[frames].max())
        return pull

    def _draft(self, sheets: Tensor, shots: list[Shot], given: Given) -> Film:
        pixels = ((self._model.painter.codec.decode(sheets)[:, 0] + 1) * 127.5).clamp(0, 255)  # (B, H, W, 3)
        layers = [Layers.of(sheet) for sheet in pixels]
        placed = [fitted(shot, layer, given) for shot, layer in zip(shots, layers, strict=True)]
        return Film(np.asarray(draft_of(placed, layers, given).numpy(), np.float32), placed, layers)

    def _filmed(self, draft: Film, latents: Tensor) -> Film:
        """The draft with what the filmer adds to it."""
        more = self._model.filmer.codec.decode(latents)[0, : len(draft.clip)]  # (N, h, w, 3) in [-1, 1]
        clip = (torch.from_numpy(draft.clip) + 127.5 * more).clamp(0, 255).numpy()
        return draft.with_clip(np.asarray(clip, np.float32))

    def _tokens(self, words: list[dict[str, str]]) -> Tensor:
        return torch.from_numpy(encode(words, self._known))


def _random(request: GenerationRequest, stage: int) -> torch.Generator:
    """Each network has a noise of its own, so that what one uses of it changes nothing for the next."""
    return torch.Generator().manual_seed((3 * request.seed + stage) % 2**63)
