"""Removing steps with all rows that hang from them, inside a transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy import delete, update

from core.storage.tables import (
    drawings,
    messages,
    posting,
    reactions,
    step_pictures,
    steps,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


async def remove_rows_of(
    connection: AsyncConnection, tenant: str, removed: Collection[str]
) -> None:
    """Remove what refers to these steps; the ledger keeps what they cost."""
    for table in (step_pictures, messages, drawings, reactions):
        rows = delete(table).filter_by(tenant=tenant)
        await connection.execute(rows.where(table.c.step.in_(removed)))
    rows = delete(posting).filter_by(tenant=tenant)
    await connection.execute(rows.where(posting.c.job.in_(removed)))


async def remove_empty_steps(
    connection: AsyncConnection, tenant: str, removed: Collection[str]
) -> None:
    """Remove steps from which nothing hangs; what was made of them has no parent any more."""
    orphans = update(steps).filter_by(tenant=tenant)
    are_theirs = steps.c.parent.in_(removed)
    await connection.execute(orphans.where(are_theirs).values(parent=None))
    rows = delete(steps).filter_by(tenant=tenant)
    await connection.execute(rows.where(steps.c.id.in_(removed)))
