"""`assay keys api`: tenants and the keys that their clients call the server with."""

from __future__ import annotations

from typing import Any

import click

from assay.cli.common import err, json_line, json_option, out, settings
from assay.errors import ExitCode

_TOLD = "This is the only time that the key is shown."


@click.group("api")
def command() -> None:
    """Make, list, rotate and revoke API keys of tenants."""


@command.command()
@click.option("--tenant", required=True, metavar="T", help="Lower-case letters, digits, hyphens; made if new.")
@click.option("--scope", "scopes", multiple=True, metavar="S", help="Repeatable.  [default: all that clients need]")
@click.option("--note", default="", metavar="TEXT", help="For the list.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), metavar="N", help="The key ends after N days.")
@click.option("--policy", metavar="P", help="The tenant's own policy.")
@click.option("--requests-per-minute", type=click.IntRange(1), metavar="N", help="The tenant's limit.")
@click.option("--active-jobs", type=click.IntRange(1), metavar="N", help="Videos at a time.")
@click.option("--jobs-per-day", type=click.IntRange(1), metavar="N", help="Videos a day.")
@json_option
def create(tenant: str, scopes: tuple[str, ...], note: str, days: float | None, as_json: bool, **terms: Any) -> int:
    """Make a key, and the tenant with its terms where there is none yet."""
    from assay.tenants import CLIENT_SCOPES, Limits
    from safety import Policy

    policy = terms.pop("policy")
    if policy is not None:
        Policy.load(policy)  # one that cannot be read would fail every job of the tenant
    tenants = _tenants()
    tenants.add(tenant, policy=policy, limits=Limits(**terms))
    return _tell(tenants.issue(tenant, scopes or CLIENT_SCOPES, note=note, days=days), as_json)


@command.command("list")
@json_option
def list_keys(as_json: bool) -> int:
    """Show every key: whose it is, what it opens, and whether it still does; never the key itself."""
    for row in _tenants().listed():
        if as_json:
            json_line(row)
        else:
            until = f" until {row['expires']}" if row["expires"] else ""
            scopes = ",".join(row["scopes"])
            out.print(f"{row['id']}  {row['tenant']}  {row['state']}{until}  {scopes}  {row['note']}", markup=False)
    return ExitCode.OK


@command.command()
@click.argument("key_id", metavar="ID")
@click.option("--overlap-hours", type=click.FloatRange(min=0), default=24.0, show_default=True, metavar="H")
@json_option
def rotate(key_id: str, overlap_hours: float, as_json: bool) -> int:
    """Make a key with the same scopes; the old one ends after the overlap."""
    return _tell(_tenants().rotate(key_id, overlap_hours=overlap_hours), as_json)


@command.command()
@click.argument("key_id", metavar="ID")
def revoke(key_id: str) -> int:
    """End a key now."""
    _tenants().revoke(key_id)
    out.print(f"revoked {key_id}", markup=False)
    return ExitCode.OK


def _tell(key: str, as_json: bool) -> int:
    if as_json:
        json_line({"key": key, "id": key.split("_")[1]})
    else:
        out.print(key, markup=False)
        err.print(_TOLD)
    return ExitCode.OK


def _tenants() -> Any:
    from assay.ledger import Ledger
    from assay.tenants import Tenants

    return Tenants(Ledger(settings().ledger))
