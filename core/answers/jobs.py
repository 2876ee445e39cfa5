"""Giving up: cancel a job, drop one whose end nobody knows."""

from core.answers.lookup import must_own, named
from core.errors import NotFound, Rejected
from core.flow.context import Tools, tell_end
from core.post import Post
from core.types import Request, Step, StepState, Task
from core.views import steps


async def cancel(tools: Tools, request: Request) -> Post:
    """At once and free while it waits; otherwise as soon as it can be."""
    step = await _waiting(tools, request)
    must_own(request, step)
    if step.state is StepState.CANCELLED:  # perhaps by this very request, before a worker's death
        await tell_end(tools, step)
        return steps.note("status.cancelled", request.locale)
    if step.state.is_final or step.state is StepState.MADE:
        raise Rejected("refuse.already_ended", version=step.number)
    step = await tools.store.request_cancel(step.tenant, step.id, tools.clock.now())
    if step.state is StepState.CANCELLED:
        await tell_end(tools, step)
        return steps.note("status.cancelled", request.locale)
    if step.task_id is not None:
        await tools.providers[step.account].cancel(
            Task(id=step.task_id, request_id=step.request_id or "")
        )
    return steps.note("status.cancelling", request.locale)


async def drop(tools: Tools, request: Request) -> Post:
    """Give up a job whose end nobody knows: its hold goes back."""
    step = await named(tools, request)
    must_own(request, step)
    if step.state is not StepState.UNKNOWN:
        raise Rejected("refuse.nothing_to_drop")
    await tools.store.drop_charge(step, tools.clock.now())
    return steps.note("status.dropped", request.locale)


async def _waiting(tools: Tools, request: Request) -> Step:
    """The job named, else the person's newest one not yet at its end."""
    if request.target or request.text.strip():
        return await named(tools, request)
    newest = await tools.store.newest_unfinished(request.place.tenant, request.person.id)
    if newest is None:
        raise NotFound("refuse.nothing_to_cancel")
    return newest
