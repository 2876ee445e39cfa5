"""The status line of every job at work: place in line, an honest estimate, progress. Never over a result."""

import asyncio
from statistics import median

from core import posts
from core.errors import DeliveryError, NotFound
from core.flow.tools import Tools, log
from core.types import Post, Step, StepState

MANY = 20
"""Measured durations the estimate is the median of."""


async def parent_of(tools: Tools, step: Step) -> Step | None:
    """The step whose picture is edited."""
    return await tools.store.step(step.tenant, step.parent) if step.parent else None


async def working(tools: Tools, step: Step) -> Post:
    """What to say of a step not yet made."""
    parent = await parent_of(tools, step)
    typical = await typical_seconds(tools, step)
    if step.state is StepState.RUNNING and step.submitted:
        elapsed = (tools.clock.now() - step.submitted).total_seconds()
        return posts.running(step, parent, elapsed, typical)
    position, seconds = await place_in_line(tools, step, typical)
    return posts.queued(step, parent, position, seconds)


async def typical_seconds(tools: Tools, step: Step) -> float:
    """The median of what was measured lately, else what the catalogue expects."""
    measured = await tools.store.durations(step.account, step.model, MANY)
    return median(measured) if measured else tools.catalog.model(step.model).typical_seconds


async def place_in_line(tools: Tools, step: Step, typical: float) -> tuple[int, float]:
    """How many are served before it, plus one, and the seconds until its result."""
    line = await tools.store.in_line(step.account, step.model)
    position = next((at for at, one in enumerate(line) if one.id == step.id), len(line))
    slots = tools.catalog.model(step.model).running_limit or position + 1
    return position + 1, typical * (position // slots + 1)


async def keep_current(tools: Tools) -> None:
    """Update the messages of all jobs at work, each at its platform's pace, for ever. Cancel it to stop."""
    shown: dict[str, Post] = {}
    while True:
        at_work = [step for step in await tools.store.unfinished() if step.state is not StepState.MADE]
        for step in at_work:
            await _refresh(tools, step, shown)
        for gone in set(shown) - {step.id for step in at_work}:
            del shown[gone]
        await tools.clock.sleep(min((chat.pace for chat in tools.chats.values()), default=3.0))


async def _refresh(tools: Tools, step: Step, shown: dict[str, Post]) -> None:
    post = await working(tools, step)
    if shown.get(step.id) == post:
        return
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
