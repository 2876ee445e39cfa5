"""The real clock. Tests have one they can turn."""

import asyncio
from datetime import UTC, datetime


class WallClock:
    """The Clock port by the system's clock."""

    def now(self) -> datetime:
        """The time, with its zone: UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Sleep; cancellable."""
        await asyncio.sleep(seconds)
