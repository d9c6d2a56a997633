from .attachments import (
    Attachments as Attachments,
    Mark as Mark,
    SoftBinding as SoftBinding,
)
from .blocks import Digests as Digests, digests_of as digests_of
from .credentials import (
    Credentials as Credentials,
    Ingredient as Ingredient,
    ManifestSummary as ManifestSummary,
    Signer as Signer,
    State as State,
    TrailingBox as TrailingBox,
)
from .development import DevelopmentKeys as DevelopmentKeys
from .errors import (
    CertificateExpired as CertificateExpired,
    CertificateProfile as CertificateProfile,
    DiskFull as DiskFull,
    KeyDamaged as KeyDamaged,
    KeyExposed as KeyExposed,
    KeyMismatch as KeyMismatch,
    KeyMissing as KeyMissing,
    LaunderingRefused as LaunderingRefused,
    ManifestInvalid as ManifestInvalid,
    NotAllowed as NotAllowed,
    SameFile as SameFile,
    SignerFailed as SignerFailed,
    SigningError as SigningError,
    SourceChanged as SourceChanged,
    SourceTampered as SourceTampered,
    SourceUnreadable as SourceUnreadable,
    TargetUnwritable as TargetUnwritable,
    TimestampFailed as TimestampFailed,
    TrustError as TrustError,
    UnsupportedKind as UnsupportedKind,
    VerificationFailed as VerificationFailed,
    WrongKeyUsage as WrongKeyUsage,
)
from .gate import GateRecord as GateRecord, HumanDecision as HumanDecision
from .keys import SigningIdentity as SigningIdentity
from .manifest import Manifest as Manifest, Training as Training, build_manifest as build_manifest
from .origin import Kind as Kind, Origin as Origin, SourceType as SourceType
from .page import plain as plain, verification_page as verification_page
from .reader import read as read, read_fragment as read_fragment
from .sign import publish as publish
from .staging import StagedFile as StagedFile, sweep as sweep
from .stamping import stamp as stamp
from .tokens import Pkcs11Key as Pkcs11Key, TokenError as TokenError
from .trust import Trust as Trust
