"""The status line of every job at work: place in line, estimate, progress; never over a result."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

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
from core.flow.outages import Dependency, OutageLog
from core.flow.status_posts import (
    Pace,
    job_post,
    pace_of,
    parent_of,
)
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
USUAL_PACE = 3.0
EARLY = 0.9
"""Share of a platform's pace that is enough: rounds do not come exactly on time."""
ANNOUNCE_GRACE = timedelta(seconds=10)
"""How old a step is before its missing message is taken for one that could not be posted."""
SHORTEST_REST, LONGEST_REST = 2.0, 60.0
"""Seconds without progress for a platform that could not be reached."""

Queue = tuple[str, str]
"""Account and model."""


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
    """What a job's message really shows, in which state of the step, and since when."""

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


async def keep_current(context: Context, leads: Callable[[str], bool]) -> None:
    """Update the messages of the jobs at work, until cancelled.

    A message is updated when its step changes state, else at its platform's pace. Of several
    processes one ``leads`` a platform and shows the progress there.
    """
    shown: dict[str, LastStatus] = {}
    rests: dict[str, Rest] = {}
    outage = OutageLog("status")
    while True:
        context.moved.clear()
        began = time.thread_time()
        try:
            is_idle = not await _round(context, leads, shown, rests)
            outage.end()
        except SQLAlchemyError as error:
            outage.begin(error)
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
    """Update the jobs served next; return whether to look again, also when another process leads.

    Another process that leads a platform may stop, and leave its jobs to this one.
    """
    open_steps = await context.store.open_steps(MOST_SHOWN)
    at_work = [step for step in open_steps if _has_progress(context, step)]
    led = [step for step in at_work if _is_shown_here(context, leads, step)]
    # A platform may have no room for all: those that have waited longest come first.
    led.sort(key=partial(_last_shown, shown))
    lines = await _read_lines(context, {_queue(step) for step in led})
    is_all_said = True
    for step in led:
        # A platform that is away must not hold up the news of the others.
        rest = rests.setdefault(step.place.platform, Rest())
        if rest.is_on:
            is_all_said = False
            continue
        try:
            is_all_said &= await _show(context, step, lines, shown, rest)
        except TRANSIENT:
            raise  # the others would fare no better
        except Exception:
            # A step that cannot be shown must not hide the others.
            log.exception("progress_broke", step=step.id)
    for ended in set(shown) - {step.id for step in led}:
        del shown[ended]
    goes_on = any(not lines.awaits_admin(step) for step in at_work)
    return goes_on or not is_all_said


def _last_shown(shown: Mapping[str, LastStatus], step: Step) -> float:
    """When the step's message last changed, 0 when its state is not shown yet."""
    last = shown.get(step.id)
    if last is None or last.state is not step.state:
        return 0
    return last.at.timestamp()


async def _show(
    context: Context,
    step: Step,
    lines: Lines,
    shown: dict[str, LastStatus],
    rest: Rest,
) -> bool:
    """Update a step's message if it is due and has changed. False when that could not be shown."""
    position = lines.position(step)
    last = shown.get(step.id)
    if lines.awaits_admin(step):
        # At once: once this is shown, no round looks at it before it is resumed.
        post = steps.paused_post(step, await parent_of(context, step))
    elif _is_due(context, step, position, last):
        post = await job_post(
            context, step, position, lines.paces[_queue(step)]
        )
    else:
        return True
    if last is not None and last.post == post:
        return True
    if await _refresh(context, step, post, shown):
        rest.end()
    else:
        rest.begin()
    now_shown = shown.get(step.id)
    return now_shown is not None and now_shown.post == post


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
            # The platform's side may need the database, too.
            with suppress(Exception):
                async with asyncio.timeout(UPDATE_SECONDS):
                    await _edit(context, replace(last, post=post), shown)


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
        status = LastStatus(
            sent=sent,
            post=post,
            state=step.state,
            at=context.clock.now(),
            step=step,
        )
        await _edit(context, status, shown)


async def _edit(
    context: Context,
    status: LastStatus,
    shown: dict[str, LastStatus],
) -> None:
    """Edit a job's message. What was not shown is said again in a later round."""
    step = status.step
    try:
        answer = await context.chat(step).update(status.sent, status.post)
    except (DeliveryError, NotFound) as error:
        if not is_passing(error):
            # These words were refused for good: only others are worth a try.
            shown[step.id] = status
        raise
    if answer is not None:
        shown[step.id] = status
