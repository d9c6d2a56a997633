"""Names of known people, characters, brands and artists, from the versioned files in `policies/gazetteer/`.

A name counts by itself, or, where it is also a word (venus, apple, prince), only beside a cue of its group. Longer
innocent phrases (amazon rainforest) and contexts of the group (shot on ...) take a hit away. A deployment adds files of
its own: more names, and permits for names that it may use (its own brand, a person who agreed), each until a date.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from importlib import resources
from importlib.abc import Traversable
from pathlib import Path
from typing import Any

from safety.errors import PolicyError
from safety.prompt.listing import fold_phrase, read_yaml
from safety.prompt.phrases import Hit, Key

CATEGORIES = ("likeness/public-figure", "ip/character", "ip/logo", "ip/style")
NAMED = 0.95  # an unambiguous name
NAMED_BY_CONTEXT = 0.9  # an ambiguous name beside a cue
AMBIGUOUS = 0.3  # an ambiguous name alone
ALLOWED_CONTEXT = 0.1  # a name in a context that the group allows

_WINDOW = 4  # words on each side that a cue may stand in, unless the group says otherwise
_SQUASHED_MIN = 8  # letters; names this long are also found written without spaces
_FIELDS = {"id", "version", "category", "allowed", "free", "groups", "permits"}
_PERMIT_FIELDS = {"name", "why", "until"}
_GROUP_FIELDS = {"kind", "window", "cues", "allow_before", "allow_after", "entries", "ambiguous"}


@dataclass(frozen=True)
class Group:
    """Entries of one kind, and the contexts that make or unmake a hit. All phrases are in key form."""

    category: str
    kind: str
    cues: frozenset[str]
    window: int
    allow_before: tuple[str, ...]
    allow_after: tuple[str, ...]


@dataclass(frozen=True)
class Permit:
    """A name that may be used here: why, and until when (that day included)."""

    name: str
    why: str
    until: date


@dataclass(frozen=True)
class Entry:
    """A name with its aliases as people write them."""

    name: str
    aliases: tuple[str, ...]
    ambiguous: bool
    group: Group
    permits: tuple[Permit, ...] = ()

    def permitted(self, on: date) -> Permit | None:
        """The permit that holds on a day, if one does."""
        return next((permit for permit in self.permits if on <= permit.until), None)


@dataclass(frozen=True)
class Named:
    """A hit that stands: what was named, where, how much it counts."""

    entry: Entry
    hit: Hit
    value: float
    permit: Permit | None = None


@dataclass(frozen=True)
class Allowed:
    """What a phrase stands for that takes away the hits it covers, and silences learned judges of some categories."""

    silences: frozenset[str] = frozenset(CATEGORIES)


@dataclass(frozen=True)
class Gazetteer:
    """All entries of the files that were read, and phrases that count against nobody. `sha256` is over the files."""

    version: str
    sha256: str
    entries: tuple[Entry, ...]
    allowed: tuple[tuple[str, Allowed], ...]

    @classmethod
    def load(cls, folder: Traversable | None = None, own: Path | None = None) -> Gazetteer:
        """Reads every `*.yaml` of a folder, by default those shipped, and of a deployment's own folder if it exists.

        Raises PolicyError naming file and field.
        """
        folder = folder or resources.files("policies") / "gazetteer"
        files = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
        if not files:
            raise PolicyError(
                f"{folder}: no gazetteer files (*.yaml); reinstall Assay or point to a folder that has some"
            )
        if own is not None and own.is_dir():
            files += sorted((f for f in own.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
        entries: list[Entry] = []
        permits: list[Permit] = []
        allowed: list[tuple[str, Allowed]] = []
        versions: list[str] = []
        digest = hashlib.sha256()
        for file in files:
            raw = _bytes(file)
            digest.update(file.name.encode() + b"\0" + hashlib.sha256(raw).digest())
            document = _document(file.name, raw)
            versions.append(f"{document['id']}@{document['version']}")
            allowed += [(phrase, Allowed()) for phrase in _folded(document.get("allowed"), f"{file.name}: allowed")]
            free = Allowed(frozenset({document.get("category", CATEGORIES[0]), CATEGORIES[0]}))
            allowed += [(phrase, free) for phrase in _folded(document.get("free"), f"{file.name}: free")]
            entries += _entries(file.name, document)
            permits += _permits(file.name, document)
        return cls(",".join(versions), digest.hexdigest(), tuple(_permitted(entries, permits)), tuple(allowed))

    def phrases(self) -> Iterator[tuple[str, Entry | Allowed]]:
        """Every phrase in key form with what it stands for."""
        for entry in self.entries:
            seen: set[str] = set()
            for alias in entry.aliases:
                phrase = fold_phrase(alias)
                squashed = phrase.replace(" ", "")
                seen.add(phrase)
                if " " in phrase and len(squashed) >= _SQUASHED_MIN and squashed.isascii():
                    seen.add(squashed)
                if phrase.endswith(" s") and phrase.isascii():  # McDonald's, mcdonalds
                    seen.add(phrase[:-2] + "s")
            yield from ((phrase, entry) for phrase in sorted(seen))
        yield from self.allowed


def names_in(key: Key, hits: Sequence[Hit]) -> list[Named]:
    """The names that stand among the hits of a text, longest first, after contexts were weighed."""
    mine = [hit for hit in hits if isinstance(hit.meaning, (Entry, Allowed))]
    named = []
    today = datetime.now(UTC).date()
    for hit in mine:
        if isinstance(hit.meaning, Entry) and not any(_covers(other, hit) for other in mine):
            value, permit = _value(key.text, hit, hit.meaning), hit.meaning.permitted(today)
            named.append(Named(hit.meaning, hit, min(value, ALLOWED_CONTEXT) if permit else value, permit))
    return sorted(named, key=lambda n: (-n.value, n.hit.start - n.hit.end, n.hit.start))


def _covers(other: Hit, hit: Hit) -> bool:
    same_kind = isinstance(other.meaning, Allowed) or other.meaning.group.category == hit.meaning.group.category
    if isinstance(other.meaning, Allowed) and (other.start, other.end) == (hit.start, hit.end):
        return True
    return same_kind and hit.within(other)


def _value(text: str, hit: Hit, entry: Entry) -> float:
    before = text[max(0, hit.start - 80) : hit.start].rstrip(" ")
    after = text[hit.end : hit.end + 80].lstrip(" ")
    group = entry.group
    if any(before == phrase or before.endswith((" " + phrase, ";" + phrase)) for phrase in group.allow_before):
        return ALLOWED_CONTEXT
    if any(after == phrase or after.startswith((phrase + " ", phrase + ";")) for phrase in group.allow_after):
        return ALLOWED_CONTEXT
    if not entry.ambiguous:
        return NAMED
    left, right = before.replace(";", " ").split(), after.replace(";", " ").split()
    around = [*left[-group.window :], "|", *right[: group.window]]
    context = f" {' '.join(around)} "
    return NAMED_BY_CONTEXT if any(f" {cue} " in context for cue in group.cues) else AMBIGUOUS


def _bytes(file: Traversable) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise PolicyError(f"{file}: the gazetteer cannot be read ({error.strerror})") from error


def _document(name: str, raw: bytes) -> Mapping[str, Any]:
    document = read_yaml(name, raw)
    lists = "category" in document and "groups" in document
    if not {"id", "version"} <= set(document) or not (lists or "permits" in document):
        raise PolicyError(f"{name}: a gazetteer needs id, version, and category with groups, or permits")
    if unknown := set(document) - _FIELDS:
        raise PolicyError(f"{name}: unknown fields: {', '.join(sorted(unknown))}")
    if document.get("category", CATEGORIES[0]) not in CATEGORIES:
        raise PolicyError(f"{name}: category {document['category']!r} is none of {', '.join(CATEGORIES)}")
    return document


def _permits(name: str, document: Mapping[str, Any]) -> Iterator[Permit]:
    for index, raw in enumerate(document.get("permits") or ()):
        place = f"{name}: permits.{index}"
        if not isinstance(raw, dict) or set(raw) != _PERMIT_FIELDS:
            raise PolicyError(f"{place}: a permit has exactly the fields {', '.join(sorted(_PERMIT_FIELDS))}")
        named, why, until = raw["name"], raw["why"], raw["until"]
        if not isinstance(until, date) or isinstance(until, datetime):
            raise PolicyError(f"{place}: until {until!r} is no date such as 2027-12-31")
        if not isinstance(named, str) or not fold_phrase(named) or not isinstance(why, str) or not why.strip():
            raise PolicyError(f"{place}: name and why must be words")
        yield Permit(named, why, until)


def _permitted(entries: Iterable[Entry], permits: Sequence[Permit]) -> Iterator[Entry]:
    """The entries, with the permits that name one of their aliases."""
    by_name: dict[str, list[Permit]] = {}
    for permit in permits:
        by_name.setdefault(fold_phrase(permit.name), []).append(permit)
    for entry in entries:
        mine = [permit for alias in entry.aliases for permit in by_name.get(fold_phrase(alias), ())] if by_name else []
        yield replace(entry, permits=tuple(mine)) if mine else entry


def _entries(name: str, document: Mapping[str, Any]) -> Iterator[Entry]:
    for index, raw in enumerate(document.get("groups") or ()):
        place = f"{name}: groups.{index}"
        if not isinstance(raw, dict) or "kind" not in raw or not set(raw) <= _GROUP_FIELDS:
            raise PolicyError(f"{place}: a group has the fields {', '.join(sorted(_GROUP_FIELDS))}, kind at least")
        group = Group(
            document["category"],
            raw["kind"],
            frozenset(_folded(raw.get("cues"), place)),
            int(raw.get("window", _WINDOW)),
            tuple(_folded(raw.get("allow_before"), place)),
            tuple(_folded(raw.get("allow_after"), place)),
        )
        for field in ("entries", "ambiguous"):
            for line in _strings(raw.get(field), f"{place}.{field}"):
                aliases = tuple(alias.strip() for alias in line.split(";") if alias.strip())
                if not aliases or not all(fold_phrase(alias) for alias in aliases):
                    raise PolicyError(f"{place}.{field}: {line!r} has a name without letters")
                yield Entry(aliases[0], aliases, field == "ambiguous", group)


def _folded(some: object, place: str) -> Iterable[str]:
    return (fold_phrase(phrase) for phrase in _strings(some, place))


def _strings(some: object, place: str) -> list[str]:
    if some is None:
        return []
    if not isinstance(some, list) or not all(isinstance(item, (str, int, float)) for item in some):
        raise PolicyError(f"{place}: must be a list of names")
    return [str(item) for item in some]
