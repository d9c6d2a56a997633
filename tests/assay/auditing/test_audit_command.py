"""`assay audit` as a user runs it, and proofs as a third party reads them."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import given, strategies as st
from toy_run import assay_environment

from assay.auditing.merkle import path_of, root_by, root_of
from assay.auditing.proving import NotSealed, ProofBroken, entries_of, examine, prove
from assay.auditing.reading import LedgerChain
from assay.auditing.sealing import remembered, seal
from assay.auditing.signing import known_keys, public_keys
from assay.auditing.verifying import verify
from assay.errors import JobNotFound
from assay.ledger import Ledger, State
from media import UsageError

Run = Callable[..., subprocess.CompletedProcess[str]]


def filled(home: Path, jobs: int = 3) -> list[str]:
    """A ledger with some jobs that ended."""
    ledger = Ledger(f"sqlite:///{home / 'ledger.sqlite'}")
    made = []
    for number in range(jobs):
        made.append(ledger.open_job("generate", {"prompt": f"wish {number}"}, ("worker-1", 60)))
        ledger.settle(made[-1], State.COMPLETED, action="allow")
    ledger.close()
    return made


def third_party(proof: dict[str, Any], pem: bytes) -> dict[str, Any] | None:
    """A reader that shares no code with Assay: what docs/audit.md tells an auditor to write."""

    def plain(value: object) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

    def sha(content: bytes) -> bytes:
        return hashlib.sha256(content).digest()

    def root(path: list[str], leaf: bytes, at: int, count: int) -> bytes:
        if count == 1:
            return leaf
        cut = 1 << (count - 1).bit_length() - 1
        *inner, other = path
        if at < cut:
            return sha(b"\1" + root(inner, leaf, at, cut) + bytes.fromhex(other))
        return sha(b"\1" + bytes.fromhex(other) + root(inner, leaf, at - cut, count - cut))

    point = proof["checkpoint"]
    header = {k: point[k] for k in ("number", "first", "last", "count", "root", "previous", "sealed", "signer")}
    leaf = sha(b"\0" + plain(proof["entry"]))
    assert root(proof["path"], leaf, proof["index"], point["count"]).hex() == point["root"]
    assert sha(b"\2" + plain(header)).hex() == point["head"]
    load_pem_public_key(pem).verify(  # type: ignore[union-attr, call-arg]
        bytes.fromhex(point["signature"]), b"assay checkpoint 1\n" + point["head"].encode()
    )
    if proof["record"] is None:
        return None
    said = sha(b"assay record 1\0" + bytes.fromhex(proof["salt"]) + proof["record"].encode()).hex()
    assert said == proof["entry"]["commitment"]
    record: dict[str, Any] = json.loads(proof["record"])
    return record


@given(count=st.integers(1, 70), at=st.integers(0, 69))
def test_paths_lead_to_the_root(count: int, at: int) -> None:
    """From every leaf of every tree its path leads to the root, and from another leaf or place it does not."""
    leaves = [hashlib.sha256(bytes([n])).hexdigest() for n in range(count)]
    at %= count
    path = path_of(leaves, at)
    assert root_by(path, leaves[at], at, count) == root_of(leaves)
    if count > 1:
        assert root_by(path, leaves[at - 1], at, count) != root_of(leaves)
    with pytest.raises(ValueError, match="path"):
        root_by([*path, leaves[0]], leaves[at], at, count)


def test_a_third_party_reads_our_proofs(tmp_path: Path) -> None:
    """With the public key alone somebody else's code accepts each proof, and no proof that was changed."""
    jobs = filled(tmp_path)
    ledger, folder = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}"), tmp_path / "audit"
    with pytest.raises(NotSealed):
        prove(ledger, entries_of(ledger, jobs[0])[0])
    seal(ledger, folder)
    (pem_path,) = folder.glob("public-*.pem")
    pem, trusted = pem_path.read_bytes(), known_keys(folder)
    for job in jobs:
        request, settled = entries_of(ledger, job)
        assert third_party(prove(ledger, request), pem) is None
        shown = third_party(prove(ledger, request, words=True), pem)
        assert shown is not None
        assert shown["facts"]["request"]["prompt"].startswith("wish")
        told = examine(prove(ledger, settled), trusted)
        assert told is not None
        assert told["facts"]["action"] == "allow"
    proof = prove(ledger, settled)
    for broken in (
        proof | {"index": proof["index"] - 1}, proof | {"path": proof["path"][1:]}, proof | {"salt": "00" * 32},
        proof | {"entry": proof["entry"] | {"kind": "request"}}, {"entry": {}}, proof | {"path": []},
        proof | {"checkpoint": proof["checkpoint"] | {"sealed": "never"}},
        proof | {"checkpoint": proof["checkpoint"] | {"signature": "00" * 64}},
    ):  # fmt: skip
        with pytest.raises(ProofBroken):
            examine(broken, trusted)
    with pytest.raises(InvalidSignature):
        third_party(proof | {"checkpoint": proof["checkpoint"] | {"signature": "00" * 64}}, pem)
    with pytest.raises(ProofBroken, match="not signed"):
        examine(proof, frozenset())
    with pytest.raises(JobNotFound):
        entries_of(ledger, "job_none")
    ledger.close()


@pytest.mark.full
def test_auditor_needs_files_and_a_key_only(run_assay: Run, tmp_path: Path) -> None:
    """Seal, export, prove; then, at another home, verify with the public key: 0; with a changed file: 2."""
    jobs = filled(tmp_path / "home")
    assert "sealed batch 1" in run_assay("audit", "seal").stdout
    assert json.loads(run_assay("audit", "verify", "--json").stdout)["sound"]
    for arguments in (("-o", "chain.jsonl"), ("--public-key", "-o", "audit.pem"), ("--checkpoint", "-o", "last.json")):
        done = run_assay("audit", "export", *arguments)
        assert done.returncode == 0, done.stderr
    run_assay("audit", "prove", jobs[0], "-o", "proofs")
    elsewhere = {"ASSAY_HOME": str(tmp_path / "auditor")}
    key = ("--public-key", "audit.pem")
    checked = run_assay("audit", "verify", "--export", "chain.jsonl", *key, "--checkpoint", "last.json", **elsewhere)
    assert (checked.returncode, "SOUND" in checked.stdout) == (0, True), checked.stdout + checked.stderr
    for path in sorted((tmp_path / "proofs").iterdir()):
        assert run_assay("audit", "verify", "--proof", str(path), *key, **elsewhere).returncode == 0
    text = (tmp_path / "chain.jsonl").read_text()
    (tmp_path / "chain.jsonl").write_text(text.replace('"kind": "settled"', '"kind": "settles"', 1))
    broken = run_assay("audit", "verify", "--export", "chain.jsonl", *key, "--json", **elsewhere)
    assert broken.returncode == 2
    assert json.loads(broken.stdout)["faults"]
    assert run_assay("audit", "verify", "--export", "last.json", *key, **elsewhere).returncode == 1
    assert run_assay("audit", "verify", "--proof", "audit.pem", *key, **elsewhere).returncode == 1
    assert run_assay("audit", "prove", "job_none").returncode == 1


def test_key_files_must_be_keys(tmp_path: Path) -> None:
    """What is no Ed25519 public key in PEM is refused by its name."""
    path = tmp_path / "key.pem"
    with pytest.raises(UsageError, match=r"key\.pem"):
        public_keys([path])
    path.write_text("no key")
    with pytest.raises(UsageError, match="no public key"):
        public_keys([path])


WRITER = """
import sys
from pathlib import Path
from assay.auditing.sealing import seal
from assay.ledger import Ledger, State
home = Path(sys.argv[1])
ledger = Ledger(f"sqlite:///{home / 'ledger.sqlite'}")
print("ready", flush=True)
while True:
    job = ledger.open_job("generate", {"prompt": "x"}, ("worker-1", 60))
    ledger.settle(job, State.COMPLETED, action="allow")
    seal(ledger, home / "audit")
"""


@pytest.mark.full
def test_kill_in_the_middle_leaves_a_sound_chain(tmp_path: Path) -> None:
    """Two writers that are killed at random moments, again and again, leave one chain that verifies and goes on."""
    draw, home = random.Random(7), tmp_path / "home"
    home.mkdir()
    environment = assay_environment(tmp_path)
    for _ in range(8):
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, str(home)], stdout=subprocess.PIPE, env=environment)
            for _ in range(2)
        ]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
        time.sleep(draw.uniform(0.05, 0.6))
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait()
            assert writer.stdout is not None
            writer.stdout.close()
        ledger = Ledger(f"sqlite:///{home / 'ledger.sqlite'}")
        seal(ledger, home / "audit")
        walk = verify(LedgerChain(ledger), known_keys(home / "audit"), remembered(home / "audit")[-1:])
        assert walk.sound, walk.faults
        ledger.close()
    assert walk.entries > 20
