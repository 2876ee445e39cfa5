"""What platforms delivered and nobody has worked on yet: one durable commit, shared by all that arrive together.

On SQLite it has a file of its own, so that an acknowledgement never waits for the jobs' transactions; and a thread of
its own, which a transaction enters once: under load each change of threads costs more than the commit.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import JSON, BigInteger, Column, Engine, Integer, MetaData, String, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from core.types import Request, from_json, to_json

T = TypeVar("T")
Arrival = tuple[dict[str, Any], asyncio.Future[None]]
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
    """One table. ``prepare`` it first and ``close`` it last."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        self._arriving: deque[Arrival] = deque()
        self._is_called = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inbox")

    async def prepare(self) -> None:
        """Make the table if there is none."""
        await self._run(lambda: metadata.create_all(self._engine))

    async def close(self) -> None:
        """Write no more."""
        await asyncio.to_thread(self._thread.shutdown)
        self._engine.dispose()

    async def add(self, request: Request) -> None:
        """Return once it is durable. The same again changes nothing."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        row = {"id": f"{request.place.tenant}:{request.key}", "request": to_json(request)}
        self._arriving.append((row, done))
        if not self._is_called:
            self._is_called = True
            self._thread.submit(self._write, loop)
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

    def _write(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the thread: everything that has arrived, in one commit. Whoever comes later calls again.

        Whoever does not wait any more has said that it was not kept.
        """
        self._is_called = False
        batch: list[Arrival] = []
        while self._arriving:
            row, done = self._arriving.popleft()
            if not done.cancelled():
                batch.append((row, done))
        if not batch:
            return
        try:
            self._commit([row for row, _ in batch])
        except Exception as error:  # whoever waits must hear of it, whatever it is
            loop.call_soon_threadsafe(_tell, batch, error)
        else:
            loop.call_soon_threadsafe(_tell, batch, None)

    def _commit(self, rows: list[dict[str, Any]]) -> None:
        with self._engine.begin() as connection:
            connection.execute(self._insert(inbox).on_conflict_do_nothing(), rows)

    async def _run(self, what: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, what)


def _tell(batch: Sequence[Arrival], error: Exception | None) -> None:
    for _, done in batch:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
