"""What a user asks for: plain values that cross process lines and stand in the ledger as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Request:
    """One request to generate a video.

    video        an existing one: with `extend`, its frames stand and new ones are made before, after or between them;
                 without, they only pull, as far as `strength` says
    storyboard   (start in seconds, prompt) of what follows `prompt`
    expand       write the prompts out before they are made; `written_out` is what came of that, in the same order
    preview      let previews stop the job
    longer_s     with `extend` and without `seconds`: what is added to the video's own length
    """

    prompt: str
    destination: Path
    negative_prompt: str | None = None
    image: Path | None = None
    size: tuple[int, int] | None = None  # width, height; None: the generator's own
    seconds: float | None = None
    seed: int = 0
    video: Path | None = None
    extend: Literal["forward", "backward", "fill"] | None = None
    strength: float = 0.6
    storyboard: tuple[tuple[float, str], ...] = ()
    expand: bool = False
    written_out: tuple[str, ...] = ()
    preview: bool = False
    longer_s: float | None = None

    @property
    def prompts(self) -> tuple[str, ...]:
        """What the user wrote, in the order of the video."""
        return (self.prompt, *(text for _, text in self.storyboard))

    @property
    def prompts_to_make(self) -> tuple[str, ...]:
        """What the generator is given."""
        return self.written_out or self.prompts

    @property
    def brings_media(self) -> bool:
        """True where a picture or a video comes along: then more may be drawn than a vocabulary names."""
        return self.image is not None or self.video is not None

    def to_json(self) -> dict[str, Any]:
        """For the ledger."""
        paths = {name: str(path) if (path := getattr(self, name)) else None for name in ("image", "video")}
        return asdict(self) | {"destination": str(self.destination), **paths}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Request:
        """The request as it was made."""
        paths = {name: Path(stored[name]) if stored.get(name) else None for name in ("image", "video")}
        lists = {
            "size": tuple(stored["size"]) if stored["size"] else None,
            "storyboard": tuple((at, text) for at, text in stored.get("storyboard", ())),
            "written_out": tuple(stored.get("written_out", ())),
        }
        return cls(**{**stored, "destination": Path(stored["destination"]), **paths, **lists})


@dataclass(frozen=True)
class ScanRequest:
    """One existing file to look at; `signed_copy` is where a copy goes that passed.

    `quarantine` seals a copy of the file where the worst material was found in it; the file itself is never touched.
    """

    path: Path
    require_complete: bool = False
    signed_copy: Path | None = None
    quarantine: bool = False
