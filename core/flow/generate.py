"""generate: intent row → submit → record the task, then wait.

The one window that could pay twice is guarded here.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum

from core.errors import (
    Charged,
    Misconfigured,
    ProviderError,
    Refused,
    Retryable,
    Uncertain,
    Unlisted,
)
from core.failpoints import failpoint
from core.flow.context import Context, fail_step, outlast, post_outcome
from core.flow.isolation import job_alone
from core.flow.results import keep_bytes
from core.log import log
from core.models import Model
from core.retrying import retrying
from core.types import (
    Claim,
    Outcome,
    Step,
    StepState,
    Task,
    Work,
    from_json,
    to_json,
)

CLOCK_SKEW = timedelta(minutes=2)
PATIENCE = timedelta(hours=2)
"""How long a submit refused for load, or a list that cannot be had, is tried again before its
person is told."""
TURN_LOOK = 0.1
"""Seconds between two looks whether another process's submit has been answered."""
MAX_TASKS = 2
"""Tasks made for one step: a FAILED task cost nothing, so one more may be tried."""


class Ending(StrEnum):
    """How a task can end without an outcome: the step is over, or one more task is worth a try."""

    OVER = "over"
    AGAIN = "again"


def work_of(step: Step, model: Model) -> Work:
    """Build the work that a provider is asked to do for a step."""
    options = step.options
    return Work(
        step=step.id,
        tenant=step.tenant,
        model=step.model,
        account=step.account,
        action=step.action,
        prompt=step.prompt,
        negative=options.negative,
        n=step.n,
        size=step.size,
        seed=step.seed,
        prompt_extend=bool(model.prompt_extend) and not options.raw,
        watermark=options.watermark,
        inputs=step.inputs,
        mask=step.mask,
        options=options,
    )


async def generate(
    context: Context,
    claim: Claim,
    accepted: Callable[[Claim], None],
) -> Outcome | None:
    """Return the service's outcome for a step, from any state; None when the step has ended.

    ``accepted`` is called when the service has accepted the work. Raises Retryable when it refuses
    it for now.
    """
    for _ in range(MAX_TASKS):
        async with job_alone(context, claim):
            is_submitted = await submit(context, claim)
        if not is_submitted:
            return None
        accepted(claim)
        outcome = await wait(context, claim)
        if outcome is Ending.OVER:
            return None
        if outcome is not Ending.AGAIN:
            return outcome
    raise AssertionError("the last task ends the step")


async def submit(context: Context, claim: Claim) -> bool:
    """Bring the step to RUNNING from any earlier state. False when it has ended.

    Raises Retryable when the service refuses it for now; then it is QUEUED again.
    """
    failpoint("submit.before_intent")
    step = await context.store.step(claim.tenant, claim.step)
    try:
        if context.catalog.model(step.model).is_sync:
            return await _submit_once(context, step)
        async with context.submit_lock(step):
            return await _submit_once(context, step)
    except Retryable as error:
        await _take_back(context, claim, step, error)
    except Uncertain as error:
        await fail_step(context, step, error, state=StepState.UNKNOWN)
    except (Refused, Misconfigured) as error:
        await fail_step(context, step, error)
    return False


async def _take_back(
    context: Context,
    claim: Claim,
    step: Step,
    error: Retryable,
) -> None:
    """Put a step that the service refused back to QUEUED.

    Raises the service's error, so that the line is asked later. A step that was cancelled
    meanwhile, or refused for longer than anyone waits, has ended instead.
    """
    log.info("submit_refused", step=step.id, error=error.key, code=error.code)
    waiting = await context.store.forget_intent(
        step.tenant,
        step.id,
        may_turn_up=isinstance(error, Unlisted),
    )
    if waiting is not None and waiting.cancel_requested:
        await _cancel(context, waiting)
        return
    first_refused = claim.refused or context.clock.now()
    if context.clock.now() - first_refused <= PATIENCE:
        raise error
    await fail_step(context, step, error)


async def _submit_once(context: Context, step: Step) -> bool:
    if step.state is StepState.RUNNING:
        if step.task_id or step.outcome:
            return True
        await _leave_to_person(context, step)
        return False
    # An earlier process has written its intent, and died before it recorded an answer; or an
    # earlier try was not found in the service's list.
    is_lost = step.state is StepState.SUBMITTING or step.intended is not None
    intended = await _intend(context, step)
    if intended is None:
        await _post_cancellation(context, step)
        return False
    failpoint("submit.after_intent")
    return await _send(context, intended, is_lost=is_lost)


async def _intend(context: Context, step: Step) -> Step | None:
    """Write down that the step is about to be submitted. None when it has ended meanwhile.

    A lost submit is looked for among the account's tasks, which do not say whose they are until
    they are done. So that another process's is never taken for it, processes take turns.
    """
    is_sync = context.catalog.model(step.model).is_sync
    takes_turns = context.is_shared and not is_sync
    while True:
        now = context.clock.now()
        intended = await context.store.intend(
            step.tenant,
            step.id,
            now,
            alone=takes_turns,
        )
        if intended is None or intended.state is StepState.SUBMITTING:
            return intended
        await context.clock.sleep(TURN_LOOK)


async def _send(context: Context, step: Step, *, is_lost: bool) -> bool:
    """Send the work. False when the step has ended.

    Whenever the service may have it already, its task is looked for before anything is sent again.
    A synchronous model's lost call leaves no task to find, so its person decides.

    Raises Retryable when the service has not accepted it.
    """
    model = context.catalog.model(step.model)
    work = work_of(step, model)
    if is_lost:
        has_task = await _recover_submit(context, step, model)
        if has_task is not None:
            return has_task
    try:
        answer = await _submit_pictures(context, step, work)
    except Uncertain as error:
        log.warning("submit_uncertain", step=step.id, code=error.code)
        has_task = await _recover_submit(context, step, model)
        if has_task is not None:
            return has_task
        # A service in trouble is waited for, as a busy one is.
        raise Unlisted("provider.unreachable", code=error.code) from error
    failpoint("submit.after_send")
    return await _record(context, step, answer)


async def _submit_pictures(
    context: Context,
    step: Step,
    work: Work,
) -> Task | Outcome:
    provider = context.provider(step)
    try:
        return await provider.submit(work)
    except Refused as error:
        has_links = any(picture.url for picture in work.inputs)
        if error.key != "provider.picture_unreachable" or not has_links:
            raise
        # A link may die before its time: then the bytes themselves are sent.
        log.info("link_died", step=step.id, code=error.code)
        return await provider.submit(_without_links(work))


async def _recover_submit(
    context: Context,
    step: Step,
    model: Model,
) -> bool | None:
    """Look for the task of a submit that got no answer; a task found is the step's.

    False when the step has ended; None when there is no task, so that the work may be sent again.
    """
    if model.is_sync:
        await _leave_to_person(context, step)
        return False
    task = await _find_task(context, step)
    if task is not None:
        log.info("task_adopted", step=step.id, task=task.id)
        return await _record(context, step, task)
    return False if await _obey_cancellation(context, step) else None


def _without_links(work: Work) -> Work:
    inputs = tuple(replace(picture, url=None) for picture in work.inputs)
    return replace(work, inputs=inputs)


async def _find_task(context: Context, step: Step) -> Task | None:
    """Look for the task that a lost submit made; None when there is none.

    Raises Uncertain when the service does not say. A list that cannot be had now tells nothing
    about the submit: it must never pass for "not accepted".
    """
    started = context.clock.now()
    work = work_of(step, context.catalog.model(step.model))
    since = (step.intended or started) - CLOCK_SKEW

    async def find() -> Task | None:
        recorded = await context.store.task_ids(
            step.account,
            step.model,
            since,
        )
        return await context.provider(step).find(work, since, recorded)

    def may_pass(error: Exception) -> bool | float:
        if not isinstance(error, Retryable):
            return False
        log.warning("list_failed", step=step.id, code=error.code)
        is_patient = context.clock.now() - started <= PATIENCE
        return is_patient and (error.retry_after or True)

    # The service may list a task a moment after it has taken it.
    await context.clock.sleep(context.settle)
    try:
        return await retrying(may_pass, first=context.settle)(find)
    except (Retryable, Refused, Misconfigured) as error:
        raise _lost_call(error.code) from error


def _lost_call(code: str = "") -> Uncertain:
    return Uncertain("status.lost_call", charged=Charged.MAYBE, code=code)


async def _record(
    context: Context,
    step: Step,
    answer: Task | Outcome,
) -> bool:
    task_id = answer.id if isinstance(answer, Task) else None
    now = context.clock.now()

    async def record() -> None:
        outcome = None
        if isinstance(answer, Outcome):
            outcome = to_json(await keep_bytes(context, step, answer))
        await context.store.record_task(
            step.tenant,
            step.id,
            task_id,
            answer.request_id,
            outcome,
            now,
        )

    # A synchronous call's pictures are known here and nowhere else.
    await outlast(context, step.id, record)
    context.moved.set()
    waited = (step.intended or now) - step.created
    log.info(
        "submitted",
        step=step.id,
        model=step.model,
        task=task_id,
        waited=waited.total_seconds(),
    )
    failpoint("submit.after_record")
    return True


async def wait(context: Context, claim: Claim) -> Outcome | Ending:
    """Wait until the service has finished the work."""
    async with job_alone(context, claim):
        failpoint("wait.before")
        step = await context.store.step(claim.tenant, claim.step)
    if step.outcome is not None:
        return from_json(Outcome, step.outcome)
    if step.task_id is None or step.state is not StepState.RUNNING:
        return Ending.OVER
    task = Task(id=step.task_id, request_id=step.request_id or "")
    work = work_of(step, context.catalog.model(step.model))
    try:
        outcome = await context.provider(step).wait(work, task)
    except ProviderError as error:
        return await _end_failed_task(context, step, error)
    async with job_alone(context, claim):
        failpoint("wait.after")
        return await keep_bytes(context, step, outcome)


async def _end_failed_task(
    context: Context,
    step: Step,
    error: ProviderError,
) -> Ending:
    fresh = await context.store.step(step.tenant, step.id)
    if fresh.cancel_requested:
        await _cancel(context, step, error)
        return Ending.OVER
    if isinstance(error, Retryable) and step.attempts < MAX_TASKS:
        await context.store.requeue(step.tenant, step.id)
        return Ending.AGAIN
    state = StepState.FAILED
    if isinstance(error, Uncertain):
        state = StepState.UNKNOWN
    await fail_step(context, step, error, state=state)
    return Ending.OVER


# Ends of a step


async def _leave_to_person(context: Context, step: Step) -> None:
    """Leave the decision to the person: the service may or may not have done the work."""
    await fail_step(context, step, _lost_call(), state=StepState.UNKNOWN)


async def _cancel(
    context: Context,
    step: Step,
    cause: ProviderError | None = None,
) -> None:
    code = ""
    request_id = ""
    if cause is not None:
        code = cause.code
        request_id = cause.request_id
    error = Refused("status.cancelled", code=code, request_id=request_id)
    await fail_step(context, step, error, state=StepState.CANCELLED)


async def _obey_cancellation(context: Context, step: Step) -> bool:
    """End a step that was cancelled while it was not known whether the service had it."""
    step = await context.store.step(step.tenant, step.id)
    if step.cancel_requested:
        await _cancel(context, step)
    return step.cancel_requested


async def _post_cancellation(context: Context, step: Step) -> None:
    step = await context.store.step(step.tenant, step.id)
    if step.state is StepState.CANCELLED:
        await post_outcome(context, step)
