"""Training: batches are a function of the seed, a run that stops goes on as if it had not, and steps lower the loss."""

from __future__ import annotations

import torch

from generator.codec import PatchCodec, to_signed
from generator.dit import DiT, Shape
from generator.flow import Weights, loss
from generator.text import words
from generator.training import STAGES, Trainer, draw_batch, fit_codec, trained_words
from generator.world.scene import KINDS

TINY = Shape(latent=24, width=48, heads=4, blocks=2)


def network(codec: PatchCodec) -> DiT:
    torch.manual_seed(0)
    net = DiT(TINY)
    net.spread.copy_(codec.spread)
    return net


def run(trainer: Trainer, codec: PatchCodec, first: int, last: int) -> list[float]:
    """Steps first to last - 1 of a run of batches of four."""
    errors = []
    for step in range(first, last):
        batch = draw_batch(seed=9, index=step % 3, size=4)
        random = torch.Generator().manual_seed(step % 3)
        clean = codec.encode(to_signed(batch.sheets))
        error = loss(trainer.net, clean, batch.tokens, random, Weights(batch.weight, codec.importance()))
        errors.append(error.item())
        trainer.step(error, 2e-3)
    return errors


def test_batches_follow_from_the_seed() -> None:
    """The same seed and number give the same batch, another number another one."""
    one, again, other = draw_batch(1, 5, 3), draw_batch(1, 5, 3), draw_batch(1, 6, 3)
    assert torch.equal(one.sheets, again.sheets)
    assert torch.equal(one.tokens, again.tokens)
    assert not torch.equal(other.sheets, one.sheets)
    assert one.sheets.shape == (3, 1, 132, 144, 3)
    assert one.weight.shape == (3, 1, 11, 12)


def test_some_sheets_have_no_caption_and_some_captions_no_kind() -> None:
    """Training meets sheets of which nothing is told, as guidance needs, and attributes that are left out."""
    tokens = torch.cat([draw_batch(3, index, 40).tokens for index in range(6)])
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


def test_steps_lower_the_loss_and_a_resumed_run_is_the_same_run() -> None:
    """Nine steps lower the loss on the batches seen, and stopping after six changes no weight of the ninth."""
    codec = fit_codec(seed=9, sheets=20, keep=24)
    straight = Trainer(network(codec), average=0.9)
    errors = run(straight, codec, 0, 9)
    assert sum(errors[6:]) < sum(errors[:3])
    first = Trainer(network(codec), average=0.9)
    run(first, codec, 0, 6)
    second = Trainer(network(codec), average=0.9)
    second.resume(first.state())
    run(second, codec, 6, 9)
    assert second.steps == straight.steps == 9
    for a, b in zip(second.masters, straight.masters, strict=True):
        assert torch.equal(a, b)
    mine, theirs = second.averaged(), straight.averaged()
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
