"""The one door to c2pa-python. Everything it can answer or raise is turned into plain values here.

Facts about 0.38 that this module absorbs: an error in a stream of ours comes back as "UntrackedPointer"; a missing
manifest, a remote one and a damaged file are told apart only by class and text; objects do not survive a fork.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, BinaryIO

import c2pa

from provenance.keys import SigningIdentity
from provenance.statuses import trusting_only_claim_signers
from provenance.stores import false_length, false_length_in_store
from provenance.trust import Trust


class Answer(Enum):
    """How a read ended."""

    STORE = auto()
    ABSENT = auto()
    REMOTE = auto()
    UNREADABLE = auto()
    MALFORMED = auto()  # by our own look at it: the library was not called


@dataclass(frozen=True)
class Store:
    """A manifest store as the library reports it, or why there is none."""

    answer: Answer
    report: Mapping[str, Any]
    note: str | None = None


class LibraryError(Exception):
    """The library refused to sign; the errors are what our streams or the signer raised, which it would have hidden."""

    def __init__(
        self,
        words: str,
        target_error: OSError | None,
        source_error: OSError | None,
        signer_error: Exception | None = None,
    ) -> None:
        super().__init__(words)
        self.target_error = target_error
        self.source_error = source_error
        self.signer_error = signer_error


@dataclass(frozen=True)
class IngredientStream:
    """An ingredient ready to be added; a format that the library cannot open is still named."""

    id: str
    relationship: str
    mime: str
    path: Path


@dataclass(frozen=True)
class Statement:
    """What is to be signed: the definition as JSON, and the files and the picture that it names."""

    definition: str
    ingredients: tuple[IngredientStream, ...] = ()
    thumbnail: tuple[str, bytes] | None = None  # MIME type and content


THUMBNAIL = "thumbnail"  # the identifier by which a definition names it


class Tap:
    """A file that keeps the first OSError it raised, and otherwise is that file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error
            raise

    def read(self, size: int = -1) -> bytes:
        """Reads up to `size` bytes."""
        with self._kept():
            return self._file.read(size)

    def readinto(self, buffer: memoryview) -> int:
        """Reads into the caller's memory, which spares the library a copy; returns how many bytes."""
        with self._kept():
            return int(self._file.readinto(buffer) or 0)  # type: ignore[attr-defined]

    def write(self, chunk: bytes | memoryview) -> int:
        """Writes the chunk, and returns its length."""
        with self._kept():
            return self._file.write(chunk)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Moves, which may flush a buffer and so fail."""
        with self._kept():
            return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where the file stands."""
        return self._file.tell()

    def flush(self) -> None:
        """Hands the buffer to the kernel."""
        with self._kept():
            self._file.flush()


@dataclass(frozen=True)
class Streams:
    """The two ends of a signature, and the format of both."""

    source: Tap
    target: Tap
    mime: str


def read_store(
    file: BinaryIO, mime: str, trust: Trust, sidecar: bytes | None = None, fragment: BinaryIO | None = None
) -> Store:
    """The manifest store of an open file, embedded or in a sidecar. Never raises for what the file holds.

    With a fragment, the file is the initialisation segment of it, and both are judged together. Lengths in the manifest
    that reach beyond it are noticed before the library would take the memory that they ask for. Raises OSError.
    """
    fault = false_length(file) or (sidecar and false_length_in_store(sidecar)) or (fragment and false_length(fragment))
    if fault:
        return Store(Answer.MALFORMED, {}, str(fault))
    try:
        with c2pa.Context.from_dict(trust.settings()) as context:
            reader = c2pa.Reader.try_create(mime, file, sidecar, context=context)
            if reader is None:
                return Store(Answer.ABSENT, {})
            with reader:
                if fragment is not None:
                    file.seek(0)
                    reader.with_fragment(mime, file, fragment)
                report = json.loads(reader.json())
    except c2pa.C2paError as error:
        return _unread(str(error))
    except (ValueError, RecursionError) as error:  # a report that is no JSON, or nested beyond reason
        return Store(Answer.UNREADABLE, {}, f"{type(error).__name__}: {error}"[:300])
    if not isinstance(report, dict) or report.get("active_manifest") not in report.get("manifests", {}):
        return Store(Answer.UNREADABLE, {}, "the store names no active manifest")
    return Store(Answer.STORE, trusting_only_claim_signers(report) if trust.tsa else report)


def _unread(words: str) -> Store:
    if words.startswith("Remote: must fetch"):
        return Store(Answer.REMOTE, {}, words[:300])
    return Store(Answer.UNREADABLE, {}, words[:300])


@contextlib.contextmanager
def open_signer(identity: SigningIdentity, streams: Streams) -> Iterator[Any]:
    """The library's signer of an identity; what goes wrong inside becomes a LibraryError with what really happened."""
    algorithm = c2pa.C2paSigningAlg[identity.alg.upper()]
    kept: list[Exception] = []

    def sign(message: bytes) -> bytes:
        try:
            return identity.cose_signature(message)
        except Exception as error:  # whatever a key service raises; the library would have swallowed it
            kept.append(error)
            raise

    try:
        if identity.key_pem is None:
            chain = identity.chain_pem.decode("ascii", "replace")
            yield c2pa.Signer.from_callback(sign, algorithm, chain, identity.tsa_url)
        else:
            parts = c2pa.C2paSignerInfo(identity.alg, identity.chain_pem, identity.key_pem, identity.tsa_url)
            yield c2pa.Signer.from_info(parts)
    except (c2pa.C2paError, OSError) as error:
        cause = kept[0] if kept else None
        raise LibraryError(str(error), streams.target.error, streams.source.error, cause) from (cause or error)


def sign_stream(statement: Statement, identity: SigningIdentity, streams: Streams) -> None:
    """Writes the signed copy of the source into the target; raises LibraryError with what really went wrong."""
    with (
        open_signer(identity, streams) as made,
        made as signer,
        c2pa.Context.from_dict(Trust.of(identity).settings()) as context,
        c2pa.Builder(statement.definition, context=context) as builder,
    ):
        add_thumbnail(builder, statement)
        for ingredient in statement.ingredients:
            with ingredient.path.open("rb") as file:
                builder.add_ingredient(words_of(ingredient), ingredient.mime, file)
        builder.sign(signer, streams.mime, streams.source, streams.target)
        streams.target.flush()


def add_thumbnail(builder: Any, statement: Statement) -> None:
    """Hands a builder the picture that its definition names, if there is one."""
    if statement.thumbnail is not None:
        builder.add_resource(THUMBNAIL, io.BytesIO(statement.thumbnail[1]))


def words_of(ingredient: IngredientStream) -> str:
    """What the library is told of an ingredient beside its bytes."""
    # The title is a neutral word: a user's own file name may hold a name, and manifests are public.
    return json.dumps({"title": ingredient.id, "relationship": ingredient.relationship, "label": ingredient.id})
