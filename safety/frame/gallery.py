"""A gallery of faces in one file: pseudonyms and vectors, never pictures or names.

The file is safetensors: one float32 tensor (n, dim) a person, rows of length 1, under the person's pseudonym, and this
in its metadata, as JSON under the key `gallery`:

    {"format": 1, "kind": "block", "model": "sface", "model_sha256": "...", "threshold": 0.5,
     "people": {"p-001": {"expires": "2027-06-30", "added": "2026-11-22", "note": "contract 17"}}}

Whoever may look a pseudonym up keeps that list elsewhere. A consent ends with its day; so does a block, if it has one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from media import UsageError
from safety.errors import CorruptRecord, ModelUnavailable

SUFFIX = ".gallery"
THRESHOLD = 0.5  # cosine; each embedder has its own, so a gallery carries one
_PSEUDONYM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_MOST = 64  # vectors a person
_LARGEST = 256 << 20  # bytes

Vectors = NDArray[np.float32]  # (n, dim), rows of length 1


@dataclass(frozen=True)
class Person:
    """Somebody by a pseudonym: vectors float32 (n, dim), until when, and a note for those who keep the gallery."""

    vectors: Vectors
    added: date
    expires: date | None = None
    note: str = ""


@dataclass(frozen=True)
class Gallery:
    """People of one kind, by one embedder."""

    kind: Literal["block", "consent"]
    model: str
    model_sha256: str
    people: MappingProxyType[str, Person]
    threshold: float = THRESHOLD

    def __post_init__(self) -> None:
        if self.kind not in ("block", "consent") or not 0.0 < self.threshold < 1.0:
            raise UsageError(f"a gallery is block or consent with a threshold in (0, 1), not {self.kind!r:.40}")
        widths = {person.vectors.shape[1:] for person in self.people.values()}
        if len(widths) > 1:
            raise UsageError(f"vectors of {sorted(widths)} in one gallery: they come from different models")

    @property
    def sha256(self) -> str:
        """Of everything that changes what matches."""
        digest = hashlib.sha256(f"{self.kind} {self.model_sha256} {self.threshold!r}".encode())
        for name in sorted(self.people):
            digest.update(f" {name} ".encode() + self.people[name].vectors.tobytes())
        return digest.hexdigest()

    def active(self, today: date) -> tuple[str, ...]:
        """The pseudonyms that count on that day; the last day still counts."""
        return tuple(n for n, p in sorted(self.people.items()) if p.expires is None or p.expires >= today)

    def require(self, model_sha256: str) -> None:
        """ModelUnavailable where the gallery was made by another embedder."""
        if self.model_sha256 != model_sha256:
            raise ModelUnavailable(
                f"the {self.kind} gallery was made by {self.model} ({self.model_sha256[:12]}), not by the configured "
                f"embedder ({model_sha256[:12]}); add its people again"
            )

    def with_person(self, name: str, vectors: Vectors, expires: date | None = None, note: str = "") -> Gallery:
        """The gallery with one more person, or with more vectors of one it has."""
        if not _PSEUDONYM.match(name):
            raise UsageError(f"{name!r:.80}: a pseudonym has up to 64 of A-Z, a-z, 0-9, '_', '.', '-'")
        if self.kind == "consent" and expires is None:
            raise UsageError("a consent has a last day: give --expires")
        known = self.people.get(name)
        every = vectors if known is None else np.concatenate([known.vectors, vectors])
        if len(every) > _MOST:
            raise UsageError(f"{name}: more than {_MOST} faces; remove some first")
        person = Person(
            every.astype(np.float32), datetime.now(UTC).date(), expires, note or (known.note if known else "")
        )
        return replace(self, people=MappingProxyType({**self.people, name: person}))

    def without(self, name: str) -> Gallery:
        """The gallery without that person; UsageError where there is none."""
        if name not in self.people:
            raise UsageError(f"{name!r:.80} is not in the gallery")
        return replace(self, people=MappingProxyType({n: p for n, p in self.people.items() if n != name}))

    def save(self, path: Path) -> None:
        """Writes the file, whole or not at all, for its owner only."""
        from safetensors.numpy import save

        about = {
            name: {"expires": p.expires and p.expires.isoformat(), "added": p.added.isoformat(), "note": p.note}
            for name, p in self.people.items()
        }
        header = {"format": 1, "kind": self.kind, "model": self.model, "model_sha256": self.model_sha256,
                  "threshold": self.threshold, "people": about}  # fmt: skip
        tensors = {name: np.ascontiguousarray(person.vectors) for name, person in self.people.items()}
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(save(tensors, {"gallery": json.dumps(header, sort_keys=True)}))
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> Gallery:
        """The gallery of a file; CorruptRecord where it is none, or damaged: a person it lost would not be found."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            if path.stat().st_size > _LARGEST:
                raise ValueError(f"larger than {_LARGEST} bytes")
            stored = path.read_bytes()
            (length,) = struct.unpack_from("<Q", stored)
            header = json.loads(json.loads(stored[8 : 8 + length])["__metadata__"]["gallery"])
            tensors = load(stored)
            if header["format"] != 1 or set(tensors) != set(header["people"]):
                raise ValueError("it holds other people than it says")
            people = {name: _person(tensors[name], about) for name, about in header["people"].items()}
            return cls(
                header["kind"], header["model"], header["model_sha256"], MappingProxyType(people), header["threshold"]
            )
        except OSError as error:
            raise ModelUnavailable(f"{path}: cannot be read ({error.strerror})") from error
        except (SafetensorError, ValueError, KeyError, TypeError, struct.error, RecursionError, UsageError) as error:
            raise CorruptRecord(f"{path}: is no gallery, or a damaged one ({error}); restore it from a copy") from error


def _person(vectors: NDArray[Any], about: dict[str, Any]) -> Person:
    if vectors.dtype != np.float32 or vectors.ndim != 2 or not 1 <= len(vectors) <= _MOST:
        raise ValueError(f"vectors are float32 (n, dim), not {vectors.dtype} {vectors.shape}")
    if not np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3):  # NaN is not close to anything
        raise ValueError("vectors have length 1")
    expires = about["expires"]
    return Person(
        vectors,
        date.fromisoformat(about["added"]),
        date.fromisoformat(expires) if expires else None,
        str(about["note"]),
    )
