"""The gate as tools of a chat assistant, by the Model Context Protocol: generate, check a prompt, scan, verify, detect.

An assistant does what strangers write into its conversation. So it may read only files below one folder and write only
new files into another, and nothing here lets it change a policy, approve what is held, or skip a stage. Every answer is
the row that the command of that name prints with --json.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio.to_thread
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from assay.ledger import new_id
from assay.outcome import Outcome
from assay.request import Request, ScanRequest
from assay.rows import generate_row, scan_row
from assay.settings import Settings
from assay.worker import Worker
from media import AssayError, UsageError

INSTRUCTIONS = """\
Assay judges prompts and videos for safety and reads and writes their provenance.
A refusal is an answer, not an error: tell the user the reasons, do not rephrase the prompt to get past them.
`review` means that a person must look first. A category under not_evaluated was not looked at: never call it safe.
`detect` never says that a video is real: no-evidence means that nothing was found."""

Answer = TypeVar("Answer")


@dataclass
class Gate:
    """What the tools do: one worker process, one call at a time, files below `readable`, new videos in `made`."""

    settings: Settings
    readable: Path
    made: Path
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.worker = Worker(self.settings)

    def generate(self, prompt: str, **wishes: Any) -> dict[str, Any]:
        """The row of `assay generate`; the video is a new file among `made`."""
        self.made.mkdir(mode=0o700, parents=True, exist_ok=True)
        request = Request(prompt=prompt, destination=self.made.absolute() / f"{new_id('video')}.mp4", **wishes)
        outcome: Outcome = self._call("generate", (request, None))
        return generate_row(outcome)

    def check_prompt(self, text: str) -> dict[str, Any]:
        """The row of `assay prompt`."""
        (row,) = self._call("prompt", [("prompt", text)])
        return dict(row)

    def scan(self, path: str) -> dict[str, Any]:
        """The row of `assay scan`."""
        found = self._readable(path)
        outcome: Outcome = self._call("scan", ScanRequest(found, require_complete=True, quarantine=False))
        return scan_row(path, outcome)

    def verify(self, path: str) -> dict[str, Any]:
        """The row of `assay verify`."""
        found = self._readable(path)
        return {**self._call("credentials", found), "path": path}

    def detect(self, path: str) -> dict[str, Any]:
        """The row of `assay detect`."""
        return {**self._call("origins", self._readable(path)), "path": path}

    def close(self) -> None:
        """Ends the worker."""
        self.worker.abort()

    def _readable(self, path: str) -> Path:
        """A file below the readable folder, or one that was made here, wherever links lead; UsageError for others."""
        try:
            found = (self.readable / path).resolve(strict=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise UsageError(f"{path}: there is no such file") from error
        allowed = (self.readable.resolve(), self.made.resolve())
        if not any(found.is_relative_to(folder) for folder in allowed) or not found.is_file():
            raise UsageError(f"{path}: only files below {self.readable} may be read; see `assay mcp --files`")
        return found

    def _call(self, task: str, argument: object) -> Any:
        with self._turn:
            return self.worker.call(task, argument)


def server(gate: Gate) -> MCPServer[Any]:
    """The server with its tools; `server(gate).run("stdio")` serves one assistant."""
    made: MCPServer[Any] = MCPServer("assay", title="Assay", instructions=INSTRUCTIONS, log_level="WARNING")

    @made.tool()
    async def check_prompt(text: str) -> dict[str, Any]:
        """Judge a text-to-video prompt without generating anything: action, scores, reasons, what was not evaluated."""
        return await _told(lambda: gate.check_prompt(text))

    @made.tool()
    async def generate(
        prompt: str,
        negative_prompt: str | None = None,
        seconds: float | None = None,
        width: int | None = None,
        height: int | None = None,
        seed: int = 0,
    ) -> dict[str, Any]:
        """Make a video: the prompt is judged first, every frame afterwards, and only what passed is signed and kept.

        `path` is the signed file, or null where the prompt or the video was refused or waits for a person.
        """
        size = None if width is None or height is None else (width, height)
        wishes = {"negative_prompt": negative_prompt, "seconds": seconds, "size": size, "seed": seed}
        return await _told(lambda: gate.generate(prompt, **wishes))

    @made.tool()
    async def scan(path: str) -> dict[str, Any]:
        """Look at every frame of a video file: action, reasons with their seconds, scores, what was not evaluated."""
        return await _told(lambda: gate.scan(path))

    @made.tool()
    async def verify(path: str) -> dict[str, Any]:
        """Read the Content Credentials (C2PA) of a file: who signed it, whether it holds, what it was made from."""
        return await _told(lambda: gate.verify(path))

    @made.tool()
    async def detect(path: str) -> dict[str, Any]:
        """Say whether a file proves, or seems, to be generated, and on what evidence. It never says that it is real."""
        return await _told(lambda: gate.detect(path))

    return made


async def _told(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The row; an error of ours in its own words, so that the assistant can tell the user what to do."""
    try:
        return await anyio.to_thread.run_sync(work)
    except AssayError as error:
        raise ToolError(str(error)) from error
