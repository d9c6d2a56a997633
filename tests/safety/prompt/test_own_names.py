"""A deployment's own gazetteer: names added, imported, permitted until a date, removed; broken files refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from assay.cli.gazetteer import command
from safety import Item, PolicyError, Stage
from safety.prompt import EmbeddedPromptClassifier, Gazetteer
from safety.prompt.ownnames import OwnName, add_names, permit_name, read_names, remove_name

TODAY = datetime.now(UTC).date()


def score(own: Path, text: str, category: str) -> float | None:
    item = Item.text(Stage.PROMPT, "prompt", text)
    found = {one.category: one.value for one in EmbeddedPromptClassifier(own_names=own).score(item, text)}
    return found[category]


def test_an_added_name_counts_and_a_removed_one_does_not(tmp_path: Path) -> None:
    """A deployment's name is found like a shipped one, in its aliases too, until it is removed; the version tells."""
    before = EmbeddedPromptClassifier(own_names=tmp_path).weights_sha256
    assert add_names(tmp_path, "ip/character", "mascot", [OwnName("Zorblatt the Otter", ("Zorby Otter",))]) == 1
    assert add_names(tmp_path, "ip/character", "mascot", [OwnName("Zorblatt the Otter")]) == 0
    assert score(tmp_path, "zorby otter waves from a boat", "ip/character") == 0.95
    assert EmbeddedPromptClassifier(own_names=tmp_path).weights_sha256 != before
    assert remove_name(tmp_path, "zorblatt the otter") == 1
    assert (score(tmp_path, "zorby otter waves from a boat", "ip/character") or 0.0) < 0.8  # a model may still ask


def test_an_ambiguous_name_needs_a_cue(tmp_path: Path) -> None:
    """A name that is also a word counts beside its cue and hardly without; without any cue it is refused."""
    with pytest.raises(PolicyError, match="--cue"):
        add_names(tmp_path, "ip/logo", "brand", [OwnName("Glimmer", ambiguous=True)])
    assert not list(tmp_path.iterdir())
    add_names(tmp_path, "ip/logo", "brand", [OwnName("Glimmer", ambiguous=True)], ["logo"])
    assert (score(tmp_path, "the glimmer logo on a wall", "ip/logo") or 0) >= 0.8
    assert (score(tmp_path, "a glimmer of light on the sea", "ip/logo") or 0) < 0.5


def test_a_permit_holds_until_its_day(tmp_path: Path) -> None:
    """A permitted name is no refusal up to the last day, and is one again on the day after."""
    text = "a Coca-Cola can on a table"
    assert score(tmp_path, text, "ip/logo") == 0.95
    permit_name(tmp_path, "Coca-Cola", "our own brand", TODAY)
    assert (score(tmp_path, text, "ip/logo") or 0) < 0.5
    permit_name(tmp_path, "Coca-Cola", "our own brand", TODAY - timedelta(days=1))
    assert score(tmp_path, text, "ip/logo") == 0.95
    assert score(tmp_path, "a Pepsi can on a table", "ip/logo") == 0.95
    with pytest.raises(PolicyError, match="nothing to permit"):
        permit_name(tmp_path, "Nobody At All Whom We List", "x", TODAY)


def test_lists_are_imported_from_text_and_csv(tmp_path: Path) -> None:
    """Lines with aliases and CSV files are read; a line without a name is refused with its number."""
    lines = tmp_path / "names.txt"
    lines.write_text("# ours\nQuibble Quartz; Quibble\n\nMumblecore Max\n")
    assert read_names(lines) == [OwnName("Quibble Quartz", ("Quibble",)), OwnName("Mumblecore Max")]
    table = tmp_path / "names.csv"
    table.write_text("name,aliases,ambiguous\nQuibble Quartz,Quibble; QQ,\nGlimmer,,yes\n")
    assert read_names(table) == [OwnName("Quibble Quartz", ("Quibble", "QQ")), OwnName("Glimmer", (), True)]
    table.write_text("name,aliases\nGood,\n--,\n")
    with pytest.raises(PolicyError, match=r"names\.csv:3"):
        read_names(table)
    table.write_text("title\nGood\n")
    with pytest.raises(PolicyError, match="columns"):
        read_names(table)


@pytest.mark.parametrize(
    "content",
    [
        "id: x\nversion: '1'\npermits: [{name: Nike, why: ours}]",
        "id: x\nversion: '1'\npermits: [{name: Nike, why: ours, until: soon}]",
        "id: x\nversion: '1'\npermits: [{name: Nike, why: '', until: 2027-01-01}]",
        "id: x\nversion: '1'",
        "id: x\nversion: '1'\ncategory: hate\ngroups: []",
        "- 1",
        "{",
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path: Path, content: str) -> None:
    """A file of the deployment's that cannot be read as a gazetteer stops the classifier and is named."""
    (tmp_path / "ours.yaml").write_text(content)
    with pytest.raises(PolicyError, match=r"ours\.yaml"):
        Gazetteer.load(own=tmp_path)


def test_the_commands_keep_the_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """add, import, permit, list, test and remove work from the command line."""
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    names = tmp_path / "names.txt"
    names.write_text("Quibble Quartz\nMumblecore Max\n")

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    run("add", "Zorblatt", "--alias", "Zorby Otter", "--category", "ip/character", "--kind", "mascot")
    assert "2 of 2" in run("import", str(names), "--category", "ip/character", "--kind", "mascot")
    run("permit", "Zorblatt", "--why", "our mascot", "--until", (TODAY + timedelta(days=9)).isoformat())
    listed = [json.loads(line) for line in run("list", "--json").splitlines()]
    assert {row["name"]: bool(row["permits"]) for row in listed} == {
        "Zorblatt": True, "Quibble Quartz": False, "Mumblecore Max": False,
    }  # fmt: skip
    (tested,) = [json.loads(line) for line in run("test", "zorby otter meets Nike", "--json").splitlines()]
    assert {name["name"]: name["permitted"] for name in tested["names"]} == {"Zorblatt": "our mascot", "Nike": None}
    assert "2 lines" in run("remove", "Zorblatt")
