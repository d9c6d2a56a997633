"""The codec, the transformer and the flow: each does by itself what the sampler relies on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from generator.codec import PATCH, PatchCodec, fold, to_bytes, to_signed, unfold
from generator.dit import DiT, Shape, rotations, turn, waves, wiener
from generator.flow import Clue, Pull, look, loss, times, walk
from generator.geometry import BUCKETS
from generator.training import draw_batch, fit_codec

FREE = Pull(torch.zeros(1, 1, 1, 1, 12), torch.ones(1))  # nothing pulls
SMALL = Shape(latent=12, width=48, heads=4, blocks=2, text_blocks=1)


@pytest.fixture(scope="module")
def codec() -> PatchCodec:
    return fit_codec(seed=3, clips=60, keep=192)


def clue(grid: tuple[int, int, int], batch: int = 1, latent: int = 12) -> Clue:
    tokens = torch.zeros(batch, 24, dtype=torch.long)
    tokens[:, 0] = 1
    return Clue(torch.zeros(batch, *grid, latent), torch.zeros(batch, *grid, 4), tokens)


def test_folding_patches_loses_nothing() -> None:
    """Patches put back together are the picture, bit for bit."""
    pixels = torch.randn(2, 8, 16, 24, 3)
    assert fold(pixels).shape == (2, 2, 2, 3, 4 * 8 * 8 * 3)
    assert torch.equal(unfold(fold(pixels)), pixels)


def test_bytes_survive_the_signed_form() -> None:
    """Every byte value comes back from [-1, 1] as itself, and what lies outside is clamped."""
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_bytes(to_signed(every)), every)
    assert to_bytes(torch.tensor([-9.0, 9.0])).tolist() == [0, 255]


def test_the_codec_keeps_clips_it_has_not_seen(codec: PatchCodec) -> None:
    """Unseen clips of this world come back with at least 28 dB, and latents have the deviations the codec says."""
    batch = draw_batch(seed=4, index=0, size=12)
    pixels = to_signed(batch.pixels)
    latents = codec.encode(pixels)
    error = (codec.decode(latents).clamp(-1, 1) - pixels).square().mean() / 4
    assert -10 * torch.log10(error) > 28
    assert latents.flatten(0, 3).std(0)[:8].div(codec.spread[:8]).sub(1).abs().max() < 0.5


def test_a_codec_that_keeps_everything_is_exact() -> None:
    """With all directions kept, decoding undoes encoding."""
    patches = torch.randn(2000, 768)
    whole = PatchCodec.fit(patches, keep=768)
    pixels = torch.randn(1, 4, 8, 8, 3)
    assert torch.allclose(whole.decode(whole.encode(pixels)), pixels, atol=1e-3)


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_fresh_network_is_a_linear_filter(bucket: tuple[int, int]) -> None:
    """AdaLN-Zero: an untrained network returns the Wiener estimate for every shape, whatever is said or given."""
    grid = (4, bucket[1] // 8, bucket[0] // 8)
    net = DiT(SMALL)
    noisy, time = torch.randn(2, *grid, 12), torch.tensor([0.3, 1.0])
    told = clue(grid, batch=2)
    told.tokens[1, 1:5] = torch.tensor([5, 6, 7, 8])
    skip, _ = wiener(net.spread, time)
    guess = net(noisy, told.visible, told.mask, time, told.tokens)
    assert guess.shape == (2, *grid, 12)
    assert torch.allclose(guess, skip * noisy, atol=1e-6)


def test_blocks_start_as_the_identity() -> None:
    """A fresh block returns its tokens unchanged, since its gates are zero."""
    block = DiT(SMALL).blocks[0]
    x, words = torch.randn(1, 6, 48), torch.randn(1, 3, 48)
    seen, rope = torch.ones(1, 1, 1, 3, dtype=torch.bool), rotations((1, 2, 3), 12, x.device)
    assert torch.equal(block(x, words, seen, torch.zeros(1, 9, 48), rope), x)


def trained(seed: int = 0) -> DiT:
    """A network whose zero layers are not zero, so that everything that goes in can come out."""
    torch.manual_seed(seed)
    net = DiT(SMALL).eval().requires_grad_(False)
    for p in net.parameters():
        p.add_(torch.randn_like(p) * 0.05)
    return net


def test_padding_says_nothing() -> None:
    """Tokens of padding do not change the answer, words do, and so do what is given and its mask."""
    net, grid = trained(), (2, 2, 2)
    noisy, time, told = torch.randn(1, *grid, 12), torch.tensor([0.5]), clue(grid)
    plain = net(noisy, told.visible, told.mask, time, told.tokens)
    assert torch.allclose(plain, net(noisy, told.visible, told.mask, time, told.tokens[:, :5]), atol=1e-5)
    worded = told.tokens.clone()
    worded[0, 1] = 7
    for other in (
        net(noisy, told.visible, told.mask, time, worded),
        net(noisy, told.visible + 1, told.mask, time, told.tokens),
        net(noisy, told.visible, told.mask + 1, time, told.tokens),
        net(noisy, told.visible, told.mask, time * 0.5, told.tokens),
    ):
        assert (other - plain).abs().max() > 1e-4


def test_word_order_is_heard() -> None:
    """The same words in another order give another answer."""
    net, grid = trained(), (1, 2, 2)
    told = clue(grid, batch=2)
    told.tokens[0, 1:3], told.tokens[1, 1:3] = torch.tensor([5, 9]), torch.tensor([9, 5])
    noisy = torch.randn(1, *grid, 12).expand(2, -1, -1, -1, -1)
    one, two = net(noisy, told.visible, told.mask, torch.tensor([0.5, 0.5]), told.tokens)
    assert (one - two).abs().max() > 1e-4


def test_rope_keeps_lengths_and_tells_places_apart() -> None:
    """Turning by place keeps each vector's length, and the dot product depends on the distance of places only."""
    rope = rotations((2, 3, 4), 12, torch.device("cpu"))
    x = torch.randn(1, 1, 24, 12)
    assert torch.allclose(turn(x, rope).norm(dim=-1), x.norm(dim=-1), atol=1e-5)
    same = turn(torch.ones(1, 1, 24, 12), rope)[0, 0]
    assert torch.allclose(same[0] @ same[1], same[1] @ same[2], atol=1e-5)
    assert not torch.allclose(same[0] @ same[1], same[0] @ same[2], atol=1e-3)
    assert waves(torch.tensor([0.0, 0.5]), 48).shape == (2, 48)


@given(steps=st.integers(1, 60))
def test_times_fall_from_noise_to_nothing(steps: int) -> None:
    """A walk's times start at 1, end at 0 and fall at each step."""
    at = times(steps)
    assert (at[0], at[-1], len(at)) == (1.0, 0.0, steps + 1)
    assert all(a > b for a, b in pairwise(at))


@given(steps=st.integers(1, 8), guidance=st.sampled_from([0.0, 1.0, 7.0]))
@settings(deadline=None)
def test_a_walk_with_a_perfect_guide_arrives(steps: int, guidance: float) -> None:
    """Where the network always knows the clean clip, every step believes in it, at any guidance."""
    truth = torch.randn(1, 1, 2, 2, 12)

    class Oracle(torch.nn.Module):
        def forward(self, noisy: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
            return truth.expand_as(noisy)

    told = clue((1, 2, 2))
    two = Clue(told.visible, told.mask, told.tokens.expand(2, -1))
    walked = list(walk(Oracle(), torch.randn(1, 1, 2, 2, 12), [two], [0], FREE, steps=steps, guidance=guidance))
    assert len(walked) == steps
    assert torch.allclose(walked[-1], truth, atol=1e-5)


def test_guidance_steers_away_from_the_second_text() -> None:
    """At guidance 1 the second text is not heard; above it, the answer moves away from it."""

    class Echo(torch.nn.Module):
        def forward(self, noisy: torch.Tensor, a: object, b: object, c: object, tokens: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(noisy) + tokens[:, 0].float().view(-1, 1, 1, 1, 1)

    two = Clue(torch.zeros(1, 1, 1, 1, 12), torch.zeros(1, 1, 1, 1, 4), torch.tensor([[5], [1]]))
    noise = torch.zeros(1, 1, 1, 1, 12)
    assert next(walk(Echo(), noise, [two], [0], FREE, steps=1, guidance=1.0)).unique().tolist() == [5.0]
    assert next(walk(Echo(), noise, [two], [0], FREE, steps=1, guidance=3.0)).unique().tolist() == [13.0]


def test_the_loss_of_the_truth_is_zero_and_of_silence_is_not() -> None:
    """A network that knows the clean clip has no loss; a fresh one does."""
    clean, told = torch.randn(3, 1, 2, 2, 12), clue((1, 2, 2), batch=3)

    class Oracle(torch.nn.Module):
        def forward(self, *_: torch.Tensor) -> torch.Tensor:
            return clean

    assert loss(Oracle(), clean, told, torch.Generator().manual_seed(0)).item() == 0
    assert loss(DiT(SMALL), clean, told, torch.Generator().manual_seed(0)).item() > 0.3


def test_given_frames_are_held_and_masked(codec: PatchCodec) -> None:
    """What is not given shows the nearest given frame; the mask marks the given ones alone; nothing given is zeros."""
    pixels = to_signed(draw_batch(seed=5, index=1, size=2).pixels)
    known = torch.zeros(2, 16, dtype=torch.bool)
    known[0, 0] = known[0, 15] = True
    visible, mask = look(codec, pixels, known)
    t, h, w = visible.shape[1:4]
    assert mask.shape == (2, t, h, w, PATCH[0])
    assert mask[0].sum() == 2 * h * w
    assert mask[0, 0, 0, 0].tolist() == [1, 0, 0, 0]
    assert mask[0, 3, 0, 0].tolist() == [0, 0, 0, 1]
    assert not visible[1].any()
    held = pixels[:1, [0] * 8 + [15] * 8]
    assert torch.allclose(visible[:1], codec.encode(held), atol=1e-4)
    assert np.isfinite(visible.numpy()).all()


def test_windows_that_agree_give_one_clip_without_a_seam() -> None:
    """Where all windows believe in one long clip, what comes out is that clip, at the borders too."""
    truth = torch.randn(1, 8, 2, 2, 12)

    class Oracle(torch.nn.Module):
        def forward(self, noisy: torch.Tensor, visible: torch.Tensor, *_: object) -> torch.Tensor:
            return visible  # each window is told its own part of the truth

    starts = [0, 2, 4]
    clues = [Clue(truth[:, s : s + 4], torch.zeros(1, 4, 2, 2, 4), torch.ones(2, 24, dtype=torch.long)) for s in starts]
    free = Pull(torch.zeros(1, 8, 1, 1, 12), torch.ones(8))
    *_, last = walk(Oracle(), torch.randn(1, 8, 2, 2, 12), clues, starts, free, steps=3, guidance=2.0)
    assert torch.allclose(last, truth, atol=1e-5)


def test_windows_that_differ_pass_into_each_other() -> None:
    """Between two windows that believe in different clips, the answer goes from one to the other step by step."""

    class Wants(torch.nn.Module):
        def forward(self, noisy: torch.Tensor, visible: torch.Tensor, *_: object) -> torch.Tensor:
            return visible

    clues = [
        Clue(torch.full((1, 4, 1, 1, 12), v), torch.zeros(1, 4, 1, 1, 4), torch.ones(2, 24, dtype=torch.long))
        for v in (0.0, 1.0)
    ]
    free = Pull(torch.zeros(1, 6, 1, 1, 12), torch.ones(6))
    clean = next(walk(Wants(), torch.randn(1, 6, 1, 1, 12), clues, [0, 2], free, steps=1, guidance=1.0))
    line = clean[0, :, 0, 0, 0].tolist()
    assert line == pytest.approx([0.0, 0.0, 0.25, 0.75, 1.0, 1.0])


@pytest.mark.parametrize(("strength", "held"), [(0.0, 0), (0.5, 3), (0.99, 5)])
def test_frames_that_pull_hold_the_clip_while_it_is_noisy(strength: float, held: int) -> None:
    """A pull holds the noisy clip to its latents at times above 1 - strength, and at none below."""
    seen: list[bool] = []
    anchor = torch.full((1, 1, 1, 1, 12), 9.0)
    noise = torch.randn(1, 1, 1, 1, 12)

    class Watch(torch.nn.Module):
        def forward(self, noisy: torch.Tensor, a: object, b: object, time: torch.Tensor, d: object) -> torch.Tensor:
            now = float(time[0])
            seen.append(torch.allclose(noisy[:1], (1 - now) * anchor + now * noise, atol=1e-5) and now < 1)
            return torch.zeros_like(noisy)

    pull = Pull(anchor, torch.tensor([1 - strength]))
    list(walk(Watch(), noise, [clue((1, 1, 1))], [0], pull, steps=6, guidance=1.0))
    expected = sum(1 - strength < now < 1 for now in times(6)[:-1])
    assert sum(seen) == expected == held
