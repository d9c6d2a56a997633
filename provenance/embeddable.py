"""Signing in one read and one write, by two calls that the library exports and c2pa-python does not wrap.

`c2pa_builder_placeholder` tells how large the manifest will be, `c2pa_builder_sign_embeddable` makes it. Between the
two the source is copied once, and its own hash and the manifest's hash are taken of the same chunk in memory. The
library's own `Builder.sign` reads 500 MB four times over and holds them.

Both calls are a private ABI: they are used with exactly the version that the tests ran with. The file is read back
through the public API, so a mistake here ends as VerificationFailed and never as a published file.
"""

from __future__ import annotations

import ctypes
import hashlib
import io
import json
import struct
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import Any

import c2pa
from c2pa import c2pa as binding

from provenance.blocks import CHUNK, Blocks, Digests, chunks
from provenance.keys import SigningIdentity
from provenance.layout import MDAT_HEAD, Layout
from provenance.library import IngredientStream, Statement, Streams, add_thumbnail, open_signer, words_of
from provenance.trust import Trust

TESTED_VERSIONS = ("0.38.1", "0.91.3")  # c2pa-python, c2pa-rs
_HASH_LABEL = "c2pa.hash.bmff.v3"
_DIGEST = 32


class DoesNotFit(Exception):
    """The manifest is not as large as its placeholder, or the index cannot hold what moved. Nothing is lost by it."""


@dataclass(frozen=True)
class Copied:
    """What was learnt while the source was copied."""

    digests: Digests
    file_hash: bytes
    leaves: tuple[bytes, ...]


@cache
def available() -> bool:
    """True where the library is the one that these calls were tested with."""
    names = ("c2pa_builder_placeholder", "c2pa_builder_sign_embeddable")
    found = (c2pa.__version__, c2pa.sdk_version())
    return found == TESTED_VERSIONS and all(hasattr(binding._lib, name) for name in names)


@dataclass(frozen=True)
class Order:
    """What is to be signed, by whom, and the layout that the signed file will have."""

    statement: Statement
    identity: SigningIdentity
    layout: Layout
    hash_source: bool = True


def sign_copy(order: Order, streams: Streams) -> Digests:
    """Writes the signed copy of the source into the target, and returns the digests of what was read.

    The sha256 is "" where it was not asked for. Raises LibraryError as `library.sign_stream` does, and DoesNotFit where
    the plain path must be taken; the target then holds bytes that are to be thrown away.
    """
    with open_signer(order.identity, streams) as signer, ExitStack() as stack:
        context = stack.enter_context(
            c2pa.Context.from_dict(Trust.of(order.identity).settings(), signer=stack.enter_context(signer))
        )
        blank = Copied(Digests(""), bytes(_DIGEST), (bytes(_DIGEST),) * order.layout.leaves)
        first = stack.enter_context(c2pa.Builder(_bound(order, blank), context=context))
        add_thumbnail(first, order.statement)
        archives = [_archived(first, each) for each in order.statement.ingredients]
        slot = _bytes_of(first, "c2pa_builder_placeholder", streams.mime)
        copied, start = _copy(order, streams, slot)
        second = stack.enter_context(c2pa.Builder(_bound(order, copied), context=context))
        add_thumbnail(second, order.statement)
        for archive in archives:
            second.add_ingredient_from_archive(io.BytesIO(archive))
        manifest = _bytes_of(second, "c2pa_builder_sign_embeddable", streams.mime)
        if len(manifest) != len(slot):
            raise DoesNotFit(f"a manifest of {len(manifest)} bytes for a place of {len(slot)}")
        streams.target.seek(start)
        streams.target.write(manifest)
        streams.target.flush()
    return copied.digests


def _archived(builder: Any, ingredient: IngredientStream) -> bytes:
    """Adds an ingredient, whose file is read and judged only here, and returns it ready for the second builder."""
    with ingredient.path.open("rb") as file:
        builder.add_ingredient(words_of(ingredient), ingredient.mime, file)
    archive = io.BytesIO()
    builder.write_ingredient_archive(ingredient.id, archive)
    return archive.getvalue()


def _bytes_of(builder: Any, name: str, mime: str) -> bytes:
    """The bytes that one of the two calls returns; raises C2paError with the library's words."""
    call: Callable[..., int] = getattr(binding._lib, name)
    call.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p)]  # type: ignore[attr-defined]
    call.restype = ctypes.c_int64  # type: ignore[attr-defined]
    found = ctypes.c_void_p()
    size = call(builder._handle, mime.encode(), ctypes.byref(found))
    if size < 0:
        raise c2pa.C2paError(binding._read_native_error() or f"{name} failed without a word")
    try:
        return ctypes.string_at(found, size)
    finally:
        binding._lib.c2pa_free(found)


def _bound(order: Order, copied: Copied) -> str:
    """The definition with the hard binding in it, as the library would have written it."""
    exclusions: list[dict[str, Any]] = [
        {"xpath": "/uuid", "data": [{"offset": 8, "value": list(bytes.fromhex("d8fec3d61b0e483c92975828877ec481"))}]},
        {"xpath": "/ftyp"},
        {"xpath": "/mfra"},
    ]
    body = {"exclusions": exclusions, "alg": "sha256", "hash": list(copied.file_hash), "name": "jumbf manifest"}
    if copied.leaves:
        exclusions.append({"xpath": "/mdat", "subset": [{"offset": MDAT_HEAD, "length": 0}]})
        body["merkle"] = [
            {
                "uniqueId": 0,
                "localId": 0,
                "count": len(copied.leaves),
                "alg": "sha256",
                "hashes": [list(leaf) for leaf in copied.leaves],
                "fixedBlockSize": order.layout.leaf_size,
            }
        ]
    definition = json.loads(order.statement.definition)
    definition["assertions"].append({"label": _HASH_LABEL, "created": True, "data": body})
    return json.dumps(definition)


def _copy(order: Order, streams: Streams, slot: bytes) -> tuple[Copied, int]:
    """Copies every box, the slot behind the first; returns the hashes and where the slot begins."""
    layout = order.layout
    try:
        moov = layout.shifted_moov(len(slot))
    except OverflowError as error:
        raise DoesNotFit(str(error)) from error
    buffer = memoryview(bytearray(CHUNK))
    source, whole, blocks = hashlib.sha256(), hashlib.sha256(), Blocks(layout)
    start = 0
    for box in layout.boxes:
        place = box.offset + (len(slot) if start else 0)
        if box.type != "ftyp":
            whole.update(struct.pack(">Q", place))  # since version 2 of the hash, where a box stands is covered
        if box.type == "moov":  # what was read when the copy was planned: what is hashed is what is written
            if order.hash_source:
                source.update(layout.moov)
            blocks.update(box.type, 0, layout.moov)
            streams.target.write(moov)
            whole.update(moov)
            continue
        at = 0
        for chunk in chunks(streams.source, box.offset, box.size, buffer):
            if order.hash_source:
                source.update(chunk)
            streams.target.write(chunk)
            outside = blocks.update(box.type, at, chunk)
            if box.type != "ftyp":
                whole.update(chunk[:outside])
            at += len(chunk)
        if box.type == "ftyp":
            start = box.offset + box.size
            streams.target.write(slot)
    leaves = blocks.leaves()
    digests = Digests(source.hexdigest() if order.hash_source else "", blocks.hexdigest() if leaves else None)
    return Copied(digests, whole.digest(), leaves), start
