"""Limit calls to so many in any period, as the vendor counts over a sliding window."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass


@dataclass(slots=True)
class Turn:
    """A call that may be made now.

    ``at``: when it can have arrived at the latest, in monotonic seconds.
    """

    at: float

    def mark_arrival(self) -> None:
        """Mark the call as answered.

        However long it was on its way, it counts from now at the latest.
        """
        self.at = time.monotonic()


class Pace:
    """At most ``count`` turns in any ``seconds``, first come first served."""

    def __init__(self, count: int, seconds: float) -> None:
        self._count = count
        self._seconds = seconds
        self._turns: deque[Turn] = deque(maxlen=count)
        self._order = asyncio.Lock()

    async def turn(self) -> Turn:
        """Wait for a turn, and take it."""
        async with self._order:
            # The pause may grow while it is slept: it moves when an earlier call is answered.
            while (pause := self._pause()) > 0:  # noqa: ASYNC110
                await asyncio.sleep(pause)
            turn = Turn(time.monotonic())
            self._turns.append(turn)
            return turn

    def _pause(self) -> float:
        if len(self._turns) < self._count:
            return 0.0
        oldest = self._turns[0]
        return oldest.at + self._seconds - time.monotonic()
