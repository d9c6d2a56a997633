"""The public detector: what it may tell, what it never tells, and feedback that is about an answer that was given."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy.orm import Session

from assay.checking import WORDS, FeedbackRow, answer_of, keep_feedback, public
from assay.ledger import Ledger
from assay.tasks import TASKS, Bench
from assay.watch import Silent
from classifier import Answer
from media import UsageError, encode

KEY = b"k" * 32


def _row(**changes: Any) -> dict[str, Any]:
    manifest = {
        "state": "trusted", "codes": ["timeStamp.trusted"], "note": "signed on Maria's laptop",
        "digital_source_types": ["http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"],
        "signer": {"common_name": "Maria Musterfrau", "organization": "Example Studio", "algorithm": "Es256",
                   "serial": "1234567890"},
    }  # fmt: skip
    signals = {"manifest": manifest, "watermark": None, "fingerprint": None, "forensic": None}
    row = {
        "path": "/srv/private/secret/upload", "answer": "synthetic", "synthetic": 1.0, "fpr": None,
        "because": ["manifest"], "generator": {"name": "Toy 3", "by": "manifest"}, "segments": [],
        "hints": [
            {"name": "camera", "where": "file", "says": "Maria: 48.1374, 11.5755", "meaning": "a@example.org"},
            {"name": "of-somebody-else", "where": "pixels", "says": "serial 99", "meaning": "words of a plug-in"},
        ],
        "signals": signals, "error": None,
    }  # fmt: skip
    return row | changes


def test_nothing_personal_is_told() -> None:
    """Names of people, serial numbers, tags, notes and paths stay inside; the trusted organisation is named."""
    told = json.dumps(public(_row(), KEY))
    for secret in (
        "Maria",
        "Musterfrau",
        "1234567890",
        "48.1374",
        "example.org",
        "laptop",
        "/srv",
        "serial",
        "plug-in",
    ):
        assert secret not in told, secret
    assert public(_row(), KEY)["results"][0]["issuer"] == "Example Studio"


@pytest.mark.parametrize("state", ["valid", "invalid", "absent", "unreadable", "remote"])
def test_a_stranger_is_not_named(state: str) -> None:
    """An issuer whom nobody vouches for is not repeated: a stranger may write any name into a certificate."""
    row = _row()
    row["signals"]["manifest"]["state"] = state
    told = public(row | {"answer": "inconclusive", "generator": None}, KEY)
    assert told["results"][0]["issuer"] is None
    assert "Example Studio" not in json.dumps(told)


@pytest.mark.parametrize(
    ("state", "outcome", "validation"),
    [("trusted", "detected", "trusted"), ("valid", "detected", "valid"), ("invalid", "detected", "invalid"),
     ("absent", "not_detected", "not_present"), ("unreadable", None, "unreadable"), ("remote", None, "remote")],
)  # fmt: skip
def test_outcome_is_null_where_nobody_could_look(state: str, outcome: str | None, validation: str) -> None:
    """Not detected is said only of a file that was read: an unreadable manifest, or one elsewhere, is null."""
    row = _row()
    row["signals"]["manifest"]["state"] = state
    found = public(row, KEY)["results"][0]
    assert (found["outcome"], found["validation_state"]) == (outcome, validation)


def test_witnesses_that_are_not_there_are_null() -> None:
    """A mark, a fingerprint and a detector that nobody configured are null and say so."""
    by_type = {one["type"]: one for one in public(_row(), KEY)["results"]}
    for kind in ("watermark", "fingerprint", "forensic"):
        assert (by_type[kind]["outcome"], by_type[kind]["absence"]) == (None, "not_configured")


def test_witnesses_that_answered_are_told() -> None:
    """A mark and a detector's score are told with the rate at which they err, and without what asset it was."""
    row = _row()
    row["signals"]["watermark"] = {"found": True, "authenticated": True, "fpr": 1e-6, "family": "x", "source": "m@1"}
    row["signals"]["fingerprint"] = {"found": False, "fpr": None, "asset": "customer-7", "source": "f@1"}
    row["signals"]["forensic"] = {
        "value": 0.9, "absence": None, "fpr": 0.01, "threshold": 0.8, "likely": True, "segments": [], "version": "f@1",
    }  # fmt: skip
    told = public(row, KEY)
    by_type = {one["type"]: one for one in told["results"]}
    assert by_type["watermark"]["outcome"] == "detected"
    assert by_type["fingerprint"]["outcome"] == "not_detected"
    assert (by_type["forensic"]["outcome"], by_type["forensic"]["threshold"]) == ("detected", 0.8)
    assert "customer-7" not in json.dumps(told)


def test_a_detector_that_could_not_look_gives_no_path_away() -> None:
    """Why a detector could not look is said without the place on our disk."""
    row = _row()
    absence = f"{row['path']}: does not decode"
    row["signals"]["forensic"] = {"value": None, "absence": absence}
    found = public(row, KEY)["results"][3]
    assert (found["outcome"], found["absence"]) == (None, "the file: does not decode")


def test_the_id_proves_the_answer() -> None:
    """An id that we gave names its answer; one that was changed, or made with another key, names none."""
    id = public(_row(), KEY)["id"]
    assert answer_of(id, KEY) is Answer.SYNTHETIC
    assert answer_of(id, b"x" * 32) is None
    assert answer_of(id.replace("synthetic", "no-evidence"), KEY) is None
    assert answer_of("check_1", KEY) is None


def test_feedback_keeps_a_word_and_nothing_else(tmp_path: Path) -> None:
    """What is kept of feedback is the id, the answer, one word and the day; a second word replaces the first."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'l.sqlite'}")
    id = public(_row(), KEY)["id"]
    for word in ("unsure", "incorrect"):
        keep_feedback(ledger, id, Answer.SYNTHETIC, word)
    with Session(ledger.engine) as session:
        (row,) = session.query(FeedbackRow).all()
    assert (row.id, row.answer, row.word) == (id, "synthetic", "incorrect")
    assert (row.given.hour, row.given.minute) == (0, 0)
    assert set(FeedbackRow.__table__.columns.keys()) == {"id", "answer", "word", "given"}
    with pytest.raises(UsageError):
        keep_feedback(ledger, id, Answer.SYNTHETIC, "my name is Maria")
    assert "my name" not in WORDS
    ledger.close()


def test_an_unreadable_file_is_no_answer() -> None:
    """Of a file that cannot be read nothing is said, and the error names no path."""
    with pytest.raises(UsageError) as refused:
        public(_row(answer=None, error={"type": "MediaError", "message": "/srv/private/x: no video"}), KEY)
    assert "/srv" not in str(refused.value)


def test_a_real_file_through_a_worker(toy_settings: Any, tmp_path: Path) -> None:
    """The worker's answer about a plain video is told as: no manifest, nothing found, and that this proves nothing."""
    path = tmp_path / "upload"
    encode(tmp_path / "made.mp4", [np.zeros((64, 64, 3), np.uint8)] * 4, Fraction(24))
    (tmp_path / "made.mp4").rename(path)
    told = public(TASKS["origins"](Bench(toy_settings(), "w"), path, Silent()), KEY)
    assert told["answer"] == "no-evidence"
    assert "does not make the file real" in told["meaning"]
    assert told["results"][0]["validation_state"] == "not_present"
    assert str(tmp_path) not in json.dumps(told)
