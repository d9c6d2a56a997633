"""What the API adds to one call of the bare classifier: one client, one process at a time, the two in short turns."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from benchmarks.api.load import Tally, prompts

if TYPE_CHECKING:
    from benchmarks.api.servers import Server

ROUNDS, TURN = 60, 10  # turns of ten calls each, bare and through the API


def overhead(server: Server) -> None:
    """Prints the table. `added` is the difference of two medians out of the same minute."""
    from safety import Item, Stage
    from safety.prompt import EmbeddedPromptClassifier

    classifier = EmbeddedPromptClassifier()

    def alone(text: str) -> None:
        classifier.score(Item.text(Stage.PROMPT, "it", text), text)

    bare, through = Tally(), Tally()
    asked, request = prompts(92), _client(server)
    for ask in (alone, request):  # the first calls load and warm up
        _turn(ask, asked, Tally(), 30)
    before, spent = server.cpu_s(), time.process_time()
    cpu_bare_s = 0.0
    for _ in range(ROUNDS):
        began = time.process_time()
        _turn(alone, asked, bare, TURN)
        cpu_bare_s += time.process_time() - began
        _turn(request, asked, through, TURN)
    cpu = {"the bare classifier": cpu_bare_s, "through the API": server.cpu_s() - before}
    print(f"One client, {ROUNDS} turns of {TURN} calls each, bare and through the API by turns.\n")
    print("| | CPU ms a call | p10 ms | p50 ms | p90 ms |\n|---|---|---|---|---|")
    for name, one in (("the bare classifier", bare), ("through the API", through)):
        each = 1000 * cpu[name] / len(one.took_s)
        row = [name, f"{each:.2f}", *(f"{1000 * one.quantile(q):.2f}" for q in (0.1, 0.5, 0.9))]
        print("|", " | ".join(row), "|")
    added = {q: 1000 * (through.quantile(q) - bare.quantile(q)) for q in (0.1, 0.5, 0.9)}
    words = ", ".join(f"{value:.2f} ms at p{100 * q:.0f}" for q, value in added.items())
    print(f"\nThe API adds {words} (goal: at most 5 ms at the median). ", end="")
    print(f"The client itself took {1000 * (time.process_time() - spent - cpu_bare_s) / len(through.took_s):.2f} ms.\n")


def _turn(ask: Callable[[str], None], texts: Iterator[str], tally: Tally, calls: int) -> None:
    for _ in range(calls):
        text = next(texts)
        began = time.perf_counter()
        ask(text)
        tally.took_s.append(time.perf_counter() - began)


def _client(server: Server) -> Callable[[str], None]:
    """One connection that is kept, as a client of ordinary care keeps it."""
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    line.connect()
    line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    headers = {"authorization": f"Bearer {server.key}", "content-type": "application/json"}

    def ask(text: str) -> None:
        line.request("POST", "/v1/moderations", json.dumps({"input": text}).encode(), headers)
        answer = line.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {body[:200]!r}")

    return ask
