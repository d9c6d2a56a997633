"""Official trust lists, as C2PA publishes them: loaded by configuration, from a made-up list in the same format."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from toy_time_authority import Authority, time_authority

from assay.cli.main import run
from provenance import DevelopmentKeys, Manifest, SigningIdentity, publish

Make = Callable[..., Manifest]


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """A time-stamp authority that the made-up TSA list names."""
    with time_authority(tmp_path_factory.mktemp("tsa")) as made:
        yield made


def _list(*certificates: bytes) -> bytes:
    """The published form: a line `Subject<TAB>...` before each certificate, names in any script, blank lines."""
    parts = []
    for pem in certificates:
        subject = x509.load_pem_x509_certificate(pem).subject.rfc4514_string()
        parts.append(f"Subject\t{subject}, O=环宇 Müller\n".encode() + pem + b"\n")
    return b"".join(parts)


def _subordinate(authority: Any) -> tuple[bytes, Any]:
    """An intermediate authority: the official list names such too, without their roots."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem, _ = authority.leaf(key=key, ca=True, signing=False, ekus=(), name="issuing authority", days=300)
    return pem, type(authority)(x509.load_pem_x509_certificate(pem), key)


@pytest.fixture
def verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """`assay verify --json` as configured with a list of claim signers and one of time-stamp authorities."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))

    def call(path: Path, claims: bytes = b"", stamps: bytes = b"") -> dict[str, Any]:
        for name, content in (("TRUST_ANCHORS", claims), ("TSA_ANCHORS", stamps)):
            (tmp_path / f"{name}.pem").write_bytes(content)
            monkeypatch.setenv(f"ASSAY_{name}", json.dumps([str(tmp_path / f"{name}.pem")] if content else []))
        capsys.readouterr()
        run(["verify", str(path), "--json"])
        line: dict[str, Any] = json.loads(capsys.readouterr().out)
        return line

    return call


def test_a_signer_on_the_list_is_trusted_and_others_are_not(
    video: Path, folder: Path, manifest: Make, authority: Any, keys: DevelopmentKeys, strangers: DevelopmentKeys,
    verify: Callable[..., Any],
) -> None:  # fmt: skip
    """By its root or by the intermediate that the list names; among many other entries; and nobody who is not on it."""
    issuing_pem, issuing = _subordinate(authority)
    chain, key = issuing.leaf(name="a camera")
    publish(
        video,
        folder / "a.mp4",
        manifest(),
        SigningIdentity.from_bytes(chain + issuing_pem, key, "es256", authority.pem),
    )
    others = [keys.identity.root_pem, strangers.identity.root_pem]
    assert verify(folder / "a.mp4")["state"] == "valid"
    assert verify(folder / "a.mp4", _list(*others))["state"] == "valid"
    assert verify(folder / "a.mp4", _list(others[0], issuing_pem, others[1]))["state"] == "trusted"
    found = verify(folder / "a.mp4", _list(*others, authority.pem))
    assert (found["state"], found["codes"], found["signer"]["common_name"]) == ("trusted", [], "a camera")


def test_the_list_of_time_stamp_authorities_counts_for_time_alone(
    video: Path, folder: Path, manifest: Make, authority: Any, tsa: Authority, verify: Callable[..., Any]
) -> None:
    """A stamp counts when its authority is on the TSA list; a claim signer who is on that one only is a stranger."""
    identity = SigningIdentity.from_bytes(*authority.leaf(), "es256", authority.pem)
    publish(video, folder / "a.mp4", manifest(), dataclasses.replace(identity, tsa_url=tsa.url))
    claims, stamps = _list(authority.pem), _list(tsa.root_path.read_bytes())
    found = verify(folder / "a.mp4", claims)
    assert (found["state"], found["timestamp_trusted"]) == ("trusted", False)
    found = verify(folder / "a.mp4", claims, stamps)
    assert (found["state"], found["timestamp_trusted"]) == ("trusted", True)
    assert found["timestamp"]
    assert verify(folder / "a.mp4", b"", _list(authority.pem, tsa.root_path.read_bytes()))["state"] == "valid"
    both = _list(authority.pem, tsa.root_path.read_bytes())  # some authorities are on both official lists
    assert verify(folder / "a.mp4", both, both)["state"] == "trusted"


def test_a_list_that_is_none_stops_the_reading(
    signed: Path, verify: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged list is an error that names it, never a quiet distrust of everybody on it."""
    with pytest.raises(json.JSONDecodeError):
        verify(signed, b"Subject\tCN=nobody\n")
    assert run(["verify", str(signed)]) == 4
    assert "TRUST_ANCHORS.pem" in capsys.readouterr().err
