"""What platforms delivered and nobody has worked on yet: one durable commit, shared by all that arrive together.

On SQLite it has a file of its own, so that an acknowledgement never waits for the jobs' transactions; and a thread of
its own, which a transaction enters once: under load each change of threads costs more than the commit.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import JSON, BigInteger, Column, Engine, Integer, MetaData, String, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from core.types import Request, from_json, to_json

T = TypeVar("T")
BATCH = 8
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


class Inbox:
    """One table. ``prepare`` it first, inside the running loop, and ``close`` it last."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        self._arriving: list[tuple[dict[str, Any], asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inbox")

    async def prepare(self) -> None:
        """Make the table if there is none, and begin to write."""
        await self._run(lambda: metadata.create_all(self._engine))
        self._writer = asyncio.create_task(self._write(), name="inbox")

    async def close(self) -> None:
        """Write no more; what was not committed was not acknowledged either."""
        if self._writer is not None:
            self._writer.cancel()
            with suppress(asyncio.CancelledError):
                await self._writer
        await asyncio.to_thread(self._thread.shutdown)
        self._engine.dispose()

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

        def read() -> list[tuple[str, Any]]:
            with self._engine.begin() as connection:
                return [(row.id, row.request) for row in connection.execute(query)]

        return [(name, from_json(Request, request)) for name, request in await self._run(read)]

    async def forget(self, ids: Sequence[str]) -> None:
        """They are somebody else's to remember now."""

        def change() -> None:
            with self._engine.begin() as connection:
                connection.execute(delete(inbox).where(inbox.c.id.in_(ids)))

        await self._run(change)

    async def _write(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            batch, self._arriving = self._arriving, []
            rows = [row for row, _ in batch]
            try:
                await self._run(lambda rows=rows: self._commit(rows))  # type: ignore[misc]
            except Exception as error:  # whoever waits must hear of it, whatever it is
                for _, done in batch:
                    if not done.done():
                        done.set_exception(error)
            else:
                for _, done in batch:
                    if not done.done():
                        done.set_result(None)

    def _commit(self, rows: list[dict[str, Any]]) -> None:
        with self._engine.begin() as connection:
            connection.execute(self._insert(inbox).on_conflict_do_nothing(), rows)

    async def _run(self, what: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, what)
