"""The real time."""

import asyncio
from datetime import UTC, datetime


class WallClock:
    """The real time."""

    def now(self) -> datetime:
        """Aware, UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Sleep; cancellable."""
        await asyncio.sleep(seconds)
