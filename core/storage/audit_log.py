"""The audit log of a workspace: its own rows, and the steps as what was asked and spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, literal, null, select, union_all

from core.audit import ASKED, AuditEntry
from core.storage import mapping
from core.storage.shielding import shielded
from core.storage.tables import audit, steps
from core.storage.transactions import Transactions
from core.types import Person

if TYPE_CHECKING:
    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection


@shielded
class AuditLog(Transactions):
    """What was done in a workspace. Each method is one transaction."""

    async def record(self, tenant: str, entries: Sequence[AuditEntry]) -> None:
        """Add entries; one that is there already changes nothing."""
        async with self._writing.begin() as connection:
            await self._record(connection, tenant, entries)

    async def audit(
        self, tenant: str, limit: int, offset: int = 0
    ) -> list[AuditEntry]:
        """The newest entries, newest first."""
        rows = union_all(_acts(tenant), _requests(tenant)).subquery()
        newest_first = select(rows).order_by(rows.c.at.desc(), rows.c.id)
        page = newest_first.limit(limit).offset(offset)
        return [_entry(row) for row in await self._fetch_all(page)]

    async def count_audit(self, tenant: str) -> int:
        """How many entries there are."""
        counts = [
            select(func.count())
            .select_from(table)
            .filter_by(tenant=tenant)
            .scalar_subquery()
            for table in (audit, steps)
        ]
        return int(await self._fetch_scalar(select(counts[0] + counts[1])))

    async def _record(
        self,
        connection: AsyncConnection,
        tenant: str,
        entries: Sequence[AuditEntry],
    ) -> None:
        for entry in entries:
            row = {
                "tenant": tenant,
                "id": entry.id,
                "at": entry.at,
                "act": entry.act,
                "person": entry.person.id,
                "person_name": entry.person.name,
                "channel": entry.channel,
                "subject": entry.subject,
                "before": entry.before,
                "after": entry.after,
            }
            new = self._insert(audit).values(row)
            await connection.execute(new.on_conflict_do_nothing())


def _acts(tenant: str) -> Select[Any]:
    return select(
        audit.c.id,
        audit.c.at,
        audit.c.act,
        audit.c.person,
        audit.c.person_name,
        audit.c.channel,
        audit.c.subject,
        audit.c.before,
        audit.c.after,
        null().label("micros"),
        null().label("currency"),
    ).filter_by(tenant=tenant)


def _requests(tenant: str) -> Select[Any]:
    """What was asked, and what it cost or may cost."""
    return select(
        steps.c.id,
        steps.c.created,
        literal(ASKED),
        steps.c.person,
        steps.c.person_name,
        steps.c.channel,
        steps.c.action,
        literal(""),
        steps.c.state,
        func.coalesce(steps.c.cost_micros, steps.c.price_micros),
        steps.c.currency,
    ).filter_by(tenant=tenant)


def _entry(row: RowMapping) -> AuditEntry:
    return AuditEntry(
        id=row["id"],
        at=row["at"],
        act=row["act"],
        person=Person(id=row["person"], name=row["person_name"]),
        channel=row["channel"],
        subject=row["subject"],
        before=row["before"],
        after=row["after"],
        cost=mapping.money(row["micros"], row["currency"]),
    )
