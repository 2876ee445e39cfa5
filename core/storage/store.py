"""Everything Easel remembers but picture bytes, in SQLite or PostgreSQL through one SQLAlchemy Core code."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from core import budgets
from core.errors import NotFound
from core.post import PostedMessage
from core.sessions import heads_of, thread_session
from core.storage import ledger, mapping
from core.storage.database import inserting, reading
from core.storage.not_ours import NotOurs
from core.storage.shielding import shielded
from core.storage.tables import (
    HAS_TASK,
    IN_LINE,
    IS_MEASURED,
    PICTURED,
    SERVED,
    UNFINISHED,
    messages,
    metadata,
    pictures,
    posting,
    sessions,
    step_counts,
    step_pictures,
    steps,
    workspaces,
)
from core.types import Head, Money, Picture, Place, Step, StepState

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

MANY = 500
"""Steps whose pictures are read at a time: a statement takes only so many values."""
ANSWERING_SECONDS, MOST_ANSWERING = 2.0, 1000
"""Within which a message other than a step's first is posted and remembered; workspaces before the
past is dropped."""


@shielded
class Store:
    """One database. Each method is one transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reading = reading(engine)
        self._writing = engine
        self._insert = inserting(engine)
        self._not_ours = NotOurs(is_alone=engine.dialect.name == "sqlite")
        self._answering: dict[str, float] = {}

    async def check(self) -> None:
        """Answer, or raise."""
        async with self._reading.begin() as connection:
            await connection.execute(select(workspaces.c.tenant).limit(1))

    # Steps and sessions

    async def begin(self, step: Step, caps: budgets.Caps, now: datetime) -> Step:
        """Write a new step with its number and priority, and hold its price.

        A step already there is returned as it is.

        Raises Rejected when a budget would be broken; then nothing is written.
        """
        async with self._writing.begin() as connection:
            await self._one_at_a_time(connection, step.tenant)
            if step_there := await self._find(connection, step.tenant, step.id):
                return step_there
            spent = await ledger.spent(connection, step, now)
            budgets.check(caps, spent, step.price, now)
            number = await self._next_number(connection, step)
            waiting = await self._unfinished(connection, step.tenant, step.person.id)
            await connection.execute(
                insert(steps).values(
                    {
                        **mapping.step_row(step),
                        "number": number,
                        "priority": 1 + waiting,
                    }
                )
            )
            await self._hold_pictures(connection, step, "input", step.inputs)
            await self._hold_pictures(
                connection, step, "mask", [step.mask] if step.mask else []
            )
            await ledger.hold(connection, step, now)
            begun = await self._get(connection, step.tenant, step.id)
        self._not_ours.discard((step.tenant, step.place.channel, step.place.thread, ""))
        return begun

    async def step(self, tenant: str, step: str) -> Step:
        """Raises NotFound, also for another tenant's step."""
        async with self._reading.begin() as connection:
            return await self._get(connection, tenant, step)

    async def history(self, tenant: str, session: str, limit: int = 200) -> list[Step]:
        """The session's newest steps, oldest first."""
        query = (
            select(steps)
            .where(steps.c.tenant == tenant, steps.c.session == session)
            .order_by(steps.c.number.desc())
            .limit(limit)
        )
        return list(reversed(await self._steps(query)))

    async def chain(self, tenant: str, step: str) -> list[Step]:
        """A step with all it descends from, the root first. Raises NotFound."""
        start = select(steps.c.id, steps.c.parent, literal(0).label("up")).where(
            *_is(tenant, step)
        )
        above = start.cte("above", recursive=True)
        parents = select(steps.c.id, steps.c.parent, above.c.up + 1).where(
            *_is(tenant, above.c.parent)
        )
        above = above.union_all(parents)
        query = (
            select(steps)
            .join(above, and_(*_is(tenant, above.c.id)))
            .order_by(above.c.up.desc())
        )
        chain = await self._steps(query)
        if not chain:
            raise NotFound("refuse.not_found", id=step)
        return chain

    async def newest_from(
        self, tenant: str, session: str, parent: str | None
    ) -> Step | None:
        """The session's newest step with pictures made from this one.

        With None, its newest root.
        """
        has_pictures = exists().where(
            step_pictures.c.tenant == steps.c.tenant,
            step_pictures.c.step == steps.c.id,
            step_pictures.c.role == "output",
        )
        query = (
            select(steps)
            .where(
                steps.c.tenant == tenant,
                steps.c.session == session,
                steps.c.parent == parent,
            )
            .where(has_pictures)
            .order_by(steps.c.number.desc())
            .limit(1)
        )
        return next(iter(await self._steps(query)), None)

    async def unfinished(self, limit: int | None = None) -> list[Step]:
        """Steps still to be brought to their end, in the order they are served.

        All, or the first ``limit``.
        """
        return await self._steps(
            select(steps).where(UNFINISHED).order_by(*SERVED).limit(limit)
        )

    async def newest_unfinished(self, tenant: str, person: str) -> Step | None:
        """The person's newest step not yet at its end."""
        query = (
            select(steps)
            .where(steps.c.tenant == tenant, steps.c.person == person, UNFINISHED)
            .order_by(steps.c.created.desc())
            .limit(1)
        )
        return next(iter(await self._steps(query)), None)

    async def line(
        self, account: str, model: str, limit: int = 200
    ) -> list[tuple[str, str]]:
        """Tenant and id of those of one queue who are not yet made and served next, in their order."""
        query = (
            select(steps.c.tenant, steps.c.id)
            .where(steps.c.account == account, steps.c.model == model, IN_LINE)
            .order_by(*SERVED)
            .limit(limit)
        )
        async with self._reading.begin() as connection:
            return [(row.tenant, row.id) for row in await connection.execute(query)]

    async def place_in_line(self, step: Step) -> int:
        """How many of its queue are served before it."""
        waits, *order = SERVED
        queue = select(func.count()).where(
            steps.c.account == step.account,
            steps.c.model == step.model,
            IN_LINE,
        )
        before = [] if step.submitted else [queue.where(waits == literal(False))]
        # One by one: a database counts a plain range in half the time it takes to compare all four
        # at once.
        alike = queue.where(waits == literal(step.submitted is None))
        for part, its_own in zip(
            order, (step.priority, step.created, step.id, step.tenant), strict=True
        ):
            before.append(alike.where(part < its_own))
            alike = alike.where(part == its_own)
        query = select(*(those.scalar_subquery() for those in before))
        async with self._reading.begin() as connection:
            return sum((await connection.execute(query)).one())

    async def is_ours(self, place: Place) -> bool:
        """Is it a thread that hangs from a message of ours, or that we post in?"""
        if not place.thread:
            return False
        here = exists().where(
            messages.c.tenant == place.tenant, messages.c.channel == place.channel
        )
        is_posted_in = here.where(messages.c.thread == place.thread)
        hangs_from_ours = here.where(messages.c.message == place.thread)
        async with self._reading.begin() as connection:
            return bool(
                (
                    await connection.execute(select(or_(is_posted_in, hangs_from_ours)))
                ).scalar()
            )

    async def may_be_ours(self, place: Place, message: str = "") -> bool:
        """May a thread, or a message, be ours now, or be about to become so? One look, or none.

        Whoever sees what we post may answer before we have remembered it. So it may also be ours
        while a post may be on its way into that channel, from whatever process: a step's first
        message until it is remembered, a result until it is DONE; and for a moment after this
        process has begun to post anything else.
        """
        thread = "" if message else place.thread
        name = (place.tenant, place.channel, thread, message)
        if self._answering.get(place.tenant, 0.0) > time.monotonic():
            return True
        if not (thread or message) or name in self._not_ours:
            return False
        changes = self._not_ours.changes
        here = exists().where(
            messages.c.tenant == place.tenant, messages.c.channel == place.channel
        )
        is_ours = [here.where(messages.c.message == (message or thread))]
        if thread:
            is_ours.append(here.where(messages.c.thread == thread))
        is_shown = exists().where(
            messages.c.tenant == steps.c.tenant, messages.c.step == steps.c.id
        )
        is_coming = exists().where(
            UNFINISHED,
            steps.c.tenant == place.tenant,
            steps.c.channel == place.channel,
            or_(steps.c.state == StepState.MADE, ~is_shown),
        )
        async with self._reading.begin() as connection:
            may_be = bool(await connection.scalar(select(or_(*is_ours, is_coming))))
        if not may_be:
            self._not_ours.add(name, changes)
        return may_be

    async def head(self, tenant: str, session: str) -> Head | None:
        """Where the session's next edit starts from."""
        query = select(sessions).where(
            sessions.c.tenant == tenant, sessions.c.id == session
        )
        async with self._reading.begin() as connection:
            row = (await connection.execute(query)).mappings().first()
        return (
            Head(step=row["head_step"], index=row["head_index"])
            if row and row["head_step"]
            else None
        )

    async def move_head(self, tenant: str, session: str, head: Head | None) -> None:
        """Undo, redo and pick: costs nothing, forgets nothing."""
        async with self._writing.begin() as connection:
            await self._ensure_session(connection, tenant, session)
            await self._move_head(connection, tenant, session, head)

    # A job's progress: each is a compare-and-set, so that a zombie or a replay changes nothing

    async def intend(self, tenant: str, step: str, now: datetime) -> Step | None:
        """Before the submit leaves: QUEUED → SUBMITTING. None when the step has ended meanwhile."""
        change = (
            update(steps)
            .where(
                *_is(tenant, step),
                steps.c.state.in_([StepState.QUEUED, StepState.SUBMITTING]),
            )
            .values(
                state=StepState.SUBMITTING,
                intended=func.coalesce(steps.c.intended, now),
                attempts=steps.c.attempts + 1,
            )
        )
        return await self._changed(change, tenant, step)

    async def forget_intent(self, tenant: str, step: str) -> Step | None:
        """The service certainly did not take it: SUBMITTING → QUEUED."""
        change = (
            update(steps)
            .where(
                *_is(tenant, step),
                steps.c.state == StepState.SUBMITTING,
                steps.c.task_id.is_(None),
            )
            .values(state=StepState.QUEUED, intended=None)
        )
        return await self._changed(change, tenant, step)

    async def requeue(self, tenant: str, step: str) -> Step | None:
        """Its task failed and cost nothing: RUNNING → QUEUED for one more."""
        change = (
            update(steps)
            .where(*_is(tenant, step), steps.c.state == StepState.RUNNING)
            .values(state=StepState.QUEUED, intended=None, submitted=None, task_id=None)
        )
        return await self._changed(change, tenant, step)

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
        change = (
            update(steps)
            .where(*_is(tenant, step), steps.c.state == StepState.SUBMITTING)
            .values(
                state=StepState.RUNNING,
                task_id=task_id,
                request_id=request_id,
                outcome=outcome,
                submitted=now,
            )
        )
        return await self._changed(change, tenant, step)

    async def keep(
        self,
        step: Step,
        outputs: Sequence[Picture],
        cost: Money | None,
        seconds: float | None,
        now: datetime,
        *,
        partial: str | None = None,
    ) -> Step | None:
        """The pictures are ours.

        RUNNING → MADE, the money settled, the session's heads moved here.
        """
        async with self._writing.begin() as connection:
            change = (
                update(steps)
                .where(*_is(step.tenant, step.id), steps.c.state == StepState.RUNNING)
                .values(
                    state=StepState.MADE,
                    seconds=seconds,
                    finished=now,
                    charged="yes",
                    partial=partial,
                    cost_micros=mapping.micros(cost),
                    currency=func.coalesce(
                        steps.c.currency, cost.currency if cost else None
                    ),
                )
            )
            if not (await connection.execute(change)).rowcount:
                return None
            # The sums last, as in ``begin``: on PostgreSQL nobody waits for a session while holding
            # a sum.
            for session in sorted(heads_of(step)):
                await self._ensure_session(connection, step.tenant, session)
                await self._move_head(
                    connection, step.tenant, session, Head(step=step.id)
                )
            await self._hold_pictures(connection, step, "output", outputs)
            await ledger.settle(connection, step, cost, now)
            return await self._get(connection, step.tenant, step.id)

    async def finish(self, tenant: str, step: str) -> Step | None:
        """The result has been posted: MADE → DONE."""
        change = (
            update(steps)
            .where(*_is(tenant, step), steps.c.state == StepState.MADE)
            .values(state=StepState.DONE, told=True, slot=False)
        )
        return await self._changed(change, tenant, step)

    async def mark_told(self, tenant: str, step: str) -> None:
        """Its person has been told how it ended: nobody works on it any more."""
        async with self._writing.begin() as connection:
            await connection.execute(
                update(steps).where(*_is(tenant, step)).values(told=True, slot=False)
            )

    async def end(
        self,
        step: Step,
        state: StepState,
        now: datetime,
        *,
        error: str,
        params: Mapping[str, Any] | None = None,
        charged: str = "no",
        request_id: str = "",
        cost: Money | None = None,
    ) -> Step | None:
        """FAILED, CANCELLED or UNKNOWN.

        ``charged`` "no" gives the hold back, "yes" settles ``cost``, "maybe" keeps it.

        None when the step had ended already.
        """
        async with self._writing.begin() as connection:
            change = (
                update(steps)
                .where(*_is(step.tenant, step.id), UNFINISHED)
                .values(
                    state=state,
                    finished=now,
                    error=error,
                    error_params=dict(params or {}),
                    charged=charged,
                    cost_micros=mapping.micros(cost) if charged == "yes" else None,
                    request_id=func.coalesce(steps.c.request_id, request_id or None),
                )
            )
            if not (await connection.execute(change)).rowcount:
                return None
            if charged != "maybe":
                await ledger.settle(
                    connection, step, cost if charged == "yes" else None, now
                )
            return await self._get(connection, step.tenant, step.id)

    async def drop_charge(self, step: Step, now: datetime) -> None:
        """An UNKNOWN step's person gave it up, or it is known now that nothing was billed.

        The hold goes back.
        """
        async with self._writing.begin() as connection:
            await ledger.settle(connection, step, None, now)

    async def request_cancel(self, tenant: str, step: str, now: datetime) -> Step:
        """Cancel at once and free while QUEUED.

        Otherwise mark it, and the flow drops the result.
        """
        async with self._writing.begin() as connection:
            queued = (
                update(steps)
                .where(*_is(tenant, step), steps.c.state == StepState.QUEUED)
                .values(
                    state=StepState.CANCELLED,
                    finished=now,
                    error="status.cancelled",
                    error_params={},
                )
            )
            if (await connection.execute(queued)).rowcount:
                await ledger.settle(
                    connection, await self._get(connection, tenant, step), None, now
                )
            marked = (
                update(steps).where(*_is(tenant, step)).values(cancel_requested=True)
            )
            await connection.execute(marked)
            return await self._get(connection, tenant, step)

    async def known_tasks(self, account: str, model: str, since: datetime) -> list[str]:
        """Task ids recorded since then, for any tenant: a lost submit's task is none of these."""
        query = select(steps.c.task_id).where(
            steps.c.account == account,
            steps.c.model == model,
            steps.c.submitted >= since,
            HAS_TASK,
        )
        async with self._reading.begin() as connection:
            return [str(task) for task in (await connection.execute(query)).scalars()]

    async def durations(self, account: str, model: str, limit: int = 20) -> list[float]:
        """Seconds the service worked on the newest steps of a model."""
        query = (
            select(steps.c.seconds)
            .where(steps.c.account == account, steps.c.model == model, IS_MEASURED)
            .order_by(steps.c.finished.desc())
            .limit(limit)
        )
        async with self._reading.begin() as connection:
            return [
                float(seconds)
                for seconds in (await connection.execute(query)).scalars()
            ]

    async def counts(self) -> dict[tuple[str, str, str], int]:
        """How many steps there are of each action, model and state, of all tenants together."""
        query = select(step_counts).where(step_counts.c.count > 0)
        async with self._reading.begin() as connection:
            counts = (await connection.execute(query)).all()
        return {(action, model, state): count for action, model, state, count in counts}

    # Messages

    async def remember(
        self, sent: PostedMessage, tenant: str, step: str, role: str = "status"
    ) -> None:
        """Which message of ours shows which step: how a reply or a reaction finds its picture.

        ``role``: the "status" message that becomes the result, or a copy, such as "gallery".
        """
        row = {
            "tenant": tenant,
            "channel": sent.place.channel,
            "thread": sent.place.thread,
            "message": sent.message,
            "step": step,
            "role": role,
        }
        pictures = [
            {
                **row,
                "thread": one.place.thread,
                "message": one.message,
                "role": "picture",
            }
            for one in sent.pictures
        ]
        async with self._writing.begin() as connection:
            for each in (row, *pictures):
                await connection.execute(
                    self._insert(messages).values(each).on_conflict_do_nothing()
                )
        for shown in (sent, *sent.pictures):
            channel, thread = sent.place.channel, shown.place.thread
            threads = [(tenant, channel, name, "") for name in (thread, shown.message)]
            self._not_ours.discard(*threads, (tenant, channel, "", shown.message))

    async def intend_post(self, tenant: str, job: str, role: str) -> bool:
        """Before something is posted: True the first time.

        Else it may have gone through, and is read back first.
        """
        row = {"tenant": tenant, "job": job, "role": role}
        if role != "status":
            self._note_answer(tenant)
        async with self._writing.begin() as connection:
            # Not its rowcount: PostgreSQL's driver tells none for such a statement.
            fresh = (
                self._insert(posting)
                .values(row)
                .on_conflict_do_nothing()
                .returning(posting.c.job)
            )
            return (await connection.execute(fresh)).first() is not None

    async def message_of(
        self, step: Step, role: str = "status"
    ) -> PostedMessage | None:
        """The message of a step in that role."""
        query = select(messages).where(
            messages.c.tenant == step.tenant,
            messages.c.step == step.id,
            messages.c.role == role,
        )
        async with self._reading.begin() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else _sent(step, row)

    async def messages_of(self, step: Step) -> list[PostedMessage]:
        """Every message that shows a step, copies and answers included."""
        query = select(messages).where(
            messages.c.tenant == step.tenant, messages.c.step == step.id
        )
        async with self._reading.begin() as connection:
            found = (await connection.execute(query)).mappings().all()
        return [_sent(step, row) for row in found]

    async def step_of_message(self, place: Place, message: str) -> str:
        """The step a message of ours shows. Raises NotFound."""
        query = select(messages.c.step).where(
            messages.c.tenant == place.tenant,
            messages.c.channel == place.channel,
            messages.c.message == message,
        )
        async with self._reading.begin() as connection:
            step: str | None = (await connection.execute(query)).scalar()
        if step is None:
            raise NotFound("refuse.not_found", id=message)
        return step

    async def recent(self, tenant: str, person: str, limit: int) -> list[Step]:
        """The newest steps with pictures of one person, newest first."""
        query = select(steps).where(
            steps.c.tenant == tenant, steps.c.person == person, PICTURED
        )
        return await self._steps(query.order_by(steps.c.created.desc()).limit(limit))

    async def keep_thumbnail(self, tenant: str, picture: str, thumbnail: str) -> bool:
        """Which blob is a picture's thumbnail. False when the picture is no longer there."""
        change = update(pictures).where(
            pictures.c.tenant == tenant, pictures.c.key == picture
        )
        async with self._writing.begin() as connection:
            return bool(
                (await connection.execute(change.values(thumbnail=thumbnail))).rowcount
            )

    async def count_made(self, tenant: str, session: str) -> int:
        """How many steps of a session still have their pictures."""
        query = select(func.count()).where(
            steps.c.tenant == tenant, steps.c.session == session, PICTURED
        )
        async with self._reading.begin() as connection:
            return int((await connection.execute(query)).scalar_one())

    # Workspaces and money

    async def forget_workspace(self, tenant: str) -> None:
        """Everything of a workspace goes, settings and money included."""
        async with self._writing.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                if "tenant" in table.c:
                    await connection.execute(
                        table.delete().where(table.c.tenant == tenant)
                    )

    async def settings(self, tenant: str) -> dict[str, Any]:
        """The workspace's settings; empty when never set."""
        query = select(workspaces.c.settings).where(workspaces.c.tenant == tenant)
        async with self._reading.begin() as connection:
            return dict((await connection.execute(query)).scalar() or {})

    async def save_settings(self, tenant: str, settings: Mapping[str, Any]) -> None:
        """Replace the workspace's settings."""
        row = {"tenant": tenant, "settings": dict(settings)}
        statement = self._insert(workspaces).values(row)
        changed = statement.on_conflict_do_update(
            index_elements=["tenant"], set_={"settings": dict(settings)}
        )
        async with self._writing.begin() as connection:
            await connection.execute(changed)

    async def usage(self, tenant: str, since: datetime) -> list[budgets.Spending]:
        """Who spent what from that day on, holds included."""
        async with self._reading.begin() as connection:
            return await ledger.usage(connection, tenant, since)

    def _note_answer(self, tenant: str) -> None:
        now = time.monotonic()
        if len(self._answering) >= MOST_ANSWERING:
            self._answering = {
                name: ends for name, ends in self._answering.items() if ends > now
            }
        self._answering[tenant] = now + ANSWERING_SECONDS

    # Inside a transaction

    async def _one_at_a_time(self, connection: AsyncConnection, tenant: str) -> None:
        """Two who spend at once must not both see the old sum. SQLite has one writer anyway."""
        if self._writing.dialect.name == "postgresql":
            await connection.execute(
                select(func.pg_advisory_xact_lock(func.hashtext(tenant)))
            )

    async def _get(self, connection: AsyncConnection, tenant: str, step: str) -> Step:
        found = await self._find(connection, tenant, step)
        if found is None:
            raise NotFound("refuse.not_found", id=step)
        return found

    async def _find(
        self, connection: AsyncConnection, tenant: str, step: str
    ) -> Step | None:
        found = await self._read(connection, select(steps).where(*_is(tenant, step)))
        return found[0] if found else None

    async def _steps(self, query: Select[Any]) -> list[Step]:
        async with self._reading.begin() as connection:
            return await self._read(connection, query)

    async def _read(
        self, connection: AsyncConnection, query: Select[Any]
    ) -> list[Step]:
        there = (await connection.execute(query)).mappings().all()
        held: dict[tuple[str, str], list[RowMapping]] = defaultdict(list)
        for start in range(0, len(there), MANY):
            for row in await _pictures_of(connection, there[start : start + MANY]):
                held[row["tenant"], row["step"]].append(row)
        return [mapping.step(row, held[row["tenant"], row["id"]]) for row in there]

    async def _changed(self, change: Any, tenant: str, step: str) -> Step | None:
        async with self._writing.begin() as connection:
            if not (await connection.execute(change)).rowcount:
                return None
            return await self._get(connection, tenant, step)

    async def _unfinished(
        self, connection: AsyncConnection, tenant: str, person: str
    ) -> int:
        query = select(func.count()).where(
            steps.c.tenant == tenant, steps.c.person == person, UNFINISHED
        )
        return int((await connection.execute(query)).scalar() or 0)

    async def _ensure_session(
        self, connection: AsyncConnection, tenant: str, session: str
    ) -> None:
        row = {"tenant": tenant, "id": session, "head_index": 0, "last_number": 0}
        await connection.execute(
            self._insert(sessions).values(row).on_conflict_do_nothing()
        )

    async def _next_number(self, connection: AsyncConnection, step: Step) -> int:
        """The session's next version; in a thread they go on from the picture it hangs from."""
        await self._ensure_session(connection, step.tenant, step.session)
        above = 0
        if step.parent and step.session == thread_session(step.place):
            above = (await self._get(connection, step.tenant, step.parent)).number
        last = case(
            (sessions.c.last_number < above, above), else_=sessions.c.last_number
        )
        change = (
            update(sessions)
            .where(sessions.c.tenant == step.tenant, sessions.c.id == step.session)
            .values(last_number=last + 1)
            .returning(sessions.c.last_number)
        )
        return int((await connection.execute(change)).scalar_one())

    async def _move_head(
        self, connection: AsyncConnection, tenant: str, session: str, head: Head | None
    ) -> None:
        change = (
            update(sessions)
            .where(sessions.c.tenant == tenant, sessions.c.id == session)
            .values(
                head_step=head.step if head else None,
                head_index=head.index if head else 0,
            )
        )
        await connection.execute(change)

    async def _hold_pictures(
        self,
        connection: AsyncConnection,
        step: Step,
        role: str,
        held: Iterable[Picture],
    ) -> None:
        for position, picture in enumerate(held):
            fresh = self._insert(pictures).values(
                mapping.picture_row(step.tenant, picture)
            )
            links = {"url": picture.url, "url_expires": picture.url_expires}
            known = fresh.on_conflict_do_update(
                index_elements=["tenant", "key"],
                set_=links if picture.url else {"length": picture.length},
            )
            await connection.execute(known)
            row = {
                "tenant": step.tenant,
                "step": step.id,
                "role": role,
                "position": position,
                "key": picture.key,
            }
            await connection.execute(
                self._insert(step_pictures).values(row).on_conflict_do_nothing()
            )


async def _pictures_of(
    connection: AsyncConnection, there: Sequence[RowMapping]
) -> Sequence[RowMapping]:
    """The pictures some steps hold, each with its step, role and position."""
    is_the_picture = and_(
        pictures.c.tenant == step_pictures.c.tenant,
        pictures.c.key == step_pictures.c.key,
    )
    query = (
        select(
            step_pictures,
            *(column for column in pictures.c if column.name not in step_pictures.c),
        )
        .join(pictures, is_the_picture)
        .where(
            step_pictures.c.tenant.in_({row["tenant"] for row in there}),
            step_pictures.c.step.in_([row["id"] for row in there]),
        )
    )
    return (await connection.execute(query)).mappings().all()


def _sent(step: Step, row: RowMapping) -> PostedMessage:
    place = replace(step.place, channel=row["channel"], thread=row["thread"])
    return PostedMessage(place=place, message=row["message"])


def _is(tenant: str, step: str | ColumnElement[str]) -> tuple[Any, Any]:
    return steps.c.tenant == tenant, steps.c.id == step
