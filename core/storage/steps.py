"""Look up steps and sessions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    RowMapping,
    Select,
    and_,
    exists,
    func,
    literal,
    select,
)

from core.batches import batches
from core.errors import NotFound
from core.log import log
from core.storage import mapping
from core.storage.shielding import shielded
from core.storage.tables import (
    HAS_PICTURES,
    HAS_TASK,
    IN_LINE,
    IS_MEASURED,
    IS_SERVED,
    SERVED,
    UNFINISHED,
    pauses,
    pictures,
    sessions,
    step_counts,
    step_pictures,
    steps,
)
from core.storage.transactions import Transactions
from core.types import LIVES, Head, PictureRole, Step, StepState

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

StepName = tuple[str, str]
"""Tenant and id."""
CHUNK = 500
"""Steps whose pictures are read at a time: a statement takes only so many values."""


@shielded
class StepStore(Transactions):
    """Looks steps and sessions up. Each method is one transaction."""

    async def step(self, tenant: str, step: str) -> Step:
        """Raises NotFound, also for another tenant's step."""
        async with self._reading.begin() as connection:
            return await self._get(connection, tenant, step)

    async def history(
        self,
        tenant: str,
        session: str,
        limit: int = 200,
    ) -> list[Step]:
        """The session's newest steps, oldest first."""
        newest_first = (
            select(steps)
            .filter_by(tenant=tenant, session=session)
            .order_by(steps.c.number.desc())
            .limit(limit)
        )
        history = await self._fetch_steps(newest_first)
        return history[::-1]

    async def chain(self, tenant: str, step: str) -> list[Step]:
        """A step with all it descends from, the root first. Raises NotFound."""
        columns = (steps.c.id, steps.c.parent)
        start = select(*columns, literal(0).label("up")).filter_by(
            tenant=tenant,
            id=step,
        )
        above = start.cte("above", recursive=True)
        parents = (
            select(*columns, above.c.up + 1)
            .filter_by(tenant=tenant)
            .where(steps.c.id == above.c.parent)
        )
        above = above.union_all(parents)
        query = (
            select(steps)
            .filter_by(tenant=tenant)
            .join(above, steps.c.id == above.c.id)
            .order_by(above.c.up.desc())
        )
        chain = await self._fetch_steps(query)
        if not chain:
            raise NotFound("refuse.not_found", id=step)
        return chain

    async def newest_from(
        self,
        tenant: str,
        session: str,
        parent: str | None,
    ) -> Step | None:
        """Return the session's newest step with pictures made from this step.

        With None, return its newest root.
        """
        has_pictures = exists().where(
            step_pictures.c.tenant == steps.c.tenant,
            step_pictures.c.step == steps.c.id,
            step_pictures.c.role == PictureRole.OUTPUT,
        )
        query = (
            select(steps)
            .filter_by(tenant=tenant, session=session, parent=parent)
            .where(has_pictures)
        )
        return await self._fetch_step(query.order_by(steps.c.number.desc()))

    async def open_steps(self, limit: int | None = None) -> list[Step]:
        """Steps not yet at their end, in the order they are served: all, or the first ``limit``."""
        in_order = select(steps).where(UNFINISHED).order_by(*SERVED)
        return await self._fetch_steps(in_order.limit(limit))

    async def given_up(self, limit: int) -> list[str]:
        """The newest steps that were given up as one process after another died with them."""
        query = select(steps.c.id).where(steps.c.claims > LIVES)
        newest = query.order_by(steps.c.created.desc()).limit(limit)
        return [row["id"] for row in await self._fetch_all(newest)]

    async def newest_open_step(self, tenant: str, person: str) -> Step | None:
        """The person's newest step not yet at its end."""
        query = (
            select(steps)
            .filter_by(tenant=tenant, person=person)
            .where(UNFINISHED)
        )
        return await self._fetch_step(query.order_by(steps.c.created.desc()))

    async def recent(self, tenant: str, person: str, limit: int) -> list[Step]:
        """The newest steps with pictures of one person, newest first."""
        query = (
            select(steps)
            .filter_by(tenant=tenant, person=person)
            .where(HAS_PICTURES)
        )
        newest_first = query.order_by(steps.c.created.desc())
        return await self._fetch_steps(newest_first.limit(limit))

    async def count_with_pictures(self, tenant: str, session: str) -> int:
        """How many steps of a session still have their pictures."""
        query = (
            select(func.count())
            .select_from(steps)
            .filter_by(tenant=tenant, session=session)
            .where(HAS_PICTURES)
        )
        return int(await self._fetch_scalar(query))

    async def line(
        self,
        account: str,
        model: str,
        limit: int = 200,
    ) -> list[tuple[str, str]]:
        """Tenant and id of the steps of a queue not yet made and served next, in their order."""
        waiting = (
            select(steps.c.tenant, steps.c.id)
            .filter_by(account=account, model=model)
            .where(IN_LINE, IS_SERVED)
        )
        rows = await self._fetch_all(waiting.order_by(*SERVED).limit(limit))
        return [(row["tenant"], row["id"]) for row in rows]

    async def place_in_line(self, step: Step) -> int:
        """How many steps of its queue are served before it."""
        is_waiting, *order = SERVED
        place = (step.priority, step.created, step.id, step.tenant)
        queue = (
            select(func.count())
            .select_from(steps)
            .filter_by(account=step.account, model=step.model)
            .where(IN_LINE)
        )
        any_pause = await self._fetch_scalar(select(pauses.c.tenant).limit(1))
        if any_pause is not None:
            # Only then: without it the index alone is read.
            queue = queue.where(IS_SERVED)
        counts = []
        if not step.submitted:
            counts.append(queue.where(is_waiting == literal(False)))
        # One column after another: a database counts a plain range in half the time it takes to
        # compare all four at once.
        ties = queue.where(is_waiting == literal(step.submitted is None))
        for column, value in zip(order, place, strict=True):
            counts.append(ties.where(column < value))
            ties = ties.where(column == value)
        query = select(*(count.scalar_subquery() for count in counts))
        async with self._reading.begin() as connection:
            result = await connection.execute(query)
            return sum(result.one())

    async def head(self, tenant: str, session: str) -> Head | None:
        """Where the session's next edit starts from."""
        query = select(sessions).filter_by(tenant=tenant, id=session)
        row = await self._fetch_first(query)
        if row is None or not row["head_step"]:
            return None
        return Head(step=row["head_step"], index=row["head_index"])

    async def task_ids(
        self,
        account: str,
        model: str,
        since: datetime,
    ) -> list[str]:
        """Task ids recorded since then, for any tenant: a lost submit's task is none of these."""
        query = (
            select(steps.c.task_id)
            .filter_by(account=account, model=model)
            .where(steps.c.submitted >= since, HAS_TASK)
        )
        return [row["task_id"] for row in await self._fetch_all(query)]

    async def durations(
        self,
        account: str,
        model: str,
        limit: int = 20,
    ) -> list[float]:
        """Seconds the service worked on the newest steps of a model."""
        query = (
            select(steps.c.seconds)
            .filter_by(account=account, model=model)
            .where(IS_MEASURED)
        )
        newest_first = query.order_by(steps.c.finished.desc())
        rows = await self._fetch_all(newest_first.limit(limit))
        return [float(row["seconds"]) for row in rows]

    async def counts(self) -> dict[tuple[str, str, str], int]:
        """How many steps there are of each action, model and state, of all tenants together."""
        rows = await self._fetch_all(
            select(step_counts).where(step_counts.c.count > 0)
        )
        return {
            (row["action"], row["model"], row["state"]): row["count"]
            for row in rows
        }

    async def lives(self, tenant: str, step: str) -> int:
        """How many processes have had a step in hand since it last got on."""
        query = select(steps.c.claims).filter_by(tenant=tenant, id=step)
        rows = await self._fetch_all(query)
        return int(rows[0]["claims"]) if rows else 0

    async def oldest_open(self) -> dict[StepState, datetime]:
        """When the oldest step of each state before an end was created, of all tenants."""
        query = (
            select(steps.c.state, func.min(steps.c.created).label("created"))
            .where(UNFINISHED)
            .group_by(steps.c.state)
        )
        rows = await self._fetch_all(query)
        return {StepState(row["state"]): row["created"] for row in rows}

    async def _fetch_step(self, query: Select[Any]) -> Step | None:
        matches = await self._fetch_steps(query.limit(1))
        return matches[0] if matches else None

    async def _fetch_steps(self, query: Select[Any]) -> list[Step]:
        async with self._reading.begin() as connection:
            return await self._read(connection, query)

    # Inside a transaction

    async def _get(
        self,
        connection: AsyncConnection,
        tenant: str,
        step: str,
    ) -> Step:
        match = await self._find(connection, tenant, step)
        if match is None:
            raise NotFound("refuse.not_found", id=step)
        return match

    async def _find(
        self,
        connection: AsyncConnection,
        tenant: str,
        step: str,
    ) -> Step | None:
        query = select(steps).filter_by(tenant=tenant, id=step)
        matches = await self._read(connection, query)
        return matches[0] if matches else None

    async def _read(
        self,
        connection: AsyncConnection,
        query: Select[Any],
    ) -> list[Step]:
        result = await connection.execute(query)
        rows = result.mappings().all()
        pictures_of: defaultdict[StepName, list[RowMapping]]
        pictures_of = defaultdict(list)
        for batch in batches(rows, CHUNK):
            for picture in await _pictures_of(connection, batch):
                name = (picture["tenant"], picture["step"])
                pictures_of[name].append(picture)
        readable = []
        for row in rows:
            name = (row["tenant"], row["id"])
            try:
                step = mapping.step(row, pictures_of[name])
            except Exception as error:  # one bad row must not hide the others
                log.error(
                    "step_unreadable",
                    step=row["id"],
                    error=type(error).__name__,
                )
            else:
                readable.append(step)
        return readable


async def _pictures_of(
    connection: AsyncConnection,
    step_rows: Sequence[RowMapping],
) -> Sequence[RowMapping]:
    """The pictures some steps hold, each with its step, role and position."""
    is_same_picture = and_(
        pictures.c.tenant == step_pictures.c.tenant,
        pictures.c.key == step_pictures.c.key,
    )
    picture_columns = [
        column for column in pictures.c if column.name not in step_pictures.c
    ]
    query = (
        select(step_pictures, *picture_columns)
        .join(pictures, is_same_picture)
        .where(
            step_pictures.c.tenant.in_({row["tenant"] for row in step_rows}),
            step_pictures.c.step.in_([row["id"] for row in step_rows]),
        )
    )
    result = await connection.execute(query)
    return result.mappings().all()
