"""Who signs: a certificate chain, its private key, and the root under which others trust it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from provenance.certificates import (
    ALGORITHMS,
    Algorithm,
    common_name,
    cose_signature,
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
    key_pem: bytes | None  # PKCS #8; None where the key is elsewhere and `sign` reaches it
    root_pem: bytes
    common_name: str
    not_after: datetime
    tsa_url: str | None = None  # an RFC 3161 authority; None signs offline, and the signature dies with the leaf
    sign: Callable[[bytes], bytes] | None = None  # a key service: from the message to its signature

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
        known = _algorithm(alg, origin)
        chain = parse_chain(chain_pem, origin)
        key = private_pem(parse_key(key_pem, origin))
        if root_pem is None:
            root_pem = chain[-1].public_bytes(serialization.Encoding.PEM)
        parse_chain(root_pem, origin)
        return cls(known, chain_pem, key, root_pem, common_name(chain[0]), chain[0].not_valid_after_utc)

    @classmethod
    def from_callback(
        cls, chain_pem: bytes, alg: str, sign: Callable[[bytes], bytes], root_pem: bytes | None = None
    ) -> SigningIdentity:
        """An identity whose private key is in a key service or a token (KMS, HSM, PKCS #11).

        `sign` gets the message, not its hash, and returns the signature by `alg`; ECDSA may come as DER or as r and s
        side by side. What it raises is what `publish` reports. Without a root the end of the chain is trusted.
        """
        known = _algorithm(alg, "callback")
        chain = parse_chain(chain_pem, "callback")
        if root_pem is None:
            root_pem = chain[-1].public_bytes(serialization.Encoding.PEM)
        parse_chain(root_pem, "callback")
        return cls(known, chain_pem, None, root_pem, common_name(chain[0]), chain[0].not_valid_after_utc, sign=sign)

    def cose_signature(self, message: bytes) -> bytes:
        """The key service's signature of a message as C2PA wants it; raises KeyMismatch where it is another key's."""
        assert self.sign is not None
        return cose_signature(parse_chain(self.chain_pem, self.common_name)[0], self.alg, message, self.sign(message))

    @property
    def usable_until(self) -> datetime:
        """When the first certificate of the chain ends: from then on nothing can be signed."""
        return min(each.not_valid_after_utc for each in parse_chain(self.chain_pem, self.common_name))

    def ensure_usable(self, now: datetime | None = None) -> None:
        """Raises the SigningError that names what keeps this identity from signing at `now` (default: today)."""
        chain = parse_chain(self.chain_pem, self.common_name)
        key = chain[0].public_key()  # whether a key service holds its other half is seen by each signature
        if self.key_pem is not None:
            key = parse_key(self.key_pem, self.common_name).public_key()
        ensure_usable(chain, key, self.alg, now or datetime.now(UTC))


def _algorithm(alg: str, origin: str) -> Algorithm:
    known = next((name for name in ALGORITHMS if name == alg.lower()), None)
    if known is None:
        raise KeyDamaged(f"{origin}: {alg!r} is no C2PA algorithm", f"use one of {', '.join(ALGORITHMS)}")
    return known


def read_key_file(path: Path) -> bytes:
    """The bytes of a key or certificate file; raises KeyMissing or KeyDamaged that names it."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise KeyMissing(f"{path} does not exist") from error
    except OSError as error:
        raise KeyDamaged(f"{path}: {error.strerror}", "let this account read the file") from error
