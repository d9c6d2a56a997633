"""How a run stands, in a line; and that nothing is drawn where nobody looks."""

from __future__ import annotations

import io

from rich.console import Console

from assay.batch.display import Display, line
from assay.batch.intake import Counts


def test_the_line_says_how_the_run_stands() -> None:
    """Files, frames a second, time to go, decisions so far and failures, once each is known."""
    counts = Counts(25, {"allow": 20, "block": 2, "failed": 3}, 5000)
    assert (
        line(counts, 100, 6000, 50.0)
        == "25 of 100 files · 120 frames/s · 0:02:30 to go · 20 allow · 2 block · 3 failed"
    )
    assert line(Counts(), None, 0, 0.0) == "0 files"


def test_nothing_is_drawn_into_a_pipe() -> None:
    """Where stderr is no terminal there is not a byte of it; where it is one, the line is drawn and taken away."""
    for terminal in (False, True):
        written = io.StringIO()
        with Display(Console(file=written, force_terminal=terminal, width=80), lambda: 3) as display:
            display._drawn = -1.0
            display.draw(Counts(1, {"review": 1}, 10), 5.0)
            with display.aside():
                pass
        assert ("1 review" in written.getvalue()) is terminal
