"""Deliveries of the platforms, from their acknowledgement until they are answered or begun.

A delivery is one durable commit, shared by all that arrive together. A finished one stays known
for a day, so that delivering it again changes nothing. On SQLite the inbox has a separate file, so
that an acknowledgement never waits for the jobs' transactions; and one thread, which a transaction
enters once: under load each change of threads costs more than the commit.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Engine,
    Executable,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    case,
    cast,
    delete,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from core.earlier import read_origin
from core.incoming import Incoming, Origin
from core.log import log
from core.storage.database import empty_log
from core.storage.sealing import SealedJson
from core.storage.workers import JOB_CHANNEL
from core.types import LIVES, Request, to_json

PARKED_LIFE = timedelta(days=30)
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

    ``number``: its place in the order of arrival; ``tries``: in how many lives
    of a process it has been in work since it last got on.
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
    Column("request", SealedJson("reply"), nullable=False),
)
OPEN = deliveries.c.stage != literal_column("'done'")
TRIAL = {
    "id": "trial",
    "platform": "",
    "tenant": "",
    "stage": Stage.PARKED.value,
    "tries": 0,
    "request": {},
}
"""A delivery that is never claimed, to see whether one can be written."""
NEXT_LIFE = case(
    (deliveries.c.tries == LIVES, LIVES), else_=deliveries.c.tries + 1
)
"""One life more, except on the last one, which ``core.flow.isolation`` counts."""
Index(
    "ix_deliveries_open",
    deliveries.c.number,
    sqlite_where=OPEN,
    postgresql_where=OPEN,
)
Index("ix_deliveries_done", deliveries.c.done)


class Inbox:
    """One worker's view of the table. ``close`` it last."""

    def __init__(
        self,
        engine: Engine,
        worker: str,
        platforms: Iterable[str],
        *,
        takes_jobs: bool = True,
    ) -> None:
        """``platforms``: those this worker speaks to; it leaves the deliveries of others alone.

        ``takes_jobs``: what is accepted as a job is for this worker, too.
        """
        self._engine = engine
        self._is_postgresql = engine.dialect.name == "postgresql"
        self._worker = worker
        is_spoken = deliveries.c.platform.in_(sorted(platforms))
        is_job = deliveries.c.stage == Stage.ACCEPTED.value
        self._is_served: ColumnElement[bool] = is_spoken
        if not takes_jobs:
            self._is_served = and_(is_spoken, ~is_job)
        self._insert = (
            postgresql.insert if self._is_postgresql else sqlite.insert
        )
        self._arriving: deque[Arrival] = deque()
        self._is_write_due = False
        self._has_failed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inbox")

    async def close(self) -> None:
        """Stop writing."""
        await asyncio.to_thread(self._thread.shutdown)
        self._engine.dispose()

    async def add(self, incoming: Incoming) -> None:
        """Store an event, and return once it is durable. The same again changes nothing."""
        await self._add(incoming, Stage.HEARD)

    async def accept(self, request: Request) -> None:
        """Store a job whose request is understood and answered, as ``add`` does an event."""
        await self._add(request, Stage.ACCEPTED)

    async def _add(self, origin: Origin, stage: Stage) -> None:
        loop = asyncio.get_running_loop()
        committed: asyncio.Future[None] = loop.create_future()
        self._arriving.append((_row(origin, stage), committed))
        # One write takes all that arrived by the time it begins.
        if not self._is_write_due:
            self._is_write_due = True
            self._thread.submit(self._write, loop)
        await committed

    async def check(self) -> None:
        """Write a delivery and delete it, if the last one could not be written.

        Raises SQLAlchemyError.
        """
        if self._has_failed:
            await self._run(self._try_to_write)

    async def claim(
        self,
        limit: int,
        full: Collection[str] = (),
    ) -> list[Delivery]:
        """Take the oldest that no worker has, none of ``full`` platforms."""
        unclaimed = select(deliveries.c.number).where(
            OPEN,
            deliveries.c.stage != Stage.PARKED.value,
            deliveries.c.worker.is_(None),
            self._is_served,
            deliveries.c.platform.not_in(sorted(full)),
        )
        oldest = unclaimed.order_by(deliveries.c.number).limit(limit)
        if self._is_postgresql:
            oldest = oldest.with_for_update(skip_locked=True)
        claim = (
            update(deliveries)
            .where(deliveries.c.number.in_(oldest))
            .values(worker=self._worker, tries=NEXT_LIFE)
            .returning(*deliveries.c)
        )

        def fetch() -> list[Any]:
            with self._engine.begin() as connection:
                return list(connection.execute(claim))

        # An UPDATE returns its rows in any order.
        rows = await self._run(fetch)
        rows.sort(key=lambda row: int(row.number))
        readable = []
        for row in rows:
            delivery = _read(row)
            if delivery is not None:
                readable.append(delivery)
            elif row.tries >= READ_TRIES:
                await self._park(row)
        return readable

    async def _park(self, row: Any) -> None:
        """Leave it where it harms nothing else."""
        log.error("delivery_parked", delivery=row.id, tries=row.tries)
        change = update(deliveries).filter_by(number=row.number)
        parked = {"stage": Stage.PARKED.value, "done": datetime.now(UTC)}
        await self._execute(change.values(**parked))

    async def advance(
        self,
        delivery: Delivery,
        stage: Stage,
        request: Request,
    ) -> Delivery:
        """Record what it has become: when its worker dies, the next one continues here."""
        await self._change(
            delivery, stage=stage.value, request=to_json(request), tries=1
        )
        return replace(delivery, stage=stage, origin=request, tries=1)

    async def record_lives(self, delivery: Delivery, lives: int) -> None:
        """Record of a delivery on its last life whether it runs alone.

        One that has got on meanwhile has begun its lives again, and keeps them.
        """
        change = update(deliveries).filter_by(number=delivery.number)
        is_last = deliveries.c.tries >= LIVES
        await self._execute(change.where(is_last).values(tries=lives))

    async def hand_over(self, delivery: Delivery, job: Request) -> None:
        """Leave a job to any worker that takes them."""
        await self._change(
            delivery,
            stage=Stage.ACCEPTED.value,
            request=to_json(job),
            worker=None,
        )

    async def notify(self) -> None:
        """Tell the workers that a job waits for one of them."""
        await self._execute(select(func.pg_notify(JOB_CHANNEL, "")))

    async def finish(self, delivery: Delivery, now: datetime) -> Delivery:
        """Mark a delivery as finished.

        Only its id stays known, so that the same delivery again changes nothing.
        """
        await self._change(
            delivery,
            stage=Stage.DONE.value,
            done=now,
            request={},
        )
        return replace(delivery, stage=Stage.DONE)

    async def adopt(self, dead: str) -> None:
        """Let a dead worker's deliveries be claimed again."""
        change = update(deliveries).filter_by(worker=dead).where(OPEN)
        await self._execute(change.values(worker=None))

    async def release_except(self, begun: Iterable[int]) -> None:
        """Let this worker's claims be claimed again, except those begun."""
        change = (
            update(deliveries)
            .filter_by(worker=self._worker)
            .where(OPEN, deliveries.c.number.not_in(list(begun)))
        )
        await self._execute(change.values(worker=None))

    async def own_numbers(self) -> set[int]:
        """The numbers of what this worker has in work."""
        query = (
            select(deliveries.c.number)
            .filter_by(worker=self._worker)
            .where(OPEN)
        )

        def fetch() -> set[int]:
            with self._engine.begin() as connection:
                return set(connection.execute(query).scalars())

        return await self._run(fetch)

    async def count_open(self) -> int:
        """How many deliveries, of all workers, are not yet at their end."""
        is_parked = deliveries.c.stage == Stage.PARKED.value
        query = (
            select(func.count())
            .select_from(deliveries)
            .where(OPEN, ~is_parked)
        )

        def fetch() -> int:
            with self._engine.begin() as connection:
                return connection.execute(query).scalar_one()

        return await self._run(fetch)

    async def delete_finished(self, before: datetime) -> None:
        """Delete what was finished before then: it is not delivered again any more.

        What was parked is looked at, or not, within a month.
        """
        is_done = deliveries.c.stage == Stage.DONE.value
        parked_before = before - PARKED_LIFE
        await self._execute(
            delete(deliveries).where(
                or_(
                    and_(is_done, deliveries.c.done < before),
                    deliveries.c.done < parked_before,
                )
            )
        )

    async def forget_tenant(self, delivery: Delivery) -> None:
        """Delete a workspace's deliveries from before its removal.

        Later ones belong to a new installation.
        """
        await self._execute(
            delete(deliveries)
            .filter_by(tenant=delivery.origin.place.tenant)
            .where(deliveries.c.number < delivery.number)
        )

    async def forget_person(
        self, tenant: str, person: str, kept: Collection[int] = ()
    ) -> None:
        """Delete a person's deliveries, also those finished that are named after them.

        ``kept``: the numbers of those that go on.
        """
        is_finished = deliveries.c.stage == Stage.DONE.value
        # Without the workspace's part, which may hold the same word.
        key = func.substr(deliveries.c.id, len(tenant) + 1)
        named = key.contains(f":{person}:", autoescape=True)
        name = json.dumps(person)
        text = cast(deliveries.c.request, String)
        holds_id = text.contains(f'"id": {name}', autoescape=True)
        await self._execute(
            delete(deliveries)
            .filter_by(tenant=tenant)
            .where(
                or_(and_(is_finished, named), and_(OPEN, holds_id)),
                deliveries.c.number.not_in(kept),
            )
        )
        await self._run(self._empty_log)

    def _empty_log(self) -> None:
        with self._engine.connect() as connection:
            empty_log(connection)

    async def _change(self, delivery: Delivery, **columns: Any) -> None:
        change = update(deliveries).filter_by(number=delivery.number)
        await self._execute(change.values(**columns))

    async def _execute(self, statement: Executable) -> None:
        def execute() -> None:
            with self._engine.begin() as connection:
                connection.execute(statement)

        await self._run(execute)

    def _write(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the thread: write everything that has arrived in one commit.

        A cancelled arrival is left out: the platform has been told that it was not taken.
        """
        # From here on a new arrival submits another write.
        self._is_write_due = False
        batch: list[Arrival] = []
        while self._arriving:
            row, committed = self._arriving.popleft()
            if not committed.cancelled():
                batch.append((row, committed))
        if not batch:
            return
        try:
            self._commit([row for row, _ in batch])
        except Exception as error:  # every waiting caller must hear of it
            self._has_failed = True
            loop.call_soon_threadsafe(_tell, batch, error)
        else:
            self._has_failed = False
            loop.call_soon_threadsafe(_tell, batch, None)

    def _try_to_write(self) -> None:
        self._commit([TRIAL])
        with self._engine.begin() as connection:
            connection.execute(delete(deliveries).filter_by(id=TRIAL["id"]))
        self._has_failed = False

    def _commit(self, rows: list[dict[str, Any]]) -> None:
        insert = self._insert(deliveries).on_conflict_do_nothing()
        with self._engine.begin() as connection:
            connection.execute(insert, rows)

    async def _run(self, function: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, function)


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
    """None for one that cannot be read: this worker keeps it, and the next life tries again."""
    try:
        return _delivery(row)
    # No matter what is wrong with a row, the others go on.
    except Exception as error:
        log.error(
            "delivery_unreadable",
            delivery=row.id,
            error=type(error).__name__,
        )
        return None


def _tell(batch: Sequence[Arrival], error: Exception | None) -> None:
    for _, committed in batch:
        if committed.done():
            continue
        if error is None:
            committed.set_result(None)
        else:
            committed.set_exception(error)
