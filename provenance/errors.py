"""Why nothing was published, one class per fault, each with the remedy. The library below hides the cause of most.

AssayError
├── TrustError                     a trust anchor file that cannot be used (reading needs it too, so no SigningError)
└── SigningError                   nothing was published, nothing was left behind        exit 5
    ├── NotAllowed                 not-allowed          a decision says review or block, or there is none
    ├── ManifestInvalid            manifest-invalid     the manifest would break a rule of C2PA or of ours
    ├── KeyMissing                 key-missing
    ├── KeyDamaged                 key-damaged          unreadable, half a chain, an algorithm that does not fit
    ├── KeyExposed                 key-exposed          a private key that others can read
    ├── KeyMismatch                key-mismatch         the key is not the certificate's
    ├── SignerFailed        signer-failed        a key service or token raised, or answered with nothing
    ├── TimestampFailed     timestamp-failed     no time-stamp from the authority
    ├── CertificateExpired         certificate-expired  or not valid yet
    ├── WrongKeyUsage              wrong-key-usage      the certificate may not sign claims (EKU)
    ├── CertificateProfile         certificate-profile  any other breach of the C2PA leaf profile
    ├── UnsupportedKind            unsupported-kind     a format that cannot carry a manifest, or a lying suffix
    ├── SourceUnreadable           source-unreadable
    ├── SourceChanged              source-changed       the bytes are not those that were judged
    ├── SourceTampered             source-tampered      its own credentials are broken; signing would vouch for it
    ├── LaunderingRefused          laundering           an existing manifest would be dropped
    ├── SameFile                   same-file            source or input and target are one file
    ├── DiskFull                   disk-full
    ├── TargetUnwritable           target-unwritable
    └── VerificationFailed         verification-failed  what was signed does not read back as trusted
"""

from __future__ import annotations

from typing import ClassVar

from media import AssayError


class TrustError(AssayError):
    """A file of trust anchors that is missing, unreadable or holds no certificate."""


class SigningError(AssayError):
    """Nothing was published. `reason` is a stable word for machines, `remedy` says what to do about it."""

    reason: ClassVar[str] = "signing-failed"
    default_remedy: ClassVar[str] = "nothing was written; see the cause above and try again"

    def __init__(self, fault: str, remedy: str | None = None) -> None:
        self.fault = fault
        self.remedy = remedy or self.default_remedy
        super().__init__(f"{fault}. Remedy: {self.remedy}")


class NotAllowed(SigningError):
    """The gate did not let it pass: a refusal is not signed away."""

    reason = "not-allowed"
    default_remedy = "approve the held decisions with `assay review approve`, or do not release this file"


class ManifestInvalid(SigningError):
    """The manifest breaks a rule that the library would not have noticed."""

    reason = "manifest-invalid"
    default_remedy = "correct the origin that the manifest was built from"


class KeyMissing(SigningError):
    """There is no key where one was expected."""

    reason = "key-missing"
    default_remedy = "make development keys with `assay keys init`, or name your production chain and key"


class KeyDamaged(SigningError):
    """A key or certificate file that cannot be used as it stands."""

    reason = "key-damaged"
    default_remedy = "restore the file from a backup, or move the key folder away and run `assay keys init`"


class KeyExposed(SigningError):
    """A private key that other accounts of this machine can read."""

    reason = "key-exposed"
    default_remedy = "if nobody has read it: chmod 700 the folder and chmod 600 its files; otherwise make new keys"


class KeyMismatch(SigningError):
    """The private key does not belong to the certificate."""

    reason = "key-mismatch"
    default_remedy = "use the private key that the certificate was issued for"


class SignerFailed(SigningError):
    """The key service or token that holds the private key did not sign."""

    reason = "signer-failed"
    default_remedy = "see what the key service said above; nothing is signed without it"


class TimestampFailed(SigningError):
    """The time-stamp authority did not answer, or not with a time-stamp."""

    reason = "timestamp-failed"
    default_remedy = "see that the authority's address is right and reachable, or sign without it and stamp later"


class CertificateExpired(SigningError):
    """The signing certificate is not valid today."""

    reason = "certificate-expired"
    default_remedy = "renew the certificate (development keys: `assay keys rotate`)"


class WrongKeyUsage(SigningError):
    """The certificate's extended key usage does not let it sign claims."""

    reason = "wrong-key-usage"
    default_remedy = (
        "use a certificate with EKU c2pa-kp-claimSigning (1.3.6.1.4.1.62558.2.1), documentSigning or emailProtection"
    )


class CertificateProfile(SigningError):
    """The certificate breaks the C2PA profile in another way."""

    reason = "certificate-profile"
    default_remedy = "ask the issuer for a certificate by the C2PA claim-signing profile, with its whole chain"


class UnsupportedKind(SigningError):
    """The format cannot carry a manifest, or the target's suffix contradicts the content."""

    reason = "unsupported-kind"
    default_remedy = "write MP4 for video; PNG, JPEG, WebP or GIF for pictures"


class SourceUnreadable(SigningError):
    """The file to be signed cannot be read."""

    reason = "source-unreadable"
    default_remedy = "pass a readable, regular, undamaged media file"


class SourceChanged(SigningError):
    """The file changed after it was judged, or while it was signed."""

    reason = "source-changed"
    default_remedy = "let nothing write to the file, judge it again, and sign that"


class SourceTampered(SigningError):
    """The file's own credentials do not hold; a signature over it would vouch for a broken history."""

    reason = "source-tampered"
    default_remedy = "go back to the last intact version of the file and sign that"


class LaunderingRefused(SigningError):
    """The file carries credentials that this manifest would drop."""

    reason = "laundering"
    default_remedy = "sign it with origin kind 'scanned', which keeps its manifest as the parent"


class SameFile(SigningError):
    """The target is the source, or an input, under the same or another name."""

    reason = "same-file"
    default_remedy = "name another output path; originals are never touched"


class DiskFull(SigningError):
    """No room for the signed file."""

    reason = "disk-full"
    default_remedy = "free space on the target's file system; nothing was left there"


class TargetUnwritable(SigningError):
    """The target's folder is missing or read-only, or the target itself must not be replaced."""

    reason = "target-unwritable"
    default_remedy = "name an output in an existing folder that this account can write to"


class VerificationFailed(SigningError):
    """The signed file did not read back as it was meant; it was removed."""

    reason = "verification-failed"
    default_remedy = "run `assay keys show`; where the identity is sound, report the codes above"
