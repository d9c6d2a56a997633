"""What publish() refuses: one error class a fault, nothing left behind, the original untouched."""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import provenance.embeddable
import provenance.sign
import provenance.staging
import provenance.target
import provenance.writing
from provenance import (
    CertificateExpired,
    CertificateProfile,
    DiskFull,
    KeyDamaged,
    KeyMismatch,
    KeyMissing,
    Kind,
    Manifest,
    SameFile,
    SigningError,
    SigningIdentity,
    SourceChanged,
    SourceUnreadable,
    State,
    TargetUnwritable,
    UnsupportedKind,
    VerificationFailed,
    WrongKeyUsage,
    publish,
)

Make = Callable[..., Manifest]
NOBODY = 65534


@pytest.fixture
def refused(video: Path, folder: Path, manifest: Make) -> Callable[..., SigningError]:
    """Publishes what must fail, and returns the error after looking that nothing was left and nothing touched."""

    def attempt(error: type[SigningError], identity: SigningIdentity, **given: Any) -> SigningError:
        source = given.get("source", video)
        before = source.read_bytes() if source.is_file() else None
        entries = sorted(path.name for path in folder.iterdir())
        with pytest.raises(error) as caught:
            publish(source, given.get("target", folder / "a.mp4"), given.get("made", manifest()), identity)
        assert type(caught.value) is error
        assert sorted(path.name for path in folder.iterdir()) == entries
        assert before is None or source.read_bytes() == before
        assert caught.value.remedy in str(caught.value)
        assert caught.value.reason != SigningError.reason
        return caught.value

    return attempt


Refused = Callable[..., SigningError]


def _identity(authority: Any, chain: bytes, key: bytes, alg: str = "es256") -> SigningIdentity:
    return SigningIdentity.from_bytes(chain, key, alg, authority.pem)


def test_an_expired_certificate_is_named_with_its_date(authority: Any, refused: Refused) -> None:
    """A leaf of last year is refused as expired, not as "the certificate is invalid"."""
    error = refused(CertificateExpired, _identity(authority, *authority.leaf(start=timedelta(days=-40))))
    assert "expired on" in str(error)


def test_a_certificate_of_tomorrow_is_refused(authority: Any, refused: Refused) -> None:
    """A leaf that is not valid yet says so."""
    error = refused(CertificateExpired, _identity(authority, *authority.leaf(start=timedelta(days=1))))
    assert "not valid before" in str(error)


@pytest.mark.parametrize("ekus", [(), ("1.3.6.1.5.5.7.3.1",), ("1.3.6.1.5.5.7.3.8",)])
def test_a_certificate_for_another_use_is_refused(ekus: tuple[str, ...], authority: Any, refused: Refused) -> None:
    """A server's, a time-stamper's or a purposeless certificate is refused for its key usage."""
    refused(WrongKeyUsage, _identity(authority, *authority.leaf(ekus=ekus)))


def test_somebody_elses_key_is_refused(authority: Any, refused: Refused) -> None:
    """A key that is not the certificate's is caught before signing, where the library would have signed."""
    (chain, _), (_, key) = authority.leaf(), authority.leaf()
    refused(KeyMismatch, _identity(authority, chain, key))


def test_certificates_that_break_the_profile_are_refused(authority: Any, refused: Refused) -> None:
    """An authority's certificate, a self-signed one, one without digitalSignature, and a broken chain are refused."""
    chain, key = authority.leaf()
    root_key = authority.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    refused(CertificateProfile, _identity(authority, *authority.leaf(ca=True)))
    refused(CertificateProfile, _identity(authority, *authority.leaf(signing=False)))
    refused(WrongKeyUsage, _identity(authority, authority.pem, root_key))
    stranger = authority.leaf()[0]
    refused(KeyDamaged, _identity(authority, chain + stranger, key))


def test_an_algorithm_that_does_not_fit_the_key_is_refused(authority: Any, refused: Refused) -> None:
    """A P-256 key does not sign es384, nor an RSA key of 1024 bits ps256."""
    refused(CertificateProfile, _identity(authority, *authority.leaf(), "es384"))
    weak = rsa.generate_private_key(65537, 1024)
    refused(CertificateProfile, _identity(authority, *authority.leaf(weak), "ps256"))
    refused(
        CertificateProfile, _identity(authority, *authority.leaf(ec.generate_private_key(ec.SECP384R1())), "ed25519")
    )


def test_missing_and_damaged_key_files_name_the_file(tmp_path: Path, authority: Any) -> None:
    """A missing file is KeyMissing; garbage, an encrypted key or an unknown algorithm is KeyDamaged."""
    chain, key = authority.leaf()
    (tmp_path / "chain.pem").write_bytes(chain)
    with pytest.raises(KeyMissing, match=r"absent\.key"):
        SigningIdentity.from_pem(tmp_path / "chain.pem", tmp_path / "absent.key", "es256")
    (tmp_path / "bad.key").write_bytes(b"not a key")
    with pytest.raises(KeyDamaged, match=r"bad\.key"):
        SigningIdentity.from_pem(tmp_path / "chain.pem", tmp_path / "bad.key", "es256")
    with pytest.raises(KeyDamaged, match="no certificate chain"):
        SigningIdentity.from_pem(tmp_path / "bad.key", tmp_path / "bad.key", "es256")
    with pytest.raises(KeyDamaged, match="use one of es256"):
        SigningIdentity.from_bytes(chain, key, "rs256")
    locked = authority.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )
    with pytest.raises(KeyDamaged, match="encrypted"):
        SigningIdentity.from_bytes(chain, locked, "es256")
    with pytest.raises(KeyDamaged):
        SigningIdentity.from_pem(tmp_path, tmp_path / "bad.key", "es256")


def test_a_repr_never_shows_the_key(identity: SigningIdentity) -> None:
    """Neither repr nor str of an identity holds its private key, nor does anything that holds an identity."""
    secret = identity.key_pem.decode().splitlines()[1]
    assert secret not in f"{identity!r}{identity}{[identity]}"
    assert "PRIVATE" not in f"{identity!r}{identity}"


def test_source_and_target_may_not_be_one_file(
    video: Path, samples: Path, folder: Path, manifest: Make, identity: SigningIdentity, refused: Refused
) -> None:
    """The same path, a symlink, a hard link, and an input as the target are each refused."""
    mine = folder / "mine.mp4"
    mine.write_bytes(video.read_bytes())
    (folder / "link.mp4").symlink_to(mine)
    os.link(mine, folder / "hard.mp4")
    for name in ("mine.mp4", "link.mp4", "hard.mp4"):
        refused(SameFile, identity, source=mine, target=folder / name)
    refused(SameFile, identity, source=samples / "other.mp4", target=mine, made=manifest(Kind.EXTENSION, mine))


def test_targets_that_cannot_be_written_are_refused(
    video: Path, folder: Path, identity: SigningIdentity, refused: Refused
) -> None:
    """A missing folder, a folder as the target, and a file as the folder each name the target."""
    refused(TargetUnwritable, identity, target=folder / "absent" / "a.mp4")
    refused(TargetUnwritable, identity, target=folder)
    refused(TargetUnwritable, identity, target=video / "a.mp4")


@pytest.fixture
def nobody(video: Path, folder: Path) -> Iterator[None]:
    """The test runs without root's rights, in folders that it can still enter, beside a readable source.mp4."""
    (folder.parent / "source.mp4").write_bytes(video.read_bytes())
    if os.geteuid() != 0:
        yield
        return
    for parent in (folder, *folder.parents):
        if parent == Path("/tmp"):
            break
        parent.chmod(0o755)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_folder_is_refused(
    nobody: None,
    tmp_path: Path,
    folder: Path,
    identity: SigningIdentity,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A folder without write permission is TargetUnwritable, seen beforehand or only when the file is made."""
    if os.geteuid() != NOBODY:
        folder.chmod(0o555)
    given = {"source": tmp_path / "source.mp4", "target": folder / "a.mp4"}
    assert "cannot be written to" in str(refused(TargetUnwritable, identity, **given))
    monkeypatch.setattr(provenance.target, "_may_write", lambda _: True)  # as it answers root on a read-only mount
    assert os.strerror(errno.EACCES) in str(refused(TargetUnwritable, identity, **given))


def test_a_read_only_target_is_not_replaced(
    folder: Path, identity: SigningIdentity, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that somebody marked read-only is not swapped out under their feet."""
    target = folder / "kept.mp4"
    target.write_bytes(b"precious")
    monkeypatch.setattr(provenance.target, "_may_write", lambda path: path != target)  # root may write everything
    refused(TargetUnwritable, identity, target=target)
    assert target.read_bytes() == b"precious"


def test_a_full_disk_is_seen_beforehand(
    identity: SigningIdentity, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the free space cannot hold the signed file, nothing is begun."""
    usage = provenance.target.shutil.disk_usage("/")
    monkeypatch.setattr(provenance.target.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    assert "1,000 are free" in str(refused(DiskFull, identity))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["write", "flush", "seek"])
def test_a_disk_that_fills_up_while_signing_is_named(
    code: int, call: str, identity: SigningIdentity, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library answers "UntrackedPointer" to a full disk; we answer DiskFull, wherever it strikes."""

    class Full:
        def __init__(self, file: Any) -> None:
            self._file = file

        def __getattr__(self, name: str) -> Any:
            if name == call:
                return self._fail
            return getattr(self._file, name)

        def _fail(self, *_: object) -> None:
            raise OSError(code, os.strerror(code))

    real = provenance.staging.os.fdopen
    monkeypatch.setattr(provenance.staging.os, "fdopen", lambda *given: Full(real(*given)))
    assert os.strerror(code) in str(refused(DiskFull, identity))


@pytest.mark.parametrize(("call", "code", "error"), [
    ("fsync", errno.ENOSPC, DiskFull),
    ("fsync", errno.EIO, TargetUnwritable),
    ("replace", errno.EROFS, TargetUnwritable),
])  # fmt: skip
def test_a_disk_that_fails_at_the_end_leaves_nothing(
    call: str, code: int, error: type[SigningError], identity: SigningIdentity, refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """An error of fsync or of the final rename is named, and the staged file is gone."""

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(provenance.staging.os, call, fail)
    refused(error, identity)


@pytest.mark.parametrize("fast", [True, False])
def test_a_source_that_changes_while_it_is_signed_is_refused(
    fast: bool, video: Path, folder: Path, identity: SigningIdentity, manifest: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was written to meanwhile is not published, by neither of the two ways of signing."""
    source = folder.parent / "live.mp4"
    source.write_bytes(video.read_bytes())
    place, name = (provenance.embeddable, "sign_copy") if fast else (provenance.writing, "sign_stream")
    real = getattr(place, name)

    def meanwhile(*given: Any) -> Any:
        found = real(*given)
        with source.open("ab") as file:
            file.write(b"more")
        return found

    monkeypatch.setattr(place, name, meanwhile)
    if not fast:
        monkeypatch.setattr(provenance.embeddable, "available", lambda: False)
    with pytest.raises(SourceChanged, match="while it was being signed"):
        publish(source, folder / "a.mp4", manifest(), identity)
    assert list(folder.iterdir()) == []


def test_sources_that_cannot_be_read_are_refused(
    folder: Path, manifest: Make, identity: SigningIdentity, refused: Refused, samples: Path
) -> None:
    """A missing file, a folder, a truncated picture and a missing input are SourceUnreadable and named."""
    refused(SourceUnreadable, identity, source=folder / "absent.mp4")
    refused(SourceUnreadable, identity, source=folder)
    (folder / "cut.png").write_bytes((samples / "still.png").read_bytes()[:20])
    refused(SourceUnreadable, identity, source=folder / "cut.png", target=folder / "a.png")
    refused(SourceUnreadable, identity, made=manifest(Kind.EXTENSION, folder / "no parent.mp4"))
    refused(SourceUnreadable, identity, made=manifest(Kind.IMAGE_TO_VIDEO, folder / "no input.png"))


def test_formats_without_room_for_a_manifest_are_refused(
    samples: Path, folder: Path, identity: SigningIdentity, refused: Refused
) -> None:
    """BMP and unknown bytes cannot be signed; a suffix that contradicts the content is refused too."""
    refused(UnsupportedKind, identity, source=samples / "still.bmp", target=folder / "a.bmp")
    (folder / "noise.mp4").write_bytes(b"noise" * 100)
    refused(UnsupportedKind, identity, source=folder / "noise.mp4")
    assert "name the output after its content" in str(refused(UnsupportedKind, identity, target=folder / "a.png"))


def test_a_file_that_does_not_read_back_is_not_published(
    video: Path, identity: SigningIdentity, strangers: Any, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chain that leads to another root, or a decision lost on the way, is caught before release."""
    wrong_root = dataclasses.replace(identity, root_pem=strangers.identity.root_pem)
    assert "signingCredential.untrusted" in str(refused(VerificationFailed, wrong_root))
    real = provenance.sign.read

    def forgetful(path: Path, trust: Any) -> Any:
        found = real(path, trust)
        return dataclasses.replace(found, decision={}) if found.state is State.TRUSTED else found

    monkeypatch.setattr(provenance.sign, "read", forgetful)
    assert "not the one that was written" in str(refused(VerificationFailed, identity))


def test_every_error_class_has_its_own_reason_and_remedy() -> None:
    """Reasons are unique and stable words; each class says what to do."""
    classes = SigningError.__subclasses__()
    assert len({each.reason for each in classes}) == len(classes) == 20
    assert all(each.default_remedy != SigningError.default_remedy for each in classes)
