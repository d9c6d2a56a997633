"""What was read from a file. Plain values: nothing here needs the library.

Every string of a manifest is written by a stranger: escape it before it meets a page or a terminal.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """What can be said of a file's credentials. None of them says that the pictures are real."""

    TRUSTED = "trusted"  # whole, and signed by somebody we trust
    VALID = "valid"  # whole, but the signer, or that of an ingredient, is a stranger
    INVALID = "invalid"  # changed after signing, expired, or with an ancestor that was changed
    ABSENT = "absent"  # no manifest here; evidence of nothing
    UNREADABLE = "unreadable"  # could not look; `codes` and `note` say why
    REMOTE = "remote"  # the manifest is somewhere on the network, which is not asked


# Codes of ours, beside those that C2PA defines (`assertion.bmffHash.mismatch`, `signingCredential.untrusted`, ...).
MANIFEST_ABSENT = "manifest.absent"
MANIFEST_REMOTE = "manifest.remote"
MANIFEST_UNREADABLE = "manifest.unreadable"  # the library could not parse the file or its manifest
MANIFEST_MALFORMED = "manifest.malformed"  # a length in it reaches beyond it; the library was not asked
MANIFEST_SECOND = "manifest.second"  # a sidecar beside the file tells another history than the one inside it
FILE_MISSING = "file.missing"
FILE_NOT_REGULAR = "file.notRegular"
FILE_EMPTY = "file.empty"
FILE_DENIED = "file.denied"
FORMAT_UNSUPPORTED = "format.unsupported"
FORMAT_FRAGMENT = "format.fragment"  # a media segment, which means nothing without its initialisation segment
FORMAT_CANNOT_EMBED = "format.cannotEmbed"  # such a file could only have a sidecar, and has none
INGREDIENT_INVALID = "ingredient.invalid"  # an ancestor was changed, though the library calls the file trusted
INGREDIENT_EXPIRED = "ingredient.expired"  # an ancestor's certificate had expired when it was taken in
INGREDIENT_UNTRUSTED = "ingredient.untrusted"
TREE_TRUNCATED = "ingredient.treeTruncated"  # a tree too large to print; its states were still all looked at
TRAILING_BOXES = "file.trailingBoxes"  # free or skip boxes after the last real one; some signers leave them uncovered

EXPIRED_CODES = frozenset({"signingCredential.expired", "claimSignature.outsideValidity"})
UNTRUSTED_CODE, TRUSTED_CODE = "signingCredential.untrusted", "signingCredential.trusted"
TIMESTAMP_TRUSTED_CODE = "timeStamp.trusted"
_NOT_TAMPERED = EXPIRED_CODES | {
    UNTRUSTED_CODE,
    INGREDIENT_EXPIRED,
    INGREDIENT_UNTRUSTED,
    TREE_TRUNCATED,
    TRAILING_BOXES,
    MANIFEST_SECOND,
}


@dataclass(frozen=True)
class Signer:
    """Whose certificate signed, as the certificate says. Only a trusted state makes these names mean anything."""

    common_name: str | None
    organization: str | None
    algorithm: str | None
    serial: str | None


@dataclass(frozen=True)
class Ingredient:
    """A file that went into the asset, with the credentials it had when it was taken in."""

    title: str | None
    relationship: str | None  # parentOf, componentOf, inputTo
    format: str | None
    label: str | None  # of its manifest; None where it had none
    state: State
    codes: tuple[str, ...]
    signer: Signer | None
    ingredients: tuple[Ingredient, ...]


@dataclass(frozen=True)
class ManifestSummary:
    """One manifest of the store, in short."""

    label: str
    title: str | None
    generator: str | None  # name and version of the claim generator
    actions: tuple[str, ...]
    assertions: tuple[str, ...]  # labels
    source_types: tuple[str, ...]  # digital source types, as the manifest spells them
    signer: Signer | None
    makers: tuple[str, ...] = ()  # name and version of the software of each action that names a source type


@dataclass(frozen=True)
class TrailingBox:
    """A box of an MP4 after the last one that holds media or its index."""

    type: str
    offset: int  # bytes
    size: int  # bytes, with its header


@dataclass(frozen=True)
class Credentials:
    """What a file says of its own origin, and how far that holds.

    state        of the file as a whole: never better than what the library says, worse where an ancestor was changed
    claim_state  of the newest manifest alone, whatever its ancestors
    codes        stable reasons, empty for a trusted file without remark
    decision     Assay's own assertion; None where there is none or the manifest does not hold. In a VALID file a
                 stranger may have written it
    """

    path: str
    state: State
    codes: tuple[str, ...]
    claim_state: State
    ingredients: tuple[Ingredient, ...] = ()
    signer: Signer | None = None
    timestamp: str | None = None  # RFC 3339, by a time-stamp authority
    timestamp_trusted: bool = False  # that authority is one of those whose stamps we count
    decision: dict[str, Any] | None = None
    digital_source_types: tuple[str, ...] = ()  # anywhere in the tree
    trailing_boxes: tuple[TrailingBox, ...] = ()
    manifests: tuple[ManifestSummary, ...] = ()  # the newest first
    note: str | None = None  # for people: the library's own words

    @classmethod
    def without_manifest(cls, path: str, state: State, *codes: str, note: str | None = None) -> Credentials:
        """What is said of a file in which no manifest was, or could be, read."""
        return cls(path, state, codes, state, note=note)

    @property
    def tampered(self) -> bool:
        """True for an invalid file that is not merely expired: something in it, or in an ancestor, was changed."""
        return self.state is State.INVALID and (not self.codes or bool(set(self.codes) - _NOT_TAMPERED))

    def with_trailing(self, boxes: tuple[TrailingBox, ...]) -> Credentials:
        """The same, with the boxes that lie behind the last real one."""
        return replace(self, trailing_boxes=boxes)

    def to_json(self) -> dict[str, Any]:
        """One line of `assay verify --json`."""
        line: dict[str, Any] = asdict(self)
        return {**line, "state": self.state.value, "claim_state": self.claim_state.value}
