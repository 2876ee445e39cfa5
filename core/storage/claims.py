"""Which worker works on which step, and what of it is at the service, for all workers.

A step is claimed when the service may have it now, so that an account's limits hold for all workers
together. It gives its slot back when the service has finished with it; its worker continues until
its person knows how it ended.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Update,
    and_,
    case,
    func,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from core.models import SubmitLimit
from core.storage.shielding import shielded
from core.storage.tables import (
    HOLDS_SLOT,
    IN_LINE,
    QUEUED,
    UNTOLD,
    pauses,
    steps,
)
from core.storage.transactions import Transactions
from core.types import LIVES, Claim, StepState

COLUMNS = (
    steps.c.tenant,
    steps.c.id.label("step"),
    steps.c.account,
    steps.c.model,
    steps.c.claims,
    steps.c.refused,
)
"""The fields of a Claim."""
NEXT_LIFE = case((steps.c.claims == LIVES, LIVES), else_=steps.c.claims + 1)
"""One life more, except on the last one, which ``core.flow.isolation`` counts."""


@shielded
class Claims(Transactions):
    """One worker's claims. Each method is one transaction."""

    def __init__(
        self,
        engine: AsyncEngine,
        worker: str,
        platforms: Iterable[str],
    ) -> None:
        """``platforms``: those this worker speaks to; it leaves the steps of others alone."""
        super().__init__(engine)
        self._is_postgresql = engine.dialect.name == "postgresql"
        self._worker = worker
        self._is_served = steps.c.platform.in_(sorted(platforms))
        self._is_claimable = and_(
            QUEUED,
            steps.c.slot.is_(False),
            # A job that broke may have given its slot back: it waits for the next start.
            steps.c.worker.is_(None),
            steps.c.announced.is_(True),
            self._is_served,
            steps.c.tenant.not_in(select(pauses.c.tenant)),
        )

    async def announce(self, tenant: str, step: str) -> None:
        """Record that its person has read that it waits: from now on it can be claimed."""
        change = update(steps).filter_by(tenant=tenant, id=step)
        await self._write(change.values(announced=True))

    async def lines(self) -> list[tuple[str, str]]:
        """Account and model of every line in which a step waits to be claimed."""
        columns = select(steps.c.account, steps.c.model)
        query = columns.where(self._is_claimable).distinct()
        rows = await self._fetch_all(query)
        return [(row["account"], row["model"]) for row in rows]

    async def claim(
        self,
        account: str,
        model: str,
        size: int,
        limit: SubmitLimit | None,
        now: datetime,
    ) -> tuple[list[Claim], float | None]:
        """Claim the next steps of a line: ``size`` at the service at most, ``limit`` a period.

        Also returns the seconds until the limit lets the next one go, None when something else
        holds it up.
        """
        is_in_line = and_(steps.c.account == account, steps.c.model == model)
        at_service = select(func.count()).where(HOLDS_SLOT, is_in_line)
        async with self._writing.begin() as connection:
            await self._lock_line(connection, f"claim {account} {model}")
            result = await connection.execute(at_service)
            free = size - int(result.scalar_one())
            if free <= 0:
                return [], None
            free, wait = await _within_limit(
                connection,
                is_in_line,
                free,
                limit,
                now,
            )
            if not free:
                return [], wait
            claims = await self._claim_next(
                connection,
                is_in_line,
                free,
                now,
            )
            # A line that gave fewer is empty: what joins it later has it looked at again.
            return claims, wait if len(claims) == free else None

    async def release(self, claim: Claim, now: datetime) -> None:
        """Put a step that the service refused for now back in line, at its old place."""
        change = self._change(claim).where(steps.c.state == StepState.QUEUED)
        await self._write(
            change.values(
                slot=False,
                refused=func.coalesce(steps.c.refused, now),
                worker=None,
                claims=steps.c.claims - 1,  # a refusal has killed no worker
            )
        )

    async def free(self, claim: Claim) -> None:
        """Free the slot of a step that the service has finished; its worker continues."""
        await self._write(self._change(claim).values(slot=False))

    async def own_claims(self) -> list[Claim]:
        """Return what this worker has to bring to its end."""
        query = select(*COLUMNS).where(UNTOLD, steps.c.worker == self._worker)
        return [Claim(**row) for row in await self._fetch_all(query)]

    async def adopt(self, dead: str | None) -> list[Claim]:
        """Take over the steps that a worker left unfinished.

        None means steps without a worker, left by versions that had no claims.
        """
        is_left = steps.c.worker == dead
        if dead is None:
            is_left = steps.c.worker.is_(None) & (
                steps.c.state != StepState.QUEUED
            )
        change = (
            update(steps)
            .where(UNTOLD, is_left, self._is_served)
            .values(
                worker=self._worker,
                slot=IN_LINE | steps.c.slot,
                claims=NEXT_LIFE,
            )
            .returning(*COLUMNS)
        )
        async with self._writing.begin() as connection:
            result = await connection.execute(change)
            return [Claim(**row) for row in result.mappings()]

    async def _claim_next(
        self,
        connection: AsyncConnection,
        is_in_line: ColumnElement[bool],
        count: int,
        now: datetime,
    ) -> list[Claim]:
        following = (
            select(steps.c.tenant, steps.c.id)
            .where(is_in_line, self._is_claimable)
            .order_by(steps.c.priority, steps.c.created, steps.c.id)
            .limit(count)
            .with_for_update()  # a step cancelled just now is no longer waiting
        )
        columns = {
            "worker": self._worker,
            "slot": True,
            "claimed": now,
            "claims": NEXT_LIFE,
        }
        result = await connection.execute(following)
        claims = []
        # One after another, in the order they are served: an UPDATE of all keeps none.
        for row in result.all():
            change = (
                update(steps)
                .filter_by(tenant=row.tenant, id=row.id)
                .values(columns)
            )
            result = await connection.execute(change.returning(*COLUMNS))
            claims.append(Claim(**result.mappings().one()))
        return claims

    def _change(self, claim: Claim) -> Update:
        change = update(steps).filter_by(tenant=claim.tenant, id=claim.step)
        # Another worker may have taken it over: its slot is not ours to give.
        return change.where(steps.c.worker == self._worker)

    async def _lock_line(self, connection: AsyncConnection, name: str) -> None:
        """Lock the line, so that no two workers see one free slot. SQLite has a single writer."""
        if self._is_postgresql:
            lock = func.pg_advisory_xact_lock(func.hashtext(name))
            await connection.execute(select(lock))


async def _within_limit(
    connection: AsyncConnection,
    is_in_line: ColumnElement[bool],
    free: int,
    limit: SubmitLimit | None,
    now: datetime,
) -> tuple[int, float | None]:
    """Return how many free slots may be taken now, and the seconds until one more may be."""
    if limit is None:
        return free, None
    period = timedelta(seconds=limit.seconds)
    recent = (
        select(steps.c.claimed)
        .where(
            is_in_line,
            steps.c.claimed > now - period,
            # A clock that was set back must not hold the line up for as long as it was ahead.
            steps.c.claimed <= now + period,
        )
        .order_by(steps.c.claimed.desc())
        .limit(limit.count)
    )
    result = await connection.execute(recent)
    newest_first = result.scalars().all()
    allowed = limit.count - len(newest_first)
    if free <= allowed:
        return free, None
    oldest = newest_first[-1] if newest_first else now
    wait = (oldest + period - now).total_seconds()
    return allowed, max(wait, 0.001)
