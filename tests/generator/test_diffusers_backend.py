"""Diffusers pipelines: tiny models of the real classes, saved and loaded by the code that loads the real ones."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import diffusers_toys
import numpy as np
import pytest

from generator import (
    Cancelled,
    Completed,
    Conditioning,
    DiffusersGenerator,
    DiffusersModel,
    Frames,
    GenerationError,
    GenerationRequest,
    GeneratorUnavailable,
    InvalidRequest,
    Preview,
    Progress,
)
from generator.backends.families import FAMILIES, frames_for

BUILDERS = {"wan": diffusers_toys.wan, "wan_image": diffusers_toys.wan_image, "cogvideox": diffusers_toys.cogvideox}
FIRST = (Conditioning(np.full((1, 40, 60, 3), 200, np.uint8)),)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], DiffusersGenerator]:
    made: dict[str, DiffusersGenerator] = {}

    def load(name: str) -> DiffusersGenerator:
        if name not in made:
            folder = BUILDERS[name](tmp_path_factory.mktemp(name))
            made[name] = DiffusersGenerator(DiffusersModel(str(folder), dtype="float32"))
        return made[name]

    return load


def asked(name: str, **changes: Any) -> GenerationRequest:
    plain = {"size": (44, 36), "seconds": 0.5, "fps": Fraction(24), "steps": 3, "negative_prompt": "blur"}
    given = {"conditioning": FIRST} if name == "wan_image" else {}
    return GenerationRequest("a red ball moves over the sea", **{**plain, **given, **changes})


def pixels(events: list[Any]) -> np.ndarray:
    return np.concatenate([event.pixels for event in events if isinstance(event, Frames)])


@pytest.mark.parametrize("name", BUILDERS)
def test_a_saved_pipeline_gives_frames_progress_and_previews(models: Any, name: str) -> None:
    """Each family gives exactly the size and number of frames asked for, one step and one preview at a time."""
    events = list(models(name).generate(asked(name)))
    frames = pixels(events)
    assert frames.shape == (12, 36, 44, 3)
    assert frames.dtype == np.uint8
    assert [event.step for event in events if isinstance(event, Progress)] == [1, 2, 3]
    previews = [event for event in events if isinstance(event, Preview)]
    assert len(previews) == 3
    assert previews[-1].frames().shape[1:] == (48, 48, 3)
    record = events[-1].record
    assert isinstance(events[-1], Completed)
    assert (record.native_size, record.frames, record.seed, record.steps) == ((48, 48), 12, 0, 3)
    assert record.weights_sha256
    assert any("cropped around the middle to 44x36" in note for note in record.notes)
    assert any("as the model makes them" in note for note in record.notes)
    assert set(record.libraries) >= {"diffusers", "torch"}


@pytest.mark.parametrize("name", BUILDERS)
def test_the_same_seed_gives_the_same_frames_and_another_does_not(models: Any, name: str) -> None:
    """A request made twice gives the same bytes; another seed gives others."""
    one, two = (pixels(list(models(name).generate(asked(name)))) for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, pixels(list(models(name).generate(asked(name, seed=5)))))


@pytest.mark.parametrize("name", BUILDERS)
def test_the_last_preview_is_close_to_the_clip(models: Any, name: str) -> None:
    """What the model believes in after its last step is what it hands over, so that previews show the right thing."""
    request = asked(name, size=(48, 48), fps=Fraction(FAMILIES[type(models(name)._pipe).__name__].fps))
    events = list(models(name).generate(request))
    last = [event for event in events if isinstance(event, Preview)][-1].frames().astype(float)
    clip = pixels(events).astype(float)
    count = min(len(last), len(clip))
    assert np.abs(last[:count] - clip[:count]).mean() < 12


def test_a_hook_or_a_cancel_ends_the_call_within_a_step(models: Any) -> None:
    """What a hook raises arrives as it is, a cancel ends the stream, and the next call is clean; no thread is left."""
    model = models("wan")
    whole = pixels(list(model.generate(asked("wan"))))
    threads = threading.active_count()
    seen: list[Any] = []

    def hook(event: Any) -> None:
        seen.append(event)
        if isinstance(event, Preview):
            raise RuntimeError("seen enough")

    with pytest.raises(RuntimeError, match="seen enough"):
        list(model.generate(asked("wan"), hook=hook))
    assert [type(event) for event in seen] == [Progress, Preview]
    cancel = threading.Event()
    got = []
    with pytest.raises(Cancelled):
        for event in model.generate(asked("wan"), cancel=cancel):
            got.append(event)
            cancel.set()
    assert len(got) == 1
    stream = model.generate(asked("wan"))
    next(stream)
    stream.close()
    assert threading.active_count() == threads
    assert np.array_equal(pixels(list(model.generate(asked("wan")))), whole)


@pytest.mark.full
def test_random_cancels_leave_nothing_behind(models: Any) -> None:
    """Fifty calls ended at random moments leave no thread, and the model still works."""
    model, rng = models("wan"), np.random.default_rng(0)
    threads = threading.active_count()
    for _ in range(50):
        stream = model.generate(asked("wan", steps=2))
        for _ in range(int(rng.integers(0, 6))):
            next(stream, None)
        stream.close()
    assert threading.active_count() == threads
    assert isinstance(list(model.generate(asked("wan", steps=1)))[-1], Completed)


def test_a_pipeline_that_fails_is_an_error_of_ours(models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a pipeline raises, and numbers that are none, become a typed error, and no frame is handed over."""
    model = models("wan")

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patched, pytest.raises(GenerationError, match="out of memory"):
        patched.setattr(model._pipe.transformer, "forward", broken)
        list(model.generate(asked("wan")))
    plain = model._pipe.video_processor.postprocess_video
    with monkeypatch.context() as patched, pytest.raises(GenerationError, match="not all of them numbers"):
        patched.setattr(model._pipe.video_processor, "postprocess_video", lambda *a, **k: plain(*a, **k) * np.nan)
        for event in model.generate(asked("wan")):
            assert not isinstance(event, Frames)


def test_one_video_at_a_time(models: Any) -> None:
    """A second call while one runs is refused instead of mixed with it."""
    model = models("wan")
    first = model.generate(asked("wan"))
    next(first)
    with pytest.raises(GenerationError, match="one at a time"):
        next(model.generate(asked("wan")))
    first.close()


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("wan", {"conditioning": FIRST}, "no place"),
        ("wan", {"storyboard": ((0.2, "a ball"),)}, "one prompt"),
        ("wan_image", {"conditioning": ()}, "give the first one"),
        ("wan_image", {"conditioning": (Conditioning(FIRST[0].frames, 3),)}, "first and last"),
        ("wan_image", {"conditioning": (Conditioning(FIRST[0].frames, 0, 0.5),)}, "at strength 1"),
    ],
)
def test_what_a_pipeline_has_no_place_for_is_refused(models: Any, name: str, changes: Any, message: str) -> None:
    """Given frames that a pipeline cannot take, or lacks, are refused before anything is made."""
    with pytest.raises(InvalidRequest, match=message):
        models(name).generate(asked(name, **changes))


def test_first_and_last_frame_are_taken(models: Any) -> None:
    """Wan image-to-video takes the last frame too."""
    both = (*FIRST, Conditioning(np.full((1, 48, 48, 3), 20, np.uint8), 11))
    events = list(models("wan_image").generate(asked("wan_image", conditioning=both)))
    assert pixels(events).shape == (12, 36, 44, 3)


@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_the_frame_rule_of_each_family_holds(kind: str) -> None:
    """For every length the number of frames obeys the family's rule and is the least that is long enough."""
    family = FAMILIES[kind]
    for seconds in (0.01, 0.5, 2.0, 5.0, 60.0):
        frames = frames_for(seconds, family, 25)
        if family.frame_step == 0:
            assert frames == 25
            continue
        assert (frames - 1) % family.frame_step == 0
        assert frames >= round(seconds * family.fps) > frames - 1 - family.frame_step or frames == 1


def test_what_is_no_model_is_refused(tmp_path: Path, models: Any) -> None:
    """A missing folder, another pipeline and pickled weights are errors that say what to give; nothing is fetched."""
    with pytest.raises(GeneratorUnavailable, match="safetensors"):
        DiffusersGenerator(DiffusersModel(str(tmp_path / "none")))
    folder = Path(models("wan")._where.model)
    for path in folder.rglob("*"):
        target = tmp_path / path.relative_to(folder)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        elif path.suffix == ".safetensors":
            target.with_suffix(".bin").write_bytes(b"\x80\x04.")
        else:
            target.write_bytes(path.read_bytes())
    with contextlib.suppress(KeyError), pytest.raises(GeneratorUnavailable, match="cannot be loaded"):
        DiffusersGenerator(DiffusersModel(str(tmp_path)))


def test_other_weights_have_another_hash(models: Any, tmp_path: Path) -> None:
    """The hash that the record states is that of the weights."""
    assert models("wan").weights_sha256 != models("wan_image").weights_sha256
