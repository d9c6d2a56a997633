"""The development chain: its profile, its modes, and that any number of processes may begin at once."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

import provenance.development
from provenance import (
    DevelopmentKeys,
    KeyDamaged,
    KeyExposed,
    KeyMismatch,
    KeyMissing,
    Manifest,
    State,
    TargetUnwritable,
    Trust,
    publish,
    read,
)

CREATE = "import sys, pathlib; from provenance import DevelopmentKeys as K; " + (
    "k = K.load_or_create(pathlib.Path(sys.argv[1])); k.identity.ensure_usable(); print(k.identity.common_name)"
)


def _leaf(keys: DevelopmentKeys) -> x509.Certificate:
    return x509.load_pem_x509_certificates(keys.identity.chain_pem)[0]


def test_the_leaf_follows_the_c2pa_profile(keys: DevelopmentKeys) -> None:
    """Subject C, O, CN; SKI and AKI; critical KU and BC; the claim-signing EKU; at most 366 days."""
    leaf = _leaf(keys)
    for oid in (NameOID.COUNTRY_NAME, NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        assert leaf.subject.get_attributes_for_oid(oid)
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert usage.value.content_commitment
    assert not usage.value.key_cert_sign
    constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    ekus = {eku.dotted_string for eku in leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value}
    assert ekus == {"1.3.6.1.4.1.62558.2.1", "1.3.6.1.5.5.7.3.36"}
    assert leaf.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    authority = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    issuer = x509.load_pem_x509_certificates(keys.identity.chain_pem)[1]
    assert authority.key_identifier == issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=366)


def test_the_chain_leads_from_leaf_to_root(keys: DevelopmentKeys) -> None:
    """Leaf, intermediate and root each issued the one before, and only the authorities may issue."""
    root = x509.load_pem_x509_certificate(keys.root_path.read_bytes())
    leaf, intermediate = x509.load_pem_x509_certificates(keys.identity.chain_pem)
    leaf.verify_directly_issued_by(intermediate)
    intermediate.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    lengths = [each.extensions.get_extension_for_class(x509.BasicConstraints).value for each in (intermediate, root)]
    assert [(each.ca, each.path_length) for each in lengths] == [(True, 0), (True, 1)]


def test_private_files_are_private(keys: DevelopmentKeys) -> None:
    """The folder is 0700 and every file in it 0600, whatever the umask."""
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700
    files = sorted(keys.folder.iterdir())
    assert [path.name for path in files] == ["intermediate.pem", "leaf.pem", "root.key", "root.pem"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_the_same_keys_come_back(keys: DevelopmentKeys) -> None:
    """Loading twice gives one identity."""
    assert DevelopmentKeys.load_or_create(keys.folder) == keys


def test_many_processes_at_once_end_with_one_chain(tmp_path: Path) -> None:
    """Six processes that start together all use the same keys, and no half-made folder remains."""
    folder = tmp_path / "deep" / "keys"
    children = [
        subprocess.Popen([sys.executable, "-c", CREATE, str(folder)], stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    names = {child.communicate(timeout=60)[0] for child in children}
    assert [child.returncode for child in children] == [0] * 6
    assert len(names) == 1
    assert sorted(path.name for path in folder.parent.iterdir()) == [".keys.lock", "keys"]


def test_a_killed_first_use_leaves_no_half_folder(tmp_path: Path) -> None:
    """SIGKILL while keys are written leaves no folder, or a whole one; the next start clears what was begun."""
    slow = (
        "import provenance.development as d, os, time; w = d._write; d._write = lambda *a: (w(*a), time.sleep(0.2)); "
    )
    child = subprocess.Popen([sys.executable, "-c", slow + CREATE, str(tmp_path / "keys")])
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob(".keys.*.new/root.key")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "keys").exists()
    assert list(tmp_path.glob(".keys.*.new"))
    DevelopmentKeys.load_or_create(tmp_path / "keys").identity.ensure_usable()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".keys.lock", "keys"]


def test_a_leaf_near_its_end_is_replaced_under_the_same_root(tmp_path: Path) -> None:
    """Eleven months on, loading gives a fresh leaf; ten months on, it does not."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    first = DevelopmentKeys.load_or_create(tmp_path / "keys", now=start)
    assert DevelopmentKeys.load_or_create(tmp_path / "keys", now=start + timedelta(days=300)) == first
    later = DevelopmentKeys.load_or_create(tmp_path / "keys", now=start + timedelta(days=350))
    assert later.identity.chain_pem != first.identity.chain_pem
    assert later.identity.root_pem == first.identity.root_pem
    later.identity.ensure_usable(start + timedelta(days=700))
    assert DevelopmentKeys.load_or_create(tmp_path / "keys", now=start + timedelta(days=350)) == later


def test_the_intermediate_is_replaced_before_it_would_cut_a_leaf_short(tmp_path: Path) -> None:
    """After years of renewals the chain still leads to the first root, through a new intermediate."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    first = DevelopmentKeys.load_or_create(tmp_path / "keys", now=now)
    keys = first
    for _ in range(6):
        now += timedelta(days=345)
        keys = DevelopmentKeys.load_or_create(tmp_path / "keys", now=now)
        keys.identity.ensure_usable(now)
        assert keys.identity.not_after - now > timedelta(days=300)
    assert keys.identity.root_pem == first.identity.root_pem
    assert (
        x509.load_pem_x509_certificates(keys.identity.chain_pem)[1]
        != (x509.load_pem_x509_certificates(first.identity.chain_pem)[1])
    )
    assert sorted(path.name for path in keys.folder.iterdir()) == [
        "intermediate.pem",
        "leaf.pem",
        "root.key",
        "root.pem",
    ]


def test_rotation_keeps_what_was_signed_before(tmp_path: Path, video: Path, manifest: Callable[..., Manifest]) -> None:
    """After a rotation, files of the old leaf and of the new one are both trusted under the one root."""
    old = DevelopmentKeys.load_or_create(tmp_path / "keys")
    publish(video, tmp_path / "old.mp4", manifest(), old.identity)
    new = DevelopmentKeys.rotate(tmp_path / "keys")
    assert new.identity.key_pem != old.identity.key_pem
    publish(video, tmp_path / "new.mp4", manifest(), new.identity)
    trust = Trust.from_files([new.root_path])
    assert {read(tmp_path / name, trust).state for name in ("old.mp4", "new.mp4")} == {State.TRUSTED}
    with pytest.raises(KeyMissing):
        DevelopmentKeys.rotate(tmp_path / "elsewhere")


def test_a_folder_that_cannot_be_written_goes_on_with_a_living_leaf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys mounted read-only are used while the leaf lives, and refused clearly when it is dead."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    first = DevelopmentKeys.load_or_create(tmp_path / "keys", now=start)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(provenance.development, "_write", refuse)
    assert DevelopmentKeys.load_or_create(tmp_path / "keys", now=start + timedelta(days=350)) == first
    with pytest.raises(TargetUnwritable, match="new leaf could not be written"):
        DevelopmentKeys.load_or_create(tmp_path / "keys", now=start + timedelta(days=400))
    with pytest.raises(TargetUnwritable, match="keys could not be written"):
        DevelopmentKeys.load_or_create(tmp_path / "others")
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".new")]


@pytest.mark.parametrize("name", ["leaf.pem", "intermediate.pem", "root.pem", "root.key"])
def test_damage_is_named_by_file(name: str, tmp_path: Path) -> None:
    """A missing, garbled or exposed file is named, each by its own class, wherever it is first needed."""
    folder = tmp_path / "keys"
    DevelopmentKeys.load_or_create(folder)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:100])
    with pytest.raises(KeyDamaged, match=name):
        DevelopmentKeys.load_or_create(folder)
        DevelopmentKeys.rotate(folder)
    (folder / name).write_bytes(whole)
    (folder / name).chmod(0o644)
    with pytest.raises(KeyExposed, match=rf"{name} has mode 0644"):
        DevelopmentKeys.load_or_create(folder)
    (folder / name).unlink()
    with pytest.raises(KeyMissing, match=name):
        DevelopmentKeys.load_or_create(folder)


def test_mixed_up_folders_are_noticed(tmp_path: Path, keys: DevelopmentKeys) -> None:
    """A leaf or a root from another chain, or a key from another leaf, does not go unnoticed."""
    folder = tmp_path / "keys"
    DevelopmentKeys.load_or_create(folder)
    whole = (folder / "leaf.pem").read_bytes()
    (folder / "leaf.pem").write_bytes((keys.folder / "leaf.pem").read_bytes())
    with pytest.raises(KeyDamaged, match="was not issued by"):
        DevelopmentKeys.load_or_create(folder)
    (folder / "leaf.pem").write_bytes(keys.identity.key_pem + whole[whole.index(b"-----BEGIN CERT") :])
    with pytest.raises(KeyMismatch, match=r"leaf\.pem"):
        DevelopmentKeys.load_or_create(folder)


def test_a_folder_that_is_none_of_ours_is_left_alone(tmp_path: Path) -> None:
    """A folder with other files, or a file in place of a folder, is refused, never overwritten."""
    other = tmp_path / "photos"
    other.mkdir(mode=0o700)
    (other / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(KeyMissing, match=r"root\.pem"):
        DevelopmentKeys.load_or_create(other)
    assert [path.name for path in other.iterdir()] == ["cat.jpg"]
    with pytest.raises(KeyDamaged, match="is a file"):
        DevelopmentKeys.load_or_create(other / "cat.jpg")
    other.chmod(0o755)
    with pytest.raises(KeyExposed, match="0755"):
        DevelopmentKeys.load_or_create(other)
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o755)
    assert stat.S_IMODE(DevelopmentKeys.load_or_create(empty).folder.stat().st_mode) == 0o700
