"""Training: batches are a function of the seed, a run that stops goes on as if it had not, and steps lower the loss."""

from __future__ import annotations

import torch

from generator.codec import PatchCodec, to_signed
from generator.dit import DiT, Shape
from generator.flow import loss
from generator.geometry import BUCKETS
from generator.training import Trainer, batches, draw_batch, fit_codec

TINY = Shape(latent=24, width=48, heads=4, blocks=1, text_blocks=1)


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
        error = loss(trainer.net, codec.encode(to_signed(batch.pixels)), batch.clue(codec), random)
        errors.append(error.item())
        trainer.step(error, 2e-3)
    return errors


def test_batches_follow_from_the_seed() -> None:
    """The same seed and number give the same batch, another number another one, all of one of the three shapes."""
    one, again = draw_batch(1, 5, 3), next(batches(1, 5, 3))
    assert torch.equal(one.pixels, again.pixels)
    assert one.captions == again.captions
    assert torch.equal(one.given, again.given)
    other = draw_batch(1, 6, 3)
    assert other.pixels.shape != one.pixels.shape or not torch.equal(other.pixels, one.pixels)
    shapes = {draw_batch(2, i, 1).pixels.shape[1:4] for i in range(24)}
    assert shapes == {(16, h, w) for w, h in BUCKETS}


def test_every_way_of_giving_frames_is_drawn() -> None:
    """Training meets clips with nothing given, a first frame, a beginning, an end, and both ends."""
    ways = set()
    for index in range(12):
        for known in draw_batch(3, index, 8).given.tolist():
            ways.add((known[0], known[-1], sum(known) > 1))
    assert ways == {(False, False, False), (True, False, False), (True, False, True), (False, True, True),
                    (True, True, True)} | (ways & {(False, True, False)})  # fmt: skip


def test_steps_lower_the_loss_and_a_resumed_run_is_the_same_run() -> None:
    """Nine steps lower the loss on the batches seen, and stopping after six changes no weight of the ninth."""
    codec = fit_codec(seed=9, clips=20, keep=24)
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
