"""Which workers are alive, on PostgreSQL.

Each holds an advisory lock on a dedicated connection; the lock dies with the connection. The
survivors take over the jobs of a worker that died.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable

import structlog
from sqlalchemy import bindparam, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from core.retrying import retrying
from core.storage.database import POSTGRESQL, end_lost_sessions, sync_url

EVERY = 2.0
"""Seconds between two looks."""
REGAIN_PAUSE, REGAIN_TRIES = 0.2, 1800
"""The first seconds, and the tries (an hour of them), to take its own lock again."""
GRACE = 3 * EVERY
"""Seconds others have to take theirs again before they are taken for dead."""

JOB_CHANNEL = "easel_jobs"
"""Where it is said that a job waits for a worker."""

LISTEN = text(f"LISTEN {JOB_CHANNEL}")
LOCK = text("SELECT pg_advisory_lock(:key)")
TRY_LOCK = text("SELECT pg_try_advisory_lock(:key)")
ANSWERING = """
    SELECT worker FROM deliveries
    WHERE stage != 'done' AND worker IS NOT NULL AND platform IN :platforms
    """
AT_WORK = f"""
    SELECT worker FROM steps WHERE told IS false AND worker IS NOT NULL AND platform IN :platforms
    UNION {ANSWERING}
    """  # noqa: S608  # no value stands in it

log = structlog.get_logger()


class Workers:
    """This worker's sign of life, and the watch over the others.

    Needs a direct connection, not a pooler's: the lock lives as long as the session.
    """

    def __init__(
        self,
        url: str,
        name: str,
        platforms: Iterable[str],
        *,
        takes_jobs: bool = True,
    ) -> None:
        """``platforms``: those this worker speaks to; it takes over nothing else.

        ``takes_jobs``: jobs are for it, too, and not only what can be answered at once.
        """
        self._engine = create_async_engine(
            sync_url(url),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            connect_args=POSTGRESQL,
        )
        end_lost_sessions(self._engine.sync_engine)
        self._name = name
        self._platforms = sorted(platforms)
        self._takes_jobs = takes_jobs
        query = AT_WORK if takes_jobs else ANSWERING
        self._at_work = text(query).bindparams(
            bindparam("platforms", value=self._platforms, expanding=True)
        )
        self._lock_connection: AsyncConnection | None = None
        self._led: set[str] = set()

    async def live(self) -> None:
        """Take this worker's lock, and hold it until the connection ends."""
        connection = await self._engine.connect()
        self._lock_connection = connection
        await connection.execute(LOCK, {"key": lock_key(self._name)})
        self._led.clear()
        if self._takes_jobs:
            await connection.execute(LISTEN)
            await self._lead(connection)

    def leads(self, platform: str) -> bool:
        """Whether this is the worker that shows the progress of jobs there."""
        return platform in self._led

    async def watch(
        self,
        take_over: Callable[[str], Awaitable[None]],
        regained: Callable[[], Awaitable[None]],
        lost: Callable[[], None],
        job_waits: Callable[[], None],
    ) -> None:
        """Take over from dead workers, until cancelled; say when a job waits for one.

        A lock that is lost with its connection is taken again; then ``regained`` is awaited: others
        may have taken this worker for dead. ``lost`` is called when it cannot be had: then stop.
        """
        while True:
            try:
                await self._listen(job_waits)
                await self._look(take_over)
            except (SQLAlchemyError, OSError) as error:
                log.warning("worker_lock_lost", error=type(error).__name__)
                try:
                    await self._regain()
                    await _patiently(regained)
                except (SQLAlchemyError, OSError) as final:
                    log.error(
                        "worker_lock_not_regained", error=type(final).__name__
                    )
                    lost()
                    return
                log.info("worker_lock_regained")

    async def close(self) -> None:
        """Let go of the lock."""
        if self._lock_connection is not None:
            await self._lock_connection.close()
        await self._engine.dispose()

    async def _regain(self) -> None:
        """Take the lock again, for as long as a database may be away. Raises SQLAlchemyError."""
        if self._lock_connection is not None:
            await self._lock_connection.invalidate()
            self._lock_connection = None

        await _patiently(self.live)
        # All lost theirs at once: the first to be back must not take the others for dead.
        await asyncio.sleep(GRACE)

    async def _lead(self, connection: AsyncConnection) -> None:
        """Take the lead of each platform that has no leader."""
        for platform in self._platforms:
            if platform in self._led:
                continue
            key = {"key": lock_key(f"leader of {platform}")}
            result = await connection.execute(TRY_LOCK, key)
            if result.scalar():
                self._led.add(platform)

    async def _listen(self, job_waits: Callable[[], None]) -> None:
        """Listen until the next look is due."""
        from psycopg import Error  # noqa: PLC0415  # slow to load, and loaded here

        assert self._lock_connection is not None  # noqa: S101  # live() comes first
        raw = await self._lock_connection.get_raw_connection()
        driver = raw.driver_connection
        assert driver is not None  # noqa: S101  # it holds the lock
        try:
            async for _ in driver.notifies(timeout=EVERY):
                job_waits()
        except Error as error:
            raise ConnectionError(type(error).__name__) from None

    async def _look(self, take_over: Callable[[str], Awaitable[None]]) -> None:
        assert self._lock_connection is not None  # noqa: S101  # live() comes first
        if self._takes_jobs:
            await self._lead(self._lock_connection)
        result = await self._lock_connection.execute(self._at_work)
        for owner in result.scalars().all():
            if not owner or owner == self._name:
                continue
            try:
                await self._take_over_if_dead(owner, take_over)
            except Exception:  # whatever it is, the next look tries again
                log.exception("take_over_broke", worker=owner)

    async def _take_over_if_dead(
        self, owner: str, take_over: Callable[[str], Awaitable[None]]
    ) -> None:
        """The one that gets a worker's lock knows that it is dead, and is the only one to."""
        # A connection just for this: when it is closed, the dead worker's lock is free again.
        async with self._engine.connect() as connection:
            result = await connection.execute(
                TRY_LOCK, {"key": lock_key(owner)}
            )
            if result.scalar():
                log.warning("worker_died", worker=owner)
                await take_over(owner)


async def _patiently(attempt: Callable[[], Awaitable[None]]) -> None:
    """Try for as long as a database may be away."""

    def may_pass(error: Exception) -> bool:
        return isinstance(error, SQLAlchemyError | OSError)

    patiently = retrying(
        may_pass, first=REGAIN_PAUSE, longest=EVERY, attempts=REGAIN_TRIES
    )
    await patiently(attempt)


def lock_key(name: str) -> int:
    """A lock's number: 63 bits of the worker's name, as PostgreSQL takes a signed integer."""
    digest = hashlib.sha256(f"easel worker {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
