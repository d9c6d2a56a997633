"""The key that signs checkpoints: Ed25519, of its own: who signs videos cannot rewrite the log, nor the reverse.

The private key lies in a file of mode 0600; every public key that ever signed here lies beside it as PEM, to give to
whoever audits. A key that is lost is not quietly replaced: `assay audit rotate` notes the new one in the chain.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from assay import sealed
from assay.auditing.merkle import signed_bytes
from media import AssayError, UsageError


class AuditKeyUnusable(AssayError):
    """The key that signs checkpoints is missing or no key: nothing can be sealed until it is back."""


@dataclass(frozen=True)
class AuditKey:
    """Signs checkpoints."""

    private: Ed25519PrivateKey
    folder: Path

    @classmethod
    def load(cls, folder: Path, *, create: bool) -> AuditKey:
        """The key of an installation; made where that is asked for and there is none. Raises AuditKeyUnusable."""
        path = folder / "checkpoint.key"
        try:
            key = cls(Ed25519PrivateKey.from_private_bytes(sealed.load_key(path, create=create)), folder)
        except sealed.SealKeyUnusable as error:
            raise AuditKeyUnusable(
                f"no checkpoint can be signed: {error}. Entries wait meanwhile; put the key back, or note a new one in "
                "the chain with `assay audit rotate`"
            ) from error
        key.publish()
        return key

    @property
    def public(self) -> str:
        """The public key's 32 bytes, hexadecimal."""
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def sign(self, head: str) -> str:
        """The signature of a batch's head, hexadecimal."""
        return self.private.sign(signed_bytes(head)).hex()

    def publish(self) -> Path:
        """Writes the public key beside the private one as PEM, unless it is there."""
        path = self.folder / f"public-{self.public[:16]}.pem"
        if not path.exists():
            path.write_bytes(pem_of(self.public))
        return path


def pem_of(public: str) -> bytes:
    """A public key as PEM."""
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public_keys(paths: Iterable[Path]) -> frozenset[str]:
    """The public keys of PEM files, hexadecimal; UsageError names a file that holds none."""
    found = set()
    for path in paths:
        try:
            key = load_pem_public_key(path.read_bytes())
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: no public key in PEM can be read there") from error
        if not isinstance(key, Ed25519PublicKey):
            raise UsageError(f"{path}: checkpoints are signed with Ed25519, and this is another kind of key")
        found.add(key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex())
    return frozenset(found)


def known_keys(folder: Path) -> frozenset[str]:
    """The public keys that signed at this installation."""
    return public_keys(sorted(folder.glob("public-*.pem")))


def signature_holds(signer: str, head: str, signature: str, trusted: Collection[str]) -> bool:
    """True where a trusted key signed this head."""
    if signer not in trusted:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer)).verify(bytes.fromhex(signature), signed_bytes(head))
    except (InvalidSignature, ValueError):
        return False
    return True
