"""Whether an installation scores as it did is told by its files, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.batch.installation import installation_key
from assay.settings import OpenClip, Settings
from safety import Policy

POLICY = Policy.load("default")


def built_in(home: Path) -> Settings:
    return Settings(home=home, frame_classifiers=("canary",), nudenet="off")


def test_the_same_installation_has_the_same_key(tmp_path: Path) -> None:
    """Asked twice the key is the same; another home, engine or worker count would not change it."""
    key = installation_key(built_in(tmp_path), POLICY)
    assert key is not None
    assert installation_key(built_in(tmp_path), POLICY) == key


def test_whatever_scores_depend_on_changes_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another policy, model, setting, list of names, or a file of code or weights that was touched is another key."""
    from assay.batch import installation

    settings = built_in(tmp_path)
    keys = {installation_key(settings, POLICY), installation_key(settings, Policy.load("demo"))}
    keys.add(installation_key(settings.model_copy(update={"frame_classifiers": ("canary", "ocr")}), POLICY))
    keys.add(installation_key(settings.model_copy(update={"nudenet": "on"}), POLICY))
    keys.add(
        installation_key(
            settings.model_copy(update={"scan": settings.scan.model_copy(update={"epsilon": 1.0})}), POLICY
        )
    )
    settings.own_names.mkdir(parents=True)
    (settings.own_names / "own.jsonl").write_text("{}\n")
    keys.add(installation_key(settings, POLICY))
    weights = tmp_path / "safety" / "__init__.py"
    weights.parent.mkdir()
    weights.write_text("")
    monkeypatch.setattr(installation, "_package", lambda name: weights.parent)
    keys.add(installation_key(settings, POLICY))
    weights.write_text("changed")
    keys.add(installation_key(settings, POLICY))
    assert len(keys) == 8


@pytest.mark.parametrize(
    "foreign",
    [
        {"frame_classifiers": ("somebody:Model",)},
        {"prompt_classifiers": ("somebody:Model",)},
        {"openclip": OpenClip(model="ViT-B-32")},
    ],
)
def test_nobody_vouches_for_models_from_elsewhere(foreign: dict[str, object], tmp_path: Path) -> None:
    """With a model that does not ship with Assay there is no key: it is loaded and asked."""
    assert installation_key(built_in(tmp_path).model_copy(update=foreign), POLICY) is None
