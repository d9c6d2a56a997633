"""Faces against galleries, with a detector and an embedder that the test builds: real signals through the real code."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from toy_faces import face, write_detector, write_embedder

from media import Frame, UsageError
from safety import Absence, CorruptRecord, FrameClassifier, ModelUnavailable
from safety.frame import FaceEmbedder, Gallery, LikenessClassifier
from safety.frame.likeness import CATEGORY
from tests.safety.frame.contract import FrameClassifierContract

GREEN, LEAF, RED = (20, 200, 30), (40, 190, 50), (220, 60, 10)
DAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> FaceEmbedder:
    folder = tmp_path_factory.mktemp("models")
    return FaceEmbedder(write_detector(folder / "yunet.onnx"), write_embedder(folder / "toyface.onnx"))


def gallery(embedder: FaceEmbedder, kind: str = "block", threshold: float = 0.9) -> Gallery:
    return Gallery(kind, embedder.name, embedder.sha256, MappingProxyType({}), threshold)  # type: ignore[arg-type]


def vectors(embedder: FaceEmbedder, colour: tuple[int, int, int]) -> np.ndarray:
    return np.stack([vector for vector, _ in embedder.faces(face(colour))])


def said(classifier: FrameClassifier, pixels: np.ndarray) -> tuple[float, str | None]:
    value, where = classifier.score([Frame(pixels, 0, 0.0)])[0][CATEGORY]
    assert not isinstance(value, Absence)
    return value, where.text if where else None


class TestLikenessContract(FrameClassifierContract):
    @pytest.fixture
    def classifier(self, embedder: FaceEmbedder) -> FrameClassifier:
        return LikenessClassifier(embedder, [gallery(embedder).with_person("p-1", vectors(embedder, GREEN))], DAY)

    @pytest.fixture
    def frames(self) -> list[Frame]:
        shown = [face(GREEN), face(RED), np.full((97, 61, 3), 80, np.uint8)]
        return [Frame(pixels, index, index / 25) for index, pixels in enumerate(shown)]


def test_a_blocked_person_is_found_with_a_box(embedder: FaceEmbedder) -> None:
    """The very face scores 1, a like one at least 0.5, another and an empty frame 0; the box is where the face is."""
    classifier = LikenessClassifier(embedder, [gallery(embedder).with_person("p-1", vectors(embedder, GREEN))], DAY)
    assert said(classifier, face(GREEN)) == (pytest.approx(1.0, abs=1e-3), "person p-1")
    assert 0.5 <= said(classifier, face(LEAF))[0] < 1.0
    assert said(classifier, face(RED)) == (0.0, None)
    assert said(classifier, np.full((360, 640, 3), 90, np.uint8)) == (0.0, None)
    _, where = classifier.score([Frame(face(GREEN, where=(400, 208)), 0, 0.0)])[0][CATEGORY]
    assert where is not None
    assert where.box is not None
    assert abs(where.box[0] - 400) <= 16
    assert abs(where.box[1] - 208) <= 16


def test_consent_is_told_and_lifts_nothing(embedder: FaceEmbedder) -> None:
    """A face in both galleries keeps its score, and the reason says who consented; consent alone scores nothing."""
    block = gallery(embedder).with_person("p-1", vectors(embedder, GREEN))
    consent = gallery(embedder, "consent").with_person("c-9", vectors(embedder, GREEN), DAY)
    both = LikenessClassifier(embedder, [block, consent], DAY)
    assert said(both, face(GREEN)) == (pytest.approx(1.0, abs=1e-3), "person p-1; also c-9, who consented")
    assert said(LikenessClassifier(embedder, [consent], DAY), face(GREEN)) == (0.0, None)
    assert said(LikenessClassifier(embedder, [], DAY), face(GREEN)) == (0.0, None)


def test_who_has_expired_counts_no_more(embedder: FaceEmbedder) -> None:
    """The last day still counts, the day after does not; version and posture tell the two apart."""
    block = gallery(embedder).with_person("p-1", vectors(embedder, GREEN), DAY)
    today, tomorrow = (LikenessClassifier(embedder, [block], DAY + timedelta(days=n)) for n in (0, 1))
    assert said(today, face(GREEN))[0] > 0.9
    assert said(tomorrow, face(GREEN)) == (0.0, None)
    assert today.version != tomorrow.version
    assert "1 expired" in str(tomorrow.runtime)


def test_a_gallery_of_another_model_is_refused(embedder: FaceEmbedder, tmp_path: Path) -> None:
    """Vectors of another embedder mean nothing here, so they are not compared."""
    other = FaceEmbedder(write_detector(tmp_path / "d.onnx"), write_embedder(tmp_path / "e.onnx", seed=1))
    block = gallery(embedder).with_person("p-1", vectors(embedder, GREEN))
    with pytest.raises(ModelUnavailable, match="not by the configured embedder"):
        LikenessClassifier(other, [block], DAY)


def test_models_that_do_not_load_are_unavailable(tmp_path: Path) -> None:
    """A path without a file, and a file that is no model, say so."""
    with pytest.raises(ModelUnavailable, match="no such model"):
        FaceEmbedder(tmp_path / "a.onnx", tmp_path / "b.onnx")
    detector = write_detector(tmp_path / "d.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        FaceEmbedder(detector, tmp_path / "broken.onnx")


def test_galleries_survive_storage(embedder: FaceEmbedder, tmp_path: Path) -> None:
    """What is read back is what was written, for the owner's eyes only; people can be added to and removed."""
    made = gallery(embedder).with_person("p-1", vectors(embedder, GREEN), DAY, "contract 17")
    made = made.with_person("p-1", vectors(embedder, LEAF)).with_person("p-2", vectors(embedder, RED))
    made.save(tmp_path / "g" / "block.gallery")
    back = Gallery.load(tmp_path / "g" / "block.gallery")
    assert back.sha256 == made.sha256
    assert len(back.people["p-1"].vectors) == 2
    assert back.people["p-1"].note == "contract 17"
    assert (tmp_path / "g" / "block.gallery").stat().st_mode & 0o777 == 0o600
    assert set(back.without("p-1").people) == {"p-2"}
    assert [path.name for path in (tmp_path / "g").iterdir()] == ["block.gallery"]


@pytest.mark.parametrize("damage", [
    lambda stored: b"", lambda stored: stored[:-4], lambda stored: stored[:9] + b"x" + stored[10:],
    lambda stored: stored.replace(b"p-1", b"q-1", 1), lambda stored: stored[:-4] + b"\0\0\xc0\x7f",
])  # fmt: skip
def test_a_damaged_gallery_is_refused(embedder: FaceEmbedder, tmp_path: Path, damage: object) -> None:
    """A gallery that lost somebody, or holds what are no numbers, is CorruptRecord."""
    path = tmp_path / "block.gallery"
    gallery(embedder).with_person("p-1", vectors(embedder, GREEN)).save(path)
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(CorruptRecord, match=r"block\.gallery"):
        Gallery.load(path)
    path.unlink()
    with pytest.raises(ModelUnavailable):
        Gallery.load(path)


def test_galleries_are_sound(embedder: FaceEmbedder) -> None:
    """Names are pseudonyms, a consent has a last day, a threshold lies between 0 and 1, nobody unknown is removed."""
    some = vectors(embedder, GREEN)
    for wrong in (
        lambda: gallery(embedder).with_person("../x", some),
        lambda: gallery(embedder, "consent").with_person("c", some),
        lambda: gallery(embedder, threshold=1.0),
        lambda: gallery(embedder, "both"),
        lambda: gallery(embedder).without("nobody"),
        lambda: gallery(embedder).with_person("p", np.repeat(some, 65, axis=0)),
        lambda: gallery(embedder).with_person("p", some).with_person("q", np.ones((1, 5), np.float32)),
    ):
        with pytest.raises(UsageError):
            wrong()
