"""The status line of every job at work: place in line, an honest estimate, progress.

Never over a result.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from core.errors import DeliveryError, NotFound
from core.flow.context import Context
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
    while True:
        context.moved.clear()
        began = time.thread_time()
        try:
            is_idle = not await _round(context, told)
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


async def _round(context: Context, told: dict[str, LastStatus]) -> bool:
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
        if not _is_due(context, step, position, told.get(step.id)):
            continue
        post = await _post(context, step, position, paces[queue])
        if step.id not in told or told[step.id].post != post:
            await _refresh(context, step, post, told)
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
) -> None:
    last = told.get(step.id)
    async with context.telling_lock(step):
        sent = last.sent if last else await context.store.message_of(step)
        try:
            fresh = await context.store.step(step.tenant, step.id)
        except NotFound:  # its workspace was forgotten meanwhile
            return
        if sent is None or fresh.state is StepState.MADE or fresh.state.is_final:
            return
        told[step.id] = LastStatus(
            sent=sent, post=post, state=step.state, at=context.clock.now()
        )
        try:
            async with asyncio.timeout(10):
                await context.chat(step).update(sent, post)
        except (DeliveryError, NotFound, TimeoutError) as error:
            log.debug("progress_not_shown", step=step.id, error=type(error).__name__)
