"""The codec, the transformer and the flow: each does by itself what the sampler relies on."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings, strategies as st

from generator.codec import CLIP_PATCH, SHEET_PATCH, TRACK_PATCH, Patch, PatchCodec, fold, to_bytes, to_signed, unfold
from generator.dit import DiT, Shape, places, rotations, turn, waves, wiener
from generator.flow import PULLED_SHIFT, SHIFT, Clue, Pull, Weights, loss, times, walk
from generator.lessons import LESSONS, Which, fit_codec

SMALL = Shape(latent=12, width=48, heads=4, blocks=2, slots=10)
TOLD = Shape(latent=12, width=48, heads=4, blocks=2, slots=10, told=5, reads=1)
EVEN = Weights(torch.ones(1), torch.ones(1))


@pytest.fixture(scope="module")
def codec() -> PatchCodec:
    return fit_codec(LESSONS["painter"], seed=3, batches=10)


def said(batch: int = 1) -> torch.Tensor:
    """Tokens that say nothing."""
    return torch.zeros(batch, 10, dtype=torch.long)


@pytest.mark.parametrize(
    ("patch", "grid"), [(SHEET_PATCH, (8, 2, 6)), (CLIP_PATCH, (2, 3, 9)), (TRACK_PATCH, (2, 24, 72))]
)
def test_folding_patches_loses_nothing(patch: Patch, grid: tuple[int, int, int]) -> None:
    """Patches put back together are the clip, bit for bit, whatever the patch."""
    pixels = torch.randn(2, 8, 24, 72, 3)
    assert fold(pixels, patch).shape == (2, *grid, patch[0] * patch[1] * patch[2] * 3)
    assert torch.equal(unfold(fold(pixels, patch), patch), pixels)


def test_bytes_survive_the_signed_form() -> None:
    """Every byte value comes back from [-1, 1] as itself, and what lies outside is clamped."""
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_bytes(to_signed(every)), every)
    assert to_bytes(torch.tensor([-9.0, 9.0])).tolist() == [0, 255]


def test_the_codec_keeps_sheets_it_has_not_seen(codec: PatchCodec) -> None:
    """Unseen sheets of this world come back with at least 28 dB, and latents have the deviations the codec says."""
    lesson = LESSONS["painter"]
    pixels = lesson.draw(Which(4, 0, 12), lesson.scenes, None).pixels
    latents = codec.encode(pixels)
    error = (codec.decode(latents).clamp(-1, 1) - pixels).square().mean() / 4
    assert -10 * torch.log10(error) > 28
    assert latents.flatten(0, 3).std(0)[:8].div(codec.spread[:8]).sub(1).abs().max() < 0.5


def test_channels_count_by_their_energy_and_one_on_average(codec: PatchCodec) -> None:
    """A loss with the codec's weights is as large on the world's own energy as one without."""
    energy = codec.spread.square()
    assert torch.isclose((codec.importance() * energy).sum(), energy.sum())
    assert codec.importance()[0] > codec.importance()[-1]


def test_a_codec_that_keeps_everything_is_exact() -> None:
    """With all directions kept, decoding undoes encoding."""
    patches = torch.randn(2000, 432)
    whole = PatchCodec.fit(SHEET_PATCH, patches, keep=432)
    pixels = torch.randn(1, 1, 24, 12, 3)
    assert torch.allclose(whole.decode(whole.encode(pixels)), pixels, atol=1e-3)


def test_a_fresh_network_is_a_linear_filter() -> None:
    """AdaLN-Zero: an untrained network returns the Wiener estimate, whatever is said."""
    net = DiT(SMALL)
    noisy, time, told = torch.randn(2, 1, 3, 4, 12), torch.tensor([0.3, 1.0]), said(2)
    told[1, 1:5] = torch.tensor([5, 6, 7, 8])
    skip, _ = wiener(net.spread, time)
    guess = net(noisy, told, time)
    assert guess.shape == (2, 1, 3, 4, 12)
    assert torch.allclose(guess, skip * noisy, atol=1e-6)


@pytest.mark.parametrize("shape", [SMALL, TOLD])
def test_blocks_start_as_the_identity(shape: Shape) -> None:
    """A fresh block returns its tokens unchanged, since its gates are zero, with attention and without."""
    x, rope = torch.randn(1, 6, 48), rotations((1, 2, 3), 12, torch.device("cpu"))
    blocks = DiT(shape).blocks
    assert [block.attend is None for block in blocks] == [False, True]
    assert [block.read is None for block in blocks] == [not shape.reads] * 2
    for block in blocks:
        assert torch.equal(block(x, torch.randn(1, 48), torch.randn(1, 10, 48), rope), x)


def trained(shape: Shape = SMALL) -> DiT:
    """A network whose zero layers are not zero, so that everything that goes in can come out."""
    torch.manual_seed(0)
    net = DiT(shape).eval().requires_grad_(False)
    for p in net.parameters():
        p.add_(torch.randn_like(p) * 0.05)
    return net


def test_words_and_time_are_heard() -> None:
    """A word changes the answer, the same word in another place changes it otherwise, and so does the time."""
    net, noisy, time = trained(), torch.randn(1, 1, 2, 2, 12), torch.tensor([0.5])
    plain = net(noisy, said(), time)
    here, there = said(), said()
    here[0, 1], there[0, 2] = 7, 7
    answers = [net(noisy, here, time), net(noisy, there, time), net(noisy, said(), time * 0.5)]
    assert all((answer - plain).abs().max() > 1e-4 for answer in answers)
    assert (answers[0] - answers[1]).abs().max() > 1e-4


def test_what_is_told_is_heard_and_words_are_read_one_by_one() -> None:
    """A network made to hear it answers otherwise when told otherwise, and its cross-attention carries words."""
    net, noisy, time = trained(TOLD), torch.randn(1, 1, 2, 2, 12), torch.tensor([0.5])
    told, tokens = torch.zeros(1, 1, 2, 2, 5), said()
    plain = net(noisy, tokens, time, told)
    assert (net(noisy, tokens, time, told + 1) - plain).abs().max() > 1e-4
    tokens[0, 1] = 7
    whole = net(noisy, tokens, time, told)
    for block in net.blocks:
        block.read.out.weight.zero_()
    assert (net(noisy, tokens, time, told) - whole).abs().max() > 1e-4


def test_every_place_has_waves_of_its_own() -> None:
    """No two patches of a grid have the same place."""
    found = places((2, 3, 4), torch.device("cpu")).flatten(0, 2)
    assert len(torch.unique(found, dim=0)) == 24


def test_rope_keeps_lengths_and_tells_places_apart() -> None:
    """Turning by place keeps each vector's length, and the dot product depends on the distance of places only."""
    rope = rotations((2, 3, 4), 12, torch.device("cpu"))
    x = torch.randn(1, 1, 24, 12)
    assert torch.allclose(turn(x, rope).norm(dim=-1), x.norm(dim=-1), atol=1e-5)
    same = turn(torch.ones(1, 1, 24, 12), rope)[0, 0]
    assert torch.allclose(same[0] @ same[1], same[1] @ same[2], atol=1e-5)
    assert not torch.allclose(same[0] @ same[1], same[0] @ same[2], atol=1e-3)
    assert waves(torch.tensor([0.0, 0.5]), 48).shape == (2, 48)


@given(steps=st.integers(1, 60), shift=st.sampled_from([1.0, PULLED_SHIFT, SHIFT]))
def test_times_fall_from_noise_to_nothing(steps: int, shift: float) -> None:
    """A walk's times start at 1, end at 0 and fall at each step."""
    at = times(steps, shift)
    assert (at[0], at[-1], len(at)) == (1.0, 0.0, steps + 1)
    assert all(a > b for a, b in pairwise(at))


@given(steps=st.integers(1, 8), guidance=st.sampled_from([0.0, 1.0, 7.0]), copies=st.sampled_from([1, 2]))
@settings(deadline=None)
def test_a_walk_with_a_perfect_guide_arrives(steps: int, guidance: float, copies: int) -> None:
    """Where the network always knows the clean clips, every step believes in them, at any guidance and without."""
    truth = torch.randn(3, 1, 2, 2, 12)

    class Oracle(torch.nn.Module):
        def forward(self, noisy: torch.Tensor, *_: object) -> torch.Tensor:
            return truth.repeat(copies, 1, 1, 1, 1)

    noise, clue = torch.randn(3, 1, 2, 2, 12), Clue(said(3 * copies))
    walked = list(walk(Oracle(), noise, [clue], [0], Pull.none(noise), steps=steps, guidance=guidance))
    assert len(walked) == steps
    assert torch.allclose(walked[-1], truth, atol=1e-5)


def test_guidance_steers_away_from_the_second_text() -> None:
    """At guidance 1 the second text is not heard; above it, the answer moves away from it."""

    class Echo(torch.nn.Module):
        def forward(self, noisy: torch.Tensor, tokens: torch.Tensor, *_: object) -> torch.Tensor:
            return torch.zeros_like(noisy) + tokens[:, 0].float().view(-1, 1, 1, 1, 1)

    two, noise = [Clue(torch.tensor([[5], [1]]))], torch.zeros(1, 1, 1, 1, 12)
    assert next(walk(Echo(), noise, two, [0], Pull.none(noise), steps=1, guidance=1.0)).unique().tolist() == [5.0]
    assert next(walk(Echo(), noise, two, [0], Pull.none(noise), steps=1, guidance=3.0)).unique().tolist() == [13.0]


def test_the_loss_of_the_truth_is_zero_and_of_silence_is_not() -> None:
    """A network that knows the clean sheet has no loss; a fresh one does, and a patch that counts nothing adds none."""
    clean = torch.randn(3, 1, 2, 2, 12)

    class Oracle(torch.nn.Module):
        def forward(self, *_: object) -> torch.Tensor:
            return clean

    def lost(net: torch.nn.Module, weights: Weights) -> float:
        return loss(net, clean, Clue(said(3)), torch.Generator().manual_seed(0), weights).item()

    assert lost(Oracle(), EVEN) == 0
    full = lost(DiT(SMALL), EVEN)
    assert full > 0.3
    assert 0 < lost(DiT(SMALL), Weights(torch.tensor([1.0, 0.0]).view(1, 1, 1, 2), torch.ones(1))) < full


class Echoing(torch.nn.Module):
    """Believes in what it is told."""

    def forward(self, noisy: torch.Tensor, tokens: torch.Tensor, time: object, told: torch.Tensor) -> torch.Tensor:
        return told


def test_windows_that_agree_give_one_clip_without_a_seam() -> None:
    """Where all windows believe in one long clip, what comes out is that clip, at the borders too."""
    truth, starts, noise = torch.randn(1, 9, 2, 2, 12), [0, 2, 4, 5], torch.randn(1, 9, 2, 2, 12)
    clues = [Clue(said(), truth[:, s : s + 4]) for s in starts]
    *_, last = walk(Echoing(), noise, clues, starts, Pull.none(noise), steps=3)
    assert torch.allclose(last, truth, atol=1e-5)


def test_windows_that_differ_pass_into_each_other() -> None:
    """Between two windows that believe in different clips, the answer goes from one to the other step by step."""
    clues = [Clue(said(), torch.full((1, 4, 1, 1, 12), v)) for v in (0.0, 1.0)]
    noise = torch.randn(1, 6, 1, 1, 12)
    clean = next(walk(Echoing(), noise, clues, [0, 2], Pull.none(noise), steps=1))
    assert clean[0, :, 0, 0, 0].tolist() == pytest.approx([0.0, 0.0, 0.25, 0.75, 1.0, 1.0])


@pytest.mark.parametrize(("strength", "held"), [(0.0, 0), (0.5, 3), (0.99, 5)])
def test_frames_that_pull_hold_the_clip_while_it_is_noisy(strength: float, held: int) -> None:
    """A pull holds the noisy clip to its latents at times above 1 - strength, and at none below."""
    seen: list[bool] = []
    anchor = torch.full((1, 1, 1, 1, 12), 9.0)
    noise = torch.randn(1, 1, 1, 1, 12)

    class Watch(torch.nn.Module):
        def forward(self, noisy: torch.Tensor, tokens: torch.Tensor, time: torch.Tensor, told: object) -> torch.Tensor:
            now = float(time[0])
            seen.append(torch.allclose(noisy[:1], (1 - now) * anchor + now * noise, atol=1e-5) and now < 1)
            return torch.zeros_like(noisy)

    pull = Pull(anchor, torch.tensor([[1 - strength]]))
    list(walk(Watch(), noise, [Clue(said())], [0], pull, steps=6))
    expected = sum(1 - strength < now < 1 for now in times(6, PULLED_SHIFT if strength else SHIFT)[:-1])
    assert sum(seen) == expected == held
