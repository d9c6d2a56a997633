"""The report page: self-contained, safe whatever files are called, blurred, without pictures of the worst material."""

from __future__ import annotations

import re
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from assay.cli.main import run
from assay.outcome import Outcome
from assay.report.article import Reported
from assay.report.lanes import BINS, axis, lanes
from assay.report.page import Report
from assay.report.reporting import report_file
from assay.report.thumbs import Thumbs, thumbnails
from assay.report.words import clock, text
from assay.rows import failed_scan_row, scan_row
from assay.settings import Settings
from media import MediaError, UsageError, encode
from safety import (
    Absence,
    Action,
    Circumstances,
    Examination,
    FrameCounts,
    Item,
    Policy,
    PostureEntry,
    Score,
    Stage,
    Track,
    Where,
    decide,
)  # fmt: skip

POLICY = Policy.load("default")
EVIL = 'evil"><script>alert(1)</script><img src=x onerror=alert(2)>\u202e.mp4'


def outcome(values: list[float | None], category: str = "sexual", word: str | None = None) -> Outcome:
    """A scan of a video at 10 frames/s in which one model gave these values, and another saw nothing."""
    item = Item(Stage.FRAME, "frames", "a" * 64, len(values))
    where = None if word is None else Where(text=word)
    frames = [(n / 10, Absence.FAILED if value is None else value, where) for n, value in enumerate(values)]
    tracks = [Track.of(item, category, "eye@1", frames)]
    if category != "violence":
        tracks.append(Track.of(item, "violence", "calm@1", [(n / 10, 0.0, None) for n in range(len(values))]))
    posture = (PostureEntry(Stage.FRAME, "eye", "1", "b" * 64, "onnxruntime <1>", len(values), 0),)
    silent = [name for name in POLICY.categories_for(Stage.FRAME) if name not in (category, "violence")]
    missing = [Score.absent(item, name, "none@0", Absence.NOT_CONFIGURED, "no model") for name in silent]
    decision = decide(POLICY, [item], [*tracks, *missing], Circumstances(require_complete=False))
    lost = sum(value is None for value in values)
    counts = FrameCounts(len(values), len(values), 0, len(values) - lost, 0, lost)
    return Outcome(
        "job", (decision,), Examination((item,), (*tracks, *missing), posture), frames=counts, sha256="a" * 64
    )


class Seen(HTMLParser):
    """The elements of a page, with their attributes; raises where tags do not close."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes something else")


def page(tmp_path: Path, *files: Reported) -> tuple[str, Seen]:
    """The page of these files, and what a browser would see."""
    report = Report(tmp_path / "r.html", POLICY, len(files))
    for one in files:
        report.add(one)
    report.publish()
    html = (tmp_path / "r.html").read_text("utf-8")
    seen = Seen()
    seen.feed(html)
    assert not seen.open
    return html, seen


def reported(path: str, seen: Outcome | None, **more: Any) -> Reported:
    """A file of the report with the row that its outcome gives."""
    if seen is None:
        error = {"type": "MediaError", "stage": "frame", "message": f"{path}: {EVIL} cannot be read"}
        return Reported(failed_scan_row(path, POLICY.ref, error), None)
    return Reported(scan_row(path, seen), seen, **more)


def test_nothing_in_it_runs_or_loads(tmp_path: Path) -> None:
    """Names, texts and errors that hold markup stay text; there is no script, no handler, no address but data:."""
    loud = outcome([0.0, 0.95, 0.95], word=EVIL)
    html, seen = page(tmp_path, reported(EVIL, loud, thumbs={1: b"jpeg"}), reported(EVIL, None))
    assert not {"script", "iframe", "object", "embed", "link", "base", "form"} & {tag for tag, _ in seen.tags}
    for _, attributes in seen.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset", "action", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/jpeg;base64,"))
    assert "url(" not in html
    assert "@import" not in html
    assert "\u202e" not in html
    (policy,) = (a["content"] for t, a in seen.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy")
    assert str(policy).startswith("default-src 'none'; img-src data:;")


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_text_never_leaves_its_place(given: str) -> None:
    """Whatever the string, no character of it can open a tag, end an attribute or turn the line round."""
    shown = text(given)
    assert not re.search(r"[<>\"'\u202a-\u202e\u2066-\u2069\x00-\x1f]", shown)


def test_pictures_are_blurred_until_asked_for(tmp_path: Path) -> None:
    """Each picture lies under a box of its own to tick, by keyboard too, has words for those who do not see it."""
    html, seen = page(tmp_path, reported("a.mp4", outcome([0.0, 0.95, 0.0, 0.0] * 5), thumbs={1: b"one", 9: b"other"}))
    boxes = [a for t, a in seen.tags if t == "input" and a.get("type") == "checkbox"]
    images = [a for t, a in seen.tags if t == "img"]
    assert len(images) >= 1
    assert len(boxes) == len(images)
    assert all("checked" not in box and box["aria-label"] for box in boxes)
    assert all(image["alt"] for image in images)
    assert re.search(r"\.pic img\{[^}]*blur\(", html)
    assert ".pic input:checked~img{filter:none" in html


def test_many_files_get_an_overview_and_one_file_none(tmp_path: Path) -> None:
    """Several files have a table, gravest first, with links that lead somewhere; each is told once."""
    block, calm = outcome([0.9] * 4), outcome([0.0] * 4)
    html, seen = page(tmp_path, reported("calm.mp4", calm), reported("b.mp4", block), reported("f.mp4", None))
    links = [str(a["href"])[1:] for t, a in seen.tags if t == "a"]
    cards = [a["id"] for t, a in seen.tags if t == "article"]
    assert sorted(links) == sorted(str(card) for card in cards)
    assert [a["data-a"] for t, a in seen.tags if t == "article"] == ["block", "failed", "allow"]
    assert "1</b>blocked" in html
    single, _ = page(tmp_path, reported("calm.mp4", calm))
    assert "All files" not in single
    empty, _ = page(tmp_path)
    assert "No file was scanned" in empty


def test_it_says_what_was_not_looked_at(tmp_path: Path) -> None:
    """Absences, failures, coverage and models stand in the page, and a failed file is neither safe nor unsafe."""
    html, _ = page(tmp_path, reported("a.mp4", outcome([0.0, None, 0.0, 0.0])), reported("gone.mp4", None))
    for words in (
        "Not evaluated",
        "hate",
        "4 frames: 3 scored, 1 failed",
        "onnxruntime &lt;1&gt;",
        "neither safe nor unsafe",
    ):
        assert words in html, words
    assert 'class="gap"' in html


def test_provenance_is_shown_where_it_was_asked_for(tmp_path: Path) -> None:
    """The row's `provenance` becomes a table."""
    one = reported("a.mp4", outcome([0.0]))
    html, _ = page(tmp_path, Reported({**one.row, "provenance": {"state": "trusted", "signer": "<us>"}}, one.outcome))
    assert "Content Credentials" in html
    assert "&lt;us&gt;" in html


def test_lanes_keep_a_single_frame(tmp_path: Path) -> None:
    """One frame among ten thousand is seen in its lane, whatever the number of columns."""
    values: list[float | None] = [0.0] * 10_000
    values[6_543] = 0.95
    (lane, *_) = lanes(outcome(values), POLICY)
    assert lane.category == "sexual"
    assert float(np.nanmax(lane.peaks)) == pytest.approx(0.95, abs=1e-3)
    assert int(np.nanargmax(lane.peaks)) == 6_543 * BINS // 10_000
    assert {action for _, action in lane.segments} == {Action.BLOCK}
    assert set(lane.thresholds) == {Action.REVIEW, Action.BLOCK}


def test_a_page_of_thousands_of_segments_stays_small(tmp_path: Path) -> None:
    """A file that flickers for an hour makes a page of less than a megabyte."""
    values: list[float | None] = ([0.95] * 2 + [0.0] * 20) * 1500
    html, _ = page(tmp_path, reported("flicker.mp4", outcome(values)))
    assert len(html) < 1_000_000
    assert "more, in the JSON row" in html


def test_of_the_worst_material_there_is_no_picture(tmp_path: Path) -> None:
    """A hit on the minors category never asks for a thumbnail, and the page says why there is none."""
    asked: list[Thumbs] = []

    def pictures(wanted: Thumbs) -> dict[int, bytes]:
        asked.append(wanted)
        return dict.fromkeys(wanted.frames, b"jpeg")

    report = Report(tmp_path / "r.html", POLICY, 3)
    for name, category in (("worst.mp4", "sexual/minors"), ("other.mp4", "sexual")):
        seen = outcome([0.0, 0.95, 0.0], category)
        report_file(report, scan_row(name, seen), seen, Settings(home=tmp_path), pictures)
    calm = outcome([0.0] * 9)
    report_file(report, scan_row("calm.mp4", calm), calm, Settings(home=tmp_path), pictures)
    assert [(str(one.path), list(one.frames)) for one in asked] == [("other.mp4", [1]), ("calm.mp4", [4])]
    html = report.html()
    assert "No picture is shown" in html
    assert html.count("<img") == 2


def test_a_picture_that_fails_is_said_and_no_more(tmp_path: Path) -> None:
    """A decoder that breaks on the second look costs the pictures, not the report."""

    def broken(wanted: Thumbs) -> dict[int, bytes]:
        raise MediaError("the decoder fell over")

    report = Report(tmp_path / "r.html", POLICY, 1)
    seen = outcome([0.95] * 3)
    report_file(report, scan_row("a.mp4", seen), seen, Settings(home=tmp_path), broken)
    report_file(report, failed_scan_row("b.mp4", POLICY.ref, {"type": "x", "stage": None, "message": "m"}), None,
                Settings(home=tmp_path), broken)  # fmt: skip
    assert "the decoder fell over" in report.html()


def test_thumbnails_are_small_and_of_the_scanned_file(tmp_path: Path) -> None:
    """JPEG of at most 320 pixels for the frames that were asked for; a file that changed gives none."""
    import io

    from PIL import Image

    from assay.signing import sha256_of

    shades = [np.full((400, 720, 3), shade, np.uint8) for shade in range(0, 200, 20)]
    encode(tmp_path / "v.mp4", shades, rate=Fraction(10))
    sha256 = sha256_of(tmp_path / "v.mp4")
    made = thumbnails(Thumbs(tmp_path / "v.mp4", sha256, [2, 7, 99]))
    assert sorted(made) == [2, 7]
    picture = Image.open(io.BytesIO(made[7]))
    assert picture.format == "JPEG"
    assert max(picture.size) <= 320
    assert np.asarray(picture).mean() == pytest.approx(140, abs=4)
    assert thumbnails(Thumbs(tmp_path / "gone.mp4", "0" * 64, [])) == {}
    with pytest.raises(MediaError, match="changed since"):
        thumbnails(Thumbs(tmp_path / "v.mp4", "0" * 64, [1]))


@pytest.mark.parametrize("name", ["report.pdf", "no/such/folder/r.html"])
def test_a_report_that_cannot_be_written_is_refused_first(tmp_path: Path, name: str) -> None:
    """The name is looked at before anything is scanned, and nothing is left behind."""
    with pytest.raises(UsageError, match="--report"):
        Report(tmp_path / name, POLICY, 1)
    (tmp_path / "d.html").mkdir()
    with pytest.raises(UsageError, match="cannot be written"):
        Report(tmp_path / "d.html", POLICY, 1).publish()
    assert [path.name for path in tmp_path.iterdir()] == ["d.html"]


def test_the_flag_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    """`assay scan --help` tells of the report."""
    run(["scan", "--help"])
    assert "--report report.html" in capsys.readouterr().out


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (3.5, "3.5 s"), (61, "1:01"), (3723, "1:02:03")])
def test_times_read_as_people_write_them(seconds: float, words: str) -> None:
    """Seconds, minutes and hours."""
    assert clock(seconds) == words


@hypothesis_settings(max_examples=50, deadline=None)
@given(st.floats(0.04, 200_000))
def test_an_axis_has_few_ticks_inside_the_lane(end_s: float) -> None:
    """From 1 to 9 ticks, none beyond the end."""
    ticks = axis(end_s)
    assert 1 <= len(ticks) <= 9
    assert all(0 <= at <= 1 for at, _ in ticks)
