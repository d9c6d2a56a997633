"""Files that only the holder of a key can read, or change unnoticed: AES-256-GCM in chunks of any number.

Each file has a key of its own, derived from the installation's key and a random salt. A chunk's nonce is its number and
whether it is the last, so chunks can be neither exchanged, repeated nor cut off; a purpose (which item, which part) is
authenticated with each, so files cannot be exchanged either. (The construction is STREAM, Hoang et al. 2015.)
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from media import AssayError

KEY_BYTES = 32
CHUNK = 2**20  # bytes of plain text
_MAGIC = b"assay sealed 1\n\0"
_SALT, _TAG = 16, 16  # bytes


class SealBroken(AssayError):
    """A sealed file was changed, cut, exchanged for another, or sealed with another key."""


class SealKeyUnusable(AssayError):
    """The key file is missing, readable by others, or no key."""


def load_key(path: Path, *, create: bool) -> bytes:
    """The key in a file of mode 0600; made there where that is asked for. Raises SealKeyUnusable.

    A key that is lost cannot be made again: what it sealed stays closed.
    """
    if create and not path.exists():
        _create_key(path)
    try:
        mode, content = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise SealKeyUnusable(f"{path}: {error.strerror}; put the key of this installation there") from error
    if mode & 0o077:
        raise SealKeyUnusable(f"{path} can be read by others than its owner; chmod 600 {path}")
    try:
        key = bytes.fromhex(content.decode("ascii").strip())
    except ValueError as error:
        raise SealKeyUnusable(f"{path} holds no key: {KEY_BYTES} bytes as hexadecimal digits are needed") from error
    if len(key) != KEY_BYTES:
        raise SealKeyUnusable(f"{path} holds {len(key)} bytes; a key has {KEY_BYTES}")
    return key


def _create_key(path: Path) -> None:
    """Writes a new key whole under its name, unless another process was first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(staged, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(staged, path)
    finally:
        staged.unlink()


def derived(key: bytes, salt: bytes, purpose: bytes) -> bytes:
    """A key for one purpose that says nothing of the key it comes from."""
    return HKDF(hashes.SHA256(), KEY_BYTES, salt, purpose).derive(key)


def seal(chunks: Iterable[bytes], target: BinaryIO, key: bytes, purpose: bytes) -> None:
    """Writes the sealed form of a stream; memory is a few chunks, whatever its length."""
    salt = secrets.token_bytes(_SALT)
    cipher = AESGCM(derived(key, salt, b"assay sealed file"))
    target.write(_MAGIC + salt)
    number, pending = 0, b""
    for chunk in chunks:
        pending += chunk
        while len(pending) > CHUNK:  # never empties it: the last chunk is known only at the end
            target.write(cipher.encrypt(_nonce(number, last=False), pending[:CHUNK], purpose))
            number, pending = number + 1, pending[CHUNK:]
    target.write(cipher.encrypt(_nonce(number, last=True), pending, purpose))


def opened(source: BinaryIO, key: bytes, purpose: bytes) -> Iterator[bytes]:
    """The plain chunks of a sealed file, each authenticated before it is given out.

    Raises SealBroken, at the latest where the stream ends too early: what was given out before is true but not whole.
    """
    head = source.read(len(_MAGIC) + _SALT)
    if len(head) != len(_MAGIC) + _SALT or not head.startswith(_MAGIC):
        raise SealBroken(f"{_name(source)} is no sealed file")
    cipher = AESGCM(derived(key, head[len(_MAGIC) :], b"assay sealed file"))
    number, block = 0, source.read(CHUNK + _TAG)
    while True:
        following = source.read(CHUNK + _TAG)
        try:
            yield cipher.decrypt(_nonce(number, last=not following), block, purpose)
        except InvalidTag as error:
            what = "was changed or cut, or was sealed with another key or for another purpose"
            raise SealBroken(f"{_name(source)} {what}") from error
        if not following:
            return
        number, block = number + 1, following


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _name(source: BinaryIO) -> str:
    return str(getattr(source, "name", "a stream"))
