"""What platforms delivered and nobody has worked on yet: one durable commit, shared by all that arrive together.

On SQLite it has a file of its own, so that an acknowledgement never waits for the jobs' transactions.
"""

import asyncio
from contextlib import suppress
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Integer, MetaData, String, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from core.storage.whole import whole
from core.types import Request, from_json, to_json

BATCH = 200
"""Requests taken out at a time."""

metadata = MetaData()
inbox = Table(
    "inbox",
    metadata,
    # The order of arrival; SQLite counts up by itself only in an INTEGER.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", String(400), unique=True, nullable=False),
    Column("request", JSON, nullable=False),
)


@whole
class Inbox:
    """One table. ``prepare`` it first, inside the running loop, and ``close`` it last."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        self._arriving: list[tuple[dict[str, Any], asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Make the table if there is none, and begin to write."""
        async with self._engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        self._writer = asyncio.create_task(self._write(), name="inbox")

    async def close(self) -> None:
        """Write no more; what was not committed was not acknowledged either."""
        if self._writer is not None:
            self._writer.cancel()
            with suppress(asyncio.CancelledError):
                await self._writer
        await self._engine.dispose()

    async def add(self, request: Request) -> None:
        """Return once it is durable. The same again changes nothing."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        row = {"id": f"{request.place.tenant}:{request.key}", "request": to_json(request)}
        self._arriving.append((row, done))
        self._arrived.set()
        await done

    async def waiting(self) -> list[tuple[str, Request]]:
        """The oldest, with their ids."""
        query = select(inbox.c.id, inbox.c.request).order_by(inbox.c.number).limit(BATCH)
        async with self._engine.begin() as connection:
            return [(row.id, from_json(Request, row.request)) for row in await connection.execute(query)]

    async def forget(self, ids: list[str]) -> None:
        """They are somebody else's to remember now."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(inbox).where(inbox.c.id.in_(ids)))

    async def _write(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            batch, self._arriving = self._arriving, []
            try:
                await asyncio.shield(self._commit([row for row, _ in batch]))
            except Exception as error:  # whoever waits must hear of it, whatever it is
                for _, done in batch:
                    if not done.done():
                        done.set_exception(error)
            else:
                for _, done in batch:
                    if not done.done():
                        done.set_result(None)

    async def _commit(self, rows: list[dict[str, Any]]) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(self._insert(inbox).on_conflict_do_nothing(), rows)
