"""The status line of every job at work: place in line, an honest estimate, progress. Never over a result."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from core import posts
from core.errors import DeliveryError, NotFound
from core.flow.tools import Tools, log
from core.types import Post, Step, StepState

SHOWN = 200
"""Jobs whose line is kept current at a time."""
MANY = 20
"""Measured durations the estimate is the median of."""


async def parent_of(tools: Tools, step: Step) -> Step | None:
    """The step whose picture is edited."""
    return await tools.store.step(step.tenant, step.parent) if step.parent else None


async def working(tools: Tools, step: Step) -> Post:
    """What to say of a step not yet made."""
    queue = await look_at(tools, step.account, step.model)
    return await _post(tools, step, queue)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A model's line at one moment: position from 0 by tenant and id, seconds a step takes, how many at a time."""

    positions: Mapping[tuple[str, str], int]
    typical: float
    slots: int


async def look_at(tools: Tools, account: str, model: str) -> Queue:
    """The line now; the seconds are the median of what was measured lately, else what the catalogue expects."""
    known = tools.catalog.model(model)
    line = await tools.store.in_line(account, model)
    measured = await tools.store.durations(account, model, MANY)
    return Queue(
        positions={one: at for at, one in enumerate(line)},
        typical=median(measured) if measured else known.typical_seconds,
        slots=known.running_limit or len(line) + 1,
    )


async def _post(tools: Tools, step: Step, queue: Queue) -> Post:
    parent = await parent_of(tools, step)
    if step.state is StepState.RUNNING and step.submitted:
        elapsed = (tools.clock.now() - step.submitted).total_seconds()
        return posts.running(step, parent, elapsed, queue.typical)
    position = queue.positions.get((step.tenant, step.id), len(queue.positions))
    return posts.queued(step, parent, position + 1, queue.typical * (position // queue.slots + 1))


async def keep_current(tools: Tools) -> None:
    """Update the messages of the jobs at work, each at its platform's pace, for ever. Cancel it to stop."""
    shown: dict[str, Post] = {}
    while True:
        try:
            await _round(tools, shown)
        except Exception:
            # Progress is a courtesy: whatever is wrong with it, the next round tries again.
            log.exception("status_broke")
        await tools.clock.sleep(min((chat.pace for chat in tools.chats.values()), default=3.0))


async def _round(tools: Tools, shown: dict[str, Post]) -> None:
    """Those served next; who waits far behind hears of it when the line has moved on."""
    at_work = [step for step in await tools.store.unfinished(SHOWN) if step.state is not StepState.MADE]
    names = {(step.account, step.model) for step in at_work}
    queues = {name: await look_at(tools, *name) for name in names}
    for step in at_work:
        post = await _post(tools, step, queues[step.account, step.model])
        if shown.get(step.id) != post:
            await _refresh(tools, step, post, shown)
    for gone in set(shown) - {step.id for step in at_work}:
        del shown[gone]


async def _refresh(tools: Tools, step: Step, post: Post, shown: dict[str, Post]) -> None:
    async with tools.telling_lock(step):
        sent = await tools.store.message_of(step)
        fresh = await tools.store.step(step.tenant, step.id)
        if sent is None or fresh.state is StepState.MADE or fresh.state.is_final:
            return
        shown[step.id] = post
        try:
            async with asyncio.timeout(10):
                await tools.chat(step).update(sent, post)
        except (DeliveryError, NotFound, TimeoutError) as error:
            log.debug("progress_not_shown", step=step.id, error=type(error).__name__)
