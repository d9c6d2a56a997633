"""The gate as it ships (its own prompt classifier, the canary's eyes, the demo policy) behind the `openai` client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest
from toy_server import served

SHIPPED = {
    "ASSAY_POLICY": "demo", "ASSAY_BACKEND": "procedural", "ASSAY_PROMPT_CLASSIFIERS": '["embedded"]',
    "ASSAY_FRAME_CLASSIFIERS": '["canary", "ocr"]', "ASSAY_NUDENET": "off",
}  # fmt: skip
SMALL: dict[str, Any] = {"seconds": "1", "size": "256x144"}


@pytest.mark.full
@pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
def test_demo_policy_over_http(tmp_path: Path) -> None:
    """An innocent prompt becomes a video, a violent one is refused at the matched words, the emblem in the frames."""
    with served(tmp_path, "one", **SHIPPED) as server:
        client = openai.OpenAI(api_key=server.keys["one"], base_url=server.url, max_retries=0)
        allowed: Any = client.videos.create_and_poll(prompt="a red circle on a grey ground", **SMALL)
        assert (allowed.status, allowed.safety["policy"]["id"]) == ("completed", "demo"), allowed
        assert allowed.safety["waived"], "what no model looks for is told"
        with pytest.raises(openai.BadRequestError) as caught:
            client.videos.create(prompt="a prisoner is beheaded with an axe, blood sprays everywhere, gore", **SMALL)
        body: Any = caught.value.body
        assert "violence/graphic" in body["moderation_details"]["categories"]
        spans = [reason["span"] for reason in body["safety"]["reasons"] if reason["span"]]
        assert spans, "the words that matched are told"
        emblem: Any = client.videos.create_and_poll(prompt="a test emblem on a grey ground", **SMALL)
        assert (emblem.status, emblem.error.code) == ("failed", "moderation_blocked"), emblem
        assert emblem.error.moderation_details == {"moderation_stage": "output", "categories": ["canary"]}
        assert emblem.safety["billable"] is False
