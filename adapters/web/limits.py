"""What one person may do in the room at once, and in how short a time."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from core.errors import Rejected

MOST_PAGES = 10
"""Pages of the room that one person has open."""
MOST_SENT = 4
"""Files that one person sends at the same time."""
MOST_A_MINUTE = 120
MOST_A_DAY = 5000
"""What one person says, presses and reacts with."""
MINUTE, DAY = 60, 24 * 60 * 60


class ConcurrencyLimit:
    """Limits how many of something each person has at the same time."""

    def __init__(self, most: int, key: str) -> None:
        """``key`` names the sentence that says there are too many."""
        self._most = most
        self._key = key
        self._held: Counter[str] = Counter()

    def require(self, person: str) -> None:
        """Raise Rejected when the person already has as many as allowed."""
        if self.is_full(person):
            raise Rejected(self._key, allowed=self._most)

    def is_full(self, person: str) -> bool:
        """Whether the person already has as many as allowed."""
        return self._held[person] >= self._most

    @contextmanager
    def hold(self, person: str) -> Iterator[None]:
        """Count one more while the block runs."""
        self._held[person] += 1
        try:
            yield
        finally:
            self._held[person] -= 1
            # A long-running process must not keep a counter for everybody who ever came.
            if not self._held[person]:
                del self._held[person]


class RateLimit:
    """Limits how many requests each person makes in a period."""

    def __init__(
        self,
        most: int,
        seconds: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._now = now
        self._period = -1
        self._counts: Counter[str] = Counter()

    def take(self, person: str) -> None:
        """Count one request. Raises Rejected for one too many."""
        period = int(self._now() // self._seconds)
        # Periods are the same for everybody: all counts are dropped at once.
        if period != self._period:
            self._period = period
            self._counts.clear()
        self._counts[person] += 1
        if self._counts[person] > self._most:
            raise Rejected("room.too_fast")
