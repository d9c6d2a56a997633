"""Production identities from PEM files, and the trust that readers put in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from provenance import DevelopmentKeys, Manifest, SigningIdentity, State, Trust, TrustError, publish, read

KEYS: dict[str, Callable[[], Any]] = {
    "es256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "es384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "es512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ps256": lambda: rsa.generate_private_key(65537, 2048),
    "ps384": lambda: rsa.generate_private_key(65537, 2048),
    "ps512": lambda: rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


@pytest.mark.parametrize("alg", KEYS)
def test_each_c2pa_algorithm_signs_from_pem_files(
    alg: str, tmp_path: Path, authority: Any, samples: Path, manifest: Callable[..., Manifest]
) -> None:
    """A production chain and key of each of the seven algorithms reads back TRUSTED under its anchor."""
    chain, key = authority.leaf(KEYS[alg]())
    (tmp_path / "chain.pem").write_bytes(chain)
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "root.pem").write_bytes(authority.pem)
    identity = SigningIdentity.from_pem(
        tmp_path / "chain.pem", tmp_path / "key.pem", alg.upper(), tmp_path / "root.pem"
    )
    publish(samples / "still.png", tmp_path / "a.png", manifest(), identity)
    found = read(tmp_path / "a.png", Trust.from_files([tmp_path / "root.pem"]))
    assert found.state is State.TRUSTED
    assert found.signer is not None
    assert (found.signer.algorithm, found.signer.organization) == (alg.capitalize(), "leaf organization")


def test_without_an_anchor_the_end_of_the_chain_is_trusted(
    tmp_path: Path, authority: Any, samples: Path, manifest: Callable[..., Manifest]
) -> None:
    """A chain that ends in its authority needs no separate anchor."""
    chain, key = authority.leaf()
    (tmp_path / "chain.pem").write_bytes(chain + authority.pem)
    (tmp_path / "key.pem").write_bytes(key)
    identity = SigningIdentity.from_pem(tmp_path / "chain.pem", tmp_path / "key.pem", "es256")
    assert publish(samples / "still.png", tmp_path / "a.png", manifest(), identity).state is State.TRUSTED


def test_a_single_certificate_can_be_allowed(signed: Path, tmp_path: Path, keys: DevelopmentKeys) -> None:
    """A leaf on the allow list is trusted without its root; another leaf is not."""
    leaf = keys.identity.chain_pem.partition(b"-----END CERTIFICATE-----\n")
    (tmp_path / "leaf.pem").write_bytes(leaf[0] + leaf[1])
    assert read(signed, Trust.from_files([], [tmp_path / "leaf.pem"])).state is State.TRUSTED
    stranger = DevelopmentKeys.load_or_create(tmp_path / "stranger")
    assert read(signed, Trust.from_files([], [stranger.root_path])).state is State.VALID


def test_trust_adds_up(signed: Path, keys: DevelopmentKeys, strangers: DevelopmentKeys) -> None:
    """Trust in two roots trusts both, and adding the same root twice changes nothing."""
    ours, theirs = Trust.of(keys.identity), Trust.of(strangers.identity)
    assert read(signed, theirs).state is State.VALID
    assert read(signed, theirs + ours).state is State.TRUSTED
    assert ours + ours == ours


def test_unusable_anchor_files_are_named(tmp_path: Path) -> None:
    """A missing or garbled trust file is a TrustError that names it, not a quiet distrust of everybody."""
    with pytest.raises(TrustError, match=r"absent\.pem"):
        Trust.from_files([tmp_path / "absent.pem"])
    (tmp_path / "bad.pem").write_text("nothing here")
    with pytest.raises(TrustError, match=r"bad\.pem"):
        Trust.from_files([tmp_path / "bad.pem"])


def test_settings_close_the_network(trust: Trust) -> None:
    """Whatever the trust, no setting lets the library fetch anything."""
    for each in (trust, Trust()):
        settings = each.settings()
        assert settings["core"] == {"allowed_network_hosts": [], "decode_identity_assertions": False}
        assert settings["verify"]["remote_manifest_fetch"] is False
        assert settings["verify"]["ocsp_fetch"] is False
