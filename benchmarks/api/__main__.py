"""`python -m benchmarks.api [--seconds 60] [--clients 32] [--overhead]`: prints the tables of `results.md`.

Two servers run at once and are asked in turn, ten seconds each, so that whatever else the machine does falls on both.
One client alone asks for two seconds before each turn, since the host's speed changes within minutes. CPU time is that
of a server's processes, all of them; the clients' own does not count.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.api.load import Tally, run
from benchmarks.api.overhead import overhead
from benchmarks.api.servers import Server, served

SLICE_S = 10.0
LONE_S = 2.0  # of one client, before each slice


def main() -> None:
    """All of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="under load, for each server")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--overhead", action="store_true", help="only what the API adds to a bare call")
    asked = parser.parse_args()
    if asked.overhead:
        with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as server:
            overhead(server)
        return
    with tempfile.TemporaryDirectory() as folder:
        homes = [Path(folder) / name for name in ("batching", "alone")]
        for home in homes:
            home.mkdir()
        with served(homes[0]) as batching, served(homes[1], moderation_batch=1) as alone:
            _race(asked.clients, asked.seconds, {"batching": batching, "none": alone})
            overhead(batching)
        home = Path(folder) / "narrow"
        home.mkdir()
        with served(home, moderation_waiting=4, moderation_hands=1) as narrow:
            _full(narrow, asked.clients)


def _race(clients: int, seconds: float, servers: dict[str, Server]) -> None:
    tallies, lone = ({name: Tally() for name in servers} for _ in range(2))
    spent = dict.fromkeys(servers, 0.0)
    for server in servers.values():
        run(server.port, server.key, 4, 4.0, 90, server.cpu_s)  # the models are loaded then
    for turn in range(max(1, round(seconds / SLICE_S))):
        for name, server in servers.items():
            lone[name].took_s += run(server.port, server.key, 1, LONE_S, 100 + turn, server.cpu_s)[0].took_s
            tally, cpu_s = run(server.port, server.key, clients, SLICE_S, turn, server.cpu_s)
            tallies[name].took_s += tally.took_s
            tallies[name].statuses += tally.statuses
            spent[name] += cpu_s
    print(f"{clients} clients, {seconds:.0f} s a server in turns of {SLICE_S:.0f} s\n")
    print("| server | answered | errors | CPU ms a request | p50 ms | p99 ms | p50 ms of one client | p99 / that |")
    print("|---|---|---|---|---|---|---|---|")
    for name, tally in tallies.items():
        wrong = sum(count for status, count in tally.statuses.items() if status != 200)
        each = 1000 * spent[name] / len(tally.took_s)
        row = [name, str(len(tally.took_s)), str(wrong), f"{each:.2f}"]
        row += [f"{1000 * tally.quantile(q):.0f}" for q in (0.5, 0.99)]
        alone_s = lone[name].quantile(0.5)
        print("|", " | ".join([*row, f"{1000 * alone_s:.2f}", f"{tally.quantile(0.99) / alone_s:.1f}"]), "|")
    costs = {name: spent[name] / len(tallies[name].took_s) for name in servers}
    print(f"\nWithout batching a request takes {costs['none'] / costs['batching']:.2f} times the CPU.")
    print(f"Memory of the server and its workers: {servers['batching'].rss_mb():.0f} MB.\n", flush=True)


def _full(server: Server, clients: int) -> None:
    """A queue of four in front of one process, and everybody at once."""
    memory: Callable[[], float] = server.rss_mb
    run(server.port, server.key, 2, 4.0, 93, server.cpu_s)
    before = memory()
    tally, _ = run(server.port, server.key, clients, 10.0, 94, server.cpu_s)
    refused = tally.statuses[429]
    told = sorted(set(tally.retry_after))
    print(
        f"A queue of 4, {clients} clients for 10 s: {tally.statuses[200]} answered, {refused} refused with 429 and ",
        end="",
    )
    print(
        f"Retry-After {', '.join(told)} s, {sum(tally.statuses.values()) - tally.statuses[200] - refused} other; ",
        end="",
    )
    print(f"p99 {1000 * tally.quantile(0.99):.0f} ms; memory {before:.0f} -> {memory():.0f} MB.")


if __name__ == "__main__":
    main()
