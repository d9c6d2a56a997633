"""The labelling sheet: a page to look at, a CSV to fill, and `sample.json`, which only the measuring reads.

Page and CSV say nothing of what the run decided: a reviewer who knows is drawn towards it. Pictures are blurred until
asked for one by one; of the worst material there are none, since it is not drawn from at all.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from assay.report.article import picture
from assay.report.thumbs import Thumbs
from assay.report.words import text
from assay.report.writing import write_page
from assay.sampling.drawing import Content, Sample
from media import AssayError, UsageError
from safety import Policy

PICTURES = 6  # of one file
COLUMNS = ("item", "path", "sha256", "violates", "reviewer", "notes")
_CSP = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
Draw = Callable[[Thumbs], Mapping[int, bytes]]


def write_sheet(sample: Sample, policy: Policy, folder: Path, pictures: Draw) -> None:
    """Writes sheet.html, labels.csv and sample.json into a folder that must not hold them yet.

    pictures: makes thumbnails; a file whose pictures cannot be made is told so in the page. Raises UsageError.
    """
    names = ("sheet.html", "labels.csv", "sample.json")
    if taken := [name for name in names if (folder / name).exists()]:
        raise UsageError(f"{folder}: {taken[0]} is there already, perhaps with labels; name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made ({error.strerror})") from error
    write_page(folder / "sheet.html", _page(sample, policy, pictures), "-o")
    write_page(folder / "labels.csv", [_csv(sample)], "-o")
    write_page(folder / "sample.json", [json.dumps(sample.to_json(), indent=1) + "\n"], "-o")


def read_sample(path: Path) -> Sample:
    """The sample that stands beside labels; UsageError where it is not there or is no sample."""
    try:
        return Sample.from_json(json.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: cannot be read as the sample of `assay audit sample` ({error!r})") from error


def moments(one: Content) -> list[int]:
    """Frames to show: evenly over the file, so that they do not give away where something was found."""
    if one.frames <= 0:
        return []
    spread = np.linspace(0, one.frames - 1, min(PICTURES, one.frames)).round().astype(int).tolist()
    for peak in one.moments[: PICTURES // 2]:  # a flash must be seen by who labels it: it replaces its neighbour
        spread[int(np.argmin([abs(peak - frame) for frame in spread]))] = peak
    return sorted(set(spread))


def _csv(sample: Sample) -> str:
    """Cells that a spreadsheet would take for a formula are kept as text."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for number, one in enumerate(sample.items, 1):
        path = "'" + one.path if one.path[:1] in ("=", "+", "-", "@", "\t") else one.path
        rows.writerow((number, path, one.sha256, "", "", ""))
    return out.getvalue()


def _page(sample: Sample, policy: Policy, pictures: Draw) -> Iterator[str]:
    style = (resources.files("assay.report") / "page.css").read_text("utf-8")
    yield f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_CSP}">
<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex"><title>Assay labelling sheet</title><style>{style}</style></head>
<body><div class="wrap"><header class="top"><h1>Labelling sheet</h1>
<p class="soft">{len(sample.items)} files of run <span class="mono">{text(sample.run)}</span>, seed {sample.seed}</p>
<p class="note">For each file, write into the column <code>violates</code> of <code>labels.csv</code>:
<code>none</code>, <code>unsure</code>, or the names of the categories that it violates, joined by semicolons.
Judge the file by the definitions, not by a guess at what a model said: the sheet does not tell. A second reviewer fills
a copy of the file of their own, without seeing yours.</p></header><main>
<details class="card"><summary>Definitions of {text(policy.id)}@{text(policy.version)}</summary>{_definitions(policy)}
</details>
"""
    for number, one in enumerate(sample.items, 1):
        yield _card(one, number, pictures)
    yield "</main><footer>Pictures are blurred until you ask for each.</footer></div></body></html>\n"


def _definitions(policy: Policy) -> str:
    return "".join(
        f"<h3>{text(name)}</h3><p>{text(words.definition, 1200)}</p>"
        f"<p><b>Violates</b></p><ul>{_list(words.violates)}</ul><p><b>Does not</b></p><ul>{_list(words.allows)}</ul>"
        for name, words in policy.categories.items()
    )


def _list(words: Sequence[str]) -> str:
    return "".join(f"<li>{text(one)}</li>" for one in words)


def _card(one: Content, number: int, pictures: Draw) -> str:
    made, why = _pictures(one, pictures)
    figures = "".join(
        picture(jpeg, f"frame {frame} of file {number}", f"frame {frame} of {one.frames}")
        for frame, jpeg in sorted(made.items())
    )
    shown = f'<div class="thumbs">{figures}</div>' if figures else ""
    note = f'<p class="note failed">{text(why)}</p>' if why else ""
    return (
        f'<article class="card six" id="i{number}"><div class="head"><div><h2>{number}. {text(one.path)}</h2>'
        f'<p class="soft mono">{text(one.sha256)}</p></div></div>{note}{shown}</article>\n'
    )


def _pictures(one: Content, pictures: Draw) -> tuple[Mapping[int, bytes], str | None]:
    wanted = moments(one)
    if not wanted:
        return {}, "This file has no frame that could be shown."
    if not Path(one.path).is_file():
        return {}, "The file is not on this machine: open it where it is, and judge what you see."
    try:
        return pictures(Thumbs(Path(one.path), one.sha256, wanted)), None
    except AssayError as error:
        return {}, f"The pictures could not be made: {error}"


def sample_facts(sample: Sample) -> list[dict[str, Any]]:
    """One line a stratum: its contents, and how many were drawn."""
    drawn = {stratum: sum(one.stratum == stratum for one in sample.items) for stratum in sample.sizes}
    return [
        {"stratum": stratum, "contents": size, "drawn": drawn[stratum], "each_stands_for": size / drawn[stratum]}
        for stratum, size in sample.sizes.items()
    ]
