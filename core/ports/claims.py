"""Which worker does what."""

from datetime import datetime
from typing import Protocol

from core.models import SubmitLimit
from core.types import Claim


class Claims(Protocol):
    """Who works on which step. Each method is one transaction."""

    async def lines(self) -> list[tuple[str, str]]:
        """Account and model of every line in which a step waits to be claimed."""
        ...

    async def claim(
        self,
        account: str,
        model: str,
        size: int,
        limit: SubmitLimit | None,
        now: datetime,
    ) -> tuple[list[Claim], float | None]:
        """Claim the next steps of a line; also the seconds until its limit allows one more."""
        ...

    async def release(self, claim: Claim, now: datetime) -> None:
        """Put a step back in line that the service would not take now."""
        ...

    async def own_claims(self) -> list[Claim]:
        """What this worker has to bring to its end."""
        ...

    async def free(self, claim: Claim) -> None:
        """Free the slot of a step that the service has finished."""
        ...
