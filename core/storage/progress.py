"""A step's way to its end.

Each change is a compare-and-set, so that a zombie or a replay changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, insert, select, update

from core import budgets
from core.errors import Charged
from core.sessions import own_session
from core.storage import ledger, mapping
from core.storage.shielding import shielded
from core.storage.step_writer import StepWriter, change_from
from core.storage.tables import (
    UNFINISHED,
    sessions,
    step_pictures,
    steps,
)
from core.types import (
    LIVES,
    Head,
    Money,
    Picture,
    PictureRole,
    Step,
    StepState,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


SHOWS_PROGRESS = (StepState.QUEUED, StepState.SUBMITTING, StepState.RUNNING)


@shielded
class StepProgress(StepWriter):
    """Changes steps and moves sessions' heads. Each method is one transaction."""

    async def begin(
        self,
        step: Step,
        caps: budgets.Caps,
        now: datetime,
    ) -> Step:
        """Write a new step with its number and priority, and hold its price.

        A step already there is returned as it is.

        Raises Rejected when a cap would be broken; then nothing is written.
        """
        async with self._writing.begin() as connection:
            # Two who spend at once must not both see the old sum.
            await self._lock(connection, step.tenant)
            if caps.operator_day or caps.operator_month:
                await self._lock(connection, "operator")
            earlier = await self._find(connection, step.tenant, step.id)
            if earlier is not None:
                return earlier
            waiting = await self._count_open(connection, step)
            budgets.check_waiting(caps, waiting)
            spent = await ledger.sum_spent(connection, step, caps, now)
            budgets.check(caps, spent, step.price, now)
            number = await self._next_number(connection, step)
            row = mapping.step_row(step)
            # People take turns: each step a person has open lets others go first.
            row |= {"number": number, "priority": 1 + waiting}
            await connection.execute(insert(steps).values(row))
            masks = [step.mask] if step.mask else []
            await self._add_pictures(
                connection,
                step,
                PictureRole.INPUT,
                step.inputs,
            )
            await self._add_pictures(connection, step, PictureRole.MASK, masks)
            await ledger.hold(connection, step, now)
            return await self._get(connection, step.tenant, step.id)

    async def move_head(
        self,
        tenant: str,
        session: str,
        head: Head | None,
    ) -> None:
        """Undo, redo and pick: costs nothing, forgets nothing."""
        async with self._writing.begin() as connection:
            await self._set_head(connection, tenant, session, head)

    async def record_results(
        self,
        step: Step,
        outputs: Sequence[Picture],
        cost: Money | None,
        seconds: float | None,
        now: datetime,
        *,
        partial: str | None = None,
        text: str | None = None,
    ) -> Step | None:
        """The pictures are stored, or the words instead of them are here: RUNNING → MADE.

        The money is settled, and with pictures the session's heads move here.
        """
        currency = cost.currency if cost else None
        change = change_from(StepState.RUNNING, step.tenant, step.id).values(
            state=StepState.MADE,
            claims=1,
            seconds=seconds,
            finished=now,
            charged=Charged.YES,
            partial=partial,
            text=text,
            cost_micros=mapping.micros(cost),
            currency=func.coalesce(steps.c.currency, currency),
        )
        async with self._writing.begin() as connection:
            result = await connection.execute(change)
            if not result.rowcount:
                return None
            # The sums last, as in ``begin``: on PostgreSQL nothing that holds a sum waits for a
            # session.
            if outputs:
                await self._move_heads(connection, step)
            await self._add_pictures(
                connection,
                step,
                PictureRole.OUTPUT,
                outputs,
            )
            await ledger.settle(connection, step, cost, now)
            return await self._get(connection, step.tenant, step.id)

    async def withhold(self, step: Step, outputs: Sequence[Picture]) -> None:
        """Hold the results of a step that was cancelled too late."""
        async with self._writing.begin() as connection:
            await self._add_pictures(
                connection, step, PictureRole.WITHHELD, outputs
            )

    async def release_results(self, tenant: str, step: str) -> Step:
        """Release withheld results to their person: CANCELLED → MADE, with its heads moved.

        Nothing changes for a step that withholds none.
        """
        change = change_from(StepState.CANCELLED, tenant, step).values(
            state=StepState.MADE, error=None
        )
        as_output = (
            update(step_pictures)
            .filter_by(tenant=tenant, step=step, role=PictureRole.WITHHELD)
            .values(role=PictureRole.OUTPUT)
        )
        async with self._writing.begin() as connection:
            cancelled = await self._get(connection, tenant, step)
            if not cancelled.withheld:
                return cancelled
            await connection.execute(change)
            await self._move_heads(connection, cancelled)
            await connection.execute(as_output)
            return await self._get(connection, tenant, step)

    async def finish(self, tenant: str, step: str) -> Step | None:
        """The result has been posted: MADE → DONE."""
        change = change_from(StepState.MADE, tenant, step).values(
            state=StepState.DONE,
            told=True,
            slot=False,
        )
        return await self._change_step(change, tenant, step)

    async def begin_progress(
        self,
        tenant: str,
        step: str,
        until: datetime,
    ) -> bool:
        """A progress line is on its way, until then at most. False when nothing is to be shown."""
        is_open = steps.c.state.in_(SHOWS_PROGRESS)
        change = update(steps).filter_by(tenant=tenant, id=step).where(is_open)
        return bool(await self._write(change.values(progress_until=until)))

    async def end_progress(self, tenant: str, step: str) -> None:
        """The progress line has arrived, or never will."""
        change = update(steps).filter_by(tenant=tenant, id=step)
        await self._write(change.values(progress_until=None))

    async def progress_until(self, tenant: str, step: str) -> datetime | None:
        """Until when a progress line may be on its way; None when none is."""
        query = select(steps.c.progress_until).filter_by(
            tenant=tenant,
            id=step,
        )
        until: datetime | None = await self._fetch_scalar(query)
        return until

    async def close_step(self, tenant: str, step: str) -> None:
        """Its person knows how it ended: no worker works on it any more."""
        change = update(steps).filter_by(tenant=tenant, id=step)
        await self._write(change.values(told=True, slot=False))

    async def end(
        self,
        step: Step,
        state: StepState,
        now: datetime,
        *,
        error: str,
        params: Mapping[str, Any] | None = None,
        charged: Charged = Charged.NO,
        request_id: str = "",
        cost: Money | None = None,
    ) -> Step | None:
        """FAILED, CANCELLED or UNKNOWN. None when the step had ended already.

        ``charged`` NO gives the hold back, YES settles ``cost``, MAYBE keeps the hold.
        """
        final_cost = cost if charged is Charged.YES else None
        change = (
            update(steps)
            .filter_by(tenant=step.tenant, id=step.id)
            .where(UNFINISHED)
        )
        change = change.values(
            state=state,
            finished=now,
            error=error,
            error_params=dict(params or {}),
            charged=charged,
            cost_micros=mapping.micros(final_cost),
            request_id=func.coalesce(steps.c.request_id, request_id or None),
        )
        async with self._writing.begin() as connection:
            result = await connection.execute(change)
            if not result.rowcount:
                return None
            if charged is not Charged.MAYBE:
                await ledger.settle(connection, step, final_cost, now)
            return await self._get(connection, step.tenant, step.id)

    async def drop_charge(self, step: Step, now: datetime) -> None:
        """Give the hold back.

        An UNKNOWN step's person gave it up, or it is known now that nothing was billed.
        """
        lock = select(steps.c.id).filter_by(tenant=step.tenant, id=step.id)
        async with self._writing.begin() as connection:
            # Pressed twice at once, it is settled once.
            await connection.execute(lock.with_for_update())
            await ledger.settle(connection, step, None, now)

    async def request_cancel(
        self,
        tenant: str,
        step: str,
        now: datetime,
    ) -> Step:
        """Cancel at once and free while QUEUED.

        Otherwise mark it, and the flow drops the result.
        """
        cancel_now = change_from(StepState.QUEUED, tenant, step).values(
            state=StepState.CANCELLED,
            finished=now,
            error="status.cancelled",
            error_params={},
        )
        mark = (
            update(steps)
            .filter_by(tenant=tenant, id=step)
            .values(cancel_requested=True)
        )
        async with self._writing.begin() as connection:
            result = await connection.execute(cancel_now)
            if result.rowcount:
                cancelled = await self._get(connection, tenant, step)
                await ledger.settle(connection, cancelled, None, now)
            await connection.execute(mark)
            return await self._get(connection, tenant, step)

    async def record_lives(self, tenant: str, step: str, lives: int) -> None:
        """Record of a step on its last life whether it runs alone.

        One that has got on meanwhile has begun its lives again, and keeps them.
        """
        change = update(steps).filter_by(tenant=tenant, id=step)
        is_last = steps.c.claims >= LIVES
        await self._write(change.where(is_last).values(claims=lives))

    async def add_note(self, tenant: str, step: str, note: str) -> None:
        """Add the key of a message about a step's pictures, once."""
        async with self._writing.begin() as connection:
            current = await self._get(connection, tenant, step)
            change = update(steps).filter_by(tenant=tenant, id=step)
            added = sorted({*current.notes, note})
            await connection.execute(change.values(notes=added))

    async def choose_picture(self, tenant: str, step: str, index: int) -> None:
        """Record which picture of a step was settled on."""
        change = update(steps).filter_by(tenant=tenant, id=step)
        await self._write(change.values(chosen=index))

    # Inside a transaction

    async def _count_open(
        self,
        connection: AsyncConnection,
        step: Step,
    ) -> int:
        query = (
            select(func.count())
            .select_from(steps)
            .filter_by(tenant=step.tenant, person=step.person.id)
            .where(UNFINISHED)
        )
        result = await connection.execute(query)
        return int(result.scalar_one())

    async def _next_number(
        self,
        connection: AsyncConnection,
        step: Step,
    ) -> int:
        """The session's next version; all but a person's own count on from the picture edited."""
        await self._ensure_session(connection, step.tenant, step.session)
        lowest = 0
        if step.parent and step.session != own_session(step):
            parent = await self._get(connection, step.tenant, step.parent)
            lowest = parent.number
        last = case(
            (sessions.c.last_number < lowest, lowest),
            else_=sessions.c.last_number,
        )
        change = (
            update(sessions)
            .filter_by(tenant=step.tenant, id=step.session)
            .values(last_number=last + 1)
            .returning(sessions.c.last_number)
        )
        result = await connection.execute(change)
        return int(result.scalar_one())
