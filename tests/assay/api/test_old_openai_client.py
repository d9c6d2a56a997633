"""An old 2.x of the `openai` client, in an environment of its own: it speaks JSON where the newest speaks forms."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

import pytest
from toy_server import Served

VERSION = "2.8.0"

SPEAK = """
import asyncio, base64, io, sys, warnings
warnings.simplefilter("ignore")
import openai
assert openai.__version__ == sys.argv[3], openai.__version__
small = {"seconds": "1", "size": "96x64"}
client = openai.OpenAI(base_url=sys.argv[1], api_key=sys.argv[2], max_retries=0)
video = client.videos.create_and_poll(prompt="a grey second", **small)
assert video.status == "completed" and video.safety["decision"] == "allow", video
for variant in ("video", "thumbnail", "spritesheet"):
    assert len(client.videos.download_content(video.id, variant=variant).read()) > 1000
first = client.videos.download_content(video.id, variant="thumbnail").read()
assert client.videos.create_and_poll(prompt="grey", input_reference=("a.jpg", first), **small).status == "completed"
told = client.moderations.create(input=["a kite", "something forbidden"]).results
assert [one.flagged for one in told] == [False, True] and told[0].categories.harassment is None, told
picture = {"url": "data:image/jpeg;base64," + base64.b64encode(first).decode()}
parts = [{"type": "text", "text": "something forbidden"}, {"type": "image_url", "image_url": picture}]
(told,) = client.moderations.create(input=parts).results
assert told.category_applied_input_types.violence_graphic[0] == "text", told
assert "image" in told.category_applied_input_types.violence, told
remix = client.videos.remix(video.id, prompt="grey again")
assert client.videos.poll(remix.id).remixed_from_video_id == video.id
assert video.id in [one.id for one in client.videos.list(limit=1)]
try:
    client.videos.create(prompt="something forbidden", **small)
    raise SystemExit("it was let in")
except openai.BadRequestError as error:
    assert error.code == "moderation_blocked" and error.request_id.startswith("req_"), error
refused = client.videos.create_and_poll(prompt="red", **small)
assert (refused.status, refused.error.code) == ("failed", "moderation_blocked"), refused
assert client.videos.delete(video.id).deleted

async def speak():
    async with openai.AsyncOpenAI(base_url=sys.argv[1], api_key=sys.argv[2], max_retries=0) as client:
        video = await client.videos.create_and_poll(prompt="a grey second", **small)
        assert video.status == "completed", video
        assert (await client.videos.delete(video.id)).deleted

asyncio.run(speak())
print("spoken")
"""


@pytest.mark.full
@pytest.mark.timeout(600)
def test_old_client(server: Served, tmp_path: Path) -> None:
    """Create, poll, download, list, remix, delete, refusals and moderations work with the old client, async as well."""
    venv.create(tmp_path / "old", with_pip=True)
    python = tmp_path / "old" / "bin" / "python"
    command = [python, "-m", "pip", "install", "-q", f"openai=={VERSION}"]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode != 0:
        pytest.skip(f"openai {VERSION} cannot be installed here: {installed.stderr[-300:]}")
    done = subprocess.run(
        [python, "-c", SPEAK, server.url, server.keys["one"], VERSION],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.stdout.strip() == "spoken", done.stdout + done.stderr
