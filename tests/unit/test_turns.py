"""Work runs beside other work, or alone in its process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from core.flow import turns
from core.flow.isolation import ISOLATED, alone, job_alone
from core.flow.turns import Turns
from core.types import LIVES, Claim, StepId, Tenant


class Work:
    """Work with so many lives behind it; ``marks`` are what is written down of them."""

    def __init__(self, context: Any, lives: int) -> None:
        self.marks: list[int] = []
        self.begun = asyncio.Event()
        self._end = asyncio.Event()
        self._task = asyncio.create_task(self._run(context, lives))

    async def end(self) -> None:
        self._end.set()
        await self._task

    async def _run(self, context: Any, lives: int) -> None:
        async def mark(count: int) -> None:
            self.marks.append(count)

        async with alone(context, lives, mark):
            self.begun.set()
            await self._end.wait()


Begin = Callable[[int], Work]


@asynccontextmanager
async def a_process() -> AsyncIterator[Begin]:
    context = SimpleNamespace(turns=Turns())
    async with AsyncExitStack() as stack:

        def begin(lives: int) -> Work:
            work = Work(context, lives)
            stack.push_async_callback(work.end)
            return work

        yield begin


async def pause() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_work_that_lost_two_processes_runs_alone_in_the_third() -> None:
    async with a_process() as begin:
        before = begin(1)
        await before.begun.wait()
        suspect = begin(LIVES)
        await pause()
        after = begin(1)
        await pause()
        assert not suspect.begun.is_set()
        assert not after.begun.is_set()
        await before.end()
        await suspect.begun.wait()
        await pause()
        assert suspect.marks == [ISOLATED]
        assert not after.begun.is_set()
        await suspect.end()
        await after.begun.wait()
        assert suspect.marks == [ISOLATED, LIVES]
        assert after.marks == []


async def test_what_waits_no_longer_for_work_alone_lifts_its_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with a_process() as begin:
        suspect = begin(LIVES)
        await suspect.begun.wait()
        monkeypatch.setattr(turns, "PATIENCE", 0.01)
        other = begin(1)
        await other.begun.wait()
        # If the process dies now, it may have been the other.
        assert suspect.marks == [ISOLATED, LIVES]


async def test_work_that_cannot_run_alone_in_time_is_not_marked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.01)
    async with a_process() as begin:
        other = begin(1)
        await other.begun.wait()
        first, second = begin(LIVES), begin(LIVES)
        await first.begun.wait()
        await second.begun.wait()
        assert first.marks == second.marks == []


async def test_a_job_that_has_got_on_is_no_suspect_any_more() -> None:
    """It died twice before it had a task; with one, its next death is its first."""
    rows = {"a": LIVES}

    class Rows:
        async def lives(self, _tenant: str, step: str) -> int:
            return rows[step]

        async def record_lives(
            self, _tenant: str, step: str, lives: int
        ) -> None:
            if rows[step] >= LIVES:
                rows[step] = lives

    context: Any = SimpleNamespace(turns=Turns(), store=Rows())
    claim = Claim(
        tenant=Tenant("t"),
        step=StepId("a"),
        account="beijing",
        model="m",
        claims=LIVES,
    )
    async with job_alone(context, claim):
        assert rows["a"] == ISOLATED
        rows["a"] = 1
    async with job_alone(context, claim):
        assert rows["a"] == 1
    assert rows["a"] == 1
