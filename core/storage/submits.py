"""A step's submit to the service: intended, refused, or taken."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, select, update

from core.storage.shielding import shielded
from core.storage.step_writer import StepWriter, change_from
from core.storage.tables import steps
from core.types import Step, StepState

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

SUBMIT_LIFE = timedelta(minutes=3)
"""How long a submit is waited for by the others of its model: its worker may be gone for good."""


@shielded
class SubmitStore(StepWriter):
    """Changes steps around their submit. Each method is one transaction."""

    async def intend(
        self,
        tenant: str,
        step: str,
        now: datetime,
        *,
        alone: bool = False,
    ) -> Step | None:
        """Before the submit leaves: QUEUED → SUBMITTING. None when the step has ended meanwhile.

        ``alone``: the step stays QUEUED while another of its model is being submitted.
        """
        may_be_submitted = steps.c.state.in_(
            [StepState.QUEUED, StepState.SUBMITTING]
        )
        change = (
            update(steps)
            .filter_by(tenant=tenant, id=step)
            .where(may_be_submitted)
        )
        change = change.values(
            state=StepState.SUBMITTING,
            # The first intent stays: a lost task may have been made at any time since.
            intended=func.coalesce(steps.c.intended, now),
            attempts=steps.c.attempts + 1,
            claims=case(
                (steps.c.state == StepState.QUEUED, 1), else_=steps.c.claims
            ),
        )
        if not alone:
            return await self._change_step(change, tenant, step)
        # Held until the commit: of two processes that ask at once the second sees the first.
        async with self._writing.begin() as connection:
            waiting = await self._get(connection, tenant, step)
            await self._lock(
                connection, f"submit {waiting.account} {waiting.model}"
            )
            is_queued = waiting.state is StepState.QUEUED
            if is_queued and await _is_submitting(connection, waiting, now):
                return waiting
            result = await connection.execute(change)
            if not result.rowcount:
                return None
            return await self._get(connection, tenant, step)

    async def forget_intent(
        self,
        tenant: str,
        step: str,
        *,
        may_turn_up: bool = False,
    ) -> Step | None:
        """The service did not take it: SUBMITTING → QUEUED.

        ``may_turn_up`` where a list said so that may lag: when it was sent stays known.
        """
        change = (
            update(steps)
            .filter_by(state=StepState.SUBMITTING)
            .filter_by(tenant=tenant, id=step)
            .where(steps.c.task_id.is_(None))
        )
        change = change.values(
            state=StepState.QUEUED,
            intended=steps.c.intended if may_turn_up else None,
            attempts=steps.c.attempts - 1,  # a refusal has made no task
        )
        return await self._change_step(change, tenant, step)

    async def requeue(self, tenant: str, step: str) -> Step | None:
        """Its task failed and cost nothing: RUNNING → QUEUED for one more."""
        change = change_from(StepState.RUNNING, tenant, step).values(
            state=StepState.QUEUED,
            intended=None,
            submitted=None,
            task_id=None,
        )
        return await self._change_step(change, tenant, step)

    async def record_task(
        self,
        tenant: str,
        step: str,
        task_id: str | None,
        request_id: str,
        outcome: Mapping[str, Any] | None,
        now: datetime,
    ) -> Step | None:
        """The service took it (a task id) or has done it (an outcome): SUBMITTING → RUNNING."""
        change = change_from(StepState.SUBMITTING, tenant, step).values(
            state=StepState.RUNNING,
            task_id=task_id,
            request_id=request_id,
            outcome=outcome,
            submitted=now,
            # This is progress: processes that died before it no longer count.
            claims=1,
        )
        return await self._change_step(change, tenant, step)


async def _is_submitting(
    connection: AsyncConnection,
    step: Step,
    now: datetime,
) -> bool:
    """Whether another step of its account and model is being submitted."""
    query = (
        select(func.count())
        .select_from(steps)
        .filter_by(
            account=step.account,
            model=step.model,
            state=StepState.SUBMITTING,
        )
        .where(steps.c.intended > now - SUBMIT_LIFE)
    )
    result = await connection.execute(query)
    return bool(result.scalar_one())
