"""A development chain that makes itself on first use: root, intermediate and leaf by the C2PA profile.

    root.pem          the root certificate; hand it to others so that they trust you
    root.key          its key, only ever used for a new intermediate
    intermediate.pem  key + certificate, for new leaves
    leaf.pem          key + leaf + the intermediate it hangs on: whole in one file, so it cannot be half replaced

The folder is mode 0700, its files 0600. It appears complete, by one rename, under a lock that dies with its holder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from media import sync_folder
from provenance.certificates import Issued, common_name, ensure_issued_by, issue, parse_chain
from provenance.errors import KeyDamaged, KeyExposed, KeyMissing, TargetUnwritable
from provenance.keys import SigningIdentity, read_key_file

ROOT_DAYS, INTERMEDIATE_DAYS = 3650, 1825
LEAF_DAYS = 365  # the profile allows 366
RENEW_WITHIN = timedelta(days=30)  # a leaf this close to its end is replaced by the next load

ROOT, ROOT_KEY, INTERMEDIATE, LEAF = "root.pem", "root.key", "intermediate.pem", "leaf.pem"


@dataclass(frozen=True)
class DevelopmentKeys:
    """The self-made chain in a folder. Its root is trusted only where somebody chooses to."""

    folder: Path
    identity: SigningIdentity

    @property
    def root_path(self) -> Path:
        """The root certificate, to hand to others."""
        return self.folder / ROOT

    @classmethod
    def load_or_create(cls, folder: Path, now: datetime | None = None) -> DevelopmentKeys:
        """The keys of a folder; made on first use, the leaf re-issued when it is close to its end.

        Safe for any number of processes at once. Raises KeyDamaged, KeyExposed, KeyMissing or TargetUnwritable.
        """
        folder, now = folder.absolute(), now or datetime.now(UTC)
        if _blank(folder):
            with _locked(folder):
                if _blank(folder):  # nobody was faster
                    _create(folder, now)
        identity = _load(folder)
        if identity.not_after - now < RENEW_WITHIN:
            identity = _renewed(folder, now, identity)
        return cls(folder, identity)

    @classmethod
    def rotate(cls, folder: Path, now: datetime | None = None) -> DevelopmentKeys:
        """A new leaf and key under the same root; files that were signed before stay as valid as they were."""
        folder = folder.absolute()
        if _blank(folder):
            raise KeyMissing(f"{folder}: there are no keys to rotate")
        with _locked(folder):
            _reissue(folder, now or datetime.now(UTC))
        return cls(folder, _load(folder))


def _blank(folder: Path) -> bool:
    try:
        return not any(folder.iterdir())
    except FileNotFoundError:
        return True
    except NotADirectoryError as error:
        raise KeyDamaged(f"{folder} is a file, not a key folder", "name a folder for the keys") from error
    except OSError as error:
        raise KeyDamaged(f"{folder}: {error.strerror}", "let this account read the key folder") from error


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time; the kernel lets go of the lock when its holder dies. The lock file stays, empty."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder.parent / f".{folder.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise TargetUnwritable(f"{folder.parent}: cannot write here ({error.strerror})") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _create(folder: Path, now: datetime) -> None:
    """Writes the whole folder under another name, then renames it. Called under the lock."""
    tag = secrets.token_hex(3)  # so that two developers' roots can be told apart
    root = issue(f"Assay development root {tag}", ROOT_DAYS, now, None, path_length=1)
    intermediate = issue(f"Assay development intermediate {tag}", INTERMEDIATE_DAYS, now, root, path_length=0)
    leaf = issue(f"Assay development signer {tag}", LEAF_DAYS, now, intermediate, path_length=None)
    for orphan in folder.parent.glob(f".{folder.name}.*.new"):
        shutil.rmtree(orphan)  # we hold the lock, so whoever began this one is dead
    partial = folder.parent / f".{folder.name}.{secrets.token_hex(8)}.new"
    try:
        partial.mkdir(mode=0o700)
        _write(partial / ROOT, root.certificate_pem)
        _write(partial / ROOT_KEY, root.key_pem)
        _write(partial / INTERMEDIATE, intermediate.key_pem + intermediate.certificate_pem)
        _write(partial / LEAF, leaf.key_pem + leaf.certificate_pem + intermediate.certificate_pem)
        sync_folder(partial)
        partial.rename(folder)  # replaces an empty folder, never one that holds something
        sync_folder(folder.parent)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise TargetUnwritable(f"{folder}: the keys could not be written ({error.strerror})") from error


def _load(folder: Path) -> SigningIdentity:
    """The identity of a folder, after looking at every file's mode and at the links between the certificates."""
    _ensure_private(folder, 0o700)
    for name in (ROOT, ROOT_KEY, INTERMEDIATE, LEAF):
        if not (folder / name).is_file():
            raise KeyMissing(f"{folder / name} does not exist in a folder that is not empty")
        _ensure_private(folder / name, 0o600)
    root_pem, leaf_pem = read_key_file(folder / ROOT), read_key_file(folder / LEAF)
    root = parse_chain(root_pem, str(folder / ROOT))[0]
    chain = parse_chain(leaf_pem, str(folder / LEAF))
    ensure_issued_by([*chain, root], str(folder))
    Issued.parse(leaf_pem, str(folder / LEAF))  # the key is the leaf's
    chain_pem = leaf_pem[leaf_pem.index(b"-----BEGIN CERTIFICATE") :]
    return SigningIdentity.from_bytes(chain_pem, leaf_pem, "es256", root_pem, origin=str(folder / LEAF))


def _ensure_private(path: Path, mode: int) -> None:
    found = path.stat().st_mode & 0o777
    if found & 0o077:
        raise KeyExposed(f"{path} has mode {found:04o}, so others can read it; {mode:04o} is needed")


def _renewed(folder: Path, now: datetime, identity: SigningIdentity) -> SigningIdentity:
    """The identity with a fresh leaf. Where the folder cannot be written, a leaf that still lives goes on."""
    try:
        with _locked(folder):
            latest = _load(folder)
            if latest.not_after - now >= RENEW_WITHIN:
                return latest  # somebody was faster
            _reissue(folder, now)
            return _load(folder)
    except TargetUnwritable:
        if now < identity.not_after:
            return identity
        raise


def _reissue(folder: Path, now: datetime) -> None:
    """Writes a new leaf, and before it a new intermediate where that one nears its end. Called under the lock."""
    root = Issued.parse(read_key_file(folder / ROOT) + read_key_file(folder / ROOT_KEY), str(folder / ROOT_KEY))
    intermediate = Issued.parse(read_key_file(folder / INTERMEDIATE), str(folder / INTERMEDIATE))
    ensure_issued_by([intermediate.certificate, root.certificate], str(folder))
    tag = common_name(root.certificate).rpartition(" ")[2]
    try:
        if intermediate.certificate.not_valid_after_utc - now < timedelta(days=LEAF_DAYS):
            intermediate = issue(f"Assay development intermediate {tag}", INTERMEDIATE_DAYS, now, root, path_length=0)
            _replace(folder / INTERMEDIATE, intermediate.key_pem + intermediate.certificate_pem)
        leaf = issue(f"Assay development signer {tag}", LEAF_DAYS, now, intermediate, path_length=None)
        _replace(folder / LEAF, leaf.key_pem + leaf.certificate_pem + intermediate.certificate_pem)
    except OSError as error:
        raise TargetUnwritable(f"{folder}: the new leaf could not be written ({error.strerror})") from error


def _replace(path: Path, content: bytes) -> None:
    """Replaces a key file whole. Called under the lock, so the fixed name of the new file is ours."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    _write(fresh, content)
    os.replace(fresh, path)
    sync_folder(path.parent)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
