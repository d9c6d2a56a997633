"""`assay likeness`: galleries of faces. Pseudonyms and numbers are kept, never names or pictures."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import click

from assay.cli.common import json_line, json_option, out, settings
from assay.errors import ExitCode
from media import UsageError

if TYPE_CHECKING:
    from safety.frame import Gallery

_path = click.Path(path_type=Path)
_kind = click.option("--kind", type=click.Choice(["block", "consent"]), default="block", show_default=True)


@click.group()
def command() -> None:
    """Keep galleries of faces; needs the models that the settings likeness.detector and .embedder name."""


@command.command()
@click.argument("person")
@click.argument("pictures", nargs=-1, required=True, type=_path, metavar="PICTURE ...")
@_kind
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="The last day; a consent needs one.")
@click.option("--note", default="", help="For those who keep the gallery, e.g. the number of a contract.")
@click.option("--threshold", type=click.FloatRange(0, 1, min_open=True, max_open=True), help="Cosine, of the gallery.")
def add(
    person: str, pictures: tuple[Path, ...], kind: str, expires: datetime | None, note: str, threshold: float | None
) -> int:
    """Add a person by a PERSON pseudonym: one face in each picture."""
    import numpy as np

    from assay.assemble import face_embedder
    from media import read_image
    from safety.frame import Gallery
    from safety.frame.gallery import THRESHOLD

    embedder = face_embedder(settings())
    vectors = []
    for path in pictures:
        faces = embedder.faces(read_image(path).pixels)
        if len(faces) != 1:
            raise UsageError(f"{path}: {len(faces)} faces were found; give pictures with exactly one")
        vectors.append(faces[0][0])
    path = _gallery_path(kind)
    gallery = Gallery.load(path) if path.exists() else None
    if gallery is None:
        own: Literal["block", "consent"] = "consent" if kind == "consent" else "block"
        gallery = Gallery(own, embedder.name, embedder.sha256, MappingProxyType({}), threshold or THRESHOLD)
    elif threshold is not None and threshold != gallery.threshold:
        raise UsageError(
            f"the {kind} gallery has the threshold {gallery.threshold:g}; it is chosen with the first face"
        )
    gallery.require(embedder.sha256)
    day = expires.date() if expires is not None else None
    gallery.with_person(person, np.stack(vectors), day, note).save(path)
    out.print(f"{kind}: {person} has {len(vectors)} more faces", markup=False)
    return ExitCode.OK


@command.command("list")
@json_option
def list_command(as_json: bool) -> int:
    """Show who is in the galleries, by pseudonym."""
    for kind in ("block", "consent"):
        gallery = _load(kind)
        for name, person in sorted(gallery.people.items()) if gallery is not None else ():
            until = person.expires.isoformat() if person.expires else None
            is_over = person.expires is not None and person.expires < date.today()
            row = {"kind": kind, "person": name, "faces": len(person.vectors), "expires": until, "note": person.note}
            if as_json:
                json_line(row | {"expired": is_over})
            else:
                words = f"until {until}" if until else "without end"
                out.print(f"{kind:8} {name}  {row['faces']} faces, {words}{', EXPIRED' * is_over}", markup=False)
    return ExitCode.OK


@command.command()
@click.argument("person")
@_kind
def remove(person: str, kind: str) -> int:
    """Remove a person, all faces."""
    gallery = _load(kind)
    if gallery is None:
        raise UsageError(f"there is no {kind} gallery")
    gallery.without(person).save(_gallery_path(kind))
    out.print(f"{kind}: {person} removed", markup=False)
    return ExitCode.OK


@command.command("test")
@click.argument("picture", type=_path)
@json_option
def test_command(picture: Path, as_json: bool) -> int:
    """Say whom a picture shows, of those in the block gallery."""
    from assay.assemble import likeness
    from media import read_image

    classifier = likeness(settings())
    value, where = classifier.score([read_image(picture)])[0]["likeness/public-figure"]
    row = {"path": str(picture), "value": value, "text": where and where.text, "box": where and where.box}
    if as_json:
        json_line(row)
    else:
        out.print(f"{picture}: {value:.2f}  {row['text'] or 'nobody in the galleries'}", markup=False)
    return ExitCode.OK


def _gallery_path(kind: str) -> Path:
    return settings().home / "galleries" / f"{kind}.gallery"


def _load(kind: str) -> Gallery | None:
    from safety.frame import Gallery

    path = _gallery_path(kind)
    return Gallery.load(path) if path.exists() else None
