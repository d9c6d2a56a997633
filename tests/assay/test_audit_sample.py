"""Samples and labels: the same seed the same files, intervals that cover, agreement, and no picture of the worst."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from run_toys import Seen, run_of

from assay.cli.main import run as assay
from assay.ledger import Ledger
from assay.report.thumbs import Thumbs
from assay.sampling import estimates
from assay.sampling.agreement import agreement
from assay.sampling.drawing import Content, Sample, draw
from assay.sampling.estimates import ANY, categories_of, measured
from assay.sampling.labels import Labels, read_labels
from assay.sampling.sheet import moments, read_sample, write_sheet
from media import MediaError, UsageError
from safety import Policy

POLICY = Policy.load("default")


def content(number: int, action: str = "allow", category: str = "none", **more: object) -> Content:
    """One content of a run."""
    asked = {} if action == "allow" else {category: action}
    return Content(f"{number:064x}", f"{number}.mp4", action, category, asked, 48, **more)  # type: ignore[arg-type]


def population() -> list[Content]:
    """200 quiet contents, 60 for review, 7 blocked, one of the worst."""
    made = [content(n) for n in range(200)]
    made += [content(n, "review", "hate") for n in range(200, 260)]
    made += [content(n, "block", "sexual") for n in range(260, 267)]
    return [*made, content(999, "block", "sexual/minors", worst=True)]


def test_a_sample_is_stratified_and_reproducible() -> None:
    """At most so many of each stratum, whatever the order of the run; another seed draws others."""
    sample = draw("run_1", population(), 20, 1)
    assert sample == draw("run_1", list(reversed(population())), 20, 1)
    assert Counter(one.stratum for one in sample.items) == {
        "allow / none": 20, "review / hate": 20, "block / sexual": 7,
    }  # fmt: skip
    assert sample.sizes == {"allow / none": 200, "review / hate": 60, "block / sexual": 7}
    assert sample.flagged["review / hate"] == {"hate": 60}
    assert sample.withheld == 1
    assert {one.sha256 for one in sample.items} != {one.sha256 for one in draw("run_1", population(), 20, 2).items}
    assert Sample.from_json(json.loads(json.dumps(sample.to_json()))).to_json() == sample.to_json()


def test_each_content_is_drawn_as_often() -> None:
    """Over many seeds, no content of a stratum is preferred."""
    times = Counter(one.path for seed in range(400) for one in draw("r", population()[:20], 5, seed).items)
    assert min(times.values()) > 60
    assert max(times.values()) < 140


def said(sample: Sample, wrong: set[str], name: str = "first") -> Labels:
    """A reviewer who says that every flagged file violates its category, but for those that are named."""
    by_key = {
        one.sha256: frozenset[str]() if one.path in wrong or one.action == "allow" else frozenset(one.asked)
        for one in sample.items
    }
    return Labels(name, name, by_key)


def test_point_estimates_weigh_the_strata() -> None:
    """What is found in a sample of a large stratum counts for the whole of it."""
    sample = draw("r", population(), 20, 1)
    reviewed = [one for one in sample.items if one.action == "review"]
    quiet = [one for one in sample.items if one.action == "allow"]
    labels = said(sample, {one.path for one in reviewed[:5]})
    missed = {quiet[0].sha256: frozenset({"hate"})}
    found = measured(sample, Labels("a", "a", {**labels.by_key, **missed}), "hate")
    assert found.precision.value == pytest.approx(15 / 20)
    assert found.recall.value == pytest.approx(45 / (45 + 10))  # the one that was missed stands for ten
    assert found.prevalence.value == pytest.approx(55 / 267)
    assert (found.flagged, found.labelled, found.violating, found.unlabelled) == (60, 47, 16, 0)
    whole = measured(sample, labels, ANY)
    assert whole.precision.value == pytest.approx((45 + 7) / 67)
    assert whole.recall.value == 1.0
    assert whole.recall.low is not None
    assert whole.recall.low < 0.95  # twenty quiet files without a violation do not show that there is none
    assert categories_of(sample, [labels]) == [ANY, "hate", "sexual"]


def test_without_labels_nothing_is_claimed() -> None:
    """A stratum nobody labelled widens the interval to nearly everything, and its contents are counted."""
    sample = draw("r", population(), 20, 1)
    some = {one.sha256: frozenset[str]() for one in sample.items if one.action == "allow"}
    found = measured(sample, Labels("a", "a", some), "hate")
    assert found.unlabelled == 67
    assert found.precision.value is None
    assert found.precision.low is not None
    assert found.precision.low < 0.01
    assert found.precision.high is not None
    assert found.precision.high > 0.99
    nobody = measured(Sample("r", 1, (), {}, {}, 0), Labels("a", "a", {}), ANY)
    assert nobody.recall.value is None
    assert nobody.recall.high is None


def covered(runs: int) -> dict[str, float]:
    """How often the intervals of simulated runs with a known truth hold it: 800 contents, a sample of 120."""
    random = np.random.default_rng(7)
    inside: dict[str, list[bool]] = {"precision": [], "recall": []}
    contents = [content(n) for n in range(600)] + [content(n, "review", "hate") for n in range(600, 800)]
    sizes, flagged = {"allow / none": 600, "review / hate": 200}, {"review / hate": {"hate": 200}}
    for _ in range(runs):
        precise, missed = random.uniform(0.3, 0.95), random.uniform(0.005, 0.08)
        luck = random.random(800)
        truth = [bool(hit < (precise if n >= 600 else missed)) for n, hit in enumerate(luck)]
        drawn = [*random.permutation(600)[:60].tolist(), *(600 + random.permutation(200)[:60]).tolist()]
        sample = Sample("r", 1, tuple(contents[n] for n in drawn), sizes, flagged, 0)
        said = {contents[n].sha256: frozenset({"hate"} if truth[n] else ()) for n in drawn}
        found = measured(sample, Labels("a", "a", said), "hate")
        hits = sum(truth[600:])
        for name, value in (("precision", hits / 200), ("recall", hits / sum(truth))):
            one = getattr(found, name)
            inside[name].append(one.low - 1e-9 <= value <= one.high + 1e-9)
    return {name: float(np.mean(some)) for name, some in inside.items()}


def test_intervals_cover_at_about_their_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """95 % intervals of precision and recall hold the truth in about as many of 150 simulated runs."""
    monkeypatch.setattr(estimates, "DRAWS", 1000)
    for name, share in covered(150).items():
        assert 0.89 <= share <= 0.995, (name, share)


@pytest.mark.full
def test_intervals_cover_over_many_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same over 1,500 runs, to within what so many can tell."""
    monkeypatch.setattr(estimates, "DRAWS", 2000)
    for name, share in covered(1500).items():
        assert 0.93 <= share <= 0.985, (name, share)


def paired(pairs: Sequence[tuple[bool, bool]]) -> tuple[Labels, Labels]:
    """Two reviewers of the same files."""
    sides = zip(*pairs, strict=True)
    first, second = ({str(n): frozenset({"hate"} if hit else ()) for n, hit in enumerate(side)} for side in sides)
    return Labels("a", "a", first), Labels("b", "b", second)


def test_kappa_is_cohens() -> None:
    """The textbook's example: 20 both, 5 and 10 one alone, 15 neither: kappa 0.4."""
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    found = agreement(*paired(pairs), "hate")
    assert found.kappa == pytest.approx(0.4)
    assert found.observed == pytest.approx(0.7)
    assert (found.both, found.only_first, found.only_second, found.pairs) == (20, 5, 10, 50)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.4 < found.high
    assert agreement(*paired([(True, True), (False, False)] * 9), ANY).kappa == 1.0
    assert agreement(*paired([(False, False)] * 9), "hate").kappa is None
    unsure = Labels("a", "a", {"0": None}), Labels("b", "b", {"0": frozenset[str]()})
    assert agreement(*unsure, "hate").pairs == 0


def test_labels_are_read_strictly(tmp_path: Path) -> None:
    """CSV and JSON lines; an unknown category, two answers, a missing key or no label at all name the line."""
    path = tmp_path / "l.csv"
    path.write_text("sha256,path,violates,reviewer\naa,a.mp4,none,R\n,b.mp4,hate; sexual,R\ncc,c.mp4,unsure,\ndd,,,\n")
    read = read_labels(path)
    assert read.by_key == {"aa": frozenset(), "b.mp4": frozenset({"hate", "sexual"}), "cc": None}
    assert read.reviewer == "R"
    assert read.of("xx", "b.mp4") == {"hate", "sexual"}
    lines = tmp_path / "l.jsonl"
    lines.write_text('{"path": "a", "violates": ["hate"]}\n\n{"path": "b", "violates": []}\n')
    assert read_labels(lines).by_key == {"a": frozenset({"hate"}), "b": frozenset()}
    assert read_labels(lines).reviewer == "l"
    for text, said in {
        "violates,sha256\nnonsense,aa\n": "line 2: nonsense is no category",
        "violates,sha256\nnone,aa\nhate,aa\n": "line 3: aa has two different labels",
        "violates,notes\nnone,x\n": "line 2: neither sha256 nor path",
        "sha256\naa\n": "no column `violates`",
        "violates,sha256\n,aa\n": "no line of it has a label",
    }.items():
        path.write_text(text)
        with pytest.raises(UsageError, match=re.escape(said)):
            read_labels(path)
    for text, said in {"{": "not JSON", "[1]": "an object"}.items():
        lines.write_text(text)
        with pytest.raises(UsageError, match=said):
            read_labels(lines)
    with pytest.raises(UsageError, match="cannot be read"):
        read_labels(tmp_path / "gone.csv")


def test_the_sheet_tells_nothing_and_shows_nothing_unasked(tmp_path: Path) -> None:
    """No decision, score or category of a file stands in page or CSV; pictures are blurred; names are escaped."""
    evil = tmp_path / "=1+1<script>.mp4"
    evil.write_bytes(b"x")
    contents = [*population()[:3], *population()[200:203]]
    contents.append(Content("f" * 64, str(evil), "block", "sexual", {"sexual": "block"}, 48, (30,)))
    contents.append(Content("e" * 64, "=cmd()", "block", "sexual", {"sexual": "block"}, 0))
    sample = draw("run_1", contents, 9, 1)
    asked: list[Thumbs] = []

    def pictures(wanted: Thumbs) -> dict[int, bytes]:
        asked.append(wanted)
        return dict.fromkeys(wanted.frames, b"jpeg")

    write_sheet(sample, POLICY, tmp_path / "out", pictures)
    page = (tmp_path / "out" / "sheet.html").read_text()
    cards = page.partition("</details>")[2]
    shown = re.sub(r"data:[^\"]+", "", cards)
    assert not re.search(r"\b(block|review|allow|sexual|hate)\b", shown)
    assert "<script" not in page
    assert "not on this machine" in page
    assert "no frame that could be shown" in page
    assert page.count('type="checkbox"') == page.count("<img") == len(asked[0].frames)
    assert 30 in asked[0].frames
    rows = list(csv.DictReader((tmp_path / "out" / "labels.csv").read_text().splitlines()))
    assert set(rows[0]) == {"item", "path", "sha256", "violates", "reviewer", "notes"}
    assert {row["path"] for row in rows if row["path"].startswith("'")} == {"'=cmd()"}
    assert read_sample(tmp_path / "out" / "sample.json").sizes == sample.sizes
    with pytest.raises(UsageError, match="perhaps with labels"):
        write_sheet(sample, POLICY, tmp_path / "out", pictures)


def test_pictures_that_fail_are_told(tmp_path: Path) -> None:
    """A file that changed meanwhile costs its pictures, and the page says so."""
    (tmp_path / "a.mp4").write_bytes(b"x")
    sample = draw("r", [Content("f" * 64, str(tmp_path / "a.mp4"), "allow", "none", {}, 3)], 1, 1)

    def broken(wanted: Thumbs) -> dict[int, bytes]:
        raise MediaError("changed since it was scanned")

    write_sheet(sample, POLICY, tmp_path / "out", broken)
    assert "changed since it was scanned" in (tmp_path / "out" / "sheet.html").read_text()
    assert moments(sample.items[0]) == [0, 1, 2]
    with pytest.raises(UsageError, match="cannot be made"):
        write_sheet(sample, POLICY, tmp_path / "a.mp4" / "x", broken)


def test_the_commands_from_run_to_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`audit sample latest`, two reviewers' copies, `audit measure`: figures, and kappa where there are two."""
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    ledger = Ledger(f"sqlite:///{tmp_path / 'home' / 'ledger.sqlite'}")
    files = [Seen(f"calm-{n}.mp4", {"hate": [0.1] * 4}) for n in range(8)]
    files += [Seen(f"hate-{n}.mp4", {"hate": [0.1, 0.6, 0.1]}) for n in range(4)]
    files += [Seen("copy.mp4", {"hate": [0.1, 0.6, 0.1]}, content="hate-0.mp4")]
    files += [Seen("worst.mp4", {"sexual/minors": [0.9] * 3})]
    run_of(ledger, POLICY, files)
    ledger.close()
    out = tmp_path / "sample"
    assert assay(["audit", "sample", "latest", "--per-stratum", "5", "--no-pictures", "-o", str(out), "--json"]) == 0
    facts = {row["stratum"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert facts["review / hate"] == {"stratum": "review / hate", "contents": 4, "drawn": 4, "each_stands_for": 1.0}
    assert facts["allow / none"]["each_stands_for"] == pytest.approx(8 / 5)
    assert "worst.mp4" not in (out / "sheet.html").read_text() + (out / "labels.csv").read_text()
    rows = list(csv.DictReader((out / "labels.csv").read_text().splitlines()))
    for name in ("ann", "ben"):
        with (out / f"{name}.csv").open("w") as file:
            told = csv.DictWriter(file, rows[0])
            told.writeheader()
            for row in rows:
                hit = row["path"].startswith(("hate", "copy")) and not (name == "ben" and row["path"] == "hate-1.mp4")
                told.writerow({**row, "violates": "hate" if hit else "none", "reviewer": name})
    assert assay(["audit", "measure", str(out / "ann.csv"), str(out / "ben.csv"), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ann = {one["category"]: one for one in lines if one["kind"] == "measured" and one["reviewer"] == "ann"}
    assert ann["hate"]["precision"]["value"] == 1.0
    kappas = {one["category"]: one["kappa"] for one in lines if one["kind"] == "agreement"}
    assert 0 < kappas["hate"] < 1
    assert assay(["audit", "measure", str(out / "ann.csv"), str(out / "ben.csv")]) == 0
    words = capsys.readouterr().out
    assert "hate: precision 100.0 %" in words
    assert "1 contents of the worst material" in words
    assert assay(["audit", "sample", "latest", "-o", str(out)]) == 1
    other = tmp_path / "other.csv"
    other.write_text("sha256,violates\nzz,none\n")
    assert assay(["audit", "measure", str(other), "--sample", str(out / "sample.json")]) == 1
    assert assay(["audit", "measure", str(other)]) == 1
