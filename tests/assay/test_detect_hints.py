"""Hints: what tags and bytes suggest, shown safely, and worth nothing to the answer."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from toy_encoders import wandering

from assay.hints import Hint, hints
from media import MediaError, Tag, encode, probe, tags


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hints") / "clip.mp4"
    encode(path, wandering(3, 1), Fraction(8))
    return path


def tagged(clip: Path, target: Path, **given: str) -> Path:
    """The clip with tags of the file."""
    options = {"movflags": "use_metadata_tags"} if target.suffix == ".mp4" else {}
    with av.open(str(clip)) as source, av.open(str(target), "w", options=options) as out:
        for name, value in given.items():
            out.metadata[name] = value
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return target


def named(found: tuple[Hint, ...], name: str) -> list[Hint]:
    return [hint for hint in found if hint.name == name]


def test_tags_are_read_with_their_place(clip: Path, tmp_path: Path) -> None:
    """The file's own tags come first, names in lower case, values cut; a file that is no video raises."""
    path = tagged(clip, tmp_path / "t.mkv", COMMENT="x" * 9000, Title="a fox")
    found = tags(path)
    assert Tag("file", "title", "a fox") in found
    assert len(next(tag.value for tag in found if tag.name == "comment")) == 4096
    assert any(tag.where == "video 0" for tag in found)
    (tmp_path / "text.mp4").write_bytes(b"no video")
    with pytest.raises(MediaError):
        tags(tmp_path / "text.mp4")


@pytest.mark.parametrize(
    "text",
    [
        "Generated with ComfyUI",
        '{"class_type": "KSampler"}',
        "Sora 2 by OpenAI",
        "model: Wan2.1-T2V",
        "SynthID",
        "Veo 3",
    ],
)
def test_names_of_generators_are_seen(clip: Path, tmp_path: Path, text: str) -> None:
    """Names that generators and their tools leave in tags are hints, quoted."""
    found = named(hints(probe(tagged(clip, tmp_path / "g.mp4", comment=text))), "generator-string")
    assert found
    assert any(word in found[0].says or "" for word in text.split())


@pytest.mark.parametrize(
    "text", ["imagen de la casa", "runways of the airport", "my klingon film", "openaired", "soraya"]
)
def test_other_words_are_no_generators(clip: Path, tmp_path: Path, text: str) -> None:
    """Words that merely contain such a name are no hint."""
    assert not named(hints(probe(tagged(clip, tmp_path / "w.mp4", comment=text))), "generator-string")


def test_cameras_are_seen_and_their_lack_too(clip: Path, tmp_path: Path) -> None:
    """A tag that names a camera is a hint; where there is none, that is one, and says how common it is."""
    phone = hints(probe(tagged(clip, tmp_path / "p.mp4", **{"com.apple.quicktime.make": "Apple"})))
    assert named(phone, "camera")[0].says == "Apple"
    assert not named(phone, "no-camera")
    assert "most files" in named(hints(probe(clip)), "no-camera")[0].meaning


def test_labels_in_the_bytes_are_seen(clip: Path, tmp_path: Path) -> None:
    """XMP's source type, the label of GB 45438 and an encoder's message are found at both ends of a file."""
    xmp = b'<x Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/>'
    other = b"<DigitalSourceType>https://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture</DigitalSourceType>"
    path = tmp_path / "x.mp4"
    path.write_bytes(
        clip.read_bytes() + b"\0" * 600_000 + xmp + other + b'"AIGC": {"Label": "1", "ContentProducer": "x"}'
    )
    found = hints(probe(path))
    assert [hint.says for hint in named(found, "declared-in-metadata")] == [
        "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
        '{"Label": "1", "ContentProducer": "x"}',
    ]
    assert named(found, "source-type-in-metadata")
    assert named(found, "encoder-message")[0].says.startswith("x264")  # type: ignore[union-attr]


def test_a_strangers_text_commands_no_terminal(clip: Path, tmp_path: Path) -> None:
    """Control characters are gone from what is shown, and no text is longer than 200 characters."""
    evil = "ComfyUI \x1b[2J\x1b]0;owned\x07 ‮ " + "a" * 500
    for hint in hints(probe(tagged(clip, tmp_path / "e.mp4", comment=evil, encoder=evil))):
        text = f"{hint.says} {hint.meaning}"
        assert text.isprintable()
        assert len(hint.says or "") <= 200
        assert hint.to_json()["name"] == hint.name


def test_what_vanished_is_a_hint_and_no_error(clip: Path, tmp_path: Path) -> None:
    """A file that is gone by now yields hints that say so; nothing is raised."""
    path = tmp_path / "gone.mp4"
    path.write_bytes(clip.read_bytes())
    video = probe(path)
    path.unlink()
    assert {hint.name for hint in hints(video)} == {"unread"}
