"""Cancel a job, or drop one with an unknown end."""

from core.answers.lookup import require_audience, resolve_step
from core.errors import NotFound, Rejected
from core.flow import waiting
from core.flow.cancelling import cancel_step
from core.flow.context import Context, post_outcome
from core.post import Post
from core.types import Request, Step, StepState
from core.views import steps


async def cancel(context: Context, request: Request) -> Post:
    """Cancel at once and free while the job waits; otherwise as soon as it can be."""
    try:
        step = await _find_job(context, request)
    except NotFound:
        if not request.target:
            raise
        # A request that waits for its picture has no step yet.
        return await waiting.withdraw(context, request)
    require_audience(request, step)
    if step.state is StepState.CANCELLED:
        # Perhaps by this very request, before a worker's death.
        await post_outcome(context, step)
        return steps.note_post("status.cancelled", request.locale)
    if step.state.is_final or step.state is StepState.MADE:
        raise Rejected("refuse.already_ended", version=step.number)
    step = await cancel_step(context, step)
    if step.state is StepState.CANCELLED:
        await post_outcome(context, step)
        return steps.note_post("status.cancelled", request.locale)
    return steps.note_post("status.cancelling", request.locale)


async def drop(context: Context, request: Request) -> Post:
    """Give up a job with an unknown end: its hold goes back."""
    step = await resolve_step(context, request)
    require_audience(request, step)
    if step.state is not StepState.UNKNOWN:
        raise Rejected("refuse.nothing_to_drop")
    await context.store.drop_charge(step, context.clock.now())
    return steps.note_post("status.dropped", request.locale)


async def show_anyway(context: Context, request: Request) -> None:
    """Show the result of a job that was cancelled too late."""
    step = await resolve_step(context, request)
    require_audience(request, step)
    store = context.store
    step = await store.release_results(step.tenant, step.id)
    if not step.outputs:
        raise Rejected("refuse.no_result", version=step.number)
    await post_outcome(context, step)
    await store.finish(step.tenant, step.id)


async def _find_job(context: Context, request: Request) -> Step:
    """Find the job named, else the person's newest one not yet at its end."""
    if request.target or request.text.strip():
        return await resolve_step(context, request)
    newest = await context.store.newest_open_step(
        request.place.tenant, request.person.id
    )
    if newest is None:
        raise NotFound("refuse.nothing_to_cancel")
    return newest
