"""What waits for its person."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from core.types import Tenant


class Drafts(Protocol):
    """Requests that wait for something, such as a painted mask. Each method is one transaction."""

    async def save(
        self,
        tenant: Tenant,
        draft: str,
        request: Mapping[str, Any],
        now: datetime,
    ) -> None:
        """Save a request under its id. The same again changes nothing; old ones are swept."""
        ...

    async def put(
        self,
        tenant: Tenant,
        draft: str,
        request: Mapping[str, Any],
        now: datetime,
    ) -> None:
        """Save under its id what replaces what was there; it counts as unused."""
        ...

    async def read(
        self,
        tenant: Tenant,
        draft: str,
    ) -> tuple[dict[str, Any], bool]:
        """The request, and whether it was used already. Raises NotFound."""
        ...

    async def use(self, tenant: Tenant, draft: str) -> bool:
        """Use it. True only for the first caller."""
        ...
