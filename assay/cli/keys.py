"""`assay keys`: the signing identity, how long it lasts, its renewal, and time-stamps that outlive it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from assay.cli.common import err, json_line, json_option, out, settings
from assay.errors import ExitCode
from media import AssayError, UsageError

ALARM = timedelta(days=30)


@click.group()
def command() -> None:
    """Make, show and renew signing keys; time-stamp what they signed."""


@command.command()
def init() -> int:
    """Make the development certificate chain, if there is none yet."""
    return _show(as_json=False)


@command.command()
@json_option
def show(as_json: bool) -> int:
    """Show who signs, and until when; warns within 30 days of the end, and fails (5) after it."""
    return _show(as_json)


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
    return _show(as_json=False)


@command.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH ...")
@json_option
def stamp(paths: tuple[Path, ...], as_json: bool) -> int:
    """Time-stamp signed files in place, by an update manifest; asks the authority of the setting tsa_url."""
    from assay.assemble import signing_identity, trust
    from provenance import stamp as stamp_file

    chosen = settings()
    if chosen.tsa_url is None:
        raise UsageError("settings: tsa_url names no time-stamp authority")
    identity, anchors = signing_identity(chosen), trust(chosen)
    code = ExitCode.OK
    for path in paths:
        row: dict[str, object] = {"path": str(path), "timestamp": None, "error": None}
        try:
            row["timestamp"] = stamp_file(path, identity, anchors, chosen.tsa_url).timestamp
        except AssayError as error:
            row["error"], code = str(error), ExitCode.SIGNING
        if as_json:
            json_line(row)
        else:
            out.print(f"{row['path']}  {row['timestamp'] or row['error']}", markup=False)
    return code


def _show(as_json: bool) -> int:
    from assay.assemble import signing_identity

    chosen = settings()
    identity = signing_identity(chosen)
    left = identity.not_after - datetime.now(UTC)
    development = chosen.certificate_chain is None and chosen.signer is None
    if as_json:
        json_line(
            {
                "common_name": identity.common_name,
                "algorithm": identity.alg,
                "not_after": identity.not_after.isoformat(),
                "days_left": left.days,
                "development": development,
                "timestamp": chosen.timestamp if chosen.tsa_url else None,
            }
        )
    else:
        until = f"{identity.not_after:%Y-%m-%d} ({left.days} days)"
        out.print(f"signs as {identity.common_name} ({identity.alg}), until {until}", markup=False)
        if development:
            out.print(f"development chain in {chosen.keys}; only this installation trusts its root", markup=False)
        if chosen.tsa_url is None:
            out.print("no time-stamps: what it signs turns invalid on that day unless it is stamped before")
    if left < timedelta(0):
        err.print("the certificate has expired: nothing can be signed", markup=False)
        return ExitCode.SIGNING
    if left < ALARM:
        err.print(f"the certificate expires in {left.days} days: renew it now", markup=False)
    return ExitCode.OK
