"""Time."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time and sleep, so that tests can move it."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep; cancellable."""
        ...
