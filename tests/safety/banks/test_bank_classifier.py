"""A bank as a classifier of frames and of files: what matches, what does not, and what takes a match away."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from media import Frame, MediaError, UsageError, encode, write_image
from safety import Absence, FrameClassifier, Item, Stage
from safety.frame import examine_image
from safety.frame.banks import (
    BankClassifier,
    BankStore,
    Card,
    Content,
    Kind,
    Signal,
    compare_file,
    examine_file,
    file_hashes,
    signals_of,
)
from safety.frame.banks.files import sighted_files
from safety.frame.banks.pdq import pdq
from tests.safety.banks.pictures import Pixels, logo, pasted, picture, reencoded
from tests.safety.frame.contract import FrameClassifierContract


def bank(folder: Path, *signals: Signal, **card: object) -> Content:
    """A loaded bank with these signals."""
    store = BankStore.create(folder, Card(**{"name": "known", **card}))  # type: ignore[arg-type]
    store.add(signals)
    return store.load()


def hashed(pixels: Pixels, content: str = "", **more: object) -> Signal:
    """The PDQ signal of a picture as frames are looked at."""
    return Signal(Kind.PDQ, pdq(Frame(pixels, 0, 0.0).small).value, content, **more)  # type: ignore[arg-type]


def value(content: Content, pixels: Pixels) -> float:
    """What the bank says of one picture."""
    score, _ = BankClassifier(content).score([Frame(pixels, 0, 0.0)])[0]["bank/known"]
    assert not isinstance(score, Absence)
    return score


class TestBankClassifierContract(FrameClassifierContract):
    @pytest.fixture(params=["empty", "one", "crops"])
    def classifier(self, tmp_path: Path, request: pytest.FixtureRequest) -> FrameClassifier:
        if request.param == "empty":
            return BankClassifier(bank(tmp_path))
        if request.param == "one":
            return BankClassifier(bank(tmp_path, hashed(picture(0, 320, 180)), category="ip/character"))
        write_image(tmp_path / "logo.png", logo(1))
        return BankClassifier(bank(tmp_path, *signals_of(tmp_path / "logo.png", corners=True), look="crops"))


def test_the_value_falls_with_the_distance(tmp_path: Path) -> None:
    """1 for the very hash, 0.5 at the entry's own distance, 0 beyond it."""
    shown = picture(1)
    raw = np.unpackbits(np.frombuffer(hashed(shown).value, np.uint8))
    far = raw.copy()
    far[:20] ^= 1
    entry = np.packbits(far).tobytes()
    assert value(bank(tmp_path / "a", hashed(shown)), shown) == 1.0
    assert value(bank(tmp_path / "b", Signal(Kind.PDQ, entry, distance=20)), shown) == 0.5
    assert value(bank(tmp_path / "c", Signal(Kind.PDQ, entry, distance=19)), shown) == 0.0
    assert value(bank(tmp_path / "d", Signal(Kind.PDQ, entry)), shown) == pytest.approx(1 - 0.5 * 20 / 31)
    assert value(bank(tmp_path / "e", Signal(Kind.PDQ, entry), distance=19), shown) == 0.0


def test_copies_are_found_and_strangers_are_not(tmp_path: Path) -> None:
    """Re-encoded and resized copies of every picture in the bank reach 0.5, other pictures 0."""
    content = bank(tmp_path, *(hashed(picture(seed), f"no {seed}") for seed in range(30)))
    assert all(value(content, reencoded(picture(seed))) >= 0.5 for seed in range(30))
    assert all(value(content, picture(seed)) == 0.0 for seed in range(100, 160))


def test_a_negative_entry_takes_a_match_away(tmp_path: Path) -> None:
    """A benign look-alike that is at least as near silences the match; one that is farther does not."""
    shown, copy = picture(1), reencoded(picture(1), 20)
    assert value(bank(tmp_path / "a", hashed(shown), hashed(copy, negative=True)), copy) == 0.0
    assert value(bank(tmp_path / "b", hashed(shown), hashed(copy, negative=True)), shown) == 1.0
    assert value(bank(tmp_path / "c", hashed(copy, negative=True)), copy) == 0.0


def test_a_stamped_copy_is_found_by_its_other_sides(tmp_path: Path) -> None:
    """With a large emblem in a corner the picture still matches, other pictures do not, a negative still silences."""
    for seed in range(8):
        write_image(tmp_path / f"{seed}.png", picture(seed))
    signals = [signal for seed in range(8) for signal in signals_of(tmp_path / f"{seed}.png")]
    content = bank(tmp_path / "a", *signals)
    stamped = [reencoded(pasted(picture(seed), logo(seed), 500, 20, 120), 60) for seed in range(8)]
    assert all(value(content, one) >= 0.5 for one in stamped)
    assert all(value(content, reencoded(pasted(picture(seed), logo(1), 500, 20, 120))) == 0.0 for seed in range(60, 90))
    silenced = bank(tmp_path / "b", *signals, *(replace(one, negative=True) for one in signals))
    assert all(value(silenced, one) == 0.0 for one in stamped)


def test_an_entry_and_its_sides_are_one(tmp_path: Path) -> None:
    """A stamped copy counts for the picture's own entry; its distance holds for sides; switched off, both are."""
    write_image(tmp_path / "a.png", picture(1))
    signals = signals_of(tmp_path / "a.png")
    store = BankStore.create(tmp_path / "flood", Card("known", flood_items=1))
    store.add(signals)
    stamped = Frame(reencoded(pasted(picture(1), logo(1), 500, 20, 120), 60), 0, 0.0)
    eye = BankClassifier(store.load())
    assert eye.score([stamped])[0]["bank/known"][0] != 0.0
    seen = eye.sighted()
    assert [entry.signal.kind for entry in store.entries() if entry.id in seen] == [Kind.PDQ]
    store.sighted(seen, "one file")
    assert store.sighted(seen, "another file") == sorted(seen)
    assert value(store.load(), stamped.pixels) == 0.0
    exact = bank(tmp_path / "exact", *(replace(one, distance=0) for one in signals if one.kind is Kind.PDQ))
    assert value(exact, stamped.pixels) == 0.0


def test_a_flat_frame_is_no_evidence(tmp_path: Path) -> None:
    """Even where the bank holds the hash of a black frame, black frames match nothing."""
    black = np.zeros((90, 160, 3), np.uint8)
    assert value(bank(tmp_path, hashed(black)), black) == 0.0


def test_an_emblem_inside_a_frame_matches_with_its_box(tmp_path: Path) -> None:
    """A bank that looks at crops finds its emblem in a corner, says where, and scores the category it maps to."""
    write_image(tmp_path / "logo.png", logo(2))
    signals = signals_of(tmp_path / "logo.png", "brand", corners=True)
    whole = bank(tmp_path / "a", *signals)
    crops = bank(tmp_path / "b", *signals, look="crops", category="ip/logo")
    frame = reencoded(pasted(picture(9), logo(2), 480, 20, 120), 75, 1.0)
    assert value(whole, frame) == 0.0
    answer = BankClassifier(crops).score([Frame(frame, 0, 0.0)])[0]
    score, where = answer["ip/logo"]
    assert answer["bank/known"] == (score, where)
    assert not isinstance(score, Absence)
    assert score >= 0.5
    assert where is not None
    assert where.box is not None
    assert "brand" in str(where.text)
    assert abs(where.box[0] - 480) < 30
    assert abs(where.box[3] - 140) < 30
    assert value(crops, picture(9)) == 0.0


def test_a_bank_never_judges_the_category_it_maps_to(tmp_path: Path) -> None:
    """`ip/logo` stays not configured beside a bank of logos; `bank/known` itself is answered by the bank."""
    eye = BankClassifier(bank(tmp_path, hashed(picture(1)), category="ip/logo"))
    item = Item(Stage.INPUT_IMAGE, "input-image", "0" * 64)
    seen = examine_image(Frame(picture(2), 0, 0.0), item, [eye], ["ip/logo", "bank/known"])
    said = [(score.category, score.value if score.absence is None else score.absence) for score in seen.scores]  # type: ignore[union-attr]
    assert sorted(said, key=str) == [("bank/known", 0.0), ("ip/logo", 0.0), ("ip/logo", Absence.NOT_CONFIGURED)]


def test_sightings_are_told_once(tmp_path: Path) -> None:
    """The entries that matched are handed over, and forgotten."""
    eye = BankClassifier(bank(tmp_path, hashed(picture(1)), hashed(picture(2))))
    eye.score([Frame(picture(2), 0, 0.0), Frame(picture(7), 1, 0.1)])
    assert eye.sighted() == {2}
    assert eye.sighted() == frozenset()


def test_the_very_file_matches_by_its_hash(tmp_path: Path) -> None:
    """MD5 or SHA-256 of the file; a negative entry silences it; other files score 0; what no bank judges is absent."""
    write_image(tmp_path / "a.png", picture(1))
    hashes = file_hashes(tmp_path / "a.png")
    assert hashes[Kind.SHA256].hex() == hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()
    item = Item(Stage.FILE, "file", hashes[Kind.SHA256].hex())
    wanted = ["bank/known", "audio"]
    for kind in (Kind.MD5, Kind.SHA256):
        content = bank(tmp_path / kind.value, Signal(kind, hashes[kind], "it"))
        seen = examine_file(item, hashes[Kind.MD5], [content], wanted)
        assert [(s.category, s.value if hasattr(s, "value") else None) for s in seen.scores] == [
            ("bank/known", 1.0),
            ("audio", None),
        ]
        assert sighted_files(seen, [content], hashes[Kind.MD5]) == {"known": {1}}
        assert examine_file(item, bytes(16), [], wanted).posture == ()
    silenced = bank(
        tmp_path / "n", Signal(Kind.MD5, hashes[Kind.MD5]), Signal(Kind.SHA256, hashes[Kind.SHA256], negative=True)
    )
    (score, _) = examine_file(item, hashes[Kind.MD5], [silenced], wanted).scores
    assert getattr(score, "value", None) == 0.0
    with pytest.raises(ValueError, match="stage 'file'"):
        examine_file(Item(Stage.FRAME, "x", "0" * 64), bytes(16), [], wanted)


def test_signals_are_made_of_files(tmp_path: Path) -> None:
    """A video gives a signal for each distinct frame, a mirror gives more; flat and bad files are refused."""
    encode(tmp_path / "v.mp4", [picture(1)] * 5 + [picture(2)] * 5, rate=Fraction(10))
    made = signals_of(tmp_path / "v.mp4", "clip")
    assert [s.kind for s in made] == [Kind.SHA256, Kind.MD5, Kind.PDQ, Kind.PDQ]
    assert len(signals_of(tmp_path / "v.mp4", mirrored=True)) == 6
    write_image(tmp_path / "flat.png", np.full((64, 64, 3), 90, np.uint8))
    with pytest.raises(UsageError, match="too flat"):
        signals_of(tmp_path / "flat.png")
    (tmp_path / "no.png").write_bytes(b"nothing")
    with pytest.raises(MediaError):
        signals_of(tmp_path / "no.png")
    with pytest.raises(MediaError, match="cannot be read"):
        file_hashes(tmp_path / "gone")


def test_a_file_is_compared_for_people(tmp_path: Path) -> None:
    """Percentages are of the file's frames and of the content's signals; the very file is told as such."""
    encode(tmp_path / "v.mp4", [picture(1)] * 5 + [picture(2)] * 5, rate=Fraction(10))
    encode(tmp_path / "half.mp4", [picture(1)] * 5 + [picture(8)] * 5, rate=Fraction(10))
    content = bank(tmp_path / "b", *signals_of(tmp_path / "v.mp4", "clip"))
    (row,) = compare_file(tmp_path / "half.mp4", content)
    assert (row["kind"], row["content"], row["file_percent"], row["content_percent"]) == ("pdq", "clip", 50.0, 50.0)
    assert {row["kind"] for row in compare_file(tmp_path / "v.mp4", content)} == {"pdq", "md5", "sha256"}
    write_image(tmp_path / "logo.png", logo(2))
    crops = bank(tmp_path / "c", *signals_of(tmp_path / "logo.png", "brand", corners=True), look="crops")
    write_image(tmp_path / "frame.png", pasted(picture(9), logo(2), 480, 20, 120))
    (part,) = compare_file(tmp_path / "frame.png", crops)
    assert part["kind"] == "part"
    assert "brand" in part["content"]
