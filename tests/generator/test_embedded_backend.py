"""The embedded back-end: really denoised, seeded, cancellable, exact in size, and honest in its record."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from importlib import util
from pathlib import Path

import numpy as np
import pytest
import torch

from generator import (
    Cancelled,
    Completed,
    Conditioning,
    EmbeddedGenerator,
    Event,
    Frames,
    GenerationRequest,
    GeneratorUnavailable,
    Preview,
    ProceduralGenerator,
    Progress,
    VideoGenerator,
    checkpoint,
    weights_file,
)
from generator.dit import DiT
from generator.lessons import LESSONS, fit_codec
from generator.text import words
from generator.weights_file import CARD, FILE


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network with random weights: everything but the looks."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    checkpoint.save({name: tiny(name) for name in checkpoint.PARTS}, {"steps": 0}, words(), folder)
    return folder


def tiny(name: str) -> checkpoint.Part:
    """A network of a few thousand weights at random, with the codec of what it makes."""
    lesson = replace(LESSONS[name], shape=replace(LESSONS[name].shape, latent=16, width=48, heads=4, blocks=1))
    net = DiT(lesson.shape).requires_grad_(False)
    for p in net.parameters():
        p.add_(torch.randn_like(p) * 0.05)
    return checkpoint.Part(net, fit_codec(lesson, seed=1, batches=1))


@pytest.fixture(scope="module", params=["embedded", "procedural"])
def generator(request: pytest.FixtureRequest, weights: Path) -> VideoGenerator:
    """Each back-end runs through the same contract."""
    return EmbeddedGenerator(weights) if request.param == "embedded" else ProceduralGenerator()


SMALL = GenerationRequest("a red ball moves right over the sea", size=(64, 40), seconds=3, fps=Fraction(8), steps=4)


def pixels(events: Iterator[Event]) -> np.ndarray:
    return np.concatenate([event.pixels for event in events if isinstance(event, Frames)])


def test_the_same_seed_gives_the_same_frames(generator: VideoGenerator) -> None:
    """A request made twice gives the same bytes, and another seed gives other ones."""
    one, two = pixels(generator.generate(SMALL)), pixels(generator.generate(SMALL))
    assert np.array_equal(one, two)
    other = GenerationRequest(SMALL.prompt, size=SMALL.size, seconds=3, fps=SMALL.fps, steps=4, seed=1)
    assert not np.array_equal(one, pixels(generator.generate(other)))


def test_events_come_in_order_and_cover_every_frame(generator: VideoGenerator) -> None:
    """Progress rises to its total, frames follow each other without a gap, and one record ends the stream."""
    events = list(generator.generate(SMALL))
    steps = [(event.step, event.steps) for event in events if isinstance(event, Progress)]
    assert steps == [(i, len(steps)) for i in range(1, len(steps) + 1)]
    at = 0
    for event in events:
        if isinstance(event, Frames):
            assert event.start_index == at
            assert event.pixels.dtype == np.uint8
            assert event.pixels.shape[1:] == (40, 64, 3)
            at += len(event.pixels)
    assert at == SMALL.frames
    assert [isinstance(event, Completed) for event in events] == [False] * (len(events) - 1) + [True]
    record = events[-1].record  # type: ignore[union-attr]
    assert (record.model, record.version, record.backend) == (generator.name, generator.version, generator.backend)
    assert record.weights_sha256 == generator.weights_sha256
    assert record.digital_source_type == generator.digital_source_type
    assert (record.seed, record.size, record.frames, record.mode) == (0, (64, 40), 24, "text-to-video")
    json.dumps(record.to_json())


@pytest.mark.parametrize("stop_at", [1, 2, 3])
def test_a_hook_that_raises_ends_the_stream_within_a_step(generator: VideoGenerator, stop_at: int) -> None:
    """The hook sees each event before the caller; what it raises arrives as it is and nothing comes after it."""
    seen: list[Event] = []
    got: list[Event] = []

    def hook(event: Event) -> None:
        seen.append(event)
        if len(seen) == stop_at:
            raise RuntimeError("seen enough")

    with pytest.raises(RuntimeError, match="seen enough"):
        for event in generator.generate(SMALL, hook=hook):
            got.append(event)
    assert len(got) == stop_at - 1
    assert len(pixels(generator.generate(SMALL))) == SMALL.frames  # the next run is clean


def test_cancel_ends_the_stream_within_a_step(generator: VideoGenerator) -> None:
    """After the event is set no further event comes but Cancelled; one that was set before stops everything."""
    cancel = threading.Event()
    got = []
    with pytest.raises(Cancelled, match="cancelled"):
        for event in generator.generate(SMALL, cancel=cancel):
            got.append(event)
            cancel.set()
    assert len(got) == 1
    with pytest.raises(Cancelled):
        next(generator.generate(SMALL, cancel=cancel))


def test_cancel_during_a_step_withholds_what_it_made(generator: VideoGenerator) -> None:
    """A cancel that arrives while a step is computed or its hook runs lets nothing of it out."""
    cancel = threading.Event()
    stream = generator.generate(SMALL, hook=lambda event: cancel.set(), cancel=cancel)
    next(stream)  # the hook ran after the last look at the cancel event; the next step sees it
    with pytest.raises(Cancelled):
        next(stream)
    with pytest.raises(StopIteration):
        next(stream)


def test_closing_the_stream_ends_it(generator: VideoGenerator) -> None:
    """A closed stream has no next event and leaves no thread behind."""
    before = threading.active_count()
    stream = generator.generate(SMALL)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert next(stream, None) is None
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("size", "native"),
    [((512, 288), (128, 80)), ((288, 512), (80, 128)), ((101, 99), (104, 104)), ((1920, 1080), (128, 80))],
)
def test_geometry_is_exact_and_said(weights: Path, size: tuple[int, int], native: tuple[int, int]) -> None:
    """Frames have the size asked for, and the record says native size, factor, crop and frames between."""
    request = GenerationRequest("a red ball", size=size, seconds=0.25, steps=1)
    events = list(EmbeddedGenerator(weights).generate(request))
    frames, record = pixels(iter(events)), events[-1].record  # type: ignore[union-attr]
    assert frames.shape == (6, size[1], size[0], 3)
    assert record.native_size == native
    assert record.upscale == max(size[0] / native[0], size[1] / native[1])
    said = " / ".join(record.notes)
    for piece in (
        f"made at {native[0]}x{native[1]}",
        "cropped around the middle",
        "cut after 0.25 s",
        "drawn between 16",
    ):
        assert piece in said


@pytest.mark.parametrize(("seconds", "native"), [(0.1, 16), (2.0, 16), (2.01, 16), (2.2, 18), (5.0, 40), (60.0, 480)])
def test_length_is_exact_and_windows_are_said(weights: Path, seconds: float, native: int) -> None:
    """Every length has its exact number of frames; longer ones than one window say how many were joined."""
    request = GenerationRequest("a red ball", size=(64, 40), seconds=seconds, fps=Fraction(8), steps=1)
    events = list(EmbeddedGenerator(weights).generate(request))
    record = events[-1].record  # type: ignore[union-attr]
    assert len(pixels(iter(events))) == record.frames == max(1, round(seconds * 8))
    assert record.native_frames == native
    patches = -(-native // 4)
    windows = 1 + -(-(patches - 4) // 2)
    assert any(f"{windows} windows" in note for note in record.notes) == (windows > 1)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_long_clip_moves_and_does_not_jump(seed: int) -> None:
    """With the committed weights, no two frames differ more than twice the median of a clip that moves."""
    request = GenerationRequest(
        "a red ball moves left over the sea", size=(64, 40), seconds=6, fps=Fraction(8), steps=8, seed=seed
    )
    clip = pixels(EmbeddedGenerator().generate(request)).astype(float)
    differences = np.abs(np.diff(clip, axis=0)).mean((1, 2, 3))  # (47,)
    median = np.median(differences)
    assert median > 0.3  # it moves
    assert differences.max() <= 2 * median


def test_a_storyboard_changes_what_is_seen_at_its_moment(weights: Path) -> None:
    """Before its second prompt a storyboard is much like its first prompt alone, whose motion only takes longer there.

    After it, it is not.
    """
    asked = {"size": (64, 40), "seconds": 6.0, "fps": Fraction(8), "steps": 2}
    model = EmbeddedGenerator(weights)
    alone = pixels(model.generate(GenerationRequest("a red ball", **asked)))  # type: ignore[arg-type]
    two = GenerationRequest("a red ball", storyboard=((4.0, "a blue star"),), **asked)  # type: ignore[arg-type]
    events = list(model.generate(two))
    board = pixels(iter(events))
    changed = np.abs(alone.astype(float) - board).mean((1, 2, 3))  # (48,)
    assert changed[:16].mean() < 0.2 * changed[40:].mean()
    assert changed[40:].min() > 0
    words = list(model.generate(GenerationRequest("a zebra", storyboard=((4.0, "a yak"),), **asked)))  # type: ignore[arg-type]
    assert words[-1].record.words_ignored == ("zebra", "yak")  # type: ignore[union-attr]


def test_previews_of_a_long_clip_show_all_of_it(weights: Path) -> None:
    """The preview of a clip of several windows is as long as the clip."""
    request = GenerationRequest("a red ball", size=(64, 40), seconds=6, fps=Fraction(8), steps=1)
    previews = [event for event in EmbeddedGenerator(weights).generate(request) if isinstance(event, Preview)]
    assert previews[0].frames().shape == (48, 80, 128, 3)


@pytest.mark.parametrize(("strength", "mode"), [(0.0, "remix"), (0.9, "remix")])
def test_frames_that_pull_change_the_clip_as_far_as_they_are_strong(weights: Path, strength: float, mode: str) -> None:
    """A remix at strength 0 is the free clip; a strong one is nearer to what was given."""
    given = np.full((16, 40, 64, 3), 230, np.uint8)
    asked = {"prompt": "a red ball", "size": (64, 40), "fps": Fraction(8), "steps": 8}
    model = EmbeddedGenerator(weights)
    free = pixels(model.generate(GenerationRequest(**asked))).astype(float)  # type: ignore[arg-type]
    request = GenerationRequest(**asked, conditioning=(Conditioning(given, strength=strength),))  # type: ignore[arg-type]
    events = list(model.generate(request))
    pulled, record = pixels(iter(events)).astype(float), events[-1].record  # type: ignore[union-attr]
    assert record.mode == mode
    assert any("of strength" in note for note in record.notes)
    distance = [np.abs(clip - 230).mean() for clip in (free, pulled)]
    assert (distance[1] == distance[0]) if strength == 0 else (distance[1] < distance[0])


@pytest.mark.parametrize("threads", [1, 2])
def test_frames_do_not_depend_on_the_number_of_threads(weights: Path, threads: int) -> None:
    """The same request gives the same bytes on one thread and on two."""
    import hashlib

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        found = hashlib.sha256(pixels(EmbeddedGenerator(weights).generate(SMALL)).tobytes()).hexdigest()
        torch.set_num_threads(1)
        alone = hashlib.sha256(pixels(EmbeddedGenerator(weights).generate(SMALL)).tobytes()).hexdigest()
    finally:
        torch.set_num_threads(before)
    assert found == alone


def resident_mb() -> float:
    """Resident memory of this process, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def in_mode(mode: str, size: tuple[int, int], seconds: float) -> GenerationRequest:
    """A request in a mode, at 8 frames a second, with as many given frames as fit."""
    total = max(1, round(seconds * 8))
    few = np.full((max(1, min(4, total // 3)), 30, 50, 3), 90, np.uint8)
    given = {
        "text-to-video": (),
        "image-to-video": (Conditioning(few[:1]),),
        "forward": (Conditioning(few),),
        "backward": (Conditioning(few, total - len(few)),),
        "fill": (Conditioning(few), Conditioning(few, total - len(few))),
        "remix": (Conditioning(np.repeat(few, total // len(few), axis=0), strength=0.5),),
    }[mode]
    return GenerationRequest("a red ball", size=size, seconds=seconds, fps=Fraction(8), steps=1, conditioning=given)


@pytest.mark.parametrize("seconds", [1.0, 2.0, 8.0, pytest.param(60.0, marks=pytest.mark.full)])
@pytest.mark.parametrize("size", [(96, 54), (54, 96), (64, 64), (101, 77)])
@pytest.mark.parametrize("mode", ["text-to-video", "image-to-video", "forward", "backward", "fill", "remix"])
def test_every_mode_gives_the_promised_size_and_length(
    weights: Path, mode: str, size: tuple[int, int], seconds: float
) -> None:
    """Landscape, portrait, square and odd, short and long: frames and record are what was asked for in every mode."""
    request = in_mode(mode, size, seconds)
    events = list(EmbeddedGenerator(weights).generate(request))
    frames, record = pixels(iter(events)), events[-1].record  # type: ignore[union-attr]
    assert frames.shape == (round(seconds * 8), size[1], size[0], 3)
    assert (record.frames, record.seconds, record.fps, record.size) == (len(frames), seconds, 8, size)
    assert record.upscale == max(size[0] / record.native_size[0], size[1] / record.native_size[1])
    expected = {"forward": "extension", "backward": "extension", "fill": "in-filling"}.get(mode, mode)
    assert record.mode == expected


def test_cancels_at_random_moments_leave_nothing_behind(generator: VideoGenerator) -> None:
    """Fifty runs cancelled or closed at random moments leave no thread, no open file and no memory."""
    rng = np.random.default_rng(0)
    list(generator.generate(SMALL))  # whatever is loaded once
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
    before = resident_mb()
    for _ in range(50):
        cancel, stop_at = threading.Event(), int(rng.integers(1, 6))
        stream = generator.generate(SMALL, cancel=cancel)
        for _ in range(stop_at):
            next(stream, None)
        if rng.random() < 0.5:
            cancel.set()
            with contextlib.suppress(Cancelled, StopIteration):
                next(stream)
        else:
            stream.close()  # type: ignore[attr-defined]
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == (threads, files)
    assert resident_mb() - before < 60


def test_previews_are_lazy_and_the_last_one_is_the_clip(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is decoded for a preview nobody looks at, and the last preview is the clip that is handed over.

    What has to be decoded is the track, the sheet that the draft is made of, and the clip.
    """
    from generator.codec import PatchCodec

    calls: list[int] = []
    decode: Callable[..., torch.Tensor] = PatchCodec.decode
    monkeypatch.setattr(PatchCodec, "decode", lambda self, x: calls.append(1) or decode(self, x))
    request = GenerationRequest("a red ball", size=(128, 80), fps=Fraction(8), steps=3)
    events = list(EmbeddedGenerator(weights).generate(request))
    assert len(calls) == 3
    previews = [event for event in events if isinstance(event, Preview)]
    assert [(p.step, p.steps, p.fps) for p in previews] == [(1, 3, 8), (2, 3, 8), (3, 3, 8)]
    assert previews[0].frames().shape == (16, 80, 128, 3)
    assert np.array_equal(previews[-1].frames(), pixels(iter(events)))
    assert not np.array_equal(previews[0].frames(), previews[-1].frames())


def test_given_frames_stand_in_the_video(weights: Path) -> None:
    """Frames that were given are in the output as they are, at their index; others change the rest of the clip."""
    rng = np.random.default_rng(0)
    given = rng.integers(0, 256, (2, 40, 64, 3), np.uint8)
    asked = {"prompt": "a red ball", "size": (64, 40), "fps": Fraction(8), "steps": 2}
    model = EmbeddedGenerator(weights)
    request = GenerationRequest(**asked, conditioning=(Conditioning(given), Conditioning(given, 15)))  # type: ignore[arg-type]
    events = list(model.generate(request))
    frames, record = pixels(iter(events)), events[-1].record  # type: ignore[union-attr]
    assert np.array_equal(frames[:2], given)
    assert np.array_equal(frames[15], given[0])
    assert record.mode == "in-filling"
    said = " / ".join(record.notes)
    assert "given frames 1: 1 after the end of the video were left out" in said
    assert "given frames stand in the video as they are" in said
    free = pixels(model.generate(GenerationRequest(**asked)))  # type: ignore[arg-type]
    assert not np.array_equal(frames[5:10], free[5:10])


def test_given_frames_of_another_size_are_fitted_and_said(weights: Path) -> None:
    """A given picture of another size is scaled and cropped around its middle, and the record says so."""
    given = np.full((1, 100, 100, 3), 200, np.uint8)
    request = GenerationRequest("a ball", size=(64, 40), fps=Fraction(8), steps=1, conditioning=(Conditioning(given),))
    events = list(EmbeddedGenerator(weights).generate(request))
    assert (pixels(iter(events))[0] == 200).all()
    record = events[-1].record  # type: ignore[union-attr]
    assert record.mode == "image-to-video"
    assert "given frames 0: 100x100 scaled and cropped to 64x40" in record.notes


def test_words_without_influence_are_said(weights: Path) -> None:
    """Unknown words of both prompts are in the record, and adding one changes no pixel."""
    model = EmbeddedGenerator(weights)

    def run(prompt: str, negative: str) -> list[Event]:
        return list(model.generate(GenerationRequest(prompt, negative, size=(64, 40), fps=Fraction(8), steps=1)))

    plain, more = run("a red ball", "blue"), run("a red zebra ball", "blue haze")
    assert np.array_equal(pixels(iter(plain)), pixels(iter(more)))
    record = more[-1].record  # type: ignore[union-attr]
    assert record.words_ignored == ("zebra",)
    assert "words of the negative prompt without influence: haze" in record.notes
    nothing = run("zebra", "blue")[-1].record  # type: ignore[union-attr]
    assert any("no word of the prompt is in the vocabulary" in note for note in nothing.notes)
    second = run("a red ball and a green triangle", "blue")[-1].record  # type: ignore[union-attr]
    assert second.words_ignored == ("green", "triangle")


def test_a_negative_prompt_steers(weights: Path) -> None:
    """What a clip should not show changes it."""
    model = EmbeddedGenerator(weights)
    one, two = (
        pixels(model.generate(GenerationRequest("a ball", n, size=(64, 40), fps=Fraction(8), steps=2)))
        for n in (None, "red")
    )
    assert not np.array_equal(one, two)


def copy_weights(source: Path, target: Path) -> tuple[Path, Path]:
    for name in (FILE, CARD):
        (target / name).write_bytes((source / name).read_bytes())
    return target / FILE, target / CARD


def test_other_weights_than_the_card_names_are_refused(weights: Path, tmp_path: Path) -> None:
    """One changed byte in the weights file is an error that names the file and the remedy."""
    file, _ = copy_weights(weights, tmp_path)
    body = bytearray(file.read_bytes())
    body[-1] ^= 1
    file.write_bytes(bytes(body))
    with pytest.raises(GeneratorUnavailable, match=r"embedded\.safetensors: its sha256 is not .*restore"):
        EmbeddedGenerator(tmp_path)


def test_weights_that_change_between_look_and_load_are_refused(weights: Path, tmp_path: Path) -> None:
    """The hash is compared again when the network is loaded."""
    file, _ = copy_weights(weights, tmp_path)
    model = EmbeddedGenerator(tmp_path)
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(GeneratorUnavailable, match="sha256"):
        next(model.generate(SMALL))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: {**card, "words": ["a"]}, "another vocabulary"),
        (lambda card: {**card, "parts": {}}, "not the networks"),
        (lambda card: {**card, "parts": {**card["parts"], "painter": card["parts"]["filmer"]}}, "not the networks"),
        (lambda card: {"sha256": card["sha256"]}, "not the JSON"),
        (lambda card: [], "not the JSON"),
    ],
)
def test_a_card_of_another_model_is_refused(
    weights: Path, tmp_path: Path, change: Callable[[dict[str, object]], object], message: str
) -> None:
    """A card with other words, other patches or no shape is refused with what to run or restore."""
    _, card = copy_weights(weights, tmp_path)
    card.write_text(json.dumps(change(json.loads(card.read_text()))))
    with pytest.raises(GeneratorUnavailable, match=message):
        next(EmbeddedGenerator(tmp_path).generate(SMALL))


@pytest.mark.parametrize("missing", [FILE, CARD])
def test_missing_weights_are_an_error_with_a_remedy(weights: Path, tmp_path: Path, missing: str) -> None:
    """A folder without the weights or their card says which file is missing and where it comes from."""
    copy_weights(weights, tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(GeneratorUnavailable, match=rf"{missing}: cannot be read .*release"):
        EmbeddedGenerator(tmp_path)


def test_a_card_that_is_no_json_is_refused(weights: Path, tmp_path: Path) -> None:
    """Garbage in place of the card is an error of ours, not of the parser."""
    _, card = copy_weights(weights, tmp_path)
    card.write_bytes(b"\xff{")
    with pytest.raises(GeneratorUnavailable, match="not the JSON"):
        weights_file.read_card(tmp_path)


def test_without_torch_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where torch is missing the constructor fails with the pip command."""
    real = util.find_spec
    monkeypatch.setattr("generator.embedded.util.find_spec", lambda name: None if name == "torch" else real(name))
    with pytest.raises(GeneratorUnavailable, match=r"pip install 'assay-video\[generate\]'"):
        EmbeddedGenerator()


def test_words_that_were_not_trained_steer_nothing_and_are_said(weights: Path, tmp_path: Path) -> None:
    """A word of the world that these weights never saw changes no pixel, and the record lists it as ignored."""
    _, card = copy_weights(weights, tmp_path)
    told = json.loads(card.read_text())
    card.write_text(json.dumps({**told, "trained": [w for w in told["trained"] if w != "style:watercolour"]}))
    model = EmbeddedGenerator(tmp_path)

    def run(prompt: str) -> list[Event]:
        return list(model.generate(GenerationRequest(prompt, size=(64, 40), fps=Fraction(8), steps=1)))

    plain, washed = run("a red ball"), run("a red ball, watercolour")
    assert np.array_equal(pixels(iter(plain)), pixels(iter(washed)))
    assert washed[-1].record.words_ignored == ("watercolour",)  # type: ignore[union-attr]
