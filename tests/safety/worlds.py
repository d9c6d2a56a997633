"""Small policies, scores and tracks for the tests of the laws, by hand and by hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from safety import Absence, Item, Policy, Score, Stage, Track, Where

BANNED = ("violence/graphic", "sexual", "hate", "likeness/public-figure", "ip/logo")  # one of each banned class
STAGES = ("prompt", "input image", "input video", "frame")
SOURCES = ("eye@1", "ear@2")
ANSWERS = {"when_failed": "block", "when_unsupported": "review", "when_not_configured": "review"}


def document(**changes: Any) -> dict[str, Any]:
    """The smallest document that the schema accepts, with changes."""
    return {
        "id": "small",
        "version": "1",
        "description": "the smallest policy",
        "stages": {stage: dict(ANSWERS) for stage in STAGES},
        "categories": {},
        "rules": [
            rule(f"{stage.replace(' ', '-')}-{name.replace('/', '-')}", stage, name)
            for stage in STAGES
            for name in BANNED
        ],
        **changes,
    }


def rule(
    id: str, stage: str, category: str, threshold: float = 0.8, action: str = "block", **more: Any
) -> dict[str, Any]:
    """One rule as a document writes it."""
    return {"id": id, "stage": stage, "category": category, "threshold": threshold, "action": action, **more}


def policy(*rules: dict[str, Any], **changes: Any) -> Policy:
    """The smallest policy with more rules."""
    whole = document(**changes)
    return Policy.model_validate({**whole, "rules": [*whole["rules"], *rules]})


def waiver(*categories: str, stage: str = "frame", **changes: Any) -> dict[str, Any]:
    """A waiver for the back-end `toy` as a document writes it."""
    return {
        "stage": stage,
        "categories": list(categories),
        "backends": ["toy"],
        "reason": "the toy back-end draws nothing at all",
        "owner": "the tests",
        "expires": "2099-12-31",
        **changes,
    }


def video(count: int = 3, id: str = "frames") -> Item:
    """A video of some frames."""
    return Item(Stage.FRAME, id, "ab" * 32, count)


def track(item: Item, category: str, values: list[Any], source: str = "eye@1", rate: float = 10.0) -> Track:
    """A track of values, or absences, at `rate` frames a second."""
    return Track.of(item, category, source, [(index / rate, value, None) for index, value in enumerate(values)])


def quiet(item: Item, *, but: tuple[str, ...] = (), value: float = 0.0) -> list[Score | Track]:
    """Every banned category scored harmless, save some."""
    names = [name for name in BANNED if name not in but]
    if item.stage in (Stage.FRAME, Stage.INPUT_VIDEO):
        return [track(item, name, [value] * item.count) for name in names]
    return [Score(item, name, "eye@1", value) for name in names]


# -- what hypothesis draws ---------------------------------------------------------------------------------------------

values = st.floats(0.0, 1.0) | st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0])
missing = st.sampled_from([Absence.FAILED, Absence.UNSUPPORTED])
texts = st.text(max_size=8) | st.just("\ud800")
wheres = st.builds(
    Where,
    span=st.none() | st.tuples(st.integers(0, 9), st.integers(10, 20)),
    text=st.none() | texts,
    frame=st.none() | st.integers(0, 9),
    start_s=st.none() | st.floats(0, 1e6),
    end_s=st.none() | st.floats(0, 1e6),
    peak_s=st.none() | st.floats(0, 1e6),
    box=st.none() | st.tuples(*[st.integers(0, 4000)] * 4),
)
temporals = st.builds(
    lambda n, k, instant, close, merge: {
        "n": n, "k": min(k, n), "close": close, "merge_s": merge, **({"instant": 1.0} if instant else {})
    },
    st.integers(1, 4), st.integers(1, 4), st.booleans(), st.floats(0.1, 1.0), st.floats(0.0, 1.0),
)  # fmt: skip


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """The smallest policy with up to six more rules about frames and prompts."""
    more = [
        rule(
            f"more-{number}",
            draw(st.sampled_from(["prompt", "frame"])),
            draw(st.sampled_from([*BANNED, "violence", "depiction/fire"])),
            draw(values.filter(bool)),
            draw(st.sampled_from(["allow", "review", "block"])),
            temporal=draw(temporals),
            source=draw(st.sampled_from(["*", "*", "eye"])),
        )
        for number in range(draw(st.integers(0, 6)))
    ]
    waivers = [waiver(*BANNED)] if draw(st.booleans()) else []
    return policy(*more, waivers=waivers)


@st.composite
def tracks(draw: st.DrawFn, item: Item, category: str, source: str, *, whole: bool = False) -> Track:
    """A track of the item's length; `whole`: without absences."""
    one = values if whole else values | missing
    said = draw(st.lists(one, min_size=item.count, max_size=item.count))
    evidence = {draw(st.integers(0, item.count - 1)): draw(wheres)} if item.count and draw(st.booleans()) else {}
    untimed = draw(st.integers(-1, item.count))
    frames = [
        (None if index == untimed else index / 10, value, evidence.get(index)) for index, value in enumerate(said)
    ]
    return Track.of(item, category, source, frames, note=draw(st.none() | texts))


@st.composite
def scorings(draw: st.DrawFn, chosen: Policy, *, whole: bool = False) -> tuple[list[Item], list[Score | Track]]:
    """Items of one stage, every category and source that the rules there listen to, all harmless save up to three."""
    stage = draw(st.sampled_from([Stage.PROMPT, Stage.FRAME]))
    names = sorted({rule.category for rule in chosen.rules_for(stage)})
    counts = draw(st.lists(st.integers(1, 5) if stage is Stage.FRAME else st.just(1), min_size=1, max_size=2))
    items = [Item(stage, f"item-{number}", "ab" * 32, count) for number, count in enumerate(counts)]
    places = [(item, name, source) for item in items for name in names for source in SOURCES]
    loud = draw(st.sets(st.integers(0, len(places) - 1), max_size=3))
    scores: list[Score | Track] = []
    for number, (item, name, source) in enumerate(places):
        if number not in loud:
            scores.append(_harmless(item, name, source))
        elif stage is Stage.FRAME:
            scores.append(draw(tracks(item, name, source, whole=whole)))
        elif whole or draw(st.booleans()):
            scores.append(Score(item, name, source, draw(values), where=draw(st.none() | wheres)))
        else:
            scores.append(Score.absent(item, name, source, draw(missing), note=draw(st.none() | texts)))
    return items, scores


def _harmless(item: Item, name: str, source: str) -> Score | Track:
    if item.stage is Stage.FRAME:
        return track(item, name, [0.0] * item.count, source)
    return Score(item, name, source, 0.0)


def raised(score: Score | Track, index: int, value: float) -> Score | Track:
    """The score with a value that is at least as high, at one frame where it is a track."""
    if isinstance(score, Score):
        return Score(score.item, score.category, score.source, max(score.value or 0.0, value), where=score.where)
    changed = score.values.copy()
    index %= len(changed)
    changed[index] = np.nanmax([changed[index], np.float16(value)])
    absences = {key: kind for key, kind in score.absences.items() if key != index}
    return Track(score.item, score.category, score.source, changed, score.pts, absences, score.where, score.note)
