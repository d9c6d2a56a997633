"""New thresholds in the text of a policy: its comments, order and spelling stay; nothing is edited in place."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import yaml

from media import UsageError
from safety import Policy


def with_thresholds(text: str, origin: str, thresholds: Mapping[str, float]) -> str:
    """The text with other thresholds by rule id. A rule that is inherited is named with its new threshold.

    Raises UsageError where the text is laid out in a way that cannot be changed so.
    """
    rules = _rules(text)
    changes: list[tuple[int, int, str]] = []  # start, end, new text
    inherited = []
    for id, threshold in thresholds.items():
        place = _threshold_at(rules, id)
        if place is None:
            inherited.append(f"- {{id: {id}, threshold: {threshold:g}}}")
        else:
            changes.append((*place, f"{threshold:g}"))
    if inherited:
        changes.append(_added(text, rules, inherited, origin))
    for start, end, words in sorted(changes, reverse=True):
        text = text[:start] + words + text[end:]
    made = {rule.id: rule.threshold for rule in Policy.parse(text, origin).rules}
    if any(made.get(id) != float(f"{threshold:g}") for id, threshold in thresholds.items()):
        raise UsageError(f"{origin}: its rules are laid out in a way that cannot be changed here; edit it by hand")
    return text


def difference(before: str, after: str, origin: str) -> str:
    """A unified diff, for `patch` and for people."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{origin}", f"b/{origin}"
    )
    return "".join(lines)


def _rules(text: str) -> Any:
    """The node of the list `rules`; None where there is none."""
    document = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(document, yaml.MappingNode):
        return None
    return next((value for key, value in document.value if key.value == "rules"), None)


def _threshold_at(rules: Any, id: str) -> tuple[int, int] | None:
    """Where the threshold of a rule stands in the text; None where the text does not give one."""
    for rule in rules.value if rules is not None else ():
        fields = {key.value: value for key, value in rule.value}
        if "id" in fields and fields["id"].value == id and "threshold" in fields:
            return fields["threshold"].start_mark.index, fields["threshold"].end_mark.index
    return None


def _added(text: str, rules: Any, lines: list[str], origin: str) -> tuple[int, int, str]:
    """Lines after the last rule, or a list of rules at the end."""
    if rules is None:
        return len(text), len(text), ("" if text.endswith("\n") else "\n") + "rules:\n" + _indented(lines, "  ")
    if rules.flow_style or not rules.value:
        raise UsageError(f"{origin}: write its rules one a line to have thresholds added, or edit it by hand")
    last = rules.value[-1].end_mark.index
    end = text.rfind("\n", 0, last) + 1 if text[:last].endswith("\n") else text.find("\n", last) + 1 or len(text)
    indent = " " * rules.start_mark.column
    return end, end, ("" if text[:end].endswith("\n") else "\n") + _indented(lines, indent)


def _indented(lines: list[str], indent: str) -> str:
    return "".join(f"{indent}{line}\n" for line in lines)
