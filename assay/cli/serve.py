"""`assay serve`: the gated generation API."""

from __future__ import annotations

import importlib.util
import signal
from pathlib import Path
from types import FrameType
from typing import Any

import click

from assay import stagetimes
from assay.cli.common import err, policy_option, settings
from assay.errors import ExitCode
from assay.settings import Settings
from media import UsageError

NEEDED = ("fastapi", "uvicorn", "multipart")


@click.command()
@click.option("--host", metavar="H", help="The address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), metavar="P", help="The port.  [default: 8080]")
@click.option("--workers", type=click.IntRange(0, 64), metavar="N", help="Worker processes to start.  [default: 1]")
@click.option("--no-workers", is_flag=True, help="Start none: `assay worker` runs elsewhere.")
@click.option("--backend", metavar="B", help="embedded, procedural, diffusers, videos-api, or module:factory.")
@click.option("--tls", nargs=2, type=click.Path(path_type=Path), metavar="CERT KEY", help="Speak TLS.")
@policy_option
def command(workers: int | None, no_workers: bool, **options: Any) -> int:
    """Serve the OpenAI-compatible Videos API, with every prompt and output judged and every file signed."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise UsageError(f"assay serve needs {', '.join(missing)}: pip install 'assay-video[serve]'")
    chosen = settings(policy=options["policy"], backend=options["backend"])
    certificate, key = options["tls"] or (None, None)
    asked = {
        "host": options["host"], "port": options["port"], "workers": 0 if no_workers else workers,
        "tls_certificate": certificate, "tls_key": key,
    }  # fmt: skip
    changed = {name: value for name, value in asked.items() if value is not None}
    return serve(chosen.model_copy(update={"serve": chosen.serve.model_copy(update=changed)}))


def serve(chosen: Settings) -> int:
    """Runs the server until it is told to stop."""
    import uvicorn

    from assay.api.app import create_app
    from assay.jobs.runner import beside
    from assay.leftovers import sweep
    from assay.telemetry import export_traces, log_as_json
    from assay.worker import settle

    log_as_json()
    sweep(chosen)
    stagetimes.clear(chosen.home)
    serving = chosen.serve
    if serving.traces:
        export_traces()
    err.print(f"assay: policy {chosen.policy}, back-end {chosen.backend}, {serving.workers} workers", markup=False)
    config = uvicorn.Config(
        create_app(chosen, started=settle), host=serving.host, port=serving.port, log_level="warning", access_log=False,
        server_header=False, proxy_headers=False, timeout_graceful_shutdown=int(serving.grace_s),
        ssl_certfile=serving.tls_certificate, ssl_keyfile=serving.tls_key,
    )  # fmt: skip
    with beside(chosen):
        # uvicorn closes down on SIGTERM and then raises it again: the workers must have their end all the same.
        signal.signal(signal.SIGTERM, _leave)
        uvicorn.Server(config).run()
    return ExitCode.OK


def _leave(_: int, __: FrameType | None) -> None:
    raise SystemExit(ExitCode.OK)
