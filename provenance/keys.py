"""Who signs: a certificate chain, its private key, and the root under which others trust it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from provenance.certificates import (
    ALGORITHMS,
    Algorithm,
    common_name,
    ensure_usable,
    parse_chain,
    parse_key,
    private_pem,
)
from provenance.errors import KeyDamaged, KeyMissing


@dataclass(frozen=True, repr=False)
class SigningIdentity:
    """A signer. Its text form never shows the key."""

    alg: Algorithm
    chain_pem: bytes  # leaf first, then the authorities up to, and not with, the root
    key_pem: bytes  # PKCS #8
    root_pem: bytes
    common_name: str
    not_after: datetime
    tsa_url: str | None = None  # an RFC 3161 authority; None signs offline, and the signature dies with the leaf

    def __repr__(self) -> str:
        return f"SigningIdentity({self.common_name!r}, {self.alg}, until {self.not_after:%Y-%m-%d})"

    @classmethod
    def from_pem(cls, chain_path: Path, key_path: Path, alg: str, anchor_path: Path | None = None) -> SigningIdentity:
        """A production identity. Without an anchor, the last certificate of the chain is what it is trusted under.

        Raises KeyMissing or KeyDamaged that names the file. Whether it can sign today is asked by `ensure_usable`.
        """
        root = read_key_file(anchor_path) if anchor_path else None
        chain, key = read_key_file(chain_path), read_key_file(key_path)
        return cls.from_bytes(chain, key, alg, root, origin=f"{chain_path}, {key_path}")

    @classmethod
    def from_bytes(
        cls, chain_pem: bytes, key_pem: bytes, alg: str, root_pem: bytes | None = None, *, origin: str = "identity"
    ) -> SigningIdentity:
        """The same from PEM bytes; `origin` is how errors name them."""
        known = next((name for name in ALGORITHMS if name == alg.lower()), None)
        if known is None:
            raise KeyDamaged(f"{origin}: {alg!r} is no C2PA algorithm", f"use one of {', '.join(ALGORITHMS)}")
        chain = parse_chain(chain_pem, origin)
        key = private_pem(parse_key(key_pem, origin))
        if root_pem is None:
            root_pem = chain[-1].public_bytes(serialization.Encoding.PEM)
        parse_chain(root_pem, origin)
        return cls(known, chain_pem, key, root_pem, common_name(chain[0]), chain[0].not_valid_after_utc)

    def ensure_usable(self, now: datetime | None = None) -> None:
        """Raises the SigningError that names what keeps this identity from signing at `now` (default: today)."""
        chain = parse_chain(self.chain_pem, self.common_name)
        ensure_usable(chain, parse_key(self.key_pem, self.common_name), self.alg, now or datetime.now(UTC))


def read_key_file(path: Path) -> bytes:
    """The bytes of a key or certificate file; raises KeyMissing or KeyDamaged that names it."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise KeyMissing(f"{path} does not exist") from error
    except OSError as error:
        raise KeyDamaged(f"{path}: {error.strerror}", "let this account read the file") from error
