"""Questions that many requests have at the same moment are asked once, and failures reach whoever waits."""

from __future__ import annotations

import asyncio
import threading

import pytest

from assay.api.sharing import Sharing


def test_a_crowd_asks_once() -> None:
    """Whoever asks while the same question is under way hears the same answer; afterwards it is asked anew."""
    asked: list[int] = []
    gate = threading.Event()

    def question() -> int:
        asked.append(len(asked))
        assert gate.wait(10)
        return asked[-1]

    async def crowd() -> list[int]:
        sharing = Sharing()
        waiting = [asyncio.create_task(sharing.ask("one", question)) for _ in range(8)]
        await asyncio.sleep(0)
        gate.set()
        return [*await asyncio.gather(*waiting), await sharing.ask("one", question)]

    assert asyncio.run(crowd()) == [0] * 8 + [1]


def test_other_questions_are_asked() -> None:
    """A question of another name is another question."""

    async def both() -> tuple[str, str]:
        sharing = Sharing()
        return await sharing.ask("a", lambda: "A"), await sharing.ask("b", lambda: "B")

    assert asyncio.run(both()) == ("A", "B")


def test_failures_reach_everybody_and_are_not_kept() -> None:
    """What a question raises is raised for all who wait, and the next one asks again."""
    answers: list[str | None] = [None, "well"]

    def question() -> str:
        answer = answers.pop(0)
        if answer is None:
            raise RuntimeError("the database is locked")
        return answer

    async def crowd() -> str:
        sharing = Sharing()
        waiting = [asyncio.create_task(sharing.ask("one", question)) for _ in range(3)]
        for failed in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(failed, RuntimeError)
        return await sharing.ask("one", question)

    assert asyncio.run(crowd()) == "well"


def test_who_leaves_takes_nobody_along() -> None:
    """A request that is cancelled while it waits leaves the answer to the others."""
    gate = threading.Event()

    async def two() -> str:
        sharing = Sharing()

        def question() -> str:
            assert gate.wait(10)
            return "well"

        first, second = (asyncio.create_task(sharing.ask("one", question)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        gate.set()
        return await second

    assert asyncio.run(two()) == "well"


def test_asked_ahead_is_heard_by_the_next() -> None:
    """Whoever comes while a question is asked ahead does not ask again; a failure that nobody awaits warns nobody."""
    asked: list[int] = []
    gate, heard = threading.Event(), threading.Event()

    def question() -> int:
        asked.append(1)
        assert gate.wait(10)
        heard.set()
        raise RuntimeError("the database is locked")

    async def ahead() -> None:
        sharing = Sharing()
        sharing.ahead("one", question)
        waiting = asyncio.create_task(sharing.ask("one", question))
        await asyncio.sleep(0)
        gate.set()
        with pytest.raises(RuntimeError):
            await waiting
        heard.clear()
        sharing.ahead("two", question)
        await asyncio.to_thread(heard.wait, 10)

    asyncio.run(ahead())
    assert len(asked) == 2
