"""After a refusal for names alone, the command line offers the prompt in plain words."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable


def test_a_refused_prompt_is_offered_in_plain_words(run_assay: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """The command line offers what would be allowed, with the changes; nothing where more speaks against it."""
    row = json.loads(run_assay("prompt", "Taylor Swift sings on a stage", "--json").stdout)
    assert row["action"] == "block"
    assert row["neutralised"]["text"] == "a musician sings on a stage"
    assert row["neutralised"]["changes"][0]["was"] == "Taylor Swift"
    row = json.loads(run_assay("prompt", "Taylor Swift is beheaded with an axe, gore", "--json").stdout)
    assert row["neutralised"] is None
    row = json.loads(run_assay("prompt", "a lake at dawn", "--json").stdout)
    assert row["neutralised"] is None
