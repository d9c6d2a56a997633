"""`assay mcp`: a real client over standard input and output, and the folder that it cannot leave."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcp import ClientSession, StdioServerParameters, stdio_client
from toy_run import TOY_ENVIRONMENT, assay_environment

from assay.mcp import Gate
from media import UsageError, encode


def _session(folder: Path, work: Callable[[ClientSession], Awaitable[Any]]) -> Any:
    """What a client does with a server of its own that may read `folder/files`."""
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "assay", "mcp", "--files", str(folder / "files"), "--out", str(folder / "made")],
        env=assay_environment(folder, **TOY_ENVIRONMENT),
        cwd=folder,
    )

    async def run() -> Any:
        with (folder / "log").open("w") as log:
            async with stdio_client(command, errlog=log) as (read, write), ClientSession(read, write) as session:
                await session.initialize()
                return await work(session)

    return asyncio.run(run())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a readable video, and one that is outside."""
    (tmp_path / "files").mkdir()
    encode(tmp_path / "files" / "grey.mp4", [np.full((64, 64, 3), 60, np.uint8)] * 4, Fraction(24))
    (tmp_path / "secret.mp4").write_bytes((tmp_path / "files" / "grey.mp4").read_bytes())
    (tmp_path / "files" / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    return tmp_path


@pytest.mark.full
def test_a_client_uses_every_tool(folder: Path) -> None:
    """A client finds the tools: a prompt is judged, a video made, signed, and read back by verify, detect and scan."""

    async def work(session: ClientSession) -> dict[str, Any]:
        tools = {tool.name for tool in (await session.list_tools()).tools}
        foul = await session.call_tool("check_prompt", {"text": "a forbidden scene"})
        refused = await session.call_tool("generate", {"prompt": "a forbidden scene"})
        made = await session.call_tool("generate", {"prompt": "a grey second", "seconds": 1, "width": 96, "height": 64})
        path = made.structured_content["path"]
        rest = {name: await session.call_tool(name, {"path": path}) for name in ("verify", "detect", "scan")}
        outside = await session.call_tool("scan", {"path": "../secret.mp4"})
        return {"tools": tools, "foul": foul, "refused": refused, "made": made, "outside": outside, **rest}

    said = _session(folder, work)
    assert said["tools"] == {"check_prompt", "generate", "scan", "verify", "detect"}
    assert said["foul"].structured_content["action"] == "block"
    assert said["refused"].is_error is False, "a refusal is an answer"
    assert said["refused"].structured_content["path"] is None
    made = said["made"].structured_content
    assert (made["action"], made["manifest_state"]) == ("allow", "trusted")
    assert Path(made["path"]).parent == folder / "made"
    assert said["verify"].structured_content["state"] == "trusted"
    assert said["detect"].structured_content["answer"] == "synthetic"
    assert said["scan"].structured_content["action"] == "allow"
    assert said["outside"].is_error is True
    assert "only files below" in said["outside"].content[0].text


@pytest.mark.parametrize("path", ["../secret.mp4", "link.mp4", "/etc/passwd", "nothing.mp4", ".", "a\0b"])
def test_no_path_leads_out(folder: Path, toy_settings: Any, path: str) -> None:
    """Neither dots, links, roots, folders nor broken names lead to a file outside the readable folder."""
    gate = Gate(toy_settings(), folder / "files", folder / "made")
    with pytest.raises(UsageError):
        gate.scan(path)
    gate.close()


@pytest.mark.full
def test_what_was_made_may_be_read(folder: Path, toy_settings: Any) -> None:
    """A file among the made ones is readable, as one below the readable folder is."""
    gate = Gate(toy_settings(), folder / "files", folder / "made")
    (folder / "made").mkdir()
    (folder / "made" / "it.mp4").write_bytes((folder / "secret.mp4").read_bytes())
    assert gate.detect(str(folder / "made" / "it.mp4"))["answer"] == "no-evidence"
    assert gate.verify("grey.mp4")["path"] == "grey.mp4"
    gate.close()
