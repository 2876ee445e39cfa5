"""So many calls in any so many seconds: the vendor counts over a sliding window."""

import asyncio
import time
from collections import deque


class Pace:
    """At most ``count`` turns in any ``seconds``, first come first served."""

    def __init__(self, count: int, seconds: float) -> None:
        self._count = count
        self._seconds = seconds
        self._turns: deque[float] = deque(maxlen=count)
        self._order = asyncio.Lock()

    async def turn(self) -> None:
        """Wait for a turn, and take it."""
        async with self._order:
            if len(self._turns) == self._count:
                await asyncio.sleep(self._turns[0] + self._seconds - time.monotonic())
            self._turns.append(time.monotonic())
