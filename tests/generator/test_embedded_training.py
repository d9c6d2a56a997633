"""Training: batches are a function of the seed, a run that stops goes on as if it had not, and steps lower the loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from generator import lessons
from generator.checkpoint import PARTS, Part
from generator.codec import PatchCodec
from generator.dit import DiT
from generator.flow import Weights, loss
from generator.lessons import LESSONS, STAGES, Batch, Lesson, Which, draw_sheets, fit_codec, trained_words
from generator.studio import Studio
from generator.text import words
from generator.training import Trainer
from generator.world.scene import KINDS, draw_scene
from generator.world.track import NUMBERS


def lesson(name: str) -> Lesson:
    """A lesson for a network of a few thousand weights."""
    return replace(LESSONS[name], shape=replace(LESSONS[name].shape, latent=24, width=48, heads=4, blocks=2))


def drawn(name: str, seed: int, index: int, size: int) -> Batch:
    return LESSONS[name].draw(Which(seed, index, size), LESSONS[name].scenes, None)


def network(taught: Lesson, codec: PatchCodec) -> DiT:
    torch.manual_seed(0)
    net = DiT(taught.shape)
    net.spread.copy_(codec.spread)
    return net


def run(name: str, trainer: Trainer, codec: PatchCodec, steps: range) -> list[float]:
    """Steps of a run of batches of two."""
    errors = []
    for step in steps:
        batch = drawn(name, 9, step % 3, 2)
        random = torch.Generator().manual_seed(step % 3)
        weights = Weights(batch.weight, codec.importance())
        error = loss(trainer.net, codec.encode(batch.pixels), batch.clue, random, weights)
        errors.append(error.item())
        trainer.step(error, 3e-4 if name == "filmer" else 2e-3)
    return errors


@pytest.mark.parametrize(
    ("name", "shape"), [("planner", (3, 16, 1, 1, NUMBERS)), ("painter", (3, 1, 132, 144, 3)), ("filmer", None)]
)
def test_batches_follow_from_the_seed(name: str, shape: tuple[int, ...] | None) -> None:
    """The same seed and number give the same batch, another number another one."""
    one, again, other = drawn(name, 1, 5, 3), drawn(name, 1, 5, 3), drawn(name, 1, 6, 3)
    assert torch.equal(one.pixels, again.pixels)
    assert torch.equal(one.clue.tokens, again.clue.tokens)
    assert one.pixels.shape != other.pixels.shape or not torch.equal(other.pixels, one.pixels)
    assert shape is None or one.pixels.shape == shape


def test_tracks_are_short_and_long() -> None:
    """The planner learns from tracks of two seconds and of up to a minute."""
    lengths = {drawn("planner", 1, index, 32).pixels.shape[1] for index in range(40)}
    assert 16 in lengths
    assert max(lengths) > 240


def test_the_filmer_begins_with_half_the_lines() -> None:
    """Batches of half the lines show the scenes of the whole ones, in whole patches of a quarter of the number."""
    taught = LESSONS["filmer"]
    assert 0 < taught.coarse < 1
    for index in range(6):
        whole, half = (taught.draw(Which(4, index, 2, half=h), taught.scenes, None) for h in (False, True))
        assert torch.equal(whole.clue.tokens, half.clue.tokens)
        ratio = half.pixels[0, 0, ..., 0].numel() / whole.pixels[0, 0, ..., 0].numel()
        assert 0.25 <= ratio < 0.3
        assert not any(n % p for n, p in zip(half.pixels.shape[1:4], taught.patch, strict=True))


def test_clips_are_drawn_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the device is no CPU torch draws the batch on it, and the batch is the same but for rounding."""
    scenes = [draw_scene(np.random.default_rng(n), LESSONS["filmer"].scenes) for n in range(2)]
    here = lessons.drawn_clips(scenes, (64, 40), torch.device("cpu"))
    monkeypatch.setattr(lessons, "_studio", lambda device: Studio(torch.device("cpu")))  # stands in for a GPU
    there = lessons.drawn_clips(scenes, (64, 40), torch.device("cuda"))
    assert here.shape == there.shape == (2, 16, 40, 64, 3)
    assert (here.int() - there.int()).abs().float().mean() < 0.2


def test_the_filmer_learns_what_drafts_lack() -> None:
    """What a clip is to be is its draft and what is learned; where a frame is given, nothing is left to learn."""
    batch = next(b for b in (drawn("filmer", 2, index, 4) for index in range(20)) if b.clue.told[..., -4:].any())
    mask = batch.clue.told[:, :, 0, 0, -4:].flatten(1)  # (B, T)
    left = batch.pixels.abs().amax(dim=(2, 3, 4))  # (B, T)
    assert (left[mask == 1] == 0).all()
    assert left[mask == 0].max() > 0.05


def test_drafts_are_made_of_what_the_painter_guesses() -> None:
    """With a painter, drafts are worse than with true sheets, so there is more to learn."""
    codec = fit_codec(lesson("painter"), seed=9, batches=1)
    painter = Part(network(lesson("painter"), codec), codec)
    clear = replace(LESSONS["filmer"].scenes, weather=0.0)
    true, guessed = (LESSONS["filmer"].draw(Which(2, 1, 4), clear, made_by).pixels for made_by in (None, painter))
    assert guessed.square().mean() > 2 * true.square().mean()


def test_some_sheets_have_no_caption_and_some_captions_no_kind() -> None:
    """Training meets sheets of which nothing is told, as guidance needs, and attributes that are left out."""
    tokens = torch.cat([draw_sheets(Which(3, index, 40), STAGES["whole"]).clue.tokens for index in range(6)])
    assert 0.01 < float((tokens == 0).all(dim=1).float().mean()) < 0.2
    assert 0.03 < float((tokens[:, 0] == 0).float().mean()) < 0.3


def test_a_stage_trains_the_words_it_draws() -> None:
    """The first stage gives half of the kinds a meaning, the whole one all of them, and neither a second subject."""
    first, whole = (set(trained_words(STAGES[name])) for name in ("first", "whole"))
    landscapes = {word for word in words() if word.startswith("backdrop:")}
    assert first - landscapes < whole < set(words())
    assert {f"kind:{kind}" for kind in KINDS} <= whole
    assert "kind:horse" not in first
    assert not any(word.startswith("second:") for word in whole)


@pytest.mark.parametrize("name", PARTS)
def test_steps_lower_the_loss_and_a_resumed_run_is_the_same_run(name: str) -> None:
    """Nine steps lower the loss on the batches seen, and stopping after six changes no weight of the ninth."""
    taught = lesson(name)
    codec = fit_codec(taught, seed=9, batches=1)
    straight = Trainer(network(taught, codec), average=0.9)
    errors = run(name, straight, codec, range(9))
    assert sum(errors[6:]) < sum(errors[:3])
    first = Trainer(network(taught, codec), average=0.9)
    run(name, first, codec, range(6))
    second = Trainer(network(taught, codec), average=0.9)
    second.resume(first.state())
    run(name, second, codec, range(6, 9))
    assert second.steps == straight.steps == 9
    for a, b in zip(second.masters, straight.masters, strict=True):
        assert torch.equal(a, b)
    mine, theirs = second.averaged(), straight.averaged()
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
