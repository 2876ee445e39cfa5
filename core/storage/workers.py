"""Which workers live, on PostgreSQL.

Each holds an advisory lock on a connection of its own, which dies with it.

The survivors take over the jobs of a worker that died.
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
from core.storage.database import sync_url

EVERY = 2.0
"""Seconds between two looks."""
REGAIN_PAUSE, REGAIN_TRIES = 0.2, 1800
"""The first seconds, and the tries (an hour of them), to take our own lock again."""
GRACE = 3 * EVERY
"""Seconds others have to take theirs again before they are taken for dead."""

AT_WORK = text(
    """
    SELECT worker FROM steps WHERE told IS false AND worker IS NOT NULL AND platform IN :platforms
    UNION
    SELECT worker FROM deliveries WHERE stage != 'done' AND worker IS NOT NULL AND platform IN :platforms
    """
).bindparams(bindparam("platforms", expanding=True))

log = structlog.get_logger()


class Workers:
    """This worker's sign of life, and the watch over the others'.

    Needs a direct connection, not a pooler's.
    """

    def __init__(self, url: str, name: str, platforms: Iterable[str]) -> None:
        """``platforms``: those this worker speaks to; it takes over nothing else."""
        self._engine = create_async_engine(
            sync_url(url), poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )
        self._name = name
        self._platforms = sorted(platforms)
        self._held: AsyncConnection | None = None
        self._led: set[str] = set()

    async def live(self) -> None:
        """Take our own lock; it is ours until the connection ends."""
        self._held = await self._engine.connect()
        await self._held.execute(
            text("SELECT pg_advisory_lock(:key)"), {"key": key_of(self._name)}
        )
        self._led.clear()
        await self._lead()

    def leads(self, platform: str) -> bool:
        """Is this the worker that shows the progress of jobs there?"""
        return platform in self._led

    async def watch(
        self,
        take_over: Callable[[str], Awaitable[None]],
        regained: Callable[[], Awaitable[None]],
        lost: Callable[[], None],
    ) -> None:
        """For ever: take over from the dead.

        A lock that is lost with its connection is taken again; then ``regained`` is awaited: others
        may have taken us for dead. ``lost`` is called when it cannot be had: then stop.
        """
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self._look(take_over)
            except (SQLAlchemyError, OSError) as error:
                log.warning("worker_lock_lost", error=type(error).__name__)
                try:
                    await self._regain()
                    await regained()
                except (SQLAlchemyError, OSError) as final:
                    log.error("worker_lock_not_regained", error=type(final).__name__)
                    lost()
                    return
                log.info("worker_lock_regained")

    async def close(self) -> None:
        """Let go of the lock."""
        if self._held is not None:
            await self._held.close()
        await self._engine.dispose()

    async def _regain(self) -> None:
        """Take our lock again, for as long as a database may be away. Raises SQLAlchemyError."""
        if self._held is not None:
            await self._held.invalidate()
            self._held = None

        def may_pass(error: Exception) -> bool:
            return isinstance(error, SQLAlchemyError | OSError)

        patiently = retrying(
            may_pass, first=REGAIN_PAUSE, longest=EVERY, attempts=REGAIN_TRIES
        )
        await patiently(self.live)
        # All lost theirs at once: who is back first must not take the others for dead.
        await asyncio.sleep(GRACE)

    async def _lead(self) -> None:
        """Take the lead of each platform that has no leader."""
        assert self._held is not None  # noqa: S101  # live() comes first
        for platform in self._platforms:
            if platform in self._led:
                continue
            key = {"key": key_of(f"leader of {platform}")}
            attempt = text("SELECT pg_try_advisory_lock(:key)")
            if (await self._held.execute(attempt, key)).scalar():
                self._led.add(platform)

    async def _look(self, take_over: Callable[[str], Awaitable[None]]) -> None:
        assert self._held is not None  # noqa: S101  # live() comes first
        await self._lead()
        owners = (
            (await self._held.execute(AT_WORK, {"platforms": self._platforms}))
            .scalars()
            .all()
        )
        for owner in owners:
            if owner and owner != self._name:
                try:
                    await self._take_over_if_dead(owner, take_over)
                except Exception:  # whatever it is, we live: the next look tries again
                    log.exception("take_over_broke", worker=owner)

    async def _take_over_if_dead(
        self, owner: str, take_over: Callable[[str], Awaitable[None]]
    ) -> None:
        """On a connection of its own.

        Who gets the lock of a worker knows that it is dead, and is the only one.
        """
        async with self._engine.connect() as connection:
            key = {"key": key_of(owner)}
            if (
                await connection.execute(text("SELECT pg_try_advisory_lock(:key)"), key)
            ).scalar():
                log.warning("worker_died", worker=owner)
                await take_over(owner)


def key_of(name: str) -> int:
    """A lock's number: 63 bits of the worker's name."""
    return (
        int.from_bytes(
            hashlib.sha256(f"easel worker {name}".encode()).digest()[:8], "big"
        )
        >> 1
    )
