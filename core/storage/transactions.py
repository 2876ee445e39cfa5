"""The engine behind a store, and the transactions that are one statement long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.storage.database import inserting, reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import CursorResult, Executable, RowMapping, Select
    from sqlalchemy.ext.asyncio import AsyncEngine


class Transactions:
    """What every store needs: one engine that reads, one that writes, and the dialect's INSERT."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reading = reading(engine)
        self._writing = engine
        self._insert = inserting(engine)

    async def _fetch_all(self, query: Select[Any]) -> Sequence[RowMapping]:
        async with self._reading.begin() as connection:
            result: CursorResult[Any] = await connection.execute(query)
            return result.mappings().all()

    async def _fetch_first(self, query: Select[Any]) -> RowMapping | None:
        async with self._reading.begin() as connection:
            result: CursorResult[Any] = await connection.execute(query)
            return result.mappings().first()

    async def _fetch_scalar(self, query: Select[Any]) -> Any:
        async with self._reading.begin() as connection:
            result = await connection.execute(query)
            return result.scalar()

    async def _write(self, statement: Executable) -> int:
        """Run it alone; how many rows an UPDATE or DELETE has changed."""
        async with self._writing.begin() as connection:
            result = await connection.execute(statement)
            # Of an INSERT that may do nothing, PostgreSQL's driver counts none.
            return result.rowcount
