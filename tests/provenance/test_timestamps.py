"""RFC 3161 time-stamps by an authority of the test's own: a signature that is stamped outlives its certificate."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from toy_time_authority import Authority, time_authority

import provenance.statuses
from provenance import (
    Kind,
    Manifest,
    SigningIdentity,
    SourceTampered,
    SourceUnreadable,
    State,
    TimestampFailed,
    Trust,
    UnsupportedKind,
    publish,
    read,
    stamp,
)

Make = Callable[..., Manifest]


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """`openssl ts` behind an HTTP server."""
    with time_authority(tmp_path_factory.mktemp("tsa")) as made:
        yield made


@pytest.fixture
def lasting(authority: Any) -> SigningIdentity:
    """An identity that is good for a month."""
    return SigningIdentity.from_bytes(*authority.leaf(), "es256", authority.pem)


def _short(authority: Any, seconds: float) -> SigningIdentity:
    chain, key = authority.leaf(start=timedelta(minutes=-5), days=(5 * 60 + seconds) / 86_400)
    return SigningIdentity.from_bytes(chain, key, "es256", authority.pem)


def _wait_for_expiry(identity: SigningIdentity) -> None:
    time.sleep(max(0.0, (identity.not_after - datetime.now(UTC)).total_seconds()) + 1.1)


def test_a_stamped_signature_outlives_its_certificate(
    video: Path, samples: Path, folder: Path, manifest: Make, authority: Any, lasting: SigningIdentity, tsa: Authority
) -> None:
    """Stamped while signing or afterwards, a file stays TRUSTED when its certificate expires; unstamped it does not."""
    short = _short(authority, 5)
    trust = Trust.of(short) + Trust.from_files([], tsa=[tsa.root_path])
    inline = dataclasses.replace(short, tsa_url=tsa.url)
    for name in ("clip.mp4", "still.png"):  # the fast way of signing and the library's own
        found = publish(samples / name, folder / name, manifest(), inline, trust=trust)
        assert (found.state, found.timestamp_trusted) == (State.TRUSTED, True)
    unstamped = publish(video, folder / "unstamped.mp4", manifest(), short)
    assert (unstamped.timestamp, unstamped.timestamp_trusted) == (None, False)
    before = publish(video, folder / "later.mp4", manifest(), short)
    after = stamp(folder / "later.mp4", lasting, trust, tsa.url)
    assert (after.state, after.decision) == (State.TRUSTED, before.decision)
    _wait_for_expiry(short)
    for name in ("clip.mp4", "still.png", "later.mp4"):
        found = read(folder / name, trust)
        assert (found.state, found.codes, found.timestamp_trusted) == (State.TRUSTED, (), True), name
        assert found.decision is not None
    found = read(folder / "unstamped.mp4", trust)
    assert (found.state, found.tampered) == (State.INVALID, False)
    strangers = read(folder / "clip.mp4", Trust.of(short))  # who does not know the authority cannot count its stamp
    assert (strangers.state, strangers.timestamp_trusted) == (State.INVALID, False)


def test_stamping_later_changes_the_manifest_and_nothing_else(
    video: Path, signed: Path, folder: Path, trust: Trust, identity: SigningIdentity, tsa: Authority, flip: Any
) -> None:
    """The update keeps decision and history, a flipped picture is still noticed, and a second stamping does nothing."""
    path = folder / "a.mp4"
    path.write_bytes(signed.read_bytes())
    before = read(path, trust)
    found = stamp(path, identity, trust, tsa.url)
    assert (found.state, found.codes, found.path) == (State.TRUSTED, (), str(path))
    assert found.timestamp is not None
    assert found.decision == before.decision
    assert found.digital_source_types == before.digital_source_types
    assert found.manifests[1] == before.manifests[0]
    assert found.ingredients[0].label == before.manifests[0].label
    assert "c2pa.time-stamp" in found.manifests[0].assertions
    content, asked = path.read_bytes(), len(tsa.asked)
    assert stamp(path, identity, trust, tsa.url) == found
    assert (path.read_bytes(), len(tsa.asked)) == (content, asked)
    assert read(flip(path, folder / "b.mp4"), trust).state is State.INVALID


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov", "still.png", "still.jpg", "still.gif"])
def test_formats_that_can_be_stamped_later(
    name: str, samples: Path, folder: Path, manifest: Make, identity: SigningIdentity, trust: Trust, tsa: Authority
) -> None:
    """The file stays TRUSTED, keeps its decision and has a stamp; so does the next one."""
    before = publish(samples / name, folder / name, manifest(), identity)
    after = stamp(folder / name, identity, trust, tsa.url)
    assert (after.state, after.decision) == (State.TRUSTED, before.decision)
    assert after.timestamp


@pytest.mark.parametrize("name", ["clip.avi", "still.webp", "still.tiff", "clip.webm"])
def test_formats_that_cannot_be_stamped_later_say_so(
    name: str, samples: Path, folder: Path, manifest: Make, identity: SigningIdentity, trust: Trust, tsa: Authority
) -> None:
    """Where the library's update would not hold, the file stays as it was and the error says to stamp while signing."""
    publish(samples / name, folder / name, manifest(), identity)
    content = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UnsupportedKind, match="inline"):
        stamp(folder / name, identity, trust, tsa.url)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == content
    stamped = publish(samples / name, folder / name, manifest(), dataclasses.replace(identity, tsa_url=tsa.url))
    assert stamped.timestamp


def test_an_authority_that_cannot_be_reached_changes_nothing(
    video: Path, signed: Path, folder: Path, manifest: Make, identity: SigningIdentity, trust: Trust
) -> None:
    """Neither signing nor stamping leaves anything behind where nobody answers, and both say who did not."""
    nowhere = "http://127.0.0.1:9/"
    with pytest.raises(TimestampFailed, match=r"127\.0\.0\.1:9"):
        publish(video, folder / "a.mp4", manifest(), dataclasses.replace(identity, tsa_url=nowhere))
    path = folder / "b.mp4"
    path.write_bytes(signed.read_bytes())
    with pytest.raises(TimestampFailed, match=r"127\.0\.0\.1:9"):
        stamp(path, identity, trust, nowhere)
    assert path.read_bytes() == signed.read_bytes()
    assert [each.name for each in folder.iterdir()] == ["b.mp4"]


def test_only_a_sound_signature_is_stamped(
    video: Path, signed: Path, folder: Path, trust: Trust, identity: SigningIdentity, tsa: Authority, flip: Any
) -> None:
    """An unsigned file and a changed one are refused and stay as they were."""
    asked = len(tsa.asked)
    (folder / "plain.mp4").write_bytes(video.read_bytes())
    with pytest.raises(SourceUnreadable, match="no signature to stamp"):
        stamp(folder / "plain.mp4", identity, trust, tsa.url)
    broken = flip(signed, folder / "broken.mp4")
    with pytest.raises(SourceTampered):
        stamp(broken, identity, trust, tsa.url)
    assert len(tsa.asked) == asked


def test_a_stamped_file_can_be_the_parent_of_another(
    samples: Path, signed: Path, folder: Path, manifest: Make, trust: Trust, identity: SigningIdentity, tsa: Authority
) -> None:
    """An extension of a file that was stamped later keeps the whole history."""
    path = folder / "a.mp4"
    path.write_bytes(signed.read_bytes())
    stamp(path, identity, trust, tsa.url)
    found = publish(samples / "other.mp4", folder / "b.mp4", manifest(Kind.EXTENSION, path), identity)
    assert (found.state, found.codes, len(found.manifests)) == (State.TRUSTED, (), 3)


def test_who_may_stamp_the_time_may_not_sign_claims(
    video: Path, folder: Path, manifest: Make, authority: Any, identity: SigningIdentity, tmp_path: Path
) -> None:
    """A signer under a time-stamp authority's root is VALID at most, though the library would call it trusted."""
    theirs = SigningIdentity.from_bytes(*authority.leaf(), "es256", authority.pem)
    publish(video, folder / "a.mp4", manifest(), theirs)
    (tmp_path / "tsa.pem").write_bytes(authority.pem)
    trust = Trust.of(identity) + Trust.from_files([], tsa=[tmp_path / "tsa.pem"])
    found = read(folder / "a.mp4", trust)
    assert (found.state, found.codes) == (State.VALID, ("signingCredential.untrusted",))
    assert read(folder / "a.mp4", trust + Trust.of(theirs)).state is State.TRUSTED
    (tmp_path / "leaf.pem").write_bytes(theirs.chain_pem)
    allowed = trust + Trust.from_files([], [tmp_path / "leaf.pem"])
    assert read(folder / "a.mp4", allowed).state is State.TRUSTED
    publish(video, folder / "b.mp4", manifest(), identity)
    assert read(folder / "b.mp4", trust).state is State.TRUSTED


def test_a_child_of_such_a_signer_is_not_trusted_either(
    samples: Path, folder: Path, manifest: Make, authority: Any, identity: SigningIdentity, tmp_path: Path
) -> None:
    """The correction reaches the ingredients of a file as well."""
    theirs = SigningIdentity.from_bytes(*authority.leaf(), "es256", authority.pem)
    publish(samples / "clip.mp4", folder / "a.mp4", manifest(), theirs)
    publish(samples / "other.mp4", folder / "b.mp4", manifest(Kind.EXTENSION, folder / "a.mp4"), identity)
    (tmp_path / "tsa.pem").write_bytes(authority.pem)
    trust = Trust.of(identity) + Trust.from_files([], tsa=[tmp_path / "tsa.pem"])
    found = read(folder / "b.mp4", trust)
    assert found.ingredients[0].state is State.VALID
    assert "ingredient.untrusted" in found.codes


@pytest.mark.parametrize(
    "report",
    [{}, {"validation_results": 3}, {"validation_results": {"activeManifest": []}},
     {"validation_results": {"activeManifest": {"success": [7, {"code": "signingCredential.trusted"}], "failure": 1},
                             "ingredientDeltas": [1, {}]}, "validation_state": "Trusted"}],
)  # fmt: skip
def test_reports_of_any_shape_are_corrected(report: dict[str, Any]) -> None:
    """A report that no honest library gives is answered, and trust without a named list is no trust."""
    found = provenance.statuses.trusting_only_claim_signers(report)
    assert found.get("validation_state") in (None, "Valid")
