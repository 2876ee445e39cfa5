"""What the message of a job at work says: its place in line, its estimate, what it waits for."""

from dataclasses import dataclass
from statistics import median

from core.flow.context import Context
from core.flow.outages import Dependency
from core.post import Post
from core.types import Step, StepState
from core.views import steps

MEASURED = 20
"""Durations the estimate is the median of."""
USUAL_SECONDS = 30.0
"""Of a model that has left the catalogue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a model takes for a step, and for how many at a time."""

    typical: float
    slots: int


async def parent_of(context: Context, step: Step) -> Step | None:
    """The step that made the picture that is edited."""
    if step.parent is None:
        return None
    return await context.store.step(step.tenant, step.parent)


async def working(context: Context, step: Step) -> Post:
    """Build the post of a step that is not made yet."""
    pace = await pace_of(context, step.account, step.model)
    position = await context.store.place_in_line(step)
    return await job_post(context, step, position, pace)


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


async def job_post(
    context: Context,
    step: Step,
    position: int,
    pace: Pace,
) -> Post:
    """Build the post of a step with so many ahead of it in line."""
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
