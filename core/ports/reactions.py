"""What people think of pictures."""

from typing import Protocol

from core.post import Tally
from core.types import CountedReaction, StepId, Tenant


class Reactions(Protocol):
    """Votes for the pictures of a step, and favourites. Each method is one transaction."""

    async def add(
        self,
        tenant: Tenant,
        step: StepId,
        person: str,
        kind: CountedReaction,
        index: int = 0,
    ) -> Tally:
        """Count one person's reaction to a picture once, however often it is delivered."""
        ...

    async def remove(
        self,
        tenant: Tenant,
        step: StepId,
        person: str,
        kind: CountedReaction,
        index: int = 0,
    ) -> Tally:
        """Remove a reaction that was counted."""
        ...

    async def tally(self, tenant: Tenant, step: StepId) -> Tally:
        """The counts."""
        ...
