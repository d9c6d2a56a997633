"""A verification page for people without tools: one static HTML file, no script, no picture, no address to load from.

Every string of a manifest, and every file name, was chosen by somebody else. All text passes through `_text`, and the
page's own policy forbids the browser to load or run anything, should one ever slip through.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Sequence

from provenance.credentials import Credentials, Ingredient, Signer, State

_LONGEST = 500  # characters of any one string
_MOST_NODES = 300  # ingredients of one file

MEANING = {
    State.TRUSTED: "unchanged since it was signed, by a signer this reader trusts",
    State.VALID: "unchanged since it was signed, but this reader does not know the signer, or that of something in it",
    State.INVALID: "changed after it was signed, its certificate expired, or something it was made from was changed",
    State.ABSENT: "no Content Credentials in it; that says nothing about whether it is real",
    State.UNREADABLE: "could not be looked at",
    State.REMOTE: "its Content Credentials are on the network, which was not asked",
}
_NOBODY_VOUCHES = " (by its own word: this reader knows nobody who vouches for it)"
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
article{border:1px solid #bbb;border-left:.5rem solid #888;padding:.5rem 1rem;margin:1rem 0;overflow-wrap:anywhere}
.trusted{border-left-color:#1a7f37}.valid,.absent{border-left-color:#b58900}
.invalid,.unreadable,.remote{border-left-color:#b3261e}
dt{font-weight:600}dd{margin:0 0 .4rem 0}h2{font-size:1.1rem}small{color:#555}
"""


def verification_page(found: Sequence[Credentials]) -> str:
    """The page for a number of files, in the order given."""
    articles = "\n".join(_article(each) for each in found)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; form-action 'none'">
<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width">
<title>Content Credentials</title><style>{_STYLE}</style></head><body>
<h1>Content Credentials</h1>
<p>What {len(found)} file{"" if len(found) == 1 else "s"} say of their own origin, and whether that holds. No answer
here means that a picture is real.</p>
{articles}
</body></html>
"""


def _article(found: Credentials) -> str:
    vouched = found.claim_state is State.TRUSTED
    facts: list[tuple[str, str]] = [("State", _text(f"{found.state}: {MEANING[found.state]}"))]
    if found.codes:
        facts.append(("Codes", _text(", ".join(found.codes))))
    if found.signer:
        facts.append(("Signed by", _signer(found.signer) + ("" if vouched else _text(_NOBODY_VOUCHES))))
    if found.timestamp:
        counted = "" if found.timestamp_trusted else " (by an authority this reader does not know)"
        facts.append(("Time-stamp", _text(found.timestamp + counted)))
    for manifest in found.manifests[:1]:
        facts.append(("Written by", _text(manifest.generator or "unknown")))
        facts.append(("Actions", _text(", ".join(manifest.actions) or "none")))
    if found.digital_source_types:
        facts.append(("Kinds of source", _text(", ".join(t.rpartition("/")[2] for t in found.digital_source_types))))
    if found.decision:
        facts.append(("Moderation" + ("" if vouched else _NOBODY_VOUCHES), _list(_decision(found.decision))))
    if found.ingredients:
        facts.append(("Made from", _tree(found.ingredients, [_MOST_NODES])))
    if found.trailing_boxes:
        facts.append(("Behind the last box", _text(f"{sum(b.size for b in found.trailing_boxes)} bytes")))
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
    return f'<article class="{found.state.value}"><h2>{_text(found.path)}</h2><dl>{rows}</dl></article>'


def _decision(decision: dict[str, object]) -> Iterable[str]:
    """Lines of a decision assertion, whose shape a stranger may have chosen."""
    policy = decision.get("policy")
    if isinstance(policy, dict):
        yield f"policy {policy.get('id')}@{policy.get('version')}"
    each = decision.get("decisions")
    for one in each if isinstance(each, list) else ():
        if isinstance(one, dict):
            yield f"{one.get('stage')}: {one.get('action')} (decision {one.get('id')})"
    if decision.get("human"):
        yield "a person approved it"


def _tree(ingredients: Sequence[Ingredient], left: list[int]) -> str:
    """Nested lists; `left` counts down over the whole tree."""
    items = []
    for each in ingredients:
        if left[0] <= 0:
            items.append("<li><small>more, not shown</small></li>")
            break
        left[0] -= 1
        codes = f" <small>{_text(', '.join(each.codes))}</small>" if each.codes else ""
        words = f"{each.title or 'untitled'} ({each.relationship or 'unknown'}): {each.state}"
        items.append(f"<li>{_text(words)}{codes}{_tree(each.ingredients, left) if each.ingredients else ''}</li>")
    return f"<ul>{''.join(items)}</ul>"


def _list(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{_text(line)}</li>" for line in lines) + "</ul>"


def _signer(signer: Signer) -> str:
    return _text(", ".join(filter(None, (signer.common_name, signer.organization, signer.algorithm))))


def plain(words: str) -> str:
    """A stranger's text without control and direction characters, for a terminal or a page, and not too long."""
    kept = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in words)
    return kept if len(kept) <= _LONGEST else kept[:_LONGEST] + "…"


def _text(words: str) -> str:
    return html.escape(plain(words), quote=True)
