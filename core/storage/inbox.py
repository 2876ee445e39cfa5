"""What platforms delivered, from its acknowledgement until it is answered or begun as a step.

A delivery is one durable commit, shared by all that arrive together. What is done stays known for a
day, so that delivering it again changes nothing. On SQLite the inbox has a file of its own, so that
an acknowledgement never waits for the jobs' transactions; and a thread of its own, which a
transaction enters once: under load each change of threads costs more than the commit.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from core.earlier import read_origin
from core.incoming import Incoming, Origin
from core.log import log
from core.types import Request, to_json

READ_TRIES = 3
"""Lives in which a delivery may be unreadable before it is parked: a newer version may read it."""

T = TypeVar("T")
Arrival = tuple[dict[str, Any], asyncio.Future[None]]


class Stage(StrEnum):
    """How far a delivered request has come."""

    PARKED = "parked"
    """It could not be read; an operator may look at it."""
    HEARD = "heard"
    UNDERSTOOD = "understood"
    ACCEPTED = "accepted"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What is worked on: an event, later the request it was understood as.

    ``number``: its place in the order of arrival; ``tries``: how often it was begun.
    """

    number: int
    id: str
    stage: Stage
    tries: int
    origin: Origin


metadata = MetaData()
deliveries = Table(
    "deliveries",
    metadata,
    # The order of arrival; SQLite counts up by itself only in an INTEGER.
    Column(
        "number",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("id", String(400), unique=True, nullable=False),
    Column("platform", String(40), nullable=False),
    Column("tenant", String(200), nullable=False),
    Column("stage", String(10), nullable=False),
    Column("worker", String(40)),
    Column("tries", Integer, nullable=False),
    Column("done", DateTime(timezone=True)),
    Column("request", JSON, nullable=False),
)
OPEN = deliveries.c.stage != literal_column("'done'")
Index(
    "ix_deliveries_open", deliveries.c.number, sqlite_where=OPEN, postgresql_where=OPEN
)
Index("ix_deliveries_done", deliveries.c.done)


class Inbox:
    """One worker's view of the table. ``close`` it last."""

    def __init__(self, engine: Engine, worker: str, platforms: Iterable[str]) -> None:
        """``platforms``: those this worker speaks to; what others delivered is left to others."""
        self._engine = engine
        self._worker = worker
        self._is_served = deliveries.c.platform.in_(sorted(platforms))
        self._insert = (
            postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        )
        self._arriving: deque[Arrival] = deque()
        self._is_write_due = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inbox")

    async def close(self) -> None:
        """Write no more."""
        await asyncio.to_thread(self._thread.shutdown)
        self._engine.dispose()

    async def add(self, incoming: Incoming) -> None:
        """Return once it is durable. The same again changes nothing."""
        await self._add(incoming, Stage.HEARD)

    async def accept(self, request: Request) -> None:
        """The same for one that is understood and has been answered: a job."""
        await self._add(request, Stage.ACCEPTED)

    async def _add(self, origin: Origin, stage: Stage) -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._arriving.append((_row(origin, stage), done))
        if not self._is_write_due:
            self._is_write_due = True
            self._thread.submit(self._write, loop)
        await done

    async def claim(self, limit: int, full: Collection[str] = ()) -> list[Delivery]:
        """The oldest nobody works on: from now on this worker does. None of ``full`` platforms."""
        free = select(deliveries.c.number).where(
            OPEN,
            deliveries.c.stage != Stage.PARKED.value,
            deliveries.c.worker.is_(None),
            self._is_served,
            deliveries.c.platform.not_in(sorted(full)),
        )
        oldest = free.order_by(deliveries.c.number).limit(limit)
        if self._engine.dialect.name == "postgresql":
            oldest = oldest.with_for_update(skip_locked=True)
        change = (
            update(deliveries)
            .where(deliveries.c.number.in_(oldest))
            .values(worker=self._worker, tries=deliveries.c.tries + 1)
            .returning(*deliveries.c)
        )

        def take() -> list[Any]:
            with self._engine.begin() as connection:
                return list(connection.execute(change))

        rows = await self._run(take)
        claimed = []
        for row in sorted(rows, key=lambda row: int(row.number)):
            delivery = _read(row)
            if delivery is not None:
                claimed.append(delivery)
            elif row.tries >= READ_TRIES:
                await self._park(row)
        return claimed

    async def _park(self, row: Any) -> None:
        """Leave it where it harms nothing else."""
        log.error("delivery_parked", delivery=row.id, tries=row.tries)
        is_it = deliveries.c.number == row.number
        parked = update(deliveries).where(is_it).values(stage=Stage.PARKED.value)
        await self._run(lambda: self._execute(parked))

    async def advance(
        self, delivery: Delivery, stage: Stage, request: Request
    ) -> Delivery:
        """What it has become: when its worker dies, the next one goes on from here."""
        await self._change(delivery, stage=stage.value, request=to_json(request))
        return replace(delivery, stage=stage, origin=request)

    async def done(self, delivery: Delivery, now: datetime) -> Delivery:
        """Nothing is left to do.

        Only its id stays known, so that the same again changes nothing.
        """
        await self._change(delivery, stage=Stage.DONE.value, done=now, request={})
        return replace(delivery, stage=Stage.DONE)

    async def adopt(self, dead: str) -> None:
        """What a dead worker left waits to be claimed again."""
        change = (
            update(deliveries)
            .where(OPEN, deliveries.c.worker == dead)
            .values(worker=None)
        )
        await self._run(lambda: self._execute(change))

    async def let_go(self, begun: Iterable[int]) -> None:
        """What is ours, but is none of those begun, waits to be claimed again."""
        unheard = (
            OPEN,
            deliveries.c.worker == self._worker,
            deliveries.c.number.not_in(list(begun)),
        )
        await self._run(
            lambda: self._execute(
                update(deliveries).where(*unheard).values(worker=None)
            )
        )

    async def held(self) -> set[int]:
        """The numbers of what this worker has in work."""
        query = select(deliveries.c.number).where(
            OPEN, deliveries.c.worker == self._worker
        )

        def read() -> set[int]:
            with self._engine.begin() as connection:
                return set(connection.execute(query).scalars())

        return await self._run(read)

    async def forget(self, before: datetime) -> None:
        """Delete what was done before then: no redelivery comes later."""
        await self._run(
            lambda: self._execute(delete(deliveries).where(deliveries.c.done < before))
        )

    async def forget_tenant(self, delivery: Delivery) -> None:
        """All deliveries of its workspace before it.

        Those after it belong to a new installation.
        """
        mine = (
            deliveries.c.tenant == delivery.origin.place.tenant,
            deliveries.c.number < delivery.number,
        )
        await self._run(lambda: self._execute(delete(deliveries).where(*mine)))

    async def _change(self, delivery: Delivery, **values: Any) -> None:
        change = (
            update(deliveries)
            .where(deliveries.c.number == delivery.number)
            .values(**values)
        )
        await self._run(lambda: self._execute(change))

    def _execute(self, statement: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(statement)

    def _write(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the thread: everything that has arrived, in one commit.

        A later arrival submits this again.

        A cancelled arrival is left out: the platform has been told that it was not taken.
        """
        self._is_write_due = False
        batch: list[Arrival] = []
        while self._arriving:
            row, done = self._arriving.popleft()
            if not done.cancelled():
                batch.append((row, done))
        if not batch:
            return
        try:
            self._commit([row for row, _ in batch])
        except (
            Exception
        ) as error:  # every waiting caller must hear of it, whatever it is
            loop.call_soon_threadsafe(_tell, batch, error)
        else:
            loop.call_soon_threadsafe(_tell, batch, None)

    def _commit(self, rows: list[dict[str, Any]]) -> None:
        with self._engine.begin() as connection:
            connection.execute(self._insert(deliveries).on_conflict_do_nothing(), rows)

    async def _run(self, what: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, what)


def _row(origin: Origin, stage: Stage) -> dict[str, Any]:
    tenant = origin.place.tenant
    return {
        "id": f"{tenant}:{origin.key}",
        "platform": origin.place.platform,
        "tenant": tenant,
        "stage": stage.value,
        "tries": 0,
        "request": to_json(origin),
    }


def _delivery(row: Any) -> Delivery:
    stage = Stage(row.stage)
    return Delivery(
        number=row.number,
        id=row.id,
        stage=stage,
        tries=row.tries,
        origin=read_origin(row.request, is_event=stage is Stage.HEARD),
    )


def _read(row: Any) -> Delivery | None:
    """None for one that cannot be read: it stays ours, and the next life tries again."""
    try:
        return _delivery(row)
    except Exception as error:  # whatever is wrong with a row, the others go on
        log.error("delivery_unreadable", delivery=row.id, error=type(error).__name__)
        return None


def _tell(batch: Sequence[Arrival], error: Exception | None) -> None:
    for _, done in batch:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
