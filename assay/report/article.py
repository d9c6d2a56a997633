"""One file's part of the report: what was decided and why, when, what it looked like, and who looked.

Every name, text and message in it was chosen by somebody else: all of it passes through `text`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.outcome import Outcome
from assay.report.lanes import Lane, axis, duration, found_segments, lane_svg, lanes
from assay.report.origin import detector_section, provenance_section
from assay.report.words import clock, text
from safety import Action, Policy, Segment

_REASONS, _SEGMENTS = 40, 200  # told of one file; the JSON row has them all
_KINDS = ("scored", "covered", "sampled", "failed", "undecodable")
_SHADES = {"scored": "c1", "covered": "c2", "sampled": "c3", "failed": "c4", "undecodable": "c5"}


@dataclass(frozen=True)
class Reported:
    """One file of the report.

    row      the line that `assay scan --json` gives for it
    outcome  None where no decision was reached
    thumbs   JPEG by index of the frame
    no_pictures  why there are none, where there could have been
    """

    row: Mapping[str, Any]
    outcome: Outcome | None
    thumbs: Mapping[int, bytes] = field(default_factory=dict)
    no_pictures: str | None = None

    @property
    def word(self) -> str:
        """block, review, allow, or failed."""
        return str(self.row["action"] or "failed")


def article(one: Reported, number: int, policy: Policy) -> str:
    """The file's card."""
    parts = [_head(one)]
    error = one.row.get("error")
    if error is not None:
        parts.append(
            f'<p class="note failed"><b>No decision was reached.</b> {text(error["message"])} '
            f'<span class="soft">({text(error["type"])}, stage {text(error.get("stage") or "none")})</span> '
            "Nobody has looked at this file: it is neither safe nor unsafe.</p>"
        )
    if one.outcome is not None:
        parts += [_reasons(one), _timeline(one.outcome, policy), _moments(one), _looked(one)]
    parts += [provenance_section(one.row.get("provenance")), detector_section(one.row.get("detect"))]
    word = one.word
    return (
        f'<article class="card file is-{word}" id="f{number}" data-a="{word}" aria-labelledby="t{number}">'
        f"{''.join(parts).replace('@N@', str(number), 1)}</article>"
    )


def headline(one: Reported) -> str:
    """The gravest reason in a few words, as text for the page."""
    return text(headline_words(one), 160)


def headline_words(one: Reported) -> str:
    """The same, not escaped: for places that take no markup."""
    if one.row.get("error") is not None:
        return str(one.row["error"]["message"])
    gravest = next(iter(one.row["reasons"]), None)
    if gravest is None or gravest["action"] == "allow":
        return "nothing found" if one.row["complete"] else "nothing found by those who looked"
    words = str(gravest["category"])
    if gravest.get("absence"):
        return f"{words}: {gravest['absence'].replace('_', ' ')}"
    at = f" at {clock(gravest['start_s'])}" if gravest.get("start_s") is not None else ""
    return f"{words} {gravest['score']:.2f}{at}"


def _head(one: Reported) -> str:
    facts = []
    if one.outcome is not None:
        facts.append(clock(duration(one.outcome)) + " long")
    if one.row.get("sha256"):
        facts.append(f'SHA-256 <span class="mono">{text(one.row["sha256"])}</span>')
    path = text(one.row["path"])
    return (
        f'<div class="head"><div><h2 id="t@N@">{path}</h2><p class="soft">{" · ".join(facts)}</p></div>'
        f'<span class="badge {one.word}">{one.word}</span></div>'
    )


def _reasons(one: Reported) -> str:
    told = _merged([reason for reason in one.row["reasons"] if reason["action"] != "allow"])
    if not told:
        return "<h3>Why</h3><p>No rule of the policy was met.</p>"
    items = "".join(_reason(reason) for reason in told[:_REASONS])
    more = f"<p class='soft'>and {len(told) - _REASONS} more, in the JSON row</p>" if len(told) > _REASONS else ""
    return f'<h3>Why</h3><ul class="why-list">{items}</ul>{more}'


def _merged(reasons: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of rules that cite the same evidence the gravest; categories that nobody could judge for one cause together."""
    kept: dict[tuple[Any, ...], dict[str, Any]] = {}
    for reason in reasons:  # gravest first
        if reason.get("absence"):
            key = tuple(str(reason.get(name)) for name in ("stage", "source", "absence", "note", "action"))
            known = kept.setdefault(key, {**reason, "categories": []})
            if reason["category"] not in known["categories"]:
                known["categories"].append(reason["category"])
        else:
            key = tuple(str(reason.get(name)) for name in ("stage", "category", "source", "span", "start_s"))
            kept.setdefault(key, dict(reason))
    return list(kept.values())


def _reason(reason: Mapping[str, Any]) -> str:
    names = ", ".join(reason.get("categories") or [reason["category"]])
    words = f"<b>{text(reason['action'])}</b> for <b>{text(names)}</b>"
    if reason.get("absence"):
        words += f": {text(str(reason['absence']).replace('_', ' '))}"
        words += f" <span class='text'>({text(reason['note'])})</span>" if reason.get("note") else ""
    else:
        words += f", {reason['score']:.2f}"
        if reason.get("start_s") is not None:
            words += f" from {clock(reason['start_s'])} to {clock(reason['end_s'])}"
        words += f": <span class='text'>“{text(reason['text'])}”</span>" if reason.get("text") else ""
    by = f" by {text(reason['source'])}" if reason.get("source") else ""
    several = len(reason.get("categories") or ()) > 1
    rule = "the rules of these" if several else f"rule {text(reason['rule'])}"
    rule = f"<br><span class='soft'>{rule} at {text(reason['stage'])}{by}</span>"
    return f'<li class="{text(reason["action"])}">{words}{rule}</li>'


def _timeline(outcome: Outcome, policy: Policy) -> str:
    found, end_s = lanes(outcome, policy), duration(outcome)
    if not found:
        return '<h3>Timeline</h3><p class="note review">No model gave a score for any frame of this file.</p>'
    loud = [lane for lane in found if lane.segments or lane.lost.any()]
    quiet = [lane for lane in found if not (lane.segments or lane.lost.any())]
    nothing = '<p class="soft">Nothing was found in any category that was looked for.</p>'
    shown = _rows(loud, end_s, "rows") if loud else nothing
    rest = _rows(quiet, end_s, "rows quiet")
    legend = (
        '<p class="legend" aria-hidden="true"><i style="background:var(--area)"></i>score'
        '<i style="background:var(--bar-review)"></i>review<i style="background:var(--bar-block)"></i>block'
        '<i style="background:var(--failed);opacity:.4"></i>no score (failed or undecodable); dashes are thresholds</p>'
    )
    label = f"{len(quiet)} categor{'y' if len(quiet) == 1 else 'ies'} below every threshold"
    folded = f"<details><summary>{label}</summary>{rest}</details>" if quiet else ""
    return f"<h3>Timeline</h3>{shown}{legend if loud else ''}{folded}"


def _rows(some: Sequence[Lane], end_s: float, kind: str) -> str:
    rows = "".join(
        f'<div class="cat{" hit" * bool(lane.segments)}">{text(lane.category)}{_spoken(lane)}</div>'
        f"{lane_svg(lane, end_s)}"
        f'<div class="max">{"–" if lane.maximum is None else f"{lane.maximum:.2f}"}</div>'
        for lane in some
    )
    ticks = "".join(f'<span style="left:{100 * at:.2f}%">{words}</span>' for at, words in axis(end_s))
    return f'<div class="{kind}">{rows}<div class="axis" aria-hidden="true">{ticks}</div></div>'


def _spoken(lane: Lane) -> str:
    """What the drawing shows, for those who do not see it."""
    some = [f"{clock(s.start_s)} to {clock(s.end_s)}, peak {s.peak:.2f}" for s, _ in lane.segments[:5]]
    words = "; ".join(some) or "nothing found"
    return f'<span style="position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)">: {words}</span>'


def peaks(outcome: Outcome, most: int) -> list[int]:
    """The frames worth a picture: the peak of each segment, the gravest first."""
    return list(dict.fromkeys(segment.peak_frame for segment, _ in found_segments(outcome)))[:most]


def _moments(one: Reported) -> str:
    assert one.outcome is not None
    found = found_segments(one.outcome)
    if not found and not one.thumbs and one.no_pictures is None:
        return ""
    head = "<h3>Moments</h3>"
    if one.no_pictures is not None:
        head += f'<p class="note block">{text(one.no_pictures)}</p>'
    pictured = [(segment, action) for segment, action in found if segment.peak_frame in one.thumbs]
    figures = "".join(_figure(one, segment, action) for segment, action in _one_a_frame(pictured))
    if not found:
        figures = "".join(_poster(one, frame) for frame in one.thumbs)
    table = ""
    if found:
        label = f"{len(found)} segment{'s' * (len(found) != 1)} as a table"
        table = f"<details{'' if figures else ' open'}><summary>{label}</summary>{_table(found)}</details>"
    return head + (f'<div class="thumbs">{figures}</div>' if figures else "") + table


def _one_a_frame(found: Iterable[tuple[Segment, Action]]) -> list[tuple[Segment, Action]]:
    by_frame: dict[int, tuple[Segment, Action]] = {}
    for segment, action in found:
        by_frame.setdefault(segment.peak_frame, (segment, action))
    return list(by_frame.values())


def _figure(one: Reported, segment: Segment, action: Action) -> str:
    same = [s.category for s, _ in found_segments_of(one) if s.peak_frame == segment.peak_frame]
    names = ", ".join(dict.fromkeys(same))
    about = f"frame {segment.peak_frame} at {clock(segment.peak_s)}, found as {names}"
    caption = (
        f"<b class='{action.word}'>{text(names)}</b>peak {segment.peak:.2f} at {clock(segment.peak_s)}, "
        f"<span class='soft'>{clock(segment.start_s)} to {clock(segment.end_s)}</span>"
    )
    return picture(one.thumbs[segment.peak_frame], about, caption)


def found_segments_of(one: Reported) -> list[tuple[Segment, Action]]:
    """The segments of a reported file."""
    return [] if one.outcome is None else found_segments(one.outcome)


def _poster(one: Reported, frame: int) -> str:
    return picture(one.thumbs[frame], f"frame {frame}, nothing found in it", f"frame {frame}: nothing found")


def picture(jpeg: bytes, about: str, caption: str) -> str:
    """A picture that stays blurred until somebody ticks the box that lies over it; no script is needed."""
    uri = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
    return (
        f'<figure><label class="pic"><input type="checkbox" aria-label="Show {text(about)}">'
        f'<img src="{uri}" alt="{text(about)}" loading="lazy" decoding="async"><span class="ask">Show</span></label>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _table(found: Sequence[tuple[Segment, Action]]) -> str:
    titles = ("category", "from", "to", "peak", "at", "by", "asks for")
    head = f"<tr>{''.join(f'<th>{title}</th>' for title in titles)}</tr>"
    rows = "".join(
        f"<tr><td>{text(s.category)}</td><td>{clock(s.start_s)}</td><td>{clock(s.end_s)}</td>"
        f"<td>{s.peak:.2f}</td><td>{clock(s.peak_s)}, frame {s.peak_frame}</td><td>{text(s.source or '')}</td>"
        f"<td class='{action.word}'>{action.word if action > Action.ALLOW else 'nothing'}</td></tr>"
        for s, action in found[:_SEGMENTS]
    )
    more = f"<p class='soft'>and {len(found) - _SEGMENTS} more, in the JSON row</p>" if len(found) > _SEGMENTS else ""
    return f'<div class="scroll"><table>{head}{rows}</table></div>{more}'


def _looked(one: Reported) -> str:
    frames = one.row.get("frames") or {}
    total = int(frames.get("total") or 0)
    parts = [(kind, int(frames.get(kind) or 0)) for kind in _KINDS]
    bar = "".join(
        f'<i class="{_SHADES[kind]}" style="width:{100 * count / total:.3f}%"></i>' for kind, count in parts if count
    ) if total else ""  # fmt: skip
    words = ", ".join(f"{count} {kind}" for kind, count in parts if count) or "none"
    coverage = f'<div class="cover" aria-hidden="true">{bar}</div><p>{total} frames: {words}.</p>'
    missing = one.row.get("not_evaluated") or []
    chips = "".join(f"<li>{text(name)}</li>" for name in missing)
    unseen = (
        f'<p class="soft">Not evaluated, which never means safe:</p><ul class="chips">{chips}</ul>' if chips else ""
    )
    rows = "".join(_examiner(entry) for entry in one.row.get("posture") or [])
    head = "<tr><th>stage</th><th>model</th><th>how</th><th class=num>items</th><th class=num>failed</th></tr>"
    table = f'<div class="scroll"><table>{head}{rows}</table></div>' if rows else "<p>No model looked.</p>"
    return f"<h3>Who looked</h3>{coverage}{unseen}<details><summary>Models, as they ran</summary>{table}</details>"


def _examiner(entry: Mapping[str, Any]) -> str:
    weights = (
        f"<br><span class='mono soft'>{text(str(entry['weights_sha256'])[:16])}</span>"
        if entry.get("weights_sha256")
        else ""
    )
    return (
        f"<tr><td>{text(entry['stage'])}</td><td>{text(entry['model'])}@{text(entry['version'])}{weights}</td>"
        f"<td>{text(entry.get('runtime') or '')}</td><td class=num>{int(entry['items'])}</td>"
        f"<td class=num>{int(entry['failed'])}</td></tr>"
    )
