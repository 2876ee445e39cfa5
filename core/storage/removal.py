"""Removing steps with all rows that hang from them, inside a transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy import delete

from core.storage.tables import (
    drawings,
    messages,
    posting,
    reactions,
    step_pictures,
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
