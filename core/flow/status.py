"""The status line of every job at work: place in line, an honest estimate, progress.

Never over a result.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from core.errors import DeliveryError, NotFound
from core.flow.context import Context, is_passing, upsert_status
from core.log import log
from core.post import Post, PostedMessage
from core.types import Step, StepState
from core.views import steps

SHOWN = 200
"""Jobs whose line is kept current at a time."""
NEAR = 10
"""So many more before somebody, and each round of news is one platform's pace later."""
REST = 4.0
"""Seconds of rest for each second of processor a round took: progress may cost a fifth of a core at
most."""
MANY = 20
"""Measured durations the estimate is the median of."""


async def parent_of(context: Context, step: Step) -> Step | None:
    """The step whose picture is edited."""
    return await context.store.step(step.tenant, step.parent) if step.parent else None


async def working(context: Context, step: Step) -> Post:
    """What to say of a step not yet made."""
    pace = await pace_of(context, step.account, step.model)
    return await _post(context, step, await context.store.place_in_line(step), pace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a model takes for a step, and for how many at a time."""

    typical: float
    slots: int


async def pace_of(context: Context, account: str, model: str) -> Pace:
    """Seconds as measured lately, else as the catalogue expects; so many at a time as it takes."""
    known = context.catalog.model(model)
    measured = await context.store.durations(account, model, MANY)
    # Where the vendor names no limit, its refusals have taught how many it takes.
    learned = context.window(account, model).size
    return Pace(
        typical=median(measured) if measured else known.typical_seconds,
        slots=known.running_limit or learned,
    )


async def _post(context: Context, step: Step, position: int, pace: Pace) -> Post:
    parent = await parent_of(context, step)
    # A synchronous call is answered when it is done: all the while its step is SUBMITTING.
    began = step.submitted or step.intended
    if step.state in {StepState.RUNNING, StepState.SUBMITTING} and began:
        elapsed = (context.clock.now() - began).total_seconds()
        return steps.running_post(step, parent, elapsed, pace.typical)
    rounds = position // pace.slots + 1
    return steps.queued_post(step, parent, position + 1, pace.typical * rounds)


ANNOUNCE_GRACE = timedelta(seconds=10)
"""How old a step is before its missing message is taken for one that could not be posted."""


ANNOUNCE_GRACE = timedelta(seconds=10)
"""How old a step is before its missing message is taken for one that could not be posted."""
UPDATE_SECONDS = 10.0
SHORTEST_REST, LONGEST_REST = 2.0, 60.0
"""Seconds without progress for a platform that could not be reached."""


class Rest:
    """A platform that is away is left alone for a while, longer each time."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._until = 0.0

    @property
    def is_on(self) -> bool:
        """Is it left alone now?"""
        return time.monotonic() < self._until

    def begin(self) -> None:
        """It could not be reached."""
        self._seconds = min(max(self._seconds * 2, SHORTEST_REST), LONGEST_REST)
        self._until = time.monotonic() + self._seconds

    def end(self) -> None:
        """It answers."""
        self._seconds = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LastStatus:
    """What a job's message was last made to say, in which state, and when."""

    sent: PostedMessage
    post: Post
    state: StepState
    at: datetime


async def keep_current(context: Context) -> None:
    """Update the messages of the jobs at work, for ever.

    Each when its state changes, else at its platform's pace.

    Cancel it to stop.
    """
    told: dict[str, LastStatus] = {}
    rests: dict[str, Rest] = {}
    while True:
        context.moved.clear()
        began = time.thread_time()
        try:
            is_idle = not await _round(context, told, rests)
        except Exception:
            # Progress is a courtesy: whatever is wrong with it, the next round tries again.
            log.exception("status_broke")
            is_idle = False
        await asyncio.sleep(REST * (time.thread_time() - began))
        await (context.moved.wait() if is_idle else _pause(context))


async def _pause(context: Context) -> None:
    """Until a job has moved on, at most as long as the quickest platform's pace."""
    pace = min((chat.pace for chat in context.chats.values()), default=3.0)
    waiting = [
        asyncio.ensure_future(context.moved.wait()),
        asyncio.ensure_future(context.clock.sleep(pace)),
    ]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()


async def _round(
    context: Context, told: dict[str, LastStatus], rests: dict[str, Rest]
) -> bool:
    """Those served next; who waits far behind hears of it when the line has moved on.

    Was there any?
    """
    at_work = [
        step
        for step in await context.store.open_steps(SHOWN)
        if _is_shown(context, step)
    ]
    queues = {(step.account, step.model) for step in at_work}
    paces = {queue: await pace_of(context, *queue) for queue in queues}
    lines = {queue: await context.store.line(*queue, SHOWN) for queue in queues}
    positions = {job: at for line in lines.values() for at, job in enumerate(line)}
    for step in at_work:
        queue = (step.account, step.model)
        position = positions.get((step.tenant, step.id), len(lines[queue]))
        rest = rests.setdefault(step.place.platform, Rest())
        if rest.is_on or not _is_due(context, step, position, told.get(step.id)):
            continue
        post = await _post(context, step, position, paces[queue])
        if step.id not in told or told[step.id].post != post:
            is_reached = await _refresh(context, step, post, told)
            rest.end() if is_reached else rest.begin()
    for gone in set(told) - {step.id for step in at_work}:
        del told[gone]
    return bool(at_work)


def _is_shown(context: Context, step: Step) -> bool:
    """Of what is made the result is on its way; to other platforms this process does not speak."""
    return step.state is not StepState.MADE and step.place.platform in context.chats


def _is_due(
    context: Context, step: Step, position: int, last: LastStatus | None
) -> bool:
    """A new state is told at once, anything else no sooner than the platform likes.

    Far behind in line, more seldom.
    """
    if last is None or last.state is not step.state:
        return True
    seconds = (context.clock.now() - last.at).total_seconds()
    return seconds >= context.chat(step).pace * 0.9 * (1 + position // NEAR)


async def _refresh(
    context: Context, step: Step, post: Post, told: dict[str, LastStatus]
) -> bool:
    """Returns False when the platform could not be reached."""
    try:
        async with asyncio.timeout(UPDATE_SECONDS):
            if step.id not in told and await _lacks_message(context, step):
                await upsert_status(context, step, post, only_while=step.state)
            else:
                await _update(context, step, post, told)
    except (DeliveryError, NotFound, TimeoutError) as error:
        log.debug("progress_not_shown", step=step.id, error=type(error).__name__)
        return not (isinstance(error, TimeoutError) or is_passing(error))
    return True


async def _lacks_message(context: Context, step: Step) -> bool:
    """Was its platform away when the job began?"""
    if context.clock.now() - step.created < ANNOUNCE_GRACE:
        return False
    return await context.store.message_of(step) is None


async def _update(
    context: Context, step: Step, post: Post, told: dict[str, LastStatus]
) -> None:
    last = told.get(step.id)
    async with context.telling_lock(step):
        sent = last.sent if last else await context.store.message_of(step)
        fresh = await context.store.step(step.tenant, step.id)
        if sent is None or fresh.state is StepState.MADE or fresh.state.is_final:
            return
        told[step.id] = LastStatus(
            sent=sent, post=post, state=step.state, at=context.clock.now()
        )
        await context.chat(step).update(sent, post)
