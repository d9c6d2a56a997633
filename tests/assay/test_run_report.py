"""The page of a run: rows as JSON that nothing can break out of, one script known by its hash, cards of the flagged."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from assay.outcome import Outcome
from assay.report.article import Reported
from assay.report.page import Report
from assay.report.reporting import new_report, report_file
from assay.report.run import MANY, RunReport
from assay.report.thumbs import Thumbs
from assay.rows import failed_scan_row, scan_row
from assay.settings import Settings
from media import UsageError
from safety import (
    Absence,
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
)

POLICY = Policy.load("default")
EVIL = "evil\"'><script>document.title='owned'</script></script><img src=x onerror=\"document.title='owned'\">‮<!--.mp4"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def outcome(values: list[float | None], category: str = "sexual", word: str | None = None) -> Outcome:
    """A scan of a video at 10 frames/s in which one model gave these values."""
    item = Item(Stage.FRAME, "frames", "a" * 64, len(values))
    frames = [(n / 10, Absence.FAILED if v is None else v, Where(text=word)) for n, v in enumerate(values)]
    tracks = [Track.of(item, category, "eye@1", frames)]
    silent = [name for name in POLICY.categories_for(Stage.FRAME) if name != category]
    missing = [Score.absent(item, name, "none@0", Absence.NOT_CONFIGURED, "no model") for name in silent]
    made = decide(POLICY, [item], [*tracks, *missing], Circumstances(require_complete=False))
    posture = (PostureEntry(Stage.FRAME, "eye", "1", "b" * 64, "toy", len(values), 0),)
    counts = FrameCounts(len(values), len(values), 0, len(values), 0, 0)
    return Outcome("job", (made,), Examination((item,), (*tracks, *missing), posture), frames=counts, sha256="a" * 64)


CALM, LOUD = outcome([0.1] * 20), outcome([0.0, 0.95, 0.9, 0.0] * 5, word="words read")


def reported(name: str, seen: Outcome | None, thumbs: dict[int, bytes] | None = None, **more: Any) -> Reported:
    """A file of the run."""
    if seen is None:
        error = {"type": more.pop("type", "MediaError"), "stage": "frame", "message": f"{name}: no video"}
        return Reported(failed_scan_row(name, POLICY.ref, error) | more, None)
    return Reported(scan_row(name, seen) | more, seen if RunReport.wants(scan_row(name, seen)) else None, thumbs or {})


class Seen(HTMLParser):
    """The elements of a page as a browser's tokeniser sees them, and the text of its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}", {}))

    def handle_data(self, data: str) -> None:
        if self.scripts and self.tags[-1][0] == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)


def page(tmp_path: Path, *files: Reported, title: str = "") -> tuple[str, Seen]:
    """The page of these files, and what stands in it."""
    report = RunReport(tmp_path / "run.html", POLICY, len(files), title)
    for one in files:
        report.add(one)
    report.publish()
    html = (tmp_path / "run.html").read_text("utf-8")
    seen = Seen()
    seen.feed(html)
    seen.close()
    return html, seen


def held(seen: Seen, id: str) -> Any:
    """The JSON of one element."""
    (text,) = [text for attributes, text in seen.scripts if attributes.get("id") == id]
    return json.loads(text)


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    """A name, an error, a text read in a frame or a title that is markup opens no element and ends no script."""
    evil = outcome([0.95] * 4, word=EVIL)
    riding = {"provenance": {"state": EVIL, "signer": EVIL}, "detect": {"answer": EVIL, "signals": {EVIL: [EVIL]}}}
    html, seen = page(tmp_path, reported(EVIL, evil, **riding), reported(EVIL, None), title=EVIL)
    _, same = page(tmp_path, reported("a.mp4", outcome([0.95] * 4, word="b"), **{
        "provenance": {"state": "x", "signer": "y"}, "detect": {"answer": "z", "signals": {"w": ["v"]}}}),
        reported("c.mp4", None), title="t")  # fmt: skip
    assert [tag for tag, _ in seen.tags] == [tag for tag, _ in same.tags]
    assert "owned" in html
    assert "<img src=x" not in html
    for id in ("c0", "c1"):
        card = Seen()
        card.feed(held(seen, id))
        assert not {tag for tag, _ in card.tags} & {"script", "img", "iframe", "object", "a"}
        assert not [name for _, attributes in card.tags for name in attributes if name.startswith("on")]
    assert "‮" not in html
    assert held(seen, "rows")["rows"][0][0].startswith("evil\"'><script>")


@hypothesis_settings(max_examples=40, deadline=None)
@given(st.text(max_size=60))
def test_any_path_comes_back_as_it_was_told(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """Whatever the name, the JSON holds it and the page ends where it should."""
    html, seen = page(tmp_path_factory.mktemp("page"), reported(name, CALM))
    assert len(held(seen, "rows")["rows"][0][0]) == len(name)
    assert html.endswith("</script></body></html>\n")


def test_only_its_own_script_may_run(tmp_path: Path) -> None:
    """The policy names the one script by its hash, and allows no request, no frame, no form."""
    _, seen = page(tmp_path, reported("a.mp4", LOUD))
    (csp,) = [a["content"] for t, a in seen.tags if t == "meta" and a.get("http-equiv")]
    assert csp is not None
    (script,) = [text for attributes, text in seen.scripts if "type" not in attributes]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in csp
    assert "default-src 'none'" in csp
    assert "http" not in csp
    assert not [a for t, a in seen.tags if t in ("link", "iframe", "img") or (t == "script" and "src" in a)]
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(|localStorage|document\.cookie", script)


def test_rows_are_compact_and_gravest_first(tmp_path: Path) -> None:
    """Each file has a row; only those that were not plainly allowed have a card."""
    _, seen = page(tmp_path, reported("calm.mp4", CALM), reported("loud.mp4", LOUD), reported("gone.mp4", None),
                   reported("notes.txt", None, type="Skipped"), reported("b.mp4", outcome([0.6] * 9)))  # fmt: skip
    rows = held(seen, "rows")
    names = [rows["rows"][n][0] for n in rows["order"]]
    assert names == ["loud.mp4", "b.mp4", "gone.mp4", "notes.txt", "calm.mp4"]
    by_name = {row[0]: row for row in rows["rows"]}
    assert by_name["loud.mp4"][1:4] == ["block", "sexual 0.95 at 0.1 s", ["sexual"]]
    assert by_name["loud.mp4"][5:] == [[20, 20], 1]
    assert by_name["calm.mp4"][1:] == ["allow", "nothing found by those who looked", [], [], [20, 20], 0]
    assert by_name["notes.txt"][1] == "skipped"
    left, length, action = by_name["loud.mp4"][4][0]
    assert (left, action) == (50, 2)
    assert length >= 50
    assert sorted(a["id"] or "" for t, a in seen.tags if t == "script" and (a.get("id") or "").startswith("c")) == [
        "c1", "c2", "c3", "c4",
    ]  # fmt: skip


def test_the_overview_counts(tmp_path: Path) -> None:
    """Histograms by category with thresholds, decisions by source, provenance and detector answers."""
    riding = {"provenance": {"state": "absent"}, "detect": {"answer": "no-evidence", "synthetic": None}}
    broken = outcome([0.1, None, 0.1])
    html, seen = page(tmp_path, reported("a.mp4", LOUD, **riding), reported("b.mp4", CALM, **riding),
                      reported("c.mp4", broken))  # fmt: skip
    (svg,) = [a for t, a in seen.tags if t == "svg"]
    assert svg["aria-label"] == "sexual: 3 files scored, 1 near or above 0.5"
    assert "Not evaluated in any file" in html
    assert "<td>eye@1</td><td class=num>1</td><td class=num>1</td>" in html
    assert "<td>eye@1 (failed)</td><td class=num>0</td><td class=num>1</td>" in html
    assert "2 absent" in html
    assert "2 no-evidence" in html
    empty, _ = page(tmp_path)
    assert "No model gave a score" in empty


def test_a_card_has_everything(tmp_path: Path) -> None:
    """Timeline, blurred pictures, reasons, posture, Content Credentials and the detector's answer."""
    detect = {"answer": "likely-synthetic", "synthetic": 0.97, "fpr": 0.01, "error": None, "hints": [],
              "segments": [{"start_s": 0.0, "end_s": 1.5, "value": 0.9}],
              "signals": {"manifest": None, "forensic": {"value": 0.97}}}  # fmt: skip
    _, seen = page(tmp_path, reported("a.mp4", LOUD, {1: b"jpeg"}, detect=detect,
                                      provenance={"state": "trusted", "signer": "us", "codes": []}))  # fmt: skip
    card = held(seen, "c0")
    for words in ("Why", "Timeline", "Moments", "Who looked", "Models, as they ran", "Content Credentials", "trusted",
                  "Detector", "likely-synthetic", "false-positive rate of 1 %", "0 s to 1.5 s", "nobody looked",
                  "words read", 'type="checkbox"', "data:image/jpeg;base64"):  # fmt: skip
        assert words in card, words
    failed = page(tmp_path, reported("a.mp4", LOUD, detect={"error": {"message": "no frame"}}))[1]
    assert "could not look: no frame" in held(failed, "c0")


def test_of_the_worst_there_is_no_picture_and_of_many_not_all(tmp_path: Path) -> None:
    """The minors category asks for no thumbnail; where a page holds as many as it may, the cards say so."""
    asked: list[Thumbs] = []

    def pictures(wanted: Thumbs) -> dict[int, bytes]:
        asked.append(wanted)
        return dict.fromkeys(wanted.frames, b"jpeg")

    report = RunReport(tmp_path / "r.html", POLICY, 3)
    worst = outcome([0.0, 0.95, 0.0], "sexual/minors")
    report_file(report, scan_row("worst.mp4", worst), worst, Settings(home=tmp_path), pictures)
    report._left = 1
    for name in ("one.mp4", "two.mp4"):
        report_file(report, scan_row(name, LOUD), LOUD, Settings(home=tmp_path), pictures)
    assert [str(one.path) for one in asked] == ["one.mp4"]
    assert len(asked[0].frames) == 1
    html = "".join(report.pieces())
    assert "No picture is shown" in html
    assert "as many pictures as it may" in html


def test_few_files_need_no_script(tmp_path: Path) -> None:
    """A page of a few files is the one without a script; of many, this one. Its name is looked at first."""
    assert isinstance(new_report(tmp_path / "r.html", POLICY, MANY - 1), Report)
    assert isinstance(new_report(tmp_path / "r.html", POLICY, MANY), RunReport)
    assert Report.wants({"action": "allow"})
    with pytest.raises(UsageError, match="ends in"):
        RunReport(tmp_path / "r.pdf", POLICY, 3)


def thousands(count: int, flagged: int) -> list[Reported]:
    """A run of many files; every so many flagged, with a picture."""
    picture = b"\xff\xd8" + b"x" * 9000
    middling = outcome([0.0] * 40 + [0.6] * 8 + [0.0] * 60)
    rows = []
    for n in range(count):
        name = f"s3://bucket/uploads/2026/11/{n % 40:02}/{n:07}-{EVIL if n == 3 else 'holiday'}.mp4"
        loud = None if n % (flagged * 5) == 7 else (LOUD if n % 3 else middling) if n % flagged == 3 else CALM
        rows.append(reported(name, loud, {1: picture} if loud not in (None, CALM) else None))
    return rows


@pytest.mark.full
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine; apt-get install chromium")
def test_ten_thousand_rows_open_in_a_browser(tmp_path: Path) -> None:
    """Headless Chromium draws the first hundred of 10,000 rows and runs nothing that a name brought along."""
    page(tmp_path, *thousands(10_000, 10), title="run_0123456789abcdef")
    html = dom(tmp_path / "run.html", "")
    assert html.count("<tr><td") >= 100
    assert "10000 of 10000 files" in html
    assert re.search(r'data-drawn="\d+"', html)
    assert "<title>Assay scan report</title>" in html
    card = dom(tmp_path / "run.html", "#f3")
    assert "Timeline" in card.partition('id="card">')[2]
    assert "<title>Assay scan report</title>" in card


def dom(path: Path, fragment: str) -> str:
    """The page as Chromium has drawn it."""
    assert CHROMIUM is not None
    told = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        f"--user-data-dir={path.parent / 'profile'}", "--virtual-time-budget=20000", "--dump-dom",
        f"file://{path}{fragment}",
    ]  # fmt: skip
    return subprocess.run(told, capture_output=True, text=True, check=True, timeout=120).stdout
