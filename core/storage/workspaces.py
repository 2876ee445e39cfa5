"""A workspace: its settings, what it spent, and how it is forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from core.audit import AuditEntry
from core.budgets import Spending, Usage
from core.storage import ledger
from core.storage.audit_log import AuditLog
from core.storage.shielding import shielded
from core.storage.tables import metadata, pauses, workspaces


@shielded
class WorkspaceStore(AuditLog):
    """Settings and money. Each method is one transaction."""

    async def settings(self, tenant: str) -> dict[str, Any]:
        """The workspace's settings; empty when never set."""
        query = select(workspaces.c.settings).filter_by(tenant=tenant)
        return dict(await self._fetch_scalar(query) or {})

    async def save_settings(
        self,
        tenant: str,
        settings: Mapping[str, Any],
        entries: Sequence[AuditEntry] = (),
    ) -> None:
        """Replace the workspace's settings, and record who changed what."""
        row = {"tenant": tenant, "settings": dict(settings)}
        new_row = self._insert(workspaces).values(row)
        changed = {"settings": row["settings"]}
        replaced = new_row.on_conflict_do_update(
            index_elements=["tenant"],
            set_=changed,
        )
        async with self._writing.begin() as connection:
            await connection.execute(replaced)
            await self._record(connection, tenant, entries)

    async def pause(self, tenant: str, now: datetime) -> None:
        """Begin nothing for the workspace from now on; no matter if it is paused."""
        new = self._insert(pauses).values(tenant=tenant, since=now)
        await self._write(new.on_conflict_do_nothing())

    async def resume(self, tenant: str) -> None:
        """Begin what has waited during the pause, and what comes."""
        await self._write(delete(pauses).filter_by(tenant=tenant))

    async def pauses(self) -> frozenset[str]:
        """The workspaces that are paused."""
        rows = await self._fetch_all(select(pauses.c.tenant))
        return frozenset(row["tenant"] for row in rows)

    async def has_pause(self, tenant: str) -> bool:
        """Whether the workspace is paused."""
        query = select(pauses.c.tenant).filter_by(tenant=tenant)
        return await self._fetch_scalar(query) is not None

    async def usage(self, tenant: str, since: datetime) -> list[Spending]:
        """What each person spent from that day on, holds included."""
        async with self._reading.begin() as connection:
            return await ledger.usage(connection, tenant, since)

    async def usage_by_model(
        self, tenant: str, since: datetime
    ) -> list[Usage]:
        """The same for each model, from the ledger itself."""
        async with self._reading.begin() as connection:
            return await ledger.usage_by_model(connection, tenant, since)

    async def forget_workspace(self, tenant: str) -> None:
        """Delete every row of a workspace, settings and money included."""
        async with self._writing.begin() as connection:
            # Rows before those they refer to. A new table with a tenant is never forgotten here.
            for table in reversed(metadata.sorted_tables):
                if "tenant" in table.c:
                    rows = table.delete().where(table.c.tenant == tenant)
                    await connection.execute(rows)
