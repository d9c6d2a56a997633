"""`assay generate`: the spine, from the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from assay.cli.common import (
    EXIT_BY_ACTION,
    err,
    json_line,
    json_option,
    out,
    policy_option,
    progress,
    settings,
    tell,
    tell_neutralised,
)
from assay.leftovers import sweep
from assay.outcome import Outcome
from assay.request import Request
from assay.rows import failed_generate_row, generate_row
from assay.worker import Failure, Worker, exit_code_of
from media import AssayError, UsageError


@click.command()
@click.argument("prompt")
@click.option("--negative", metavar="T", help="What the video should not show.")
@click.option("--image", type=click.Path(path_type=Path), metavar="F", help="The first frame.")
@click.option("--video", type=click.Path(path_type=Path), metavar="F", help="A video to extend, fill or remix.")
@click.option("--extend", type=click.Choice(["forward", "backward", "fill"]), help="Where new frames go in --video.")
@click.option(
    "--strength",
    type=click.FloatRange(0.0, 1.0, max_open=True),
    default=0.6,
    show_default=True,
    metavar="S",
    help="Without --extend: how far --video holds what is made.",
)
@click.option("--prompt-at", "prompts_at", multiple=True, metavar="S=TEXT", help="What is seen from second S on.")
@click.option("--expand", is_flag=True, help="Write the prompt out first; both texts are judged.")
@click.option("--preview", is_flag=True, help="Let previews stop what would be refused anyway.")
@click.option("--size", metavar="WxH", help="Width and height in pixels.")
@click.option("--seconds", type=float, metavar="N", help="Length.")
@click.option("--seed", type=int, default=0, show_default=True, metavar="N")
@click.option("--backend", metavar="B", help="embedded, procedural, diffusers, videos-api, or module:factory.")
@policy_option
@click.option("-o", "destination", type=click.Path(path_type=Path), required=True, metavar="OUT.mp4")
@click.option("--strip", type=click.Path(path_type=Path), metavar="S.png", help="Draw a signed contact sheet too.")
@json_option
def command(prompt: str, destination: Path, size: str | None, as_json: bool, **options: Any) -> int:
    """Generate a video: prompt judged, every frame looked at, file signed."""
    chosen = settings(policy=options["policy"], backend=options["backend"])
    request = Request(
        prompt=prompt, destination=destination.absolute(), negative_prompt=options["negative"],
        image=options["image"], size=_size(size), seconds=options["seconds"], seed=options["seed"],
        video=options["video"], extend=options["extend"], strength=options["strength"],
        storyboard=_storyboard(options["prompts_at"]), expand=options["expand"], preview=options["preview"],
    )  # fmt: skip
    _refuse_impossible(request)
    sweep(chosen)
    try:
        with Worker(chosen) as worker, progress(not as_json) as listener:
            outcome: Outcome = worker.call("generate", (request, None), listener)
    except AssayError as error:
        if as_json:
            json_line(failed_generate_row(Failure.of(error).to_json()))
        err.print(f"assay: {error}", markup=False)
        return exit_code_of(error)
    report(outcome, prompt, as_json)
    if options["strip"] is not None and outcome.asset is not None:
        from assay.report.sheet import publish_sheet

        publish_sheet(outcome.asset.path, outcome, options["strip"].absolute(), chosen)
        err.print(f"drew {options['strip']}", markup=False)
    return EXIT_BY_ACTION[outcome.action.word] if outcome.asset is None else 0


def report(outcome: Outcome, label: str, as_json: bool) -> None:
    """What came of it, for a program or for a person."""
    row = generate_row(outcome)
    if as_json:
        json_line(row)
        return
    reasons = [reason for decision in row["decisions"] for reason in decision["reasons"]]
    tell(label, row["action"], reasons, outcome.decisions[0].policy)
    if outcome.stopped is not None:
        stopped = outcome.stopped
        out.print(f"  stopped at step {stopped['step']} of {stopped['steps']}: {stopped['why']}", markup=False)
    tell_neutralised(outcome.neutralised)
    for waiver in outcome.waivers:
        names = ", ".join(sorted({name for decision in outcome.decisions for name in decision.waived}))
        out.print(f"  waived at {waiver.stage}: {names}", markup=False)
        out.print(f"    {waiver.reason} ({waiver.owner}, until {waiver.expires})", markup=False, style="dim")
    if outcome.asset is not None:
        out.print(f"  signed {outcome.asset.path} ({outcome.asset.manifest_state})", markup=False)
    if outcome.review_id is not None:
        out.print(f"  held for a person: assay review show {outcome.review_id}", markup=False)
    for sealed in outcome.quarantined:
        out.print(f"  sealed in quarantine: {sealed}", markup=False)


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if match is None:
        raise UsageError(f"--size {text!r}: write width and height in pixels, as in 640x360")
    return int(match[1]), int(match[2])


def _storyboard(texts: tuple[str, ...]) -> tuple[tuple[float, str], ...]:
    """The later prompts in the order of their seconds."""
    beats = []
    for text in texts:
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*s?\s*=(.*)", text, re.DOTALL)
        if match is None:
            raise UsageError(f"--prompt-at {text!r}: write seconds, = and a prompt, as in 2.5='a blue star'")
        beats.append((float(match[1]), match[2].strip()))
    return tuple(sorted(beats))


def _refuse_impossible(request: Request) -> None:
    """What can be known before anything runs."""
    if request.destination.suffix.lower() != ".mp4":
        raise UsageError(f"-o {request.destination.name}: generated videos are mp4; write a name that ends in .mp4")
    if not request.destination.parent.is_dir():
        raise UsageError(f"-o {request.destination}: there is no folder {request.destination.parent}")
    for option, path in (("--image", request.image), ("--video", request.video)):
        if path is not None and not path.is_file():
            raise UsageError(f"{option} {path}: there is no such file")
    if request.extend is not None and request.video is None:
        raise UsageError("--extend needs --video, the video to extend")
    if request.image is not None and request.video is not None:
        raise UsageError("--image and --video cannot both be given: the video has a first frame already")
