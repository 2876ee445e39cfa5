"""Blobs that nothing refers to: refused uploads, masks, drawings of messages that are gone."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, String, cast, select, union

from core.storage.shielding import shielded
from core.storage.tables import (
    UNFINISHED,
    drafts,
    pictures,
    step_pictures,
    steps,
    workspaces,
)
from core.storage.transactions import Transactions

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from core.ports import Blobs

UNREFERRED_LIFE = timedelta(days=7)
"""A blob is kept before a row refers to it, and requests that wait may mean one: none of them waits
so long."""
KEY_IN_TEXT = re.compile(r"\b[0-9a-f]{64}\b")
References = Callable[[], Awaitable[set[str]]]
"""The keys that are referred to from elsewhere, such as a platform's own messages."""


async def no_references() -> set[str]:
    """No platform has a store of its own."""
    return set()


@shielded
class BlobSweep(Transactions):
    """Deletes what no row refers to, in the workspaces that this database knows."""

    def __init__(
        self,
        engine: AsyncEngine,
        blobs: Blobs,
        references: References = no_references,
    ) -> None:
        super().__init__(engine)
        self._blobs = blobs
        self._references = references

    async def sweep(self, now: datetime, *, dry_run: bool = False) -> int:
        """Delete unreferred blobs that are old enough, or only count them."""
        before = now - UNREFERRED_LIFE
        old = {
            tenant: await self._blobs.older_keys(tenant, before)
            for tenant in await self.tenants()
        }
        # Looked up after the lists: what was referred to meanwhile stays.
        elsewhere = await self._references()
        count = 0
        for tenant, keys in old.items():
            unreferred = set(keys) - elsewhere - await self._keys_of(tenant)
            count += len(unreferred)
            for key in () if dry_run else unreferred:
                await self._blobs.delete(tenant, key)
        return count

    async def tenants(self) -> list[str]:
        """Every workspace that has rows."""
        tables = (steps, pictures, drafts, workspaces)
        queries = [select(table.c.tenant).distinct() for table in tables]
        rows = await self._fetch_all(union(*queries))  # type: ignore[arg-type]
        return sorted(row["tenant"] for row in rows)

    async def _keys_of(self, tenant: str) -> set[str]:
        """Keys in the tenant's rows, also within JSON."""
        outcomes = select(cast(steps.c.outcome, String)).where(UNFINISHED)
        queries: list[Select[Any]] = [
            select(step_pictures.c.key).filter_by(tenant=tenant),
            select(pictures.c.key).filter_by(tenant=tenant),
            select(pictures.c.thumbnail).filter_by(tenant=tenant),
            select(cast(drafts.c.request, String)).filter_by(tenant=tenant),
            outcomes.filter_by(tenant=tenant),
        ]
        keys: set[str] = set()
        async with self._reading.begin() as connection:
            for query in queries:
                result = await connection.execute(query)
                for text in result.scalars():
                    keys.update(KEY_IN_TEXT.findall(text or ""))
        return keys
