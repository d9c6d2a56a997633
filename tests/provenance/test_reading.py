"""What read() says of files: whole, changed, laundered, remote, hostile. It never raises, nor asks the network."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import c2pa
import pytest
from hypothesis import given, settings, strategies as st

import provenance.reader
from provenance import Credentials, Kind, Manifest, SigningIdentity, State, Trust, publish, read
from provenance.report import credentials_of

# `assay verify --json` promises these fields; the schema stands outside the repository, so its words are repeated here.
CONTRACT = {"path", "state", "codes", "ingredients", "signer", "timestamp", "decision", "trailing_boxes"}


def test_an_unsigned_file_is_absent(samples: Path, trust: Trust) -> None:
    """No manifest is ABSENT, in formats that could carry one and in those that could not."""
    assert read(samples / "clip.mp4", trust).codes == ("manifest.absent",)
    for name, codes in (("still.png", ("manifest.absent",)), ("clip.webm", ("manifest.absent", "format.cannotEmbed"))):
        found = read(samples / name, trust)
        assert (found.state, found.codes, found.decision) == (State.ABSENT, codes, None)


def test_one_flipped_bit_of_the_picture_is_invalid(
    signed: Path, tmp_path: Path, trust: Trust, flip: Callable[..., Path]
) -> None:
    """A changed frame is INVALID with the hash as the reason, and the decision is no longer quoted."""
    found = read(flip(signed, tmp_path / "flipped.mp4"), trust)
    assert (found.state, found.codes) == (State.INVALID, ("assertion.bmffHash.mismatch",))
    assert found.decision is None
    assert found.tampered
    assert found.signer is not None


def test_every_byte_of_media_is_covered(signed: Path, tmp_path: Path, trust: Trust) -> None:
    """A change anywhere in the pictures or their index is noticed; only ftyp and the manifest's own box have gaps."""
    content = signed.read_bytes()
    start = len(content) - sum(map(len, content.partition(b"free")[1:]))  # what follows the manifest's box
    assert content.find(b"mdat") > start
    assert content.find(b"moov") > start
    for at in range(start, len(content), 11):
        changed = bytearray(content)
        changed[at] ^= 0x10
        (tmp_path / "a.mp4").write_bytes(changed)
        assert read(tmp_path / "a.mp4", trust).state in (State.INVALID, State.UNREADABLE), at


def test_an_expired_signature_is_invalid_but_not_tampered(
    video: Path, tmp_path: Path, authority: Any, manifest: Callable[..., Manifest]
) -> None:
    """Without a time-stamp a file turns INVALID when its certificate expires, and is told apart from a changed one."""
    chain, key = authority.leaf(start=timedelta(minutes=-5), days=(5 * 60 + 3) / 86_400)
    identity = SigningIdentity.from_bytes(chain, key, "es256", authority.pem)
    assert publish(video, tmp_path / "a.mp4", manifest(), identity).state is State.TRUSTED
    time.sleep(max(0.0, (identity.not_after - datetime.now(UTC)).total_seconds()) + 1.1)
    found = read(tmp_path / "a.mp4", Trust.of(identity))
    assert (found.state, found.tampered) == (State.INVALID, False)
    assert "signingCredential.expired" in found.codes
    with pytest.raises(provenance.CertificateExpired):
        publish(video, tmp_path / "b.mp4", manifest(), identity)


def test_a_changed_decision_is_invalid(signed: Path, tmp_path: Path, trust: Trust) -> None:
    """Rewriting the decision inside the manifest breaks the claim."""
    content = signed.read_bytes()
    changed = content.replace(b"dec_frame-allow", b"dec_frame-ALLOW", 1)
    assert changed != content
    (tmp_path / "a.mp4").write_bytes(changed)
    found = read(tmp_path / "a.mp4", trust)
    assert (found.state, found.decision) == (State.INVALID, None)


def test_boxes_appended_to_our_files_do_not_go_unnoticed(signed: Path, tmp_path: Path, trust: Trust) -> None:
    """A free or skip box behind a file of ours is INVALID, though the library's own default would not cover it."""
    for name in (b"free", b"skip"):
        path = tmp_path / f"{name.decode()}.mp4"
        path.write_bytes(signed.read_bytes() + (16).to_bytes(4, "big") + name + b"payload!")
        found = read(path, trust)
        assert (found.state, found.codes) == (State.INVALID, ("assertion.bmffHash.mismatch",))
        (box,) = found.trailing_boxes
        assert (box.type, box.offset, box.size) == (name.decode(), signed.stat().st_size, 16)


def test_boxes_appended_to_others_files_are_reported(
    video: Path, tmp_path: Path, trust: Trust, forge: Callable[..., Path]
) -> None:
    """A signer that leaves free boxes uncovered still reads TRUSTED, so the payload is named and coded."""
    created = {"action": "c2pa.created", "digitalSourceType": "http://c2pa.org/digitalsourcetype/empty"}
    path = forge(video, tmp_path / "a.mp4", _definition(created))
    assert read(path, trust).codes == ()
    with path.open("ab") as file:
        file.write((16).to_bytes(4, "big") + b"free" + b"payload!")
    found = read(path, trust)
    assert (found.state, found.codes) == (State.TRUSTED, ("file.trailingBoxes",))
    assert [box.type for box in found.trailing_boxes] == ["free"]


def _definition(*actions: dict[str, Any]) -> dict[str, Any]:
    return {
        "claim_version": 2,
        "claim_generator_info": [{"name": "Another tool", "version": "1"}],
        "assertions": [{"label": "c2pa.actions.v2", "created": True, "data": {"actions": list(actions)}}],
    }


def _library_says(path: Path, trust: Trust) -> str:
    with path.open("rb") as file, c2pa.Context.from_dict(trust.settings()) as context:
        return str(json.loads(c2pa.Reader("video/mp4", file, context=context).json())["validation_state"])


def test_a_tampered_parent_is_invalid_though_the_library_trusts_it(
    signed: Path, tmp_path: Path, trust: Trust, flip: Callable[..., Path], adopt: Callable[..., Path]
) -> None:
    """A file that was changed and then signed again by a trusted signer is reported, one generation on and two."""
    broken = flip(signed, tmp_path / "broken.mp4")
    child = adopt(tmp_path / "child.mp4", broken)
    grandchild = adopt(tmp_path / "grandchild.mp4", child)
    for path in (child, grandchild):
        assert _library_says(path, trust) == "Trusted"
        found = read(path, trust)
        assert (found.state, found.codes) == (State.INVALID, ("ingredient.invalid",))
        assert found.claim_state is State.TRUSTED
        assert found.tampered
    (parent,) = read(grandchild, trust).ingredients
    assert parent.state is State.TRUSTED
    (culprit,) = parent.ingredients
    assert (culprit.state, culprit.codes) == (State.INVALID, ("assertion.bmffHash.mismatch",))


def test_a_tampered_input_is_reported_but_is_no_ancestor(
    video: Path, signed: Path, tmp_path: Path, trust: Trust, flip: Callable[..., Path], adopt: Callable[..., Path]
) -> None:
    """A broken file that a model only looked at is coded; the asset that carries none of it stays TRUSTED."""
    broken = flip(signed, tmp_path / "broken.mp4")
    found = read(adopt(tmp_path / "a.mp4", broken, "inputTo", video), trust)
    assert (found.state, found.codes) == (State.TRUSTED, ("ingredient.invalid",))
    assert found.ingredients[0].state is State.INVALID


def test_an_intact_parent_stays_trusted(signed: Path, tmp_path: Path, trust: Trust, adopt: Callable[..., Path]) -> None:
    """The walk over ancestors finds nothing where there is nothing."""
    found = read(adopt(tmp_path / "a.mp4", signed), trust)
    assert (found.state, found.codes, found.ingredients[0].state) == (State.TRUSTED, (), State.TRUSTED)
    assert found.digital_source_types == ("http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",)


def test_a_remote_manifest_is_reported_and_never_fetched(
    video: Path, tmp_path: Path, trust: Trust, identity: SigningIdentity
) -> None:
    """A file that points at a manifest on the network is REMOTE, and nothing knocks on that door."""
    knocks: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def listen() -> None:
            connection, who = server.accept()
            knocks.append(who)
            connection.close()

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        port = server.getsockname()[1]
        _sign_remote(video, tmp_path / "a.mp4", f"http://127.0.0.1:{port}/m.c2pa", identity)
        found = read(tmp_path / "a.mp4", trust)
        assert (found.state, found.codes) == (State.REMOTE, ("manifest.remote",))
        assert not knocks
        socket.create_connection(("127.0.0.1", port)).close()  # the listener would have heard
        listener.join(10)
        assert len(knocks) == 1


def _sign_remote(source: Path, target: Path, url: str, identity: SigningIdentity) -> bytes:
    created = {"action": "c2pa.created", "digitalSourceType": "http://c2pa.org/digitalsourcetype/empty"}
    with (
        c2pa.Context.from_dict(Trust.of(identity).settings()) as context,
        c2pa.Signer.from_info(c2pa.C2paSignerInfo("es256", identity.chain_pem, identity.key_pem, None)) as signer,
        c2pa.Builder(_definition(created), context=context) as builder,
        source.open("rb") as file,
        target.open("w+b") as out,
    ):
        builder.set_no_embed()
        builder.set_remote_url(url)
        return bytes(builder.sign(signer, "video/mp4", file, out))


def test_a_remote_manifest_is_not_signed_over(
    video: Path, folder: Path, identity: SigningIdentity, manifest: Callable[..., Manifest]
) -> None:
    """Signing a file whose history is on the network would drop it, even after a scan."""
    remote = folder.parent / "remote.mp4"
    _sign_remote(video, remote, "http://127.0.0.1:9/m.c2pa", identity)
    for kind in (Kind.TEXT_TO_VIDEO, Kind.SCANNED):
        with pytest.raises(provenance.LaunderingRefused, match="on the network"):
            publish(remote, folder / "a.mp4", manifest(kind), identity)


def test_a_sidecar_is_read(samples: Path, tmp_path: Path, trust: Trust, identity: SigningIdentity) -> None:
    """A WebM cannot embed a manifest; one in a sidecar of its name is read, and bound to its bytes."""
    clip = tmp_path / "clip.webm"
    clip.write_bytes((samples / "clip.webm").read_bytes())
    created = {"action": "c2pa.created", "digitalSourceType": "http://c2pa.org/digitalsourcetype/empty"}
    with (
        c2pa.Context.from_dict(trust.settings()) as context,
        c2pa.Signer.from_info(c2pa.C2paSignerInfo("es256", identity.chain_pem, identity.key_pem, None)) as signer,
        c2pa.Builder(_definition(created), context=context) as builder,
        clip.open("rb") as file,
        (tmp_path / "scratch").open("w+b") as out,
    ):
        builder.set_no_embed()
        (tmp_path / "clip.c2pa").write_bytes(builder.sign(signer, "video/webm", file, out))
    assert read(clip, trust).state is State.TRUSTED
    clip.write_bytes(clip.read_bytes()[:-1] + b"\0")
    assert read(clip, trust).state is State.INVALID


@pytest.mark.parametrize(
    ("content", "state", "code"),
    [
        (b"", State.UNREADABLE, "file.empty"),
        (b"\0", State.UNREADABLE, "format.unsupported"),
        (b"plain text, no media", State.UNREADABLE, "format.unsupported"),
        (os.urandom(5000), State.UNREADABLE, "format.unsupported"),
        (b"\0\0\0\x18ftypisom" + b"\0" * 12 + b"\xff" * 4000, State.UNREADABLE, "manifest.unreadable"),
        (b"\x89PNG\r\n\x1a\n" + b"\xff" * 4000, State.UNREADABLE, "manifest.unreadable"),
        (b"\0\0\0\x18stypmsdh" + b"\0" * 12, State.UNREADABLE, "format.fragment"),
    ],
)
def test_what_cannot_be_looked_at_says_why(
    content: bytes, state: State, code: str, tmp_path: Path, trust: Trust
) -> None:
    """Empty, garbage, damaged and partial files are UNREADABLE with a code, never ABSENT and never an exception."""
    (tmp_path / "x.mp4").write_bytes(content)
    found = read(tmp_path / "x.mp4", trust)
    assert (found.state, found.codes) == (state, (code,))


def test_what_is_no_file_says_so(tmp_path: Path, trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder, a missing path, a pipe nobody writes to, an impossible name and a denied one do not raise or hang."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, code in (
        ("", "file.notRegular"), ("pipe", "file.notRegular"), ("absent", "file.missing"),
        ("a\0b", "file.denied"), ("x" * 999, "file.denied"), ("loop", "file.denied"),
    ):  # fmt: skip
        found = read(tmp_path / name, trust)
        assert (found.state, found.codes) == (State.UNREADABLE, (code,)), name
    (tmp_path / "secret.mp4").write_bytes(b"x")

    def deny(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(provenance.reader, "sniff", deny)
    assert read(tmp_path / "secret.mp4", trust).codes == ("file.denied",)


def test_a_huge_sparse_file_is_read_without_its_size_in_memory(tmp_path: Path, trust: Trust) -> None:
    """An unsigned MP4 that claims 64 GiB is answered from its boxes."""
    path = tmp_path / "huge.mp4"
    with path.open("wb") as file:
        file.write((24).to_bytes(4, "big") + b"ftypisom" + b"\0\0\2\0isommp42")
        size = 64 * 2**30
        file.write((1).to_bytes(4, "big") + b"mdat" + size.to_bytes(8, "big"))
        file.truncate(24 + size)
    assert read(path, trust).state in (State.ABSENT, State.UNREADABLE)


def test_a_truncated_signed_file_never_reads_as_whole(signed: Path, tmp_path: Path, trust: Trust) -> None:
    """Cut anywhere, a signed file is not TRUSTED or VALID."""
    content = signed.read_bytes()
    for size in range(1, len(content), 97):
        (tmp_path / "cut.mp4").write_bytes(content[:size])
        assert read(tmp_path / "cut.mp4", trust).state not in (State.TRUSTED, State.VALID), size


@settings(max_examples=300, deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, 2**20), st.binary(max_size=12), st.integers(0, 40)), min_size=1, max_size=4)
)
def test_mutated_files_are_read_without_a_crash(
    edits: list[tuple[int, bytes, int]], signed: Path, trust: Trust, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever was cut, inserted or overwritten, read() answers; a decision it still quotes is the one we wrote."""
    whole = read(signed, trust)
    content = bytearray(signed.read_bytes())
    for place, patch, gone in edits:
        at = place % (len(content) + 1)
        content[at : at + gone] = patch
    path = tmp_path_factory.getbasetemp() / "mutant.mp4"
    path.write_bytes(content)
    found = read(path, trust)
    assert json.loads(json.dumps(found.to_json()))["state"] == found.state
    assert found.decision in (None, whole.decision)


def test_the_json_line_keeps_the_contract(signed: Path, samples: Path, tmp_path: Path, trust: Trust) -> None:
    """Every state's line has the promised fields with the promised types, and survives JSON."""
    for path in (signed, samples / "clip.mp4", samples / "clip.webm", tmp_path):
        line = read(path, trust).to_json()
        assert set(line) >= CONTRACT
        assert json.loads(json.dumps(line))["path"] == str(path)
        assert line["state"] in {state.value for state in State}
        assert line["signer"] is None or isinstance(line["signer"], dict)
        assert line["decision"] is None or isinstance(line["decision"], dict)
        assert isinstance(list(line["trailing_boxes"]), list)


# --- the tree walk on reports that no honest library would give ---


def _report(manifests: dict[str, Any], **validation: Any) -> dict[str, Any]:
    return {
        "active_manifest": "a",
        "manifests": manifests,
        "validation_state": "Trusted",
        "validation_results": {"activeManifest": {"success": [{"code": "signingCredential.trusted"}]}, **validation},
    }


def _cites(*labels: str, **fields: Any) -> dict[str, Any]:
    return {"ingredients": [{"active_manifest": label, "relationship": "parentOf", **fields} for label in labels]}


def test_trees_that_turn_in_circles_or_explode_are_cut(trust: Trust) -> None:
    """A cycle, and forty generations of two parents each (a tree of 2**40), are answered at once and say so."""
    circle = credentials_of("p", _report({"a": _cites("b"), "b": _cites("a")}), ())
    assert "ingredient.treeTruncated" in circle.codes
    layers = {f"m{depth}": _cites(f"m{depth + 1}", f"m{depth + 1}") for depth in range(40)}
    bomb = credentials_of("p", _report({"a": _cites("m0"), **layers}), ())
    assert "ingredient.treeTruncated" in bomb.codes
    assert len(json.dumps(bomb.to_json())) < 2_000_000


def test_a_broken_ancestor_is_found_where_the_printed_tree_was_cut() -> None:
    """States are looked at in every manifest, so that a huge tree hides nothing."""
    failed = {"validation_results": {"activeManifest": {"failure": [{"code": "assertion.dataHash.mismatch"}]}}}
    layers = {f"m{depth}": _cites(f"m{depth + 1}") for depth in range(200)}
    found = credentials_of("p", _report({"a": _cites("m0"), **layers, "m200": _cites("x", **failed)}), ())
    assert found.state is State.INVALID
    assert {"ingredient.invalid", "ingredient.treeTruncated"} <= set(found.codes)


def test_an_expired_ancestor_is_told_apart_from_a_tampered_one() -> None:
    """A parent whose certificate had expired is coded; the file that was signed over it stays what it is."""
    expired = {"failure": [{"code": "signingCredential.untrusted"}, {"code": "signingCredential.expired"}]}
    report = _report({"a": _cites("b", validation_results={"activeManifest": expired}), "b": {}})
    found = credentials_of("p", report, ())
    assert (found.state, found.codes) == (State.TRUSTED, ("ingredient.expired",))
    assert not found.tampered


def test_older_ingredients_are_judged_by_their_status_list() -> None:
    """Version 1 ingredients name failures without saying so; a mismatch among them is one."""
    good = {"validation_status": [{"code": "assertion.dataHash.match"}, {"code": "x", "success": True}]}
    bad = {"validation_status": [{"code": "claimSignature.mismatch"}]}
    assert credentials_of("p", _report({"a": _cites("b", **good), "b": {}}), ()).state is State.TRUSTED
    assert credentials_of("p", _report({"a": _cites("b", **bad), "b": {}}), ()).state is State.INVALID


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("ingredients", "assertions", "signature_info", "claim_generator_info", "title", "validation_status", "label")


@settings(max_examples=150, deadline=None)
@given(
    body=st.dictionaries(st.sampled_from(FIELDS), json_values),
    nested=st.dictionaries(
        st.sampled_from((*FIELDS, "active_manifest", "relationship", "data", "actions")), json_values
    ),
    validation=json_values,
    state=json_values,
)
def test_reports_of_any_shape_are_answered(
    body: dict[str, Any], nested: dict[str, Any], validation: Any, state: Any
) -> None:
    """Whatever shapes a stranger's manifest has, the walk does not raise, and nobody is trusted by accident."""
    manifests = {"a": {**body, "ingredients": [nested], "assertions": [nested]}, "b": body}
    report = {"active_manifest": "a", "manifests": manifests, "validation_results": validation}
    found = credentials_of("p", {**report, "validation_state": state}, ())
    assert found.state is State.INVALID
    assert found.claim_state is not State.TRUSTED
    json.dumps(found.to_json())


def test_credentials_say_tampered_only_of_invalid_files(signed: Path, trust: Trust) -> None:
    """An invalid file without any reason is taken for tampered; a trusted one never is."""
    found: Credentials = read(signed, trust)
    assert not found.tampered
    assert replace(found, state=State.INVALID, codes=()).tampered
    assert not replace(found, state=State.INVALID, codes=("signingCredential.expired",)).tampered
