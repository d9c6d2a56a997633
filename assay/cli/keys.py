"""`assay keys`: the signing identity, how long it lasts, its renewal, and time-stamps that outlive it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click

from assay.cli import apikeys
from assay.cli.common import err, json_line, json_option, out, settings
from assay.errors import ExitCode
from assay.settings import Settings
from media import UsageError

ALARM_DAYS = 30


@click.group()
def command() -> None:
    """Make, show and renew signing keys; time-stamp what they signed."""


command.add_command(apikeys.command)


@command.command()
def init() -> int:
    """Make the development certificate chain, if there is none yet."""
    return _show(_state(settings(), ALARM_DAYS))


@command.command()
@json_option
@click.option("--metrics", is_flag=True, help="The text format of Prometheus, on stdout or in FILE.")
@click.option(
    "-o", "target", type=click.Path(path_type=Path), metavar="FILE", help="Write --metrics there, atomically."
)
@click.option("--alarm-days", type=click.IntRange(min=0), default=ALARM_DAYS, show_default=True, help="Warn so early.")
@click.option("--fail-on-alarm", is_flag=True, help="Exit with 3 within the days of alarm.")
def show(as_json: bool, metrics: bool, target: Path | None, alarm_days: int, fail_on_alarm: bool) -> int:
    """Show who signs, and until when; warns near the end, and fails (5) after it."""
    if target is not None and not metrics:
        raise UsageError("-o goes with --metrics")
    state = _state(settings(), alarm_days)
    if metrics:
        _write_metrics(state, target)
    elif as_json:
        json_line(state)
    else:
        return _show(state, fail_on_alarm)
    return _alarm(state, fail_on_alarm)


@command.command()
def rotate() -> int:
    """A new development leaf under the same root; what was signed before stays trusted."""
    from provenance import DevelopmentKeys

    chosen = settings()
    if chosen.certificate_chain is not None or chosen.signer is not None:
        raise UsageError(
            "the configured identity is not Assay's to renew: put the new chain and key beside the old ones and name "
            "them in the settings; files signed before stay trusted as long as trust_anchors holds the old root"
        )
    DevelopmentKeys.rotate(chosen.keys)
    return _show(_state(chosen, ALARM_DAYS))


@command.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH ...]")
@click.option("--pending", is_flag=True, help="Stamp what was published while timestamp was 'later', and awaits it.")
@json_option
def stamp(paths: tuple[Path, ...], pending: bool, as_json: bool) -> int:
    """Time-stamp signed files in place, by an update manifest; asks the authority of the setting tsa_url."""
    from assay.assemble import signing_identity, stamp_queue, trust
    from assay.stamping import Fate, stamp_all
    from provenance import stamp as stamp_file

    chosen = settings()
    if bool(paths) == pending:
        raise UsageError("name the files to stamp, or --pending for those that await it")
    if chosen.tsa_url is None:
        raise UsageError("settings: tsa_url names no time-stamp authority")
    ask = partial(stamp_file, identity=signing_identity(chosen), trust=trust(chosen), tsa_url=chosen.tsa_url)
    code = ExitCode.OK
    for found in stamp_queue(chosen).work(ask) if pending else stamp_all(paths, ask):
        if found.fate is not Fate.STAMPED:
            code = ExitCode.SIGNING
        if as_json:
            json_line(found.to_json())
        else:
            out.print(f"{found.path}  {found.fate}  {found.timestamp or found.error}", markup=False)
    return code


def _state(chosen: Settings, alarm_days: int) -> dict[str, Any]:
    """Who signs, until when, and what awaits a time-stamp: one line of `assay keys show --json`."""
    from assay.assemble import signing_identity, stamp_queue

    identity, waiting = signing_identity(chosen), stamp_queue(chosen).waiting()
    left = identity.usable_until - datetime.now(UTC)
    return {
        "common_name": identity.common_name,
        "algorithm": identity.alg,
        "not_after": identity.usable_until.isoformat(),
        "days_left": left.days,
        "alarm": left < timedelta(days=alarm_days),
        "expired": left < timedelta(0),
        "development": chosen.certificate_chain is None and chosen.signer is None,
        "timestamp": chosen.timestamp if chosen.tsa_url else None,
        "unstamped": len(waiting),
        "unstamped_since": waiting[0].noted if waiting else None,
        "keys": str(chosen.keys),
    }


def _write_metrics(state: dict[str, Any], target: Path | None) -> None:
    from assay.metrics import Gauge, exposition, write_textfile

    who = {"common_name": state["common_name"], "algorithm": state["algorithm"]}
    until, now = datetime.fromisoformat(state["not_after"]), datetime.now(UTC)
    since = datetime.fromisoformat(state["unstamped_since"]) if state["unstamped_since"] else now
    text = exposition(
        [
            Gauge(
                "assay_signing_certificate_not_after_timestamp_seconds",
                "When the first certificate of the signing chain ends, as a Unix time.", until.timestamp(), who,
            ),
            Gauge(
                "assay_signing_certificate_remaining_seconds",
                "How long the signing chain lasts; negative after its end.", (until - now).total_seconds(), who,
            ),
            Gauge("assay_signing_certificate_alarm", "1 within the days of alarm and after.", int(state["alarm"]), who),
            Gauge("assay_unstamped_files", "Signed files that await a time-stamp.", state["unstamped"]),
            Gauge(
                "assay_unstamped_oldest_seconds", "How long the oldest of them has waited.",
                max(0.0, (now - since).total_seconds()),
            ),
        ]
    )  # fmt: skip
    if target is None:
        click.echo(text, nl=False)
        return
    try:
        write_textfile(target, text)
    except OSError as error:
        raise UsageError(f"{target}: {error.strerror}") from error


def _show(state: dict[str, Any], fail_on_alarm: bool = False) -> int:
    until = f"{state['not_after'][:10]} ({state['days_left']} days)"
    out.print(f"signs as {state['common_name']} ({state['algorithm']}), until {until}", markup=False)
    if state["development"]:
        out.print(f"development chain in {state['keys']}; only this installation trusts its root", markup=False)
    if state["timestamp"] is None:
        out.print("no time-stamps: what it signs turns invalid on that day unless it is stamped before")
    if state["unstamped"]:
        out.print(f"{state['unstamped']} files await a time-stamp, the oldest since {state['unstamped_since']}")
    return _alarm(state, fail_on_alarm)


def _alarm(state: dict[str, Any], fail_on_alarm: bool) -> int:
    if state["expired"]:
        err.print("the certificate has expired: nothing can be signed", markup=False)
        return ExitCode.SIGNING
    if state["alarm"]:
        err.print(f"the certificate expires in {state['days_left']} days: renew it now", markup=False)
        return ExitCode.REVIEW if fail_on_alarm else ExitCode.OK
    return ExitCode.OK
