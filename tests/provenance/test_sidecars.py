"""WebM cannot hold a manifest: it is published with a sidecar, or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import provenance.staging
from provenance import (
    Digests,
    Kind,
    LaunderingRefused,
    Manifest,
    SameFile,
    SigningIdentity,
    SourceChanged,
    State,
    TargetUnwritable,
    Trust,
    digests_of,
    publish,
    read,
)

Make = Callable[..., Manifest]


@pytest.fixture
def webm(samples: Path) -> Path:
    """An unsigned WebM."""
    return samples / "clip.webm"


def test_a_webm_is_published_with_its_sidecar(
    webm: Path, signed: Path, folder: Path, manifest: Make, identity: SigningIdentity, trust: Trust
) -> None:
    """The media are the source's bytes; the pair is TRUSTED with its decision, and one changed bit is INVALID."""
    found = publish(webm, folder / "a.webm", manifest(), identity)
    assert sorted(path.name for path in folder.iterdir()) == ["a.c2pa", "a.webm"]
    assert (folder / "a.webm").read_bytes() == webm.read_bytes()
    assert read(folder / "a.webm", trust) == found
    assert (found.state, found.decision) == (State.TRUSTED, manifest().decision)
    extended = publish(webm, folder / "b.webm", manifest(Kind.EXTENSION, signed), identity)
    assert extended.ingredients[0].state is State.TRUSTED
    content = bytearray((folder / "a.webm").read_bytes())
    content[-1] ^= 1
    (folder / "a.webm").write_bytes(content)
    assert read(folder / "a.webm", trust).state is State.INVALID


def test_what_was_judged_is_what_leaves_beside_too(
    webm: Path, folder: Path, manifest: Make, identity: SigningIdentity
) -> None:
    """Another file than the judged one is refused, with nothing written; the right hash is accepted."""
    with pytest.raises(SourceChanged, match="judged"):
        publish(webm, folder / "a.webm", manifest(), identity, judged=Digests("00" * 32))
    assert list(folder.iterdir()) == []
    judged = digests_of(webm)
    assert publish(webm, folder / "a.webm", manifest(), identity, judged=judged).state is State.TRUSTED


def test_an_existing_sidecar_is_not_dropped(
    webm: Path, folder: Path, manifest: Make, identity: SigningIdentity
) -> None:
    """A WebM that has a sidecar is signed neither as new nor after a scan."""
    publish(webm, folder / "a.webm", manifest(), identity)
    for kind in (Kind.TEXT_TO_VIDEO, Kind.SCANNED):
        with pytest.raises(LaunderingRefused):
            publish(folder / "a.webm", folder / "b.webm", manifest(kind), identity)
    assert not (folder / "b.webm").exists()


def test_a_target_that_is_its_own_sidecar_is_refused(
    webm: Path, folder: Path, manifest: Make, identity: SigningIdentity
) -> None:
    """`out.c2pa` as the name of the media leaves no place for the sidecar."""
    with pytest.raises(SameFile):
        publish(webm, folder / "a.c2pa", manifest(), identity)
    assert list(folder.iterdir()) == []


def test_media_that_cannot_be_named_take_their_sidecar_back(
    webm: Path, folder: Path, manifest: Make, identity: SigningIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the second of the two renames fails, neither file is there; an older pair stays as it was."""
    publish(webm, folder / "old.webm", manifest(), identity)
    old = {path.name: path.read_bytes() for path in folder.iterdir()}
    real = os.replace

    def fail(source: Path, target: Path) -> None:
        if Path(target).suffix == ".webm":
            raise OSError(30, "Read-only file system")
        real(source, target)

    monkeypatch.setattr(provenance.staging.os, "replace", fail)
    with pytest.raises(TargetUnwritable):
        publish(webm, folder / "a.webm", manifest(), identity)
    with pytest.raises(TargetUnwritable):
        publish(webm, folder / "old.webm", manifest(), identity)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == old


def test_a_sidecar_that_tells_another_history_is_reported(
    samples: Path, folder: Path, manifest: Make, identity: SigningIdentity, trust: Trust
) -> None:
    """Where a file was signed anew and its older sidecar still lies there, or one is damaged, the reader is told."""
    publish(samples / "still.png", folder / "still.png", manifest(), identity)
    assert read(folder / "still.png", trust).codes == ()
    publish(samples / "clip.webm", folder / "still.webm", manifest(), identity)  # its sidecar is named like the PNG's
    found = read(folder / "still.png", trust)
    assert (found.state, found.codes, found.tampered) == (State.TRUSTED, ("manifest.second",), False)
    (folder / "still.c2pa").write_bytes(b"no manifest")
    assert read(folder / "still.png", trust).codes == ("manifest.second",)
    content = (folder / "still.png").read_bytes()
    at = content.index(b"caBX")
    (folder / "still.c2pa").write_bytes(content[at + 4 : at + 4 + int.from_bytes(content[at - 4 : at])])
    assert read(folder / "still.png", trust).codes == ()  # the same history, kept beside as well
