"""What a user asks for: plain values that cross process lines and stand in the ledger as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Request:
    """One request to generate a video."""

    prompt: str
    destination: Path
    negative_prompt: str | None = None
    image: Path | None = None
    size: tuple[int, int] | None = None  # width, height; None: the generator's own
    seconds: float | None = None
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """For the ledger."""
        image = str(self.image) if self.image else None
        return asdict(self) | {"destination": str(self.destination), "image": image}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Request:
        """The request as it was made."""
        image = Path(stored["image"]) if stored["image"] else None
        size = tuple(stored["size"]) if stored["size"] else None
        return cls(**{**stored, "destination": Path(stored["destination"]), "image": image, "size": size})


@dataclass(frozen=True)
class ScanRequest:
    """One existing file to look at; `signed_copy` is where a copy goes that passed.

    `quarantine` seals a copy of the file where the worst material was found in it; the file itself is never touched.
    """

    path: Path
    require_complete: bool = False
    signed_copy: Path | None = None
    quarantine: bool = False
