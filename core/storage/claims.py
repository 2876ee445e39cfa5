"""Who works on which step.

Claims of a model's places at the service, held in the database for all workers.

A step is claimed when the service may have it now, so that an account's limits hold for all workers
together. It gives its place back when the service has finished with it; its worker goes on until
its person has been told.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Update, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from core.catalog import SubmitLimit
from core.storage.database import reading
from core.storage.shielding import shielded
from core.storage.tables import HOLDS_SLOT, IN_LINE, QUEUED, UNTOLD, steps
from core.types import Claim, StepState

CLAIM = (
    steps.c.tenant,
    steps.c.id,
    steps.c.account,
    steps.c.model,
    steps.c.claims,
    steps.c.refused,
)


@shielded
class Claims:
    """One worker's claims. Each method is one transaction."""

    def __init__(
        self, engine: AsyncEngine, worker: str, platforms: Iterable[str]
    ) -> None:
        """``platforms``: those this worker speaks to; the steps of others are left to others."""
        self._engine = engine
        self._reading = reading(engine)
        self._worker = worker
        self._is_served = steps.c.platform.in_(sorted(platforms))

    async def announce(self, tenant: str, step: str) -> None:
        """Its person has read that it waits: from now on it can be claimed."""
        change = update(steps).where(steps.c.tenant == tenant, steps.c.id == step)
        async with self._engine.begin() as connection:
            await connection.execute(change.values(announced=True))

    async def lines(self) -> list[tuple[str, str]]:
        """Account and model of every line in which a step waits to be claimed."""
        query = (
            select(steps.c.account, steps.c.model)
            .where(QUEUED, *self._claimable())
            .distinct()
        )
        async with self._reading.begin() as connection:
            return [(row.account, row.model) for row in await connection.execute(query)]

    async def claim(
        self,
        account: str,
        model: str,
        size: int,
        limit: SubmitLimit | None,
        now: datetime,
    ) -> tuple[list[Claim], float | None]:
        """The next steps of a line, so that at most ``size`` of it are at the service, and ``limit`` a period.

        Also the seconds until the limit lets the next one go, None when that is not what holds it
        up.
        """
        is_line = (steps.c.account == account, steps.c.model == model)
        async with self._engine.begin() as connection:
            await self._one_at_a_time(connection, f"claim {account} {model}")
            held = select(func.count()).where(HOLDS_SLOT, *is_line)
            free = size - int((await connection.execute(held)).scalar_one())
            if free <= 0:
                return [], None
            free, wait = await _within(connection, is_line, free, limit, now)
            claims = await self._take(connection, is_line, free, now) if free else []
            return claims, wait

    async def release(self, claim: Claim, now: datetime) -> None:
        """The service would not have it now: back into the line, at its old place."""
        change = _change(claim).values(
            slot=False,
            refused=func.coalesce(steps.c.refused, now),
            worker=None,
            claims=steps.c.claims - 1,  # a refusal has killed no worker
        )
        await self._execute(change.where(steps.c.state == StepState.QUEUED))

    async def free(self, claim: Claim) -> None:
        """The service has finished with it: its place is free, its worker goes on with it."""
        await self._execute(_change(claim).values(slot=False))

    async def held(self) -> list[Claim]:
        """What is ours to bring to its end."""
        query = select(*CLAIM).where(UNTOLD, steps.c.worker == self._worker)
        async with self._reading.begin() as connection:
            return [_claim(row) for row in await connection.execute(query)]

    async def adopt(self, dead: str | None) -> list[Claim]:
        """What a worker left in work is ours now; None.

        What no worker holds, from before there were claims.
        """
        left = steps.c.worker == dead
        if dead is None:
            left = steps.c.worker.is_(None) & (steps.c.state != StepState.QUEUED)
        change = (
            update(steps)
            .where(UNTOLD, left, self._is_served)
            .values(
                worker=self._worker,
                slot=IN_LINE | steps.c.slot,
                claims=steps.c.claims + 1,
            )
            .returning(*CLAIM)
        )
        async with self._engine.begin() as connection:
            return [_claim(row) for row in await connection.execute(change)]

    async def _take(
        self,
        connection: AsyncConnection,
        is_line: tuple[ColumnElement[bool], ...],
        count: int,
        now: datetime,
    ) -> list[Claim]:
        following = (
            select(steps.c.tenant, steps.c.id)
            .where(QUEUED, *is_line, *self._claimable())
            .order_by(steps.c.priority, steps.c.created, steps.c.id)
            .limit(count)
            .with_for_update()  # who is cancelled just now is no longer waiting
        )
        claims = []
        for row in (await connection.execute(following)).all():
            change = (
                update(steps)
                .where(steps.c.tenant == row.tenant, steps.c.id == row.id)
                .values(
                    worker=self._worker,
                    slot=True,
                    claimed=now,
                    claims=steps.c.claims + 1,
                )
                .returning(*CLAIM)
            )
            claims.append(_claim((await connection.execute(change)).one()))
        return claims

    def _claimable(self) -> tuple[ColumnElement[bool], ...]:
        return (
            steps.c.slot.is_(False),
            # A job that broke may have given its place back: it waits for the next start.
            steps.c.worker.is_(None),
            steps.c.announced.is_(True),
            self._is_served,
        )

    async def _one_at_a_time(self, connection: AsyncConnection, name: str) -> None:
        """Two workers must not both see the same free place. SQLite has one writer anyway."""
        if self._engine.dialect.name == "postgresql":
            await connection.execute(
                select(func.pg_advisory_xact_lock(func.hashtext(name)))
            )

    async def _execute(self, change: Update) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(change)


async def _within(
    connection: AsyncConnection,
    is_line: tuple[ColumnElement[bool], ...],
    free: int,
    limit: SubmitLimit | None,
    now: datetime,
) -> tuple[int, float | None]:
    """How many of the free places may be taken now, and after how many seconds one more."""
    if limit is None:
        return free, None
    period = timedelta(seconds=limit.seconds)
    recent = (
        select(steps.c.claimed)
        # A clock that was set back must not hold the line up for as long as it was ahead.
        .where(
            *is_line, steps.c.claimed > now - period, steps.c.claimed <= now + period
        )
        .order_by(steps.c.claimed.desc())
        .limit(limit.count)
    )
    times = (await connection.execute(recent)).scalars().all()
    allowed = limit.count - len(times)
    if free <= allowed:
        return free, None
    oldest = times[-1] if times else now
    return allowed, max((oldest + period - now).total_seconds(), 0.001)


def _change(claim: Claim) -> Update:
    return update(steps).where(steps.c.tenant == claim.tenant, steps.c.id == claim.step)


def _claim(row: Any) -> Claim:
    return Claim(
        tenant=row.tenant,
        step=row.id,
        account=row.account,
        model=row.model,
        claims=row.claims,
        refused=row.refused,
    )
