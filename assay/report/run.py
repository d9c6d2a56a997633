"""The page of a run of any size: overview, a table that is drawn page by page, and a card for each flagged file.

Self-contained like the page of a few files, but with one script, since ten thousand rows drawn at once would take a
browser many seconds. The script is named by its hash in the page's own policy, so that nothing else can run; rows stand
in the page as JSON and become text only, and the cards are the ones that `article` escapes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from assay.report.article import Reported, article, found_segments_of, headline_words
from assay.report.lanes import duration
from assay.report.totals import Totals
from assay.report.words import plain, text
from assay.report.writing import destination_for_page, write_page
from safety import Action, Policy

PICTURES_A_FILE, PICTURES = 12, 1500  # at most, and of one page: 10 kB each
MANY = 50  # files from which a run has this page instead of the one without a script
_ORDER = ("block", "review", "failed", "skipped", "allow")
_LABELS = ("blocked", "for review", "failed", "skipped", "allowed")
_LONGEST_PATH, _LONGEST_WHY = 300, 140
_STRIP = 1000  # a file's length in the units of its strip


class RunReport:
    """The page while it grows, one file after the other; `publish` writes it whole or not at all."""

    def __init__(self, destination: Path, policy: Policy, files: int, title: str = "") -> None:
        """files: how many are expected, so that pictures are shared out among them."""
        self._destination = destination_for_page(destination)
        self._policy, self._title = policy, title
        self._totals, self._counts = Totals(policy), Counter[str]()
        self._rows: list[list[Any]] = []
        self._cards: dict[int, str] = {}
        self._share = max(1, min(PICTURES_A_FILE, PICTURES // max(1, files)))
        self._left = PICTURES

    @property
    def pictures(self) -> int:
        """How many the next file may have."""
        return min(self._share, self._left)

    @staticmethod
    def wants(row: dict[str, Any]) -> bool:
        """Whether a file has a card, and so needs its outcome: everything that was not plainly allowed."""
        return row.get("action") != "allow"

    def add(self, one: Reported) -> None:
        """The next file."""
        number, word = len(self._rows), _word(one)
        self._totals.add(one.row)
        self._counts[word] += 1
        self._left -= len(one.thumbs)
        card = self.wants(dict(one.row))
        if card:
            self._cards[number] = article(one, number, self._policy)
        self._rows.append(_columns(one, word, card))

    def publish(self) -> None:
        """Writes the page; UsageError where that cannot be done."""
        write_page(self._destination, self.pieces())

    def pieces(self) -> Iterator[str]:
        """The page, in parts: the cards of a large run need not stand in memory twice."""
        style = "".join(_asset(name) for name in ("page.css", "run.css"))
        script = _asset("run.js")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        csp = (
            f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
            "form-action 'none'; base-uri 'none'"
        )
        order = sorted(range(len(self._rows)), key=lambda n: (_ORDER.index(self._rows[n][1]), n))
        yield f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{csp}">
<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex"><title>Assay scan report</title><style>{style}</style></head>
<body><div class="wrap">
{self._top()}
<noscript><p class="note review">The table and the cards of this page need its script. The rows are in the output of
<code>assay scan --out</code>; a report of fewer than {MANY} files needs no script.</p></noscript>
<main id="run"><div id="overview">{self._totals.html()}</div>
<section class="card over" aria-label="All files"><div class="bar"><label>Find <input id="find" type="search"
 placeholder="part of a path"></label><label>Category <select id="category"><option value="">any</option></select>
</label><span id="shown" class="soft" role="status"></span></div>
<table id="files"><thead><tr><th>decision</th><th>file</th><th>why</th><th>when</th><th class=num>frames seen</th></tr>
</thead><tbody></tbody></table><nav class="pages" aria-label="Pages"><button id="before">← before</button>
<span id="page"></span><button id="after">after →</button></nav></section></main>
<section id="one" hidden><p><button id="back">← all files</button></p><div id="card"></div></section>
<footer>Pictures are blurred until you ask for each. Absence of a finding is not proof of safety: see “not evaluated”.
</footer></div>
<script type="application/json" id="rows">{_json({"rows": self._rows, "order": order})}</script>
"""
        for number, card in self._cards.items():
            yield f'<script type="application/json" id="c{number}">{_json(card)}</script>\n'
        yield f"<script>{script}</script></body></html>\n"

    def _top(self) -> str:
        ref = self._policy.ref
        when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        every = _tile("", sum(self._counts.values()), "files")
        tiles = every + "".join(
            _tile(word, self._counts[word], label)
            for word, label in zip(_ORDER, _LABELS, strict=True)
            if self._counts[word] or word != "skipped"
        )
        title = f" {text(self._title)}" if self._title else ""
        return (
            f'<header class="top"><h1>Scan report{title}</h1><p class="soft">{when} · policy <b>{text(ref["id"])}</b>@'
            f'{text(ref["version"])} <span class="mono">{text(ref["digest"][:16])}</span></p>'
            f'<fieldset class="tiles"><legend>Show</legend>{tiles}</fieldset></header>'
        )


def _tile(word: str, count: int, label: str) -> str:
    kind = f' class="{word}"' if word else ""
    checked = "" if word else " checked"
    return (
        f'<label class="tile"><input type="radio" name="only" value="{word}"{checked}>'
        f"<span{kind}><b>{count}</b>{label}</span></label>"
    )


def _word(one: Reported) -> str:
    error = one.row.get("error")
    return "skipped" if error is not None and error.get("type") == "Skipped" else one.word


def _columns(one: Reported, word: str, card: bool) -> list[Any]:
    """path, action, why, categories, strip, frames seen, whether there is a card: text and numbers, no markup."""
    frames = one.row.get("frames")
    seen = [frames["scored"] + frames["covered"], frames["total"]] if frames else None
    asked = {reason["category"] for reason in one.row.get("reasons") or [] if reason["action"] != "allow"}
    why = plain(headline_words(one), _LONGEST_WHY)
    return [plain(one.row["path"], _LONGEST_PATH), word, why, sorted(asked), _strip(one), seen, int(card)]


def _strip(one: Reported) -> Sequence[Sequence[int]]:
    """[start, length, action] of what was found, in thousandths of the file; at most one a place."""
    if one.outcome is None:
        return []
    end_s, drawn = duration(one.outcome), dict[tuple[int, int], int]()
    for segment, action in found_segments_of(one):
        if action > Action.ALLOW:
            left = round(max(0.0, segment.start_s) / end_s * _STRIP)
            right = min(_STRIP, max(left + 4, round(segment.end_s / end_s * _STRIP)))
            drawn[left, right - left] = max(int(action), drawn.get((left, right - left), 0))
    return [[left, length, action] for (left, length), action in list(drawn.items())[:100]]


def _asset(name: str) -> str:
    return (resources.files("assay.report") / name).read_text("utf-8")


def _json(content: object) -> str:
    """JSON that can stand in a page: nothing in it ends the element or opens a comment."""
    written = json.dumps(content, separators=(",", ":"), ensure_ascii=True)
    return written.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
