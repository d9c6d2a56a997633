"""The shape of a moderation answer: OpenAI's fields, our categories, and null wherever nobody looked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from assay_toys import CalmPrompt
from hypothesis import given, strategies as st

from assay.moderating import (
    CHARACTERS_MAX,
    OPENAI_CATEGORIES,
    OUR_CATEGORIES,
    PICTURES_MAX,
    TEXTS_MAX,
    Entry,
    Malformed,
    PictureAsk,
    TextAsk,
    moderate,
    read_input,
)
from assay.settings import Settings
from assay.tasks import TASKS, Bench
from assay.watch import Silent
from media import UsageError, write_image
from safety import Absence, Examination, Item, Policy, Score, Stage, examine_text

DEFAULT = Policy.load("default")
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def _read(text: str, policy: Policy = DEFAULT, classifier: Any = None) -> tuple[Entry, Examination]:
    entry = Entry((text,))
    ((item, _),) = entry.text_items
    return entry, examine_text(item, text, [classifier or CalmPrompt()], policy.categories_for(Stage.PROMPT))


def test_one_entry_a_string_and_one_for_a_multimodal_array() -> None:
    """Each string gets an answer of its own; the parts of a multimodal array get one together."""
    assert read_input("a") == [Entry(("a",))]
    assert read_input(["a", "b"]) == [Entry(("a",)), Entry(("b",))]
    url = "data:image/png;base64,AAAA"
    assert read_input([{"type": "text", "text": "a"}, PICTURE]) == [Entry(("a",), (url,))]


@pytest.mark.parametrize(
    "value",
    [
        None, 3, [], {}, [1, 2], ["a", 1], ["a", {"type": "text", "text": "b"}], [{"type": "text"}], [{}],
        [{"type": "text", "text": 3}], [{"type": "image_url", "image_url": "x"}], [{"type": "image_url"}],
        [{"type": "image_url", "image_url": {"url": 3}}], [{"type": "video", "video": "x"}],
        ["a"] * (TEXTS_MAX + 1), [PICTURE] * (PICTURES_MAX + 1), "a" * (CHARACTERS_MAX + 1),
    ],
)  # fmt: skip
def test_malformed_input_is_named(value: object) -> None:
    """Whatever is no moderation input is refused before anybody looks, naming the part."""
    with pytest.raises(Malformed) as refused:
        read_input(value)
    assert refused.value.param.startswith("input")


def test_a_violation_is_flagged_with_its_reason() -> None:
    """A text that a rule refuses is flagged in its category, with score, input type and the rule's reason."""
    entry, seen = _read("a forbidden scene")
    answer = moderate(entry, DEFAULT, seen, require_complete=True)
    assert answer["flagged"] is True
    assert answer["categories"]["violence/graphic"] is True
    assert answer["category_scores"]["violence/graphic"] == 1.0
    assert answer["category_applied_input_types"]["violence/graphic"] == ["text"]
    assert answer["safety"]["decision"] == "block"
    assert answer["safety"]["policy"] == DEFAULT.ref
    assert {reason["category"] for reason in answer["safety"]["reasons"]} == {"violence/graphic"}


def test_review_flags_too() -> None:
    """What a person should see first is not passed as clean."""
    entry, seen = _read("a doubtful scene")
    answer = moderate(entry, DEFAULT, seen, require_complete=True)
    assert (answer["flagged"], answer["safety"]["decision"]) == (True, "review")


def test_clean_text_is_false_only_where_somebody_looked() -> None:
    """Judged categories are false with a score; those without a rule are null, with no input type, and say why."""
    entry, seen = _read("a red kite")
    answer = moderate(entry, DEFAULT, seen, require_complete=True)
    assert answer["flagged"] is False
    assert set(answer["categories"]) >= {*OPENAI_CATEGORIES, *OUR_CATEGORIES}
    assert answer["categories"]["sexual"] is False
    assert answer["category_scores"]["sexual"] == 0.0
    assert answer["category_applied_input_types"]["sexual"] == ["text"]
    assert answer["categories"]["harassment"] is None
    assert answer["category_scores"]["harassment"] is None
    assert answer["category_applied_input_types"]["harassment"] == []
    assert answer["safety"]["not_evaluated"]["text"]["harassment"] == "no_rule"
    assert answer["safety"]["complete"] is True


class _Absent(CalmPrompt):
    def __init__(self, kind: Absence) -> None:
        self.kind = kind

    def score(self, item: Item, text: str) -> list[Score]:
        calm = [score for score in super().score(item, text) if score.category != "hate"]
        return [*calm, Score.absent(item, "hate", "absent@1", self.kind)]


@pytest.mark.parametrize("kind", [Absence.FAILED, Absence.UNSUPPORTED])
def test_a_failure_flags_and_is_null(kind: Absence) -> None:
    """A category that nobody could judge is null and named, and the whole is flagged: silence is no pass."""
    entry, seen = _read("a red kite", classifier=_Absent(kind))
    answer = moderate(entry, DEFAULT, seen, require_complete=False)
    assert answer["flagged"] is True
    assert answer["categories"]["hate"] is None
    assert answer["category_scores"]["hate"] is None
    assert answer["safety"]["not_evaluated"]["text"]["hate"] == kind.value
    assert answer["categories"]["sexual"] is False


class _Few(CalmPrompt):
    categories = ("sexual",)


def test_an_unconfigured_category_flags_where_completeness_is_asked() -> None:
    """Where no model is, the policy's answer counts, unless the caller asked only for what could be looked at."""
    entry, seen = _read("a red kite", classifier=_Few())
    strict = moderate(entry, DEFAULT, seen, require_complete=True)
    partly = moderate(entry, DEFAULT, seen, require_complete=False)
    assert (strict["flagged"], partly["flagged"]) == (True, False)
    for answer in (strict, partly):
        assert answer["categories"]["hate"] is None
        assert answer["safety"]["not_evaluated"]["text"]["hate"] == "not_configured"
        assert answer["safety"]["complete"] is False


@given(
    st.lists(
        st.sampled_from([0.0, 0.3, 0.6, 0.9, "failed", "unsupported", "not_configured", "silent"]),
        min_size=11,
        max_size=11,
    )
)
def test_null_false_and_true_are_told_apart(said: list[Any]) -> None:
    """Over any mix of values and absences: null exactly where there is no value, never a pass beside a silence."""
    wanted = DEFAULT.categories_for(Stage.PROMPT)
    item = Entry(("x",)).text_items[0][0]
    scores = tuple(
        Score.absent(item, name, "m@1", Absence(one)) if isinstance(one, str) else Score(item, name, "m@1", one)
        for name, one in zip(wanted, said, strict=True)
        if one != "silent"
    )
    answer = moderate(Entry(("x",)), DEFAULT, Examination((item,), scores), require_complete=True)
    for name, one in zip(wanted, said, strict=True):
        assert (answer["categories"][name] is None) == isinstance(one, str), (name, one)
        assert answer["category_scores"][name] == (None if isinstance(one, str) else one)
        assert (name in answer["safety"]["not_evaluated"]["text"]) == isinstance(one, str)
    unsaid = any(isinstance(one, str) for one in said)
    assert answer["flagged"] >= unsaid
    assert answer["flagged"] == (unsaid or any(answer["categories"][name] for name in wanted))
    json.dumps(answer, allow_nan=False)


def test_a_lost_item_is_an_error() -> None:
    """An examination that leaves a text out is refused: an answer about the rest would look whole."""
    with pytest.raises(ValueError, match="0 items were examined, 1"):
        moderate(Entry(("x",)), DEFAULT, Examination(), require_complete=True)


def test_several_texts_are_judged_together_as_well() -> None:
    """The texts of one array are judged alone and as one: parts may be innocent one by one."""
    items = [item.id for item, _ in Entry(("for", "bidden")).text_items]
    assert items == ["prompt-1", "prompt-2", "prompts-together"]


@pytest.fixture
def bench(toy_settings: Any) -> Bench:
    return Bench(toy_settings(), "worker-test")


def _png(folder: Path, colour: tuple[int, int, int]) -> bytes:
    pixels = np.full((24, 32, 3), colour, np.uint8)
    write_image(folder / "it.png", pixels)
    return (folder / "it.png").read_bytes()


def test_pictures_and_texts_share_one_answer(bench: Bench, tmp_path: Path) -> None:
    """A worker looks at the picture, and the joint answer tells which kind of input each category was looked for in."""
    ask = PictureAsk.of(1, _png(tmp_path, (255, 0, 0)), DEFAULT)
    seen = TASKS["picture"](bench, ask, Silent())
    text = TextAsk(Item.text(Stage.PROMPT, "prompt", "a kite"), "a kite", DEFAULT.categories_for(Stage.PROMPT))
    (read,) = TASKS["texts"](bench, [text], Silent())
    answer = moderate(Entry(("a kite",), ("data:",)), DEFAULT, read + seen, require_complete=True)
    assert answer["categories"]["violence/graphic"] is True
    assert answer["category_applied_input_types"]["violence/graphic"] == ["text", "image"]
    assert answer["category_applied_input_types"]["ip/style"] == ["text"]
    assert answer["category_applied_input_types"]["violence"] == ["image"]
    assert answer["safety"]["not_evaluated"]["image"]["ip/style"] == "no_rule"


def test_no_picture_stays_on_the_disk(bench: Bench, tmp_path: Path) -> None:
    """After a picture was looked at, and after one that is none, the private folder is empty."""
    TASKS["picture"](bench, PictureAsk.of(1, _png(tmp_path, (0, 0, 255)), DEFAULT), Silent())
    with pytest.raises(UsageError, match="image-1 cannot be read") as refused:
        TASKS["picture"](bench, PictureAsk.of(1, b"no picture at all", DEFAULT), Silent())
    assert str(tmp_path) not in str(refused.value)
    private = bench.settings.private / "worker-test"
    assert list(private.iterdir()) == []


def test_worker_settings_cross_the_process_line(toy_settings: Any) -> None:
    """What a worker is asked and answers survives the pipe."""
    import pickle

    settings: Settings = toy_settings()
    asks = [TextAsk(item, text, ("sexual",)) for item, text in Entry(("a", "b")).text_items]
    answers = TASKS["texts"](Bench(settings, "w"), pickle.loads(pickle.dumps(asks)), Silent())
    assert pickle.loads(pickle.dumps(answers)) == answers
    assert len(answers) == 3
