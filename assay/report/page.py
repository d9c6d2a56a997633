"""`assay scan --report`: one page for people. Self-contained: no script, no request, nothing that a name can run.

Pictures are small, blurred until asked for one by one, and of the worst material there are none. Each file is written
as soon as it is scanned, so hundreds of files need no more memory than their own part of the page.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from assay.report.article import Reported, article, found_segments_of, headline
from assay.report.lanes import duration, strip_svg
from assay.report.words import text
from assay.report.writing import destination_for_page, write_page
from safety import Policy

PICTURES_A_FILE, PICTURES = 12, 400  # at most, and of one page: 10 kB each
_ORDER = ("block", "review", "failed", "allow")
_CSP = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"


class Report:
    """The page while it grows; `publish` writes it whole or not at all."""

    def __init__(self, destination: Path, policy: Policy, files: int) -> None:
        self._destination, self._policy = destination_for_page(destination), policy
        self._parts: list[tuple[str, str, str]] = []  # action, row of the overview, card
        self.pictures = max(1, min(PICTURES_A_FILE, PICTURES // max(1, files)))  # that each file may have

    @staticmethod
    def wants(row: dict[str, Any]) -> bool:
        """Whether the page shows more of a file than its row: of few files, of each."""
        return True

    def add(self, one: Reported) -> None:
        """The next file."""
        number = len(self._parts) + 1
        self._parts.append((one.word, _row(one, number), article(one, number, self._policy)))

    def publish(self) -> None:
        """Writes the page; UsageError where that cannot be done."""
        write_page(self._destination, [self.html()])

    def html(self) -> str:
        """The page as it stands."""
        style = (resources.files("assay.report") / "page.css").read_text("utf-8")
        parts = sorted(self._parts, key=lambda part: _ORDER.index(part[0]))
        many = len(parts) > 1
        return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_CSP}">
<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex"><title>Assay scan report</title><style>{style}</style></head>
<body><div class="wrap">
{self._top()}
<main>
{_overview([row for _, row, _ in parts]) if many else ""}
{"".join(card for _, _, card in parts) or '<p class="card">No file was scanned.</p>'}
</main>
<footer>Pictures are blurred until you ask for each. Absence of a finding is not proof of safety: see “not evaluated”.
</footer></div></body></html>
"""

    def _top(self) -> str:
        ref = self._policy.ref
        when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        counts = Counter(word for word, _, _ in self._parts)
        tiles = "".join(
            _tile(word, counts[word], label)
            for word, label in zip(_ORDER, ("blocked", "for review", "failed", "allowed"), strict=True)
        )
        every = _tile("all", len(self._parts), "files", checked=True)
        filters = (
            f'<fieldset class="tiles"><legend>Show</legend>{every}{tiles}</fieldset>' if len(self._parts) > 1 else ""
        )
        return (
            f'<header class="top"><h1>Scan report</h1><p class="soft">{when} · policy <b>{text(ref["id"])}</b>@'
            f'{text(ref["version"])} <span class="mono">{text(ref["digest"][:16])}</span></p>{filters}</header>'
        )


def _tile(word: str, count: int, label: str, checked: bool = False) -> str:
    kind = "" if word == "all" else f' class="{word}"'
    return (
        f'<label class="tile"><input type="radio" name="only" id="only-{word}"{" checked" * checked}>'
        f"<span{kind}><b>{count}</b>{label}</span></label>"
    )


def _overview(rows: list[str]) -> str:
    head = "<tr><th>decision</th><th>file</th><th>why</th><th>when</th><th class=num>frames seen</th></tr>"
    return f'<section class="card over" aria-label="All files"><table>{head}{"".join(rows)}</table></section>'


def _row(one: Reported, number: int) -> str:
    frames = one.row.get("frames")
    seen = "–" if not frames else f"{frames['scored'] + frames['covered']} of {frames['total']}"
    strip = strip_svg(found_segments_of(one), duration(one.outcome)) if one.outcome is not None else ""
    name = Path(str(one.row["path"])).name
    return (
        f'<tr data-a="{one.word}"><td><span class="badge {one.word}">{one.word}</span></td>'
        f'<td class="name"><a href="#f{number}">{text(name)}</a></td><td class="why">{headline(one)}</td>'
        f"<td>{strip}</td><td class=num>{seen}</td></tr>"
    )
