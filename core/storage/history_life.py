"""Delete requests, pictures and prompts that are older than the operator keeps them.

What something younger was made of stays, and so does the picture from which the next edit of a
session in use would start.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
)

from core.storage import forgotten_spending
from core.storage.removal import remove_empty_steps, remove_rows_of
from core.storage.shielding import shielded
from core.storage.tables import (
    drafts,
    in_work,
    ledger,
    sessions,
    steps,
)
from core.storage.transactions import Transactions
from core.types import StepId, Tenant

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Nothing is older. Without a limit only the empty rows of forgotten people are deleted."""
DRAFT_LIFE = timedelta(days=1)
StepName = tuple[Tenant, StepId]


@shielded
class HistoryLife(Transactions):
    """Finds and removes what is too old. Each method is one transaction."""

    async def old_steps(self, before: datetime, limit: int) -> list[StepName]:
        """Some of the steps that may go, the newest first: what was made before its origin."""
        query = _old(before).order_by(steps.c.created.desc()).limit(limit)
        rows = await self._fetch_all(query)
        return [(row["tenant"], row["id"]) for row in rows]

    async def count_old(self, before: datetime) -> int:
        """How many steps may go."""
        query = select(func.count()).select_from(_old(before).subquery())
        return int(await self._fetch_scalar(query))

    async def remove(self, names: list[StepName]) -> None:
        """Remove steps whose pictures were erased."""
        async with self._writing.begin() as connection:
            for tenant in sorted({tenant for tenant, _ in names}):
                removed = [step for owner, step in names if owner == tenant]
                await remove_rows_of(connection, tenant, removed)
                await remove_empty_steps(connection, tenant, removed)

    async def remove_drafts(self, now: datetime) -> None:
        """Remove what has waited for its person for more than a day."""
        before = now - DRAFT_LIFE
        await self._write(delete(drafts).where(drafts.c.created < before))

    async def remove_rest(self, before: datetime) -> None:
        """Remove what hangs from nothing any more: sessions, entries of money.

        The sums of money stay; those of days before the limit lose the names.
        """
        is_gone = ~exists().where(
            steps.c.tenant == ledger.c.tenant, steps.c.id == ledger.c.step
        )
        old_entries = delete(ledger).where(ledger.c.at < before, is_gone)
        async with self._writing.begin() as connection:
            await connection.execute(old_entries)
            await connection.execute(delete(sessions).where(_is_empty()))
            day = before.astimezone(UTC).date().isoformat()
            await forgotten_spending.forget_names(
                connection, self._insert, day
            )


def _old(before: datetime) -> Select[tuple[str, str]]:
    """Steps at their end that are old, or empty, and that nothing younger needs."""
    younger = steps.alias("younger")
    is_young = or_(younger.c.created >= before, in_work(younger))
    has_parent = younger.c.parent.is_not(None)
    # From every young step up to the first of its line: all of these are inputs of something young.
    needed = (
        select(younger.c.tenant, younger.c.parent.label("id"))
        .where(is_young, has_parent)
        .cte("needed", recursive=True)
    )
    above = steps.alias("above")
    is_needed_itself = and_(
        above.c.tenant == needed.c.tenant, above.c.id == needed.c.id
    )
    needed = needed.union(
        select(above.c.tenant, above.c.parent)
        .join(needed, is_needed_itself)
        .where(above.c.parent.is_not(None))
    )
    is_needed = exists().where(
        needed.c.tenant == steps.c.tenant, needed.c.id == steps.c.id
    )
    # What stands for a step of a forgotten person goes as soon as nothing hangs from it.
    is_empty = and_(steps.c.person == "", steps.c.deleted.is_not(None))
    return select(steps.c.tenant, steps.c.id).where(
        or_(steps.c.created < before, is_empty),
        ~in_work(steps),
        ~is_needed,
        ~_is_head_in_use(before),
    )


def _is_head_in_use(before: datetime) -> ColumnElement[bool]:
    """Whether a session with younger steps would go on from it."""
    young = steps.alias("young")
    return exists().where(
        sessions.c.tenant == steps.c.tenant,
        sessions.c.head_step == steps.c.id,
        young.c.tenant == sessions.c.tenant,
        young.c.session == sessions.c.id,
        young.c.created >= before,
    )


def _is_empty() -> ColumnElement[bool]:
    """Whether a session has no steps, and no picture to go on from."""
    has_steps = exists().where(
        steps.c.tenant == sessions.c.tenant, steps.c.session == sessions.c.id
    )
    head = steps.alias("head")
    has_head = exists().where(
        head.c.tenant == sessions.c.tenant, head.c.id == sessions.c.head_step
    )
    return and_(~has_steps, ~has_head)
