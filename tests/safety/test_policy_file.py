"""Reading policy files: strict YAML, and what `extends` inherits."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from safety import Action, Policy, PolicyError, Stage, shipped_policies

HEAD = "extends: default\nid: ours\nversion: '7'\ndescription: ours\n"


def parsed(more: str = "") -> Policy:
    """A policy that extends default and says more."""
    return Policy.parse(HEAD + more, "ours.yaml")


def test_an_extension_that_says_no_more_is_default_under_another_name():
    """Rules, categories, stages and waivers are inherited; id, version and description are its own."""
    ours, default = parsed(), Policy.load("default")
    assert (ours.rules, ours.waivers, ours.categories, ours.stages) == (
        default.rules, default.waivers, default.categories, default.stages,
    )  # fmt: skip
    assert (ours.id, ours.version, ours.description) == ("ours", "7", "ours")
    assert ours.decision_digest == default.decision_digest


@pytest.mark.parametrize("own", ["id", "version", "description"])
def test_a_policy_has_its_own_name(own):
    """Two policies never go by one name and version because one forgot to say its own."""
    said = "".join(line + "\n" for line in HEAD.splitlines() if not line.startswith(own))
    with pytest.raises(PolicyError, match=rf"ours\.yaml: {own}: Field required"):
        Policy.parse(said, "ours.yaml")


def test_an_inherited_rule_changes_in_the_fields_that_are_named():
    """A rule with an inherited id keeps what it does not name, its place included."""
    ours, default = parsed("rules:\n  - {id: frame-hate-block, threshold: 0.6}\n"), Policy.load("default")
    assert [rule.id for rule in ours.rules] == [rule.id for rule in default.rules]
    changed = [(new, old) for new, old in zip(ours.rules, default.rules, strict=True) if new != old]
    assert [new.model_dump() for new, _ in changed] == [old.model_dump() | {"threshold": 0.6} for _, old in changed]
    assert [new.id for new, _ in changed] == ["frame-hate-block"]


def test_a_new_rule_is_added_and_must_be_whole():
    """A new id adds a rule; a slip in an inherited id is a rule with nothing in it, and is refused."""
    whole = "{id: ours-audio, stage: file, category: audio, threshold: 0.5, action: review, when_failed: block, "
    whole += "when_unsupported: block, when_not_configured: review}"
    assert parsed(f"rules:\n  - {whole}\n").rules_for(Stage.FILE)[0].action is Action.REVIEW
    with pytest.raises(PolicyError, match=r"rules\.\d+\.category: Field required"):
        parsed("rules:\n  - {id: frame-hate-blok, threshold: 0.6}\n")


def test_a_rule_cannot_be_changed_twice():
    """The same id twice in one document is refused, not merged."""
    with pytest.raises(PolicyError):
        parsed("rules:\n  - {id: frame-hate-block, threshold: 0.6}\n  - {id: frame-hate-block, threshold: 0.7}\n")


def test_an_inherited_stage_reaches_inherited_rules():
    """New answers of a stage are the answers of the rules inherited for it."""
    block = "{when_failed: block, when_unsupported: block, when_not_configured: block}"
    ours = parsed(f"stages:\n  frame: {block}\n")
    assert {rule.when_not_configured for rule in ours.rules_for(Stage.FRAME)} == {Action.BLOCK}
    assert {rule.when_not_configured for rule in ours.rules_for(Stage.INPUT_IMAGE)} == {Action.REVIEW}


def test_waivers_and_categories_replace():
    """`waivers: []` has none; a category's entry replaces the inherited one whole."""
    text = "{definition: hate as we mean it here, violates: [this], allows: [that]}"
    ours = parsed(f"waivers: []\ncategories:\n  hate: {text}\n")
    assert ours.waivers == ()
    assert ours.categories["hate"].examples == ()
    assert ours.categories["sexual"] == Policy.load("default").categories["sexual"]


@pytest.mark.parametrize("base", ["nobody", "ours", "[default]", "3", "../default", "default.yaml"])
def test_only_shipped_policies_are_extended(base):
    """`extends` names a shipped policy and nothing else."""
    with pytest.raises(PolicyError, match="none of the shipped policies default, demo, permissive, strict"):
        Policy.parse(HEAD.replace("default", base), "ours.yaml")


def test_an_extension_may_extend_an_extension():
    """What extends strict has no waiver."""
    assert Policy.parse(HEAD.replace("default", "strict"), "ours.yaml").waivers == ()


def test_a_shipped_policy_does_not_extend_itself():
    """A circle is refused in words."""
    with pytest.raises(PolicyError, match="extends itself"):
        Policy.parse(HEAD, "policies/default.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "document: "),
        ("- a list\n", "document: "),
        ("id: a\nid: b\n", "'id' stands here twice"),
        (HEAD + "waivers: []\nwaivers: []\n", "'waivers' stands here twice"),
        (HEAD + "stages: &a {}\ncategories: *a\n", "aliases"),
        ("on: block\n", "True is no word"),
        ("? [a, b]\n: c\n", "is no word"),
        ("id: [\n", "not YAML"),
        ("id: !!python/object:os.system x\n", "not YAML"),
        ("id: a\x00b\n", "not YAML"),
        ("[" * 100_000, "not YAML"),
        ("id: a" + " " * (1 << 20) + "\n", "at most"),
        ("waivers: [{expires: 2027-02-30}]\n", "not YAML"),
        (HEAD + "rules: 3\n", "rules"),
        (HEAD + "stages: 3\n", "stages"),
    ],
)
def test_what_is_no_policy_is_refused_by_name(text, words):
    """Doubled keys, aliases, tags, odd keys and broken YAML raise PolicyError that names the file."""
    with pytest.raises(PolicyError) as caught:
        Policy.parse(text, "ours.yaml")
    assert str(caught.value).startswith("ours.yaml: ")
    assert words in str(caught.value)


def test_a_policy_is_loaded_by_name_or_by_path(tmp_path: Path):
    """A shipped name wins; any other word is a path."""
    path = tmp_path / "ours.yaml"
    path.write_text(HEAD, "utf-8")
    assert Policy.load(str(path)).id == "ours"
    assert Policy.load("default").id == "default"
    assert shipped_policies() == ("default", "demo", "permissive", "strict")


def test_a_file_in_the_working_directory_does_not_replace_a_shipped_policy(tmp_path: Path, monkeypatch):
    """A file called `default` beside the user changes nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "default").write_text(HEAD, "utf-8")
    assert Policy.load("default").id == "default"


@pytest.mark.parametrize(
    ("content", "words"), [(None, "the shipped policies are default, demo"), (b"id: \xff\n", "not UTF-8")]
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content, words):
    """A missing file names the shipped policies; one in another encoding names the byte."""
    path = tmp_path / "ours.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PolicyError, match=words):
        Policy.load(str(path))


@pytest.mark.parametrize("name", ["\x00", "", "."])
def test_a_name_that_is_no_path_is_refused(name):
    """Names that no file can have raise PolicyError as well."""
    with pytest.raises(PolicyError, match="cannot be read"):
        Policy.load(name)


def test_a_stored_document_is_yaml_too():
    """What `document()` gives can be written to a file, read and extended like any other."""
    default = Policy.load("default")
    assert Policy.parse(yaml.safe_dump(default.document(), allow_unicode=True), "stored.yaml").digest == default.digest
