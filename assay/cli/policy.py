"""`assay policy`: is the document sound, does it do what its own examples say, and what would another one change?"""

from __future__ import annotations

from typing import Any

import click

from assay.cli import gazetteer, policy_diff, policy_replay, policy_tune
from assay.cli.common import json_line, json_option, out, settings
from assay.errors import ExitCode


@click.group()
def command() -> None:
    """Lint and test policies, and try them on what was scored."""


for _module in (gazetteer, policy_diff, policy_replay, policy_tune):
    command.add_command(_module.command)


@command.command("lint")
@click.argument("names", nargs=-1, required=True, metavar="POLICY ...")
@json_option
def lint_command(names: tuple[str, ...], as_json: bool) -> int:
    """Find faults in policy files: names of shipped policies, or paths."""
    from safety import Policy, lint

    faults = 0
    for name in names:
        findings = lint(Policy.load(name))
        faults += sum(finding.severity == "error" for finding in findings)
        for finding in findings:
            row = {"policy": name, **finding.to_json()}
            _say(row, as_json, f"{name}: {finding.severity}: {finding.where}: {finding.message}")
        if not findings and not as_json:
            out.print(f"{name}: sound", markup=False)
    return ExitCode.USAGE if faults else ExitCode.OK


@command.command("test")
@click.argument("names", nargs=-1, required=True, metavar="POLICY ...")
@json_option
def test_command(names: tuple[str, ...], as_json: bool) -> int:
    """Run the examples that the policy files carry."""
    from assay.assemble import prompt_stage
    from safety import run_examples

    failed = 0
    for name in names:
        prompt = prompt_stage(settings(policy=name))
        outcomes = run_examples(prompt.policy, *prompt.classifiers)
        for outcome in outcomes:
            failed += not outcome.met
            if as_json or not outcome.met:
                words = f"{name}: {outcome.category}: {outcome.example.text!r} "
                words += f"should be {outcome.example.action.word}, is {outcome.decision.action.word}"
                _say(outcome.to_json() | {"policy": name}, as_json, words)
        if not as_json:
            met = sum(outcome.met for outcome in outcomes)
            out.print(f"{name}: {met} of {len(outcomes)} examples as written", markup=False)
    return ExitCode.REFUSED if failed else ExitCode.OK


def _say(row: dict[str, Any], as_json: bool, words: str) -> None:
    if as_json:
        json_line(row)
    else:
        out.print(words, markup=False)
