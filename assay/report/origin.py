"""Where a file says it comes from, and what the detector says: the parts of a card that ride along with a scan."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from assay.report.words import clock, text

_DEEP = 240  # characters of a value that is itself a list or an object
_TRUST = {"trusted": "allow", "valid": "review", "invalid": "block", "unreadable": "failed", "absent": "soft"}


def provenance_section(found: Any) -> str:
    """The line of `assay verify`, as a table; "" where it was not asked for."""
    if not isinstance(found, Mapping):
        return ""
    state = str(found.get("state") or "unknown")
    shown = f'<p>Content Credentials: <b class="{_TRUST.get(state, "soft")}">{text(state)}</b>.'
    if state == "absent":
        shown += " That is no evidence of anything: most files carry none."
    rest = {key: value for key, value in found.items() if key not in ("state", "path") and _holds(value)}
    return f"<h3>Content Credentials</h3>{shown}</p>{_table(rest.items())}"


def detector_section(found: Any) -> str:
    """The line of `assay detect`: its answer first, with the rate of false alarms; "" where it was not asked for."""
    if not isinstance(found, Mapping):
        return ""
    if found.get("error"):
        why = found["error"]["message"] if isinstance(found["error"], Mapping) else found["error"]
        return f'<h3>Detector</h3><p class="note failed">The detector could not look: {text(why)}</p>'
    answer, value, fpr = found.get("answer"), found.get("synthetic"), found.get("fpr")
    words = f"<p>Answer: <b>{text(answer)}</b>"
    words += f", {float(value):.2f}" if isinstance(value, (int, float)) else ""
    words += f", at a stated false-positive rate of {100 * float(fpr):g} %" if isinstance(fpr, (int, float)) else ""
    words += ". Never read it as “real”: absence of evidence proves nothing.</p>"
    stretches = [one for one in found.get("segments") or [] if isinstance(one, Mapping)]
    spans = ", ".join(f"{clock(one['start_s'])} to {clock(one['end_s'])}" for one in stretches[:12])
    signals = found.get("signals")
    rows = _table(signals.items()) if isinstance(signals, Mapping) else ""
    return f"<h3>Detector</h3>{words}{f'<p>Stretches: {text(spans)}</p>' if spans else ''}{rows}"


def _table(rows: Iterable[tuple[object, object]]) -> str:
    lines = "".join(f"<tr><td>{text(key)}</td><td>{_value(value)}</td></tr>" for key, value in rows)
    return f"<div class='scroll'><table class='facts'>{lines}</table></div>" if lines else ""


def _value(value: object) -> str:
    if value is None:
        return "<span class='soft'>nobody looked</span>"
    if isinstance(value, (Mapping, list, tuple)):
        return f"<span class='mono'>{text(json.dumps(value, default=str), _DEEP)}</span>"
    return text(value)


def _holds(value: object) -> bool:
    return value not in (None, "", [], {}, ())
