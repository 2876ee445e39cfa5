"""What is kept about people, and how it is erased."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Protocol

from core.types import KnownPerson, Leaver, Step, StepId, Tenant


class People(Protocol):
    """People in one database. Each method is one transaction."""

    async def ask_to_forget(
        self, tenant: Tenant, person: str, now: datetime
    ) -> None:
        """Note durably that a person is to be forgotten, with all that is from before ``now``."""
        ...

    async def leavers(self) -> list[Leaver]:
        """Who is still to be forgotten, the first who asked first."""
        ...

    async def tenants_of(self, platform: str, person: str) -> list[Tenant]:
        """The workspaces of a platform, or with "" of all, that know a person."""
        ...

    async def known_as(self, word: str) -> list[KnownPerson]:
        """The people with this id or name, one for each workspace that knows them."""
        ...

    async def steps_of(
        self, tenant: Tenant, person: str, limit: int, after: int = 0
    ) -> list[Step]:
        """Their steps, the newest first, without the first ``after``."""
        ...

    async def spent_by(
        self, tenant: Tenant, person: str
    ) -> list[dict[str, Any]]:
        """What they spent, by day and currency."""
        ...

    async def reactions_of(
        self, tenant: Tenant, person: str
    ) -> list[dict[str, Any]]:
        """Their votes and favourites."""
        ...

    async def open_steps_of(self, leaver: Leaver) -> list[Step]:
        """Their steps that are not at their end, or with an end that is not shown yet."""
        ...

    async def ended_steps_of(self, leaver: Leaver, limit: int) -> list[Step]:
        """Some of their steps that have ended, the newest first."""
        ...

    async def remove_steps(
        self, leaver: Leaver, steps: Collection[StepId]
    ) -> None:
        """Remove steps that were erased.

        Of one that others have continued an empty row stays, so that its place is known.
        """
        ...

    async def take_reactions(self, leaver: Leaver) -> list[StepId]:
        """Remove their votes and favourites; return the steps that had them."""
        ...

    async def erase(
        self, leaver: Leaver, channels: Collection[str], now: datetime
    ) -> None:
        """Remove what is left of them but steps; the sums of money stay, without a name.

        ``channels`` are those named after them.
        """
        ...

    async def held_among(
        self, tenant: Tenant, keys: Collection[str]
    ) -> set[str]:
        """Which of these blobs any row still refers to."""
        ...

    async def forget_pseudonyms(self, now: datetime) -> None:
        """Forget what today's caps needed of people who were forgotten on an earlier day."""
        ...

    async def end_forgetting(self, leaver: Leaver) -> None:
        """Nothing is left of them."""
        ...
