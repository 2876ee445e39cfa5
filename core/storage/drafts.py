"""Requests that wait for something, such as a painted mask."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update

from core.errors import NotFound
from core.storage.shielding import shielded
from core.storage.tables import drafts
from core.storage.transactions import Transactions

DRAFT_LIFE = timedelta(days=1)


@shielded
class DraftStore(Transactions):
    """Drafts in one database. Each method is one transaction."""

    async def save(
        self,
        tenant: str,
        draft: str,
        request: Mapping[str, Any],
        now: datetime,
    ) -> None:
        """Save a request under its id. The same again changes nothing; old ones are swept."""
        row = {
            "tenant": tenant,
            "id": draft,
            "request": dict(request),
            "created": now,
            "used": False,
        }
        # Swept here, so that nothing else needs to know of drafts that were never used.
        old = delete(drafts).where(drafts.c.created < now - DRAFT_LIFE)
        new = self._insert(drafts).values(row).on_conflict_do_nothing()
        async with self._writing.begin() as connection:
            await connection.execute(old)
            await connection.execute(new)

    async def put(
        self,
        tenant: str,
        draft: str,
        request: Mapping[str, Any],
        now: datetime,
    ) -> None:
        """Save under its id what replaces what was there; it counts as unused."""
        columns = {"request": dict(request), "created": now, "used": False}
        row = {"tenant": tenant, "id": draft, **columns}
        new = self._insert(drafts).values(row)
        await self._write(
            new.on_conflict_do_update(
                index_elements=["tenant", "id"], set_=columns
            )
        )

    async def read(
        self,
        tenant: str,
        draft: str,
    ) -> tuple[dict[str, Any], bool]:
        """The request, and whether it was used already. Raises NotFound."""
        query = select(drafts.c.request, drafts.c.used).filter_by(
            tenant=tenant,
            id=draft,
        )
        row = await self._fetch_first(query)
        if row is None:
            raise NotFound("refuse.draft_gone")
        return dict(row["request"]), bool(row["used"])

    async def use(self, tenant: str, draft: str) -> bool:
        """Use it. True only for the first caller."""
        change = (
            update(drafts)
            .filter_by(tenant=tenant, id=draft)
            .where(drafts.c.used.is_(False))
        )
        return bool(await self._write(change.values(used=True)))
