"""The status line of every job at work: place in line, estimate, progress; never over a result."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy.exc import SQLAlchemyError

from core.errors import DeliveryError, NotFound
from core.flow.context import (
    PROGRESS_LIFE,
    TRANSIENT,
    UPDATE_SECONDS,
    Context,
    is_passing,
    upsert_status,
)
from core.flow.outages import Dependency
from core.log import log
from core.post import Post, PostedMessage
from core.types import Step, StepState
from core.views import steps

MOST_SHOWN = 200
"""Jobs whose line is kept current at a time."""
NEAR = 10
"""So many more ahead in line, and a job's message is updated one platform's pace later."""
REST_FACTOR = 4.0
"""Seconds of rest for each second of processor a round took: progress may cost a fifth of a core at
most."""
MEASURED = 20
"""Durations the estimate is the median of."""
USUAL_PACE = 3.0
USUAL_SECONDS = 30.0
"""Of a model that has left the catalogue."""
EARLY = 0.9
"""Share of a platform's pace that is enough: rounds do not come exactly on time."""
ANNOUNCE_GRACE = timedelta(seconds=10)
"""How old a step is before its missing message is taken for one that could not be posted."""
SHORTEST_REST, LONGEST_REST = 2.0, 60.0
"""Seconds without progress for a platform that could not be reached."""

Queue = tuple[str, str]
"""Account and model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a model takes for a step, and for how many at a time."""

    typical: float
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The queues of the jobs at work: their pace, their length, and a step's place.

    ``paused``: workspaces whose queued steps wait until an administrator resumes them.
    """

    paused: frozenset[str]
    paces: Mapping[Queue, Pace]
    lengths: Mapping[Queue, int]
    positions: Mapping[tuple[str, str], int]

    def awaits_admin(self, step: Step) -> bool:
        """Does the step wait for an administrator?"""
        return step.state is StepState.QUEUED and step.tenant in self.paused

    def position(self, step: Step) -> int:
        """Count the steps served before it; a step beyond those read counts as the last."""
        last = self.lengths[_queue(step)]
        return self.positions.get((step.tenant, step.id), last)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastStatus:
    """What a job's message shows, in which state of the step, and since when."""

    sent: PostedMessage
    post: Post
    state: StepState
    at: datetime
    step: Step


class Rest:
    """A pause for a platform that is away, longer each time."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._until = 0.0

    @property
    def is_on(self) -> bool:
        """Whether the platform is left alone now."""
        return time.monotonic() < self._until

    def begin(self) -> None:
        """Pause after the platform could not be reached."""
        self._seconds = min(
            max(self._seconds * 2, SHORTEST_REST), LONGEST_REST
        )
        self._until = time.monotonic() + self._seconds

    def end(self) -> None:
        """End the pause: the platform answers again."""
        self._seconds = 0.0


async def parent_of(context: Context, step: Step) -> Step | None:
    """The step that made the picture that is edited."""
    if step.parent is None:
        return None
    return await context.store.step(step.tenant, step.parent)


async def working(context: Context, step: Step) -> Post:
    """Build the post of a step that is not made yet."""
    pace = await pace_of(context, step.account, step.model)
    position = await context.store.place_in_line(step)
    return await _post(context, step, position, pace)


async def pace_of(context: Context, account: str, model: str) -> Pace:
    """Return the seconds and the parallel jobs of a model.

    Seconds are as measured lately, else as the catalogue expects.
    """
    measured = await context.store.durations(account, model, MEASURED)
    # Where the vendor names no limit, its refusals have taught how many it takes.
    slots = context.window(account, model).size
    typical = USUAL_SECONDS
    entry = context.catalog.models.get(model)
    if entry is not None:
        slots = entry.running_limit or slots
        typical = entry.typical_seconds
    if measured:
        typical = median(measured)
    return Pace(typical=typical, slots=slots)


async def _post(
    context: Context,
    step: Step,
    position: int,
    pace: Pace,
) -> Post:
    parent = await parent_of(context, step)
    away = _missing_dependency(context, step)
    if away is not None:
        return steps.waiting_post(step, parent, away)
    # A synchronous call is answered when it is done: all the while its step is SUBMITTING.
    began = step.submitted or step.intended
    is_at_work = step.state in {StepState.RUNNING, StepState.SUBMITTING}
    if is_at_work and began:
        now = context.clock.now()
        elapsed = (now - began).total_seconds()
        return steps.running_post(step, parent, elapsed, pace.typical)
    rounds = position // pace.slots + 1
    return steps.queued_post(step, parent, position + 1, pace.typical * rounds)


def _missing_dependency(context: Context, step: Step) -> str | None:
    """What the step waits for because it is away, if anything."""
    away = context.waits.long_awaited(step.id)
    if away is not None or step.state is StepState.MADE:
        return away
    provider = context.providers.get(step.account)
    if provider is None or provider.is_answering:
        return None
    return Dependency.SERVICE


async def keep_current(context: Context, leads: Callable[[str], bool]) -> None:
    """Update the messages of the jobs at work, until cancelled.

    A message is updated when its step changes state, else at its platform's pace. Of several
    processes one ``leads`` a platform and shows the progress there.
    """
    shown: dict[str, LastStatus] = {}
    rests: dict[str, Rest] = {}
    while True:
        context.moved.clear()
        began = time.thread_time()
        try:
            is_idle = not await _round(context, leads, shown, rests)
        except SQLAlchemyError as error:
            log.warning("status_waits", error=type(error).__name__)
            is_idle = False
            await _say_database_away(context, shown)
        except Exception:
            # Progress is a courtesy: whatever is wrong with it, the next round tries again.
            log.exception("status_broke")
            is_idle = False
        await asyncio.sleep(REST_FACTOR * (time.thread_time() - began))
        await (context.moved.wait() if is_idle else _pause(context))


async def _pause(context: Context) -> None:
    """Wait until a job has moved, at most for the quickest platform's pace."""
    paces = [chat.pace for chat in context.chats.values()]
    waits = [
        asyncio.ensure_future(context.moved.wait()),
        asyncio.ensure_future(
            context.clock.sleep(min(paces, default=USUAL_PACE))
        ),
    ]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _round(
    context: Context,
    leads: Callable[[str], bool],
    shown: dict[str, LastStatus],
    rests: dict[str, Rest],
) -> bool:
    """Update the jobs served next; return whether any goes on, also when another process leads.

    Another process that leads a platform may stop, and leave its jobs to this one.
    """
    open_steps = await context.store.open_steps(MOST_SHOWN)
    at_work = [step for step in open_steps if _has_progress(context, step)]
    led = [step for step in at_work if _is_shown_here(context, leads, step)]
    lines = await _read_lines(context, {_queue(step) for step in led})
    for step in led:
        # A platform that is away must not hold up the news of the others.
        rest = rests.setdefault(step.place.platform, Rest())
        if rest.is_on:
            continue
        try:
            await _show(context, step, lines, shown, rest)
        except TRANSIENT:
            raise  # the others would fare no better
        except Exception:
            # A step that cannot be shown must not hide the others.
            log.exception("progress_broke", step=step.id)
    for ended in set(shown) - {step.id for step in led}:
        del shown[ended]
    return any(not lines.awaits_admin(step) for step in at_work)


async def _show(
    context: Context,
    step: Step,
    lines: Lines,
    shown: dict[str, LastStatus],
    rest: Rest,
) -> None:
    """Update a step's message if it is due and has changed."""
    position = lines.position(step)
    last = shown.get(step.id)
    if lines.awaits_admin(step):
        # At once: no later round looks at it before it is resumed.
        post = steps.paused_post(step, await parent_of(context, step))
    elif _is_due(context, step, position, last):
        post = await _post(context, step, position, lines.paces[_queue(step)])
    else:
        return
    if last is not None and last.post == post:
        return
    if await _refresh(context, step, post, shown):
        rest.end()
    else:
        rest.begin()


async def _read_lines(context: Context, queues: set[Queue]) -> Lines:
    paces: dict[Queue, Pace] = {}
    lengths: dict[Queue, int] = {}
    positions: dict[tuple[str, str], int] = {}
    for account, model in queues:
        queue = (account, model)
        line = await context.store.line(account, model, MOST_SHOWN)
        paces[queue] = await pace_of(context, account, model)
        lengths[queue] = len(line)
        positions |= {job: position for position, job in enumerate(line)}
    return Lines(
        paused=await context.store.pauses(),
        paces=paces,
        lengths=lengths,
        positions=positions,
    )


async def _say_database_away(
    context: Context,
    shown: dict[str, LastStatus],
) -> None:
    """Say so in the messages of jobs that wait for the database; nothing can be looked up."""
    for job, last in list(shown.items()):
        if context.waits.long_awaited(job) is not Dependency.DATABASE:
            continue
        post = steps.with_outage(last.post, last.step, Dependency.DATABASE)
        if post == last.post:
            continue
        async with context.message_lock(last.step):
            if job not in context.waits:
                continue
            shown[job] = replace(last, post=post)
            # The platform's side may need the database, too.
            with suppress(Exception):
                async with asyncio.timeout(UPDATE_SECONDS):
                    await context.chat(last.step).update(last.sent, post)


def _queue(step: Step) -> Queue:
    return step.account, step.model


def _is_shown_here(
    context: Context,
    leads: Callable[[str], bool],
    step: Step,
) -> bool:
    # Only the process that waits with a job knows what it waits for.
    return leads(step.place.platform) or step.id in context.waits


def _has_progress(context: Context, step: Step) -> bool:
    """Is there progress to show, on a platform that this process speaks to?"""
    # The result of a step that is made is on its way, unless this process waits with it.
    is_open = step.state is not StepState.MADE or step.id in context.waits
    return is_open and step.place.platform in context.chats


def _is_due(
    context: Context,
    step: Step,
    position: int,
    last: LastStatus | None,
) -> bool:
    """Whether a message is due for an update.

    A new state is shown at once, anything else at the platform's pace, and less often for steps far
    behind in line.
    """
    if last is None or last.state is not step.state:
        return True
    seconds = (context.clock.now() - last.at).total_seconds()
    pace = context.chat(step).pace * EARLY
    return seconds >= pace * (1 + position // NEAR)


async def _refresh(
    context: Context,
    step: Step,
    post: Post,
    shown: dict[str, LastStatus],
) -> bool:
    """Returns False when the platform could not be reached."""
    try:
        async with asyncio.timeout(UPDATE_SECONDS):
            await _send_progress(context, step, post, shown)
    except (DeliveryError, NotFound, TimeoutError) as error:
        log.debug(
            "progress_not_shown",
            step=step.id,
            error=type(error).__name__,
        )
        return not (isinstance(error, TimeoutError) or is_passing(error))
    return True


async def _send_progress(
    context: Context,
    step: Step,
    post: Post,
    shown: dict[str, LastStatus],
) -> None:
    store = context.store
    is_guarded = context.is_shared and step.state is not StepState.MADE
    if is_guarded:
        until = context.clock.now() + PROGRESS_LIFE
        if not await store.begin_progress(step.tenant, step.id, until):
            return
    try:
        if step.id not in shown and await _lacks_message(context, step):
            await upsert_status(context, step, post, only_while=step.state)
        else:
            await _update(context, step, post, shown)
    finally:
        if is_guarded:
            await store.end_progress(step.tenant, step.id)


async def _lacks_message(context: Context, step: Step) -> bool:
    """Whether the step has no message yet, as its platform was away when the job began."""
    if context.clock.now() - step.created < ANNOUNCE_GRACE:
        return False
    return await context.store.message_of(step) is None


async def _update(
    context: Context,
    step: Step,
    post: Post,
    shown: dict[str, LastStatus],
) -> None:
    last = shown.get(step.id)
    async with context.message_lock(step):
        sent = last.sent if last else await context.store.message_of(step)
        fresh = await context.store.step(step.tenant, step.id)
        is_over = fresh.state.is_final or (
            fresh.state is StepState.MADE and step.id not in context.waits
        )
        if sent is None or is_over:
            return
        now = context.clock.now()
        shown[step.id] = LastStatus(
            sent=sent,
            post=post,
            state=step.state,
            at=now,
            step=step,
        )
        await context.chat(step).update(sent, post)
