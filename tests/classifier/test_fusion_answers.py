"""The fused answer: proof needs a trusted signer, contradiction is an answer of its own, nothing is called real."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product

import pytest
from hypothesis import given, settings, strategies as st

from classifier import Answer, ForensicSignal, ManifestSignal, MarkSignal, MatchSignal, Signals, fuse, leading

STATES = ("trusted", "valid", "expired", "invalid", "absent", "unreadable", "remote")
WORDS = {
    "S": Answer.SYNTHETIC,
    "L": Answer.LIKELY_SYNTHETIC,
    "C": Answer.CONTRADICTORY,
    "I": Answer.INCONCLUSIVE,
    "-": Answer.NO_EVIDENCE,
}
LOUDNESS = {Answer.NO_EVIDENCE: 0, Answer.INCONCLUSIVE: 1, Answer.LIKELY_SYNTHETIC: 2, Answer.SYNTHETIC: 3}


def pixels(kind: str, fpr: float = 0.05) -> tuple[ForensicSignal, ...]:
    """nobody, silent (no value), below, between (a value that is not held against the threshold), above."""
    if kind == "nobody":
        return ()
    value = {"silent": None, "below": 0.2, "between": 0.6, "above": 0.9}[kind]
    likely = {"above": True, "below": False}.get(kind)
    absence = None if likely is not None else "the views disagree"
    return (ForensicSignal(value, absence, fpr, 0.5, likely, ((0.0, 1.0, value),) if value else (), "toy@1"),)


MANIFESTS = {
    "nobody read one": None,
    "absent": ManifestSignal("absent", False),
    "remote": ManifestSignal("remote", False),
    "unreadable": ManifestSignal("unreadable", False),
    "invalid": ManifestSignal("invalid", False),
    "invalid, synthetic": ManifestSignal("invalid", True),
    "invalid, camera": ManifestSignal("invalid", False, claims_capture=True),
    "valid": ManifestSignal("valid", False),
    "valid, synthetic": ManifestSignal("valid", True, vouched=False),
    "valid, over ours": ManifestSignal("valid", True, vouched=True),  # a stranger cites our file as the ancestor
    "valid, camera": ManifestSignal("valid", False, claims_capture=True),
    "expired, synthetic": ManifestSignal("expired", True),
    "expired, camera": ManifestSignal("expired", False, claims_capture=True),
    "trusted": ManifestSignal("trusted", False),
    "trusted, synthetic": ManifestSignal("trusted", True),
    "trusted, synthetic by a stranger": ManifestSignal("trusted", True, vouched=False),
    "trusted, camera": ManifestSignal("trusted", False, claims_capture=True),
    "trusted, camera and generator": ManifestSignal("trusted", True, claims_capture=True),
    "trusted, camera over a generator": ManifestSignal("trusted", True, claims_capture=True, contradicts_itself=True),
}
COLUMNS = ("nobody", "silent", "below", "between", "above")
MARKS = {"none": None, "nothing": MarkSignal(False), "somebody's": MarkSignal(True), "ours": MarkSignal(True, True)}
# For each manifest, one group a mark (nobody looked, nothing found, somebody's, ours), one letter a column.
TABLE = {
    "nobody read one":                  "---IL ---IL IIIIL SSSSS",
    "absent":                           "---IL ---IL IIIIL SSSSS",
    "remote":                           "IIIIL IIIIL IIIIL SSSSS",
    "unreadable":                       "IIIIL IIIIL IIIIL SSSSS",
    "invalid":                          "CCCCC CCCCC CCCCC CCCCC",
    "invalid, synthetic":               "CCCCC CCCCC CCCCC CCCCC",
    "invalid, camera":                  "CCCCC CCCCC CCCCC CCCCC",
    "valid":                            "IIIIL IIIIL IIIIL SSSSS",
    "valid, synthetic":                 "IIIIL IIIIL IIIIL SSSSS",
    "valid, over ours":                 "IIIIL IIIIL IIIIL SSSSS",
    "valid, camera":                    "IIIIC IIIIC CCCCC CCCCC",
    "expired, synthetic":               "IIIIL IIIIL IIIIL SSSSS",
    "expired, camera":                  "IIIIC IIIIC CCCCC CCCCC",
    "trusted":                          "---IL ---IL IIIIL SSSSS",
    "trusted, synthetic":               "SSSSS SSSSS SSSSS SSSSS",
    "trusted, synthetic by a stranger": "IIIIL IIIIL IIIIL SSSSS",
    "trusted, camera":                  "---IC ---IC CCCCC CCCCC",
    "trusted, camera and generator":    "SSSSS SSSSS SSSSS SSSSS",
    "trusted, camera over a generator": "CCCCC CCCCC CCCCC CCCCC",
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_the_table_of_answers(name: str) -> None:
    """Each manifest, mark and finding of the pixels leads to the answer that stands in the table, cell for cell."""
    found = " ".join(
        "".join(
            next(
                letter
                for letter, answer in WORDS.items()
                if answer is fuse(Signals(MANIFESTS[name], mark, None, pixels(kind))).answer
            )
            for kind in COLUMNS
        )
        for mark in MARKS.values()
    )
    assert found == TABLE[name]


def test_the_table_is_whole() -> None:
    """Every manifest has its row, and every state that a manifest can be in has one."""
    assert set(TABLE) == set(MANIFESTS)
    assert {one.state for one in MANIFESTS.values() if one is not None} == set(STATES)


manifests = st.builds(
    ManifestSignal, st.sampled_from(STATES), st.booleans(), st.booleans(), st.booleans(), st.booleans()
)
marks = st.builds(MarkSignal, st.booleans(), st.booleans())
matches = st.builds(MatchSignal, st.booleans(), st.booleans(), st.none() | st.floats(0, 1))
eyes = st.lists(
    st.sampled_from(COLUMNS[1:]).flatmap(lambda kind: st.floats(0, 1).map(lambda fpr: pixels(kind, fpr)[0])), max_size=3
).map(tuple)
signals = st.builds(Signals, st.none() | manifests, st.none() | marks, st.none() | matches, eyes)


@given(signals)
@settings(deadline=None, max_examples=40)
def test_no_proof_without_somebody_we_trust(given_signals: Signals) -> None:
    """`synthetic` is never answered without a trusted manifest that declares it, or a mark that only we can write."""
    fused = fuse(given_signals)
    manifest, mark = given_signals.manifest, given_signals.watermark
    proved = (manifest is not None and manifest.proves) or (mark is not None and mark.proves)
    assert proved or fused.answer is not Answer.SYNTHETIC
    assert (fused.answer is Answer.SYNTHETIC) == (fused.synthetic == 1.0 and fused.fpr is None and bool(fused.because))


@given(signals, st.sampled_from(["manifest", "watermark", "fingerprint", "forensic"]))
@settings(deadline=None, max_examples=40)
def test_who_could_not_look_adds_nothing(given_signals: Signals, name: str) -> None:
    """A signal of None counts exactly as one that looked and found nothing."""
    nothing = {
        "manifest": ManifestSignal("absent", False),
        "watermark": MarkSignal(False),
        "fingerprint": MatchSignal(False),
        "forensic": pixels("silent"),
    }
    nobody = () if name == "forensic" else None
    looked = fuse(replace(given_signals, **{name: nothing[name]}))
    assert fuse(replace(given_signals, **{name: nobody})) == looked


@given(signals, st.sampled_from(["watermark", "fingerprint", "forensic"]))
@settings(deadline=None, max_examples=40)
def test_taking_a_witness_away_raises_no_answer(given_signals: Signals, name: str) -> None:
    """Without one of the witnesses of the pixels, no answer becomes louder; a contradiction may dissolve into less."""
    before = fuse(given_signals).answer
    after = fuse(replace(given_signals, **{name: () if name == "forensic" else None})).answer
    assert before is Answer.CONTRADICTORY or LOUDNESS[after] <= LOUDNESS[before]


@given(signals)
@settings(deadline=None, max_examples=40)
def test_a_tampered_manifest_is_always_contradictory(given_signals: Signals) -> None:
    """Whatever else is found, a manifest that was tampered with is neither proof nor likelihood."""
    broken = replace(given_signals, manifest=ManifestSignal("invalid", True, True))
    assert fuse(broken).answer is Answer.CONTRADICTORY


@given(signals)
@settings(deadline=None, max_examples=40)
def test_a_likelihood_states_its_rate(given_signals: Signals) -> None:
    """`likely-synthetic` names the false-positive rate of everybody who was asked, and whose word it is."""
    fused = fuse(given_signals)
    if fused.answer is not Answer.LIKELY_SYNTHETIC:
        return
    looked = [one.fpr for one in given_signals.forensic if one.value is not None]
    assert fused.fpr is not None
    assert fused.fpr >= min(1.0, sum(looked))
    assert set(fused.because) <= {"forensic", "fingerprint"}


def test_rates_of_several_detectors_add_up() -> None:
    """Two detectors that each flag 5 % of real clips together flag up to 10 %, and that is what is quoted."""
    fused = fuse(Signals(forensic=(*pixels("above"), *pixels("below"), *pixels("silent"))))
    assert (fused.answer, fused.fpr) == (Answer.LIKELY_SYNTHETIC, 0.1)


def test_the_loudest_detector_leads() -> None:
    """Likely before unlikely before undecided before silent; nobody where there is none."""
    silent, below, between, above = (pixels(kind)[0] for kind in COLUMNS[1:])
    assert leading((silent, between, below, above)) is above
    assert leading((silent, between, below)) is below
    assert leading((silent, between)) is between
    assert leading((silent,)) is silent
    assert leading(()) is None


def test_a_resemblance_is_likely_at_its_rate() -> None:
    """Pictures like those of an asset that was declared synthetic make a file likely, never proved; others do not."""
    near = MatchSignal(True, True, 0.001)
    assert fuse(Signals(fingerprint=near)).answer is Answer.LIKELY_SYNTHETIC
    assert fuse(Signals(fingerprint=near)).fpr == 0.001
    for other in (MatchSignal(True, False, 0.001), MatchSignal(True, True, None), MatchSignal(False, True, 0.001)):
        assert fuse(Signals(fingerprint=other)).answer is Answer.NO_EVIDENCE
    camera = ManifestSignal("trusted", False, claims_capture=True)
    assert fuse(Signals(camera, fingerprint=near)).answer is Answer.CONTRADICTORY


def test_hints_are_no_signal() -> None:
    """`fuse` has no way to be told a hint."""
    assert {field.name for field in fields(Signals)} == {"manifest", "watermark", "fingerprint", "forensic"}


def test_no_answer_says_real() -> None:
    """There is no word for authentic among the answers, and the strings are those of the contract."""
    assert {one.value for one in Answer} == {
        "synthetic", "likely-synthetic", "contradictory", "inconclusive", "no-evidence",
    }  # fmt: skip


def test_every_combination_has_an_answer() -> None:
    """No combination of what can be found is an error."""
    flags = list(product((False, True), repeat=4))
    for state, given_flags, mark, kind in product(STATES, flags, MARKS.values(), COLUMNS):
        assert fuse(Signals(ManifestSignal(state, *given_flags), mark, None, pixels(kind))).answer in Answer
