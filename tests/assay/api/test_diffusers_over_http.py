"""A diffusers pipeline behind the API: a tiny one of the real class, loaded, run, judged and signed by a worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers_toys
import openai
import pytest
from toy_server import Served, served

from assay.assemble import signer
from media import probe
from provenance import read

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")]


def of(folder: Path) -> dict[str, str]:
    """The environment of a server whose videos a saved pipeline makes."""
    return {
        "ASSAY_BACKEND": "diffusers", "ASSAY_DIFFUSERS__MODEL": str(folder), "ASSAY_DIFFUSERS__DTYPE": "float32",
        "ASSAY_SERVE__ATTEMPTS": "1",
    }  # fmt: skip


def client_of(server: Served) -> openai.OpenAI:
    return openai.OpenAI(api_key=server.keys["one"], base_url=server.url, max_retries=0)


@pytest.mark.timeout(600)
def test_a_diffusers_pipeline_makes_signed_videos(tmp_path: Path) -> None:
    """A job is accepted over HTTP, made by the pipeline, judged, signed and downloaded; so is the next one."""
    model = diffusers_toys.wan(tmp_path / "tiny-wan")
    with served(tmp_path, "one", **of(model)) as running:
        client = client_of(running)
        for prompt in ("a red ball moves over the sea", "the sea"):
            made: Any = client.videos.create_and_poll(prompt=prompt, seconds="1", size="96x64")  # type: ignore[arg-type]
            assert (made.status, made.safety["decision"]) == ("completed", "allow"), (
                made,
                (running.folder / "server.log").read_text()[-4000:],
            )
            client.videos.download_content(made.id).write_to_file(tmp_path / "got.mp4")
            credentials = read(tmp_path / "got.mp4", signer(running.settings).trust)
            assert credentials.state.value == "trusted"
            assert sum(1 for _ in probe(tmp_path / "got.mp4").frames()) == 24
