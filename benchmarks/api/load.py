"""Clients that cost little themselves: a connection each, one request after the other, as fast as they are answered."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_SUBJECTS = ("a red kite", "two dogs", "an old tram", "a potter", "three swans", "a paper boat", "a lighthouse")
_DEEDS = ("drifts over", "waits beside", "circles", "passes", "rests near", "turns slowly above", "hurries past")
_PLACES = ("a grey harbour", "wet cobbled streets", "a field of barley", "a quiet canal", "a pine forest")
_LIGHTS = ("at dawn", "under neon signs", "in thick fog", "in the last light", "during a storm", "at noon")


def prompts(seed: int) -> Iterator[str]:
    """Innocent prompts of ordinary length, no two alike: nothing that was read before helps."""
    dice, number = random.Random(seed), 0
    while True:
        number += 1
        parts = (dice.choice(words) for words in (_SUBJECTS, _DEEDS, _PLACES, _LIGHTS))
        yield f"{' '.join(parts)}, take {seed} of {number}, slow pan, film grain"


@dataclass
class Tally:
    """What the clients saw."""

    took_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    retry_after: list[str] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        """Seconds within which that share was answered."""
        return sorted(self.took_s)[min(len(self.took_s) - 1, int(share * len(self.took_s)))]


async def client(port: int, key: str, seed: int, until: float, tally: Tally) -> None:
    """One client: until the time is up, over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    texts = prompts(seed)
    while time.monotonic() < until:
        body = json.dumps({"input": next(texts)}).encode()
        head = f"POST /v1/moderations HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {key}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        began = time.monotonic()
        writer.write(head.encode() + body)
        status, headers = await _answer(reader)
        tally.took_s.append(time.monotonic() - began)
        tally.statuses[status] += 1
        if status == 429:
            tally.retry_after.append(headers.get("retry-after", ""))
            await asyncio.sleep(0.05)
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    raw = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in raw[1:]) if name}
    await reader.readexactly(int(headers["content-length"]))
    return int(raw[0].split(" ")[1]), headers


def run(port: int, key: str, clients: int, seconds: float, seed: int, cpu: Callable[[], float]) -> tuple[Tally, float]:
    """What so many clients saw in so many seconds, and the CPU seconds that the server took meanwhile."""
    tally = Tally()

    async def everybody() -> None:
        until = time.monotonic() + seconds
        await asyncio.gather(*(client(port, key, seed * 1000 + n, until, tally) for n in range(clients)))

    before = cpu()
    asyncio.run(everybody())
    return tally, cpu() - before
