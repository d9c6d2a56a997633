"""`assay webhook`: for whoever receives webhooks and wants to see them while developing."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer

import click

from assay.cli.common import err, json_line

_MOST = 1 << 20  # bytes of a body


@click.group()
def command() -> None:
    """Receive webhooks while developing."""


@command.command()
@click.option("--secret", envvar="ASSAY_WEBHOOK_SECRET", required=True, help="whsec_..., as shown with the endpoint.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8899, show_default=True)
@click.option("--count", type=click.IntRange(1), help="End after so many events.")
def listen(secret: str, host: str, port: int, count: int | None) -> None:
    """Answer webhooks, verify each, and print one JSON line an event. What does not verify is refused with 400.

    A repeated event is answered as the first was, and marked as repeated.
    """
    from assay.webhooks import key_of

    key_of(secret)
    with _server(secret, host, port) as server:
        err.print(f"listening on http://{host}:{server.server_port}", markup=False)
        while count is None or server.told < count:
            server.handle_request()


class _Server(HTTPServer):
    secret = ""
    told = 0


def _server(secret: str, host: str, port: int) -> _Server:
    from assay.webhooks import Seen, WebhookRefused, verify

    seen = Seen()

    class Receiver(BaseHTTPRequestHandler):
        server: _Server
        timeout = 10

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            if not length.isdigit() or int(length) > _MOST:
                self._answer(413)
                return
            try:
                event = verify(self.rfile.read(int(length)), dict(self.headers.items()), secret)
            except WebhookRefused as error:
                err.print(f"refused: {error}", markup=False)
                self._answer(400)
                return
            self._answer(200)
            json_line({"event": event, "repeated": not seen.first(event["id"])})
            self.server.told += 1

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing: the lines on stdout are the log."""

    return _Server((host, port), Receiver)
