"""What `assay policy replay`, `diff` and `tune` share: the run, the policy, and what may speak for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from assay.cli.common import err, settings

if TYPE_CHECKING:
    from assay.replaying.records import Records
    from assay.replaying.scoring import Objections
    from safety import Policy

run_argument = click.argument("run", metavar="RUN")
new_policy_option = click.option("--policy", "policy", required=True, metavar="P", help="A policy's name or YAML file.")
as_scored_option = click.option(
    "--as-scored", is_flag=True, help="Take the scores as they stand; do not compare with the models of this machine."
)


@dataclass(frozen=True)
class Opened:
    """A run, the policy to decide by, and the objections to that.

    kept  the policy that the run began with
    """

    run: str
    records: Records
    policy: Policy
    kept: Policy
    objections: Objections


@contextmanager
def opened(run: str, policy: str | None, *, as_scored: bool) -> Iterator[Opened]:
    """Opens the ledger of the settings. policy: None takes that of the run."""
    from assay import banking
    from assay.batch.store import Store
    from assay.ledger import Ledger
    from assay.replaying.records import Records, run_row
    from assay.replaying.scoring import Objections, ThisInstallation

    chosen = settings(policy=policy)
    wanted = None if policy is None else banking.policy(chosen)  # before the ledger: a faulty policy is told first
    ledger = Ledger(chosen.ledger)
    try:
        row = run_row(ledger, run)
        kept = ledger.policy(row.policy_digest)
        wanted = wanted or kept
        here = None if as_scored else ThisInstallation(chosen, Store(ledger).scoring_of)
        yield Opened(row.id, Records(ledger), wanted, kept, Objections(wanted, here))
    finally:
        ledger.close()


def counted(counts: Any, total: str) -> str:
    """`allow 10, review 2` from counts by word."""
    words = ", ".join(f"{word} {count}" for word, count in sorted(counts.items()) if count)
    return f"{total}: {words or 'none'}"


def tell_refusals(refusals: Any, say: Callable[[str], None] | None = None) -> None:
    """Each reason why files could not be decided again, with how many it holds for."""
    for reason, count in refusals.most_common():
        words = f"refused for {count} file{'s' * (count != 1)}: {reason}"
        (say or (lambda text: err.print(text, markup=False)))(words)
