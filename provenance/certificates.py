"""X.509 for claim signing: issuing a chain by the C2PA profile, and naming what is wrong with a given one.

The library answers six different certificate faults with "the certificate is invalid", so each is looked for here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal, TypeVar, get_args

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from provenance.errors import CertificateExpired, CertificateProfile, KeyDamaged, KeyMismatch, WrongKeyUsage

Algorithm = Literal["es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519"]
SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)

CLAIM_SIGNING = ObjectIdentifier("1.3.6.1.4.1.62558.2.1")  # c2pa-kp-claimSigning
DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
EMAIL_PROTECTION = ExtendedKeyUsageOID.EMAIL_PROTECTION  # 1.3.6.1.5.5.7.3.4
CLAIM_EKUS = (CLAIM_SIGNING, DOCUMENT_SIGNING, EMAIL_PROTECTION)

_CURVES = {"es256": "secp256r1", "es384": "secp384r1", "es512": "secp521r1"}
_HASHES: dict[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}
_RSA_BITS = 2048  # the least that C2PA accepts
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
_SKEW = timedelta(minutes=5)  # a machine whose clock is a little behind still finds the certificate valid


@dataclass(frozen=True)
class Issued:
    """A certificate and the private key it was issued for."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key as unencrypted PKCS #8 PEM."""
        return private_pem(self.key)

    @classmethod
    def parse(cls, pem: bytes, origin: str) -> Issued:
        """A key and its certificate from one PEM text; raises KeyDamaged or KeyMismatch that names the file."""
        certificate, key = parse_chain(pem, origin)[0], parse_key(pem, origin)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise KeyDamaged(f"{origin}: Assay's own keys are elliptic; this is {type(key).__name__}")
        if _public_bytes(certificate.public_key()) != _public_bytes(key.public_key()):
            raise KeyMismatch(f"{origin}: the private key does not belong to the certificate")
        return cls(certificate, key)

    def __repr__(self) -> str:
        return f"Issued({common_name(self.certificate)!r})"


def issue(name: str, days: int, now: datetime, issuer: Issued | None, path_length: int | None) -> Issued:
    """A certificate on a fresh P-256 key. `path_length` None makes a claim-signing leaf, a number makes a CA of it.

    Without an issuer it signs itself. It never outlives its issuer.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    signer = issuer.key if issuer else key
    end = now - _SKEW + timedelta(days=days)
    if issuer:
        end = min(end, issuer.certificate.not_valid_after_utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_subject(name))
        .issuer_name(issuer.certificate.subject if issuer else _subject(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=path_length is not None, path_length=path_length), critical=True)
        .add_extension(_key_usage(ca=path_length is not None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if path_length is None:
        usage = x509.ExtendedKeyUsage([CLAIM_SIGNING, DOCUMENT_SIGNING])
        builder = builder.add_extension(usage, critical=False)
    return Issued(builder.sign(signer, hashes.SHA256()), key)


def _subject(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "ZZ"),  # ISO 3166: unknown; these keys belong to no country
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Assay local development"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _key_usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=not ca,  # called nonRepudiation in the profile
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def common_name(certificate: x509.Certificate) -> str:
    """The subject's common name, or its whole subject where it has none."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()


def private_pem(key: SigningKey) -> bytes:
    """Any private key as unencrypted PKCS #8 PEM, the one form that the library reads."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def parse_chain(pem: bytes, origin: str) -> list[x509.Certificate]:
    """The certificates of a PEM file, leaf first; raises KeyDamaged that names the file."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise KeyDamaged(f"{origin}: no certificate chain in PEM ({error})") from error


def parse_key(pem: bytes, origin: str) -> SigningKey:
    """A private key of a PEM file; raises KeyDamaged that names the file, never its content."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise KeyDamaged(f"{origin}: the key is encrypted", "decrypt it for Assay with `openssl pkcs8`") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyDamaged(f"{origin}: no private key in PEM ({type(error).__name__})") from error
    if not isinstance(key, SigningKey):
        raise KeyDamaged(f"{origin}: a key of kind {type(key).__name__} cannot sign claims")
    return key


def ensure_usable(chain: Sequence[x509.Certificate], key: CertificatePublicKeyTypes, alg: str, now: datetime) -> None:
    """Raises the error class that names the first fault of a signing identity; returns where it can sign today.

    `key` is the public half of the key that will sign.
    """
    leaf = chain[0]
    name = common_name(leaf)
    if now > leaf.not_valid_after_utc:
        raise CertificateExpired(f"certificate {name!r} expired on {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
    if now < leaf.not_valid_before_utc:
        begin = f"{leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        raise CertificateExpired(
            f"certificate {name!r} is not valid before {begin}", "set the clock, or wait until then"
        )
    _ensure_purpose(leaf, name)
    if _public_bytes(leaf.public_key()) != _public_bytes(key):
        raise KeyMismatch(f"the private key does not belong to certificate {name!r}")
    _ensure_algorithm(key, alg, name)
    _ensure_linked(chain, now)


def _ensure_purpose(leaf: x509.Certificate, name: str) -> None:
    usages = _extension(leaf, x509.ExtendedKeyUsage)
    if usages is None or not set(usages) & set(CLAIM_EKUS):
        found = ", ".join(usage.dotted_string for usage in usages or ()) or "none"
        raise WrongKeyUsage(f"certificate {name!r} may not sign claims: its extended key usage is {found}")
    constraints = _extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise CertificateProfile(f"certificate {name!r} is an authority; claims are signed by a leaf")
    usage = _extension(leaf, x509.KeyUsage)
    if usage is None or not usage.digital_signature:
        raise CertificateProfile(f"certificate {name!r} lacks the key usage digitalSignature")
    if leaf.subject == leaf.issuer:
        raise CertificateProfile(f"certificate {name!r} is self-signed")
    if _extension(leaf, x509.AuthorityKeyIdentifier) is None:
        raise CertificateProfile(f"certificate {name!r} lacks the authority key identifier")


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except ValueError as error:
        raise CertificateProfile(f"certificate {common_name(certificate)!r}: damaged extensions ({error})") from error


def _public_bytes(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _ensure_algorithm(key: CertificatePublicKeyTypes, alg: str, name: str) -> None:
    match key:
        case ec.EllipticCurvePublicKey():
            fits = _CURVES.get(alg) == key.curve.name
            found = f"an elliptic curve key on {key.curve.name}"
        case rsa.RSAPublicKey():
            fits = alg.startswith("ps") and key.key_size >= _RSA_BITS
            found = f"an RSA key of {key.key_size} bits"
        case ed25519.Ed25519PublicKey():
            fits, found = alg == "ed25519", "an Ed25519 key"
        case _:
            fits, found = False, f"a key of kind {type(key).__name__}"
    if not fits:
        raise CertificateProfile(f"certificate {name!r} has {found}, which cannot sign with {alg}")


def ensure_issued_by(chain: Sequence[x509.Certificate], origin: str) -> None:
    """Raises KeyDamaged where a certificate of the chain was not issued by the next one."""
    for lower, upper in pairwise(chain):
        try:
            lower.verify_directly_issued_by(upper)
        except (InvalidSignature, ValueError, TypeError) as error:
            names = f"{common_name(lower)!r} was not issued by {common_name(upper)!r}"
            raise KeyDamaged(f"{origin}: the chain is broken: {names}") from error


def _ensure_linked(chain: Sequence[x509.Certificate], now: datetime) -> None:
    ensure_issued_by(chain, common_name(chain[0]))
    for upper in chain[1:]:
        if now > upper.not_valid_after_utc:
            expired = f"{upper.not_valid_after_utc:%Y-%m-%d}"
            raise CertificateExpired(f"authority {common_name(upper)!r} expired on {expired}")


def cose_signature(leaf: x509.Certificate, alg: Algorithm, message: bytes, signature: bytes) -> bytes:
    """A signature in the form that COSE wants; raises KeyMismatch where it is not the leaf's key's over the message."""
    key, digest = leaf.public_key(), _HASHES[alg[2:]]() if alg != "ed25519" else None
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and digest is not None:
            size = (key.key_size + 7) // 8
            if len(signature) == 2 * size:
                numbers = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
            else:  # most key services answer in DER
                numbers = decode_dss_signature(signature)
            key.verify(encode_dss_signature(*numbers), message, ec.ECDSA(digest))
            return b"".join(number.to_bytes(size) for number in numbers)
        if isinstance(key, rsa.RSAPublicKey) and digest is not None:
            padded = padding.PSS(padding.MGF1(digest), digest.digest_size)
            key.verify(signature, message, padded, digest)
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
        else:
            raise InvalidSignature
    except (InvalidSignature, ValueError, OverflowError) as error:
        raise KeyMismatch(
            f"what the key service returned is no {alg} signature by the key of certificate {common_name(leaf)!r}"
        ) from error
    return signature
