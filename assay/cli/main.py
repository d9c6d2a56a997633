"""The command line's root. A command's module is imported when the command is used, so `--help` stays quick."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

import click

from assay.errors import ExitCode
from media import AssayError

# name -> (module, what the command does in one line)
COMMANDS = {
    "generate": ("generate", "Generate a video: prompt judged, every frame looked at, file signed."),
    "prompt": ("prompt", "Judge prompts without generating anything."),
    "scan": ("scan", "Look at every frame of existing videos."),
    "verify": ("verify", "Read the Content Credentials of files."),
    "detect": ("detect", "Say whether files prove to be, or look, synthetic; never that one is real."),
    "calibrate": ("calibrate", "Set the detector's threshold by real footage of your own."),
    "sign": ("sign", "Scan an existing video and sign a copy that passed."),
    "bank": ("bank", "Keep lists of known content that scans look for."),
    "likeness": ("likeness", "Keep galleries of faces: who must not be shown, and who agreed to be."),
    "review": ("review", "Decide about prompts and outputs that are held for a person."),
    "policy": ("policy", "Lint and test policies."),
    "quarantine": ("quarantine", "Sealed evidence of the worst material: list, hold, release, export, delete."),
    "audit": ("audit", "Seal, verify, prove and export the audit chain."),
    "webhook": ("webhook", "Receive webhooks while developing."),
    "serve": ("serve", "Serve the OpenAI-compatible Videos API, gated and signed."),
    "worker": ("worker", "Work on the jobs that a server takes in."),
    "mcp": ("mcp", "Offer the gate to a chat assistant as tools."),
    "ledger": ("ledger", "Bring the database to this version's schema."),
    "keys": ("keys", "Make and show signing keys."),
}


class Commands(click.Group):
    """A group whose commands live one module each, found by its table."""

    table: ClassVar[Mapping[str, tuple[str, str]]] = COMMANDS

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order in which a user meets them."""
        return list(self.table)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command, imported now."""
        if name not in self.table:
            return None
        module = importlib.import_module(f"assay.cli.{self.table[name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Names and one-liners, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="assay-video", prog_name="assay")
def root() -> None:
    """Assay: the safety and provenance layer for text-to-video.

    \b
    Exit codes
      0  allowed, found nothing, or trusted
      1  usage
      2  refused by policy, or an invalid manifest
      3  needs review, or a manifest that is valid but untrusted, or absent
      4  no decision reached: media, model, unreadable, remote
      5  signing failed
    """  # noqa: D301 (the backslash is click's own mark for a paragraph that keeps its lines)


def main(arguments: list[str] | None = None) -> None:
    """Runs one command and exits with its code. The parser's own errors are usage errors, not click's 2."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """The exit code of one command."""
    try:
        answer: Any = root.main(arguments, prog_name="assay", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; nothing was released", err=True)
        return 130
    except AssayError as error:
        click.echo(f"assay: {error}", err=True)
        from assay.worker import exit_code_of

        return exit_code_of(error)
    return int(answer) if isinstance(answer, int) else ExitCode.OK
