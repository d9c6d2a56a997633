"""The public detector's answer about a file's origin: what independent witnesses say, and nothing about any person.

`assay.detect` gives evidence for people who may see all of it. A public answer leaves out whatever may lead to a
person: names in a certificate, serial numbers, tags of a device, a stranger's text, places on a disk. What is left are
answers, numbers, and fixed words of ours.

Nothing is kept. The id of an answer carries the answer under a keyed hash, so that feedback can be believed to be about
an answer that we gave, without a list of what was asked.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from assay.ledger import Ledger, now
from assay.schema import Table
from classifier import Answer
from media import UsageError

MEANING = {
    Answer.SYNTHETIC: "a signer whom this installation trusts, or an authenticated mark, says that it was generated",
    Answer.LIKELY_SYNTHETIC: "a detector's score is above a threshold that few real videos reach (see fpr)",
    Answer.CONTRADICTORY: "the evidence was tampered with, or speaks against itself",
    Answer.INCONCLUSIVE: "something speaks for a generator, but nobody vouches for it",
    Answer.NO_EVIDENCE: "none of the witnesses found anything; that does not make the file real",
}
WORDS = ("correct", "incorrect", "unsure")

# What a hint of each name means, in our words: those in the file are a stranger's.
_HINTS = {
    "encoder": "a tag names the software that last wrote the file",
    "encoder-message": "the stream carries a message of its encoder",
    "camera": "a tag names a camera; anybody can write it",
    "no-camera": "no tag names a camera; most files that were sent or re-encoded have none",
    "generator-string": "a tag names a known generator; anybody can write or remove it",
    "declared-in-metadata": "unsigned metadata declares a generator",
    "source-type-in-metadata": "unsigned metadata declares a source",
    "unread": "its tags or bytes could not be read",
}
_STATES = {"absent": "not_present"}  # the other words are C2PA's own, and ours where nobody could look
_ID = re.compile(r"check_([0-9a-f]{24})_([a-z-]{1,20})_([0-9a-f]{32})\Z")


class FeedbackRow(Table):
    """What somebody said of one answer: its id, the answer, one word, the day. Nothing about them or their file."""

    __tablename__ = "check_feedback"
    id: Mapped[str] = mapped_column(primary_key=True)
    answer: Mapped[str]
    word: Mapped[str]
    given: Mapped[datetime]


def public(row: Mapping[str, Any], key: bytes) -> dict[str, Any]:
    """A line of `assay.detect` as the public may see it; UsageError where the file could not be read.

    `outcome` is detected or not_detected, and null where nobody looked or nobody could.
    """
    if row["error"] is not None or row["answer"] is None:
        raise UsageError("the file is neither a video nor a picture that can be read; export it again")
    answer = Answer(row["answer"])
    return {
        "id": check_id(answer, key),
        "object": "provenance_check",
        "answer": answer.value,
        "meaning": MEANING[answer],
        "synthetic": row["synthetic"],
        "fpr": row["fpr"],
        "because": list(row["because"]),
        "generator": row["generator"],
        "segments": row["segments"],
        "results": [_c2pa(row), _seam("watermark", row), _seam("fingerprint", row), _forensic(row)],
        "hints": _hints(row["hints"]),
    }


def check_id(answer: Answer, key: bytes) -> str:
    """An id that proves which answer was given."""
    nonce = secrets.token_hex(12)
    return f"check_{nonce}_{answer.value}_{_mac(nonce, answer.value, key)}"


def answer_of(id: str, key: bytes) -> Answer | None:
    """The answer that went out under this id; None where no such id was ever given."""
    match = _ID.match(id)
    if match is None or not hmac.compare_digest(_mac(match[1], match[2], key), match[3]):
        return None
    return Answer(match[2])


def keep_feedback(ledger: Ledger, id: str, answer: Answer, word: str) -> None:
    """Keeps one word about one answer; a later one replaces it. UsageError for a word that is none of `WORDS`."""
    if word not in WORDS:
        raise UsageError(f"the word is one of {', '.join(WORDS)}")
    day = now().replace(hour=0, minute=0, second=0, microsecond=0)
    with ledger.write() as session:
        session.merge(FeedbackRow(id=id, answer=answer.value, word=word, given=day))


def _mac(nonce: str, answer: str, key: bytes) -> str:
    return hmac.new(key, f"provenance check\0{nonce}\0{answer}".encode(), hashlib.sha256).hexdigest()[:32]


def _c2pa(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest says; an issuer is an organisation, and named only where this installation trusts it."""
    found = row["signals"]["manifest"]
    state = found["state"]
    looked = state not in ("unreadable", "remote")
    trusted = state == "trusted"
    by = row["generator"] or {}
    return {
        "type": "c2pa",
        "outcome": (None if not looked else "not_detected" if state == "absent" else "detected"),
        "validation_state": _STATES.get(state, state),
        "issuer": (found.get("signer") or {}).get("organization") if trusted else None,
        "model": by.get("name") if by.get("by") == "manifest" else None,
        "generated_at": None,
        "codes": list(found["codes"]),
        "digital_source_types": list(found["digital_source_types"]) if trusted else [],
    }


def _seam(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A mark or a fingerprint: null where nobody looks for one."""
    found = row["signals"][kind]
    if found is None:
        return {"type": kind, "outcome": None, "absence": "not_configured"}
    outcome = "detected" if found["found"] else "not_detected"
    return {"type": kind, "outcome": outcome, "fpr": found["fpr"], "absence": None}


def _forensic(row: Mapping[str, Any]) -> dict[str, Any]:
    """The detector's score against its threshold; `fpr` is the share of real videos that reach it."""
    found = row["signals"]["forensic"]
    if found is None:
        return {"type": "forensic", "outcome": None, "absence": "not_configured"}
    likely = found.get("likely")
    absence = found.get("absence")
    return {
        "type": "forensic",
        "outcome": None if likely is None else "detected" if likely else "not_detected",
        "value": found["value"],
        "threshold": found.get("threshold"),
        "fpr": found.get("fpr"),
        "version": found.get("version"),
        "absence": None if absence is None else str(absence).replace(row["path"], "the file"),
    }


def _hints(found: list[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The names of the hints with our words for them, once each; a stranger's words stay inside."""
    names = dict.fromkeys(hint["name"] for hint in found)
    return [{"name": name, "meaning": _HINTS[name]} for name in names if name in _HINTS]
