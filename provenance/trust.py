"""Whom a reader trusts, as configuration for the library. Reading a file never talks to the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from provenance.certificates import CLAIM_EKUS, parse_chain
from provenance.errors import KeyDamaged, TrustError
from provenance.keys import SigningIdentity

CLAIM_STORE = "assay:anchors"  # the name that the library's report gives to our anchors
_STAMPING = "1.3.6.1.5.5.7.3.8\n"  # EKU timeStamping


@dataclass(frozen=True)
class Trust:
    """Trust anchors (root certificates), certificates allowed one by one, and the key usages that may sign claims.

    Without anchors nobody is trusted: a sound manifest is then VALID, its signer a stranger.
    """

    anchors: tuple[bytes, ...] = ()  # PEM bundles
    allowed: tuple[bytes, ...] = ()  # PEM of single leaf certificates
    tsa: tuple[bytes, ...] = ()  # PEM bundles: whose time-stamps count. They make nobody a signer of claims
    # Left out, the library reads a leaf that has only the C2PA usage as invalid.
    ekus: tuple[str, ...] = tuple(usage.dotted_string for usage in CLAIM_EKUS)

    @classmethod
    def of(cls, *identities: SigningIdentity) -> Trust:
        """Trust in the roots of these identities."""
        return cls(anchors=tuple(dict.fromkeys(identity.root_pem for identity in identities)))

    @classmethod
    def from_files(cls, anchors: Sequence[Path], allowed: Sequence[Path] = (), tsa: Sequence[Path] = ()) -> Trust:
        """Trust from PEM files, e.g. a colleague's root.pem or the official list; raises TrustError that names one."""
        bundles = [tuple(_read(path) for path in paths) for paths in (anchors, allowed, tsa)]
        return cls(bundles[0], bundles[1], tsa=bundles[2])

    def __add__(self, other: Trust) -> Trust:
        """Trusts whom either trusts."""
        return Trust(
            tuple(dict.fromkeys(self.anchors + other.anchors)),
            tuple(dict.fromkeys(self.allowed + other.allowed)),
            tsa=tuple(dict.fromkeys(self.tsa + other.tsa)),
            ekus=tuple(dict.fromkeys(self.ekus + other.ekus)),
        )

    def settings(self) -> dict[str, Any]:
        """The library's settings for reading and signing under this trust, closed to the network."""
        usages = "\n".join(self.ekus) + "\n"
        trust: dict[str, Any] = {"trust_config": usages}  # the one beside the anchors says what a leaf may hold
        if self.anchors or self.allowed:
            # `allowed_list` beside the older `trust_anchors` key is silently ignored by 0.38, so: the list form.
            store = {
                "trust_anchors": _text(self.anchors),
                "trust_config": usages,
                "trust_kind": "manifest",
                "trust_uri": CLAIM_STORE,
            }
            if self.allowed:
                store["allowed_list"] = _text(self.allowed)
            trust["anchors"] = [store]
        if stamping := self._stamping_stores():
            trust["anchors"] = [*stamping, *trust.get("anchors", [])]
        return {
            "trust": trust,
            "core": {
                "allowed_network_hosts": [],  # the one switch that holds for every fetch
                "decode_identity_assertions": False,  # left on, a did:web issuer in a file starts a DNS look-up
            },
            "verify": {
                "verify_trust": True,
                "remote_manifest_fetch": False,
                "ocsp_fetch": False,
                "verify_after_sign": False,  # publish() reads every file back itself, and says what was wrong
            },
            "builder": {
                # By default a free box appended to a signed MP4 goes unnoticed. C2PA does not ask for that exclusion.
                "bmff_hash_exclude_free_and_skip_boxes": False,
                "thumbnail": {"enabled": False},  # no picture that nobody asked for, least of all of the worst material
                "actions": {  # our builder writes every action itself
                    "auto_created_action": {"enabled": False},
                    "auto_opened_action": {"enabled": False},
                    "auto_placed_action": {"enabled": False},
                },
            },
        }

    def _stamping_stores(self) -> list[dict[str, Any]]:
        """Whose time-stamps count. 0.38 lets such an anchor vouch for claims too: see `statuses`."""
        claims = {each for bundle in self.anchors for each in parse_chain(bundle, "trust anchors")}
        stamps = dict.fromkeys(each for bundle in self.tsa for each in parse_chain(bundle, "time-stamp anchors"))
        both = [each for each in stamps if each in claims]  # these may vouch for claims, whichever store is named
        only = [each for each in stamps if each not in claims]
        return [
            {
                "trust_anchors": _text([each.public_bytes(serialization.Encoding.PEM) for each in certificates]),
                "trust_config": _STAMPING,
                "trust_kind": "tsa",
                "trust_uri": uri,
            }
            for certificates, uri in ((only, "assay:tsa"), (both, CLAIM_STORE))
            if certificates
        ]


def _text(bundles: Sequence[bytes]) -> str:
    return "\n".join(bundle.decode("ascii", "replace").strip() for bundle in bundles) + "\n" if bundles else ""


def _read(path: Path) -> bytes:
    remedy = "name a PEM file with at least one certificate"
    try:
        pem = path.read_bytes()
        parse_chain(pem, str(path))
    except OSError as error:
        raise TrustError(f"{path}: {error.strerror}. Remedy: {remedy}") from error
    except KeyDamaged as error:
        raise TrustError(f"{error.fault}. Remedy: {remedy}") from error
    return pem
