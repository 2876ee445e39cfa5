"""Stop a job: at once and free while it waits, else as soon as the service lets go of it."""

from core.flow.context import Context
from core.types import Step, StepState, Task


async def cancel_step(context: Context, step: Step) -> Step:
    """Cancel a step that is not at its end, and return it as it is then."""
    step = await context.store.request_cancel(
        step.tenant,
        step.id,
        context.clock.now(),
    )
    if step.state is not StepState.CANCELLED and step.task_id is not None:
        request_id = step.request_id or ""
        task = Task(id=step.task_id, request_id=request_id)
        await context.provider(step).cancel(task)
    return step
