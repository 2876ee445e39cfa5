"""Run work beside other work, or alone in its process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

PATIENCE = 60.0
"""Seconds that work waits for its turn at most: each may hold what the other waits for."""


@dataclass(kw_only=True)
class Turn:
    """A turn of work that should run alone.

    ``is_alone``: nothing else runs, until ``on_company`` is awaited because other work has waited
    too long.
    """

    is_alone: bool
    on_company: Callable[[], Awaitable[None]] | None = None


class Turns:
    """Who runs in this process. Turns are taken in the order in which they were asked for."""

    def __init__(self) -> None:
        self._exclusive = asyncio.Lock()
        self._turn: Turn | None = None
        self._running = 0
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Run beside others, after those that asked before to run alone."""
        if await _in_time(self._exclusive.acquire()):
            self._exclusive.release()
        else:
            await self._end_solitude()
        self._running += 1
        self._is_empty.clear()
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._is_empty.set()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[Turn]:
        """Run alone, if the others end in time."""
        if not await _in_time(self._exclusive.acquire()):
            async with self.shared():
                yield Turn(is_alone=False)
            return
        try:
            turn = Turn(is_alone=await _in_time(self._is_empty.wait()))
            self._turn = turn
            yield turn
        finally:
            self._turn = None
            self._exclusive.release()

    async def _end_solitude(self) -> None:
        turn = self._turn
        if turn is not None and turn.on_company is not None:
            await turn.on_company()
            turn.on_company = None


async def _in_time(waiting: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            await waiting
    except TimeoutError:
        return False
    return True
