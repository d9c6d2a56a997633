"""Short questions to the database, asked once for everybody who asks the same at the same time.

Answers to them are good for a second. Where a crowd found one stale, each of the crowd would ask in a thread of its
own, and they would hold each other up; so one asks, and whoever comes meanwhile hears the same answer. One that gets
old is asked anew ahead of its end, beside the requests: under load nobody waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool

T = TypeVar("T")


class Sharing:
    """The questions under way, by name; of one event loop."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Task[Any]] = {}

    async def ask(self, name: Hashable, question: Callable[[], T]) -> T:
        """The answer to a question, by whoever asked it first; raises what it raised. Asked in a thread."""
        answer: T = await asyncio.shield(self._asked(name, question))  # one that goes away takes nobody's answer along
        return answer

    def ahead(self, name: Hashable, question: Callable[[], object]) -> None:
        """Asks, without waiting; what it raises is raised again where somebody waits for the answer."""
        self._asked(name, question)

    def _asked(self, name: Hashable, question: Callable[[], Any]) -> asyncio.Task[Any]:
        task = self._under_way.get(name)
        if task is None:
            task = self._under_way[name] = asyncio.create_task(run_in_threadpool(question))
            task.add_done_callback(lambda done: self._answered(name, done))
        return task

    def _answered(self, name: Hashable, done: asyncio.Task[Any]) -> None:
        del self._under_way[name]
        if not done.cancelled():
            done.exception()  # was seen: nobody has to wait for a question that was asked ahead
