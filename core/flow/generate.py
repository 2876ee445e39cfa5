"""generate: intent row → submit → record the task, then wait.

The one window that could pay twice is guarded here.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum

from core.catalog import Model
from core.errors import Misconfigured, ProviderError, Refused, Retryable, Uncertain
from core.failpoints import failpoint
from core.flow.context import Context, fail_step, outlast, post_outcome
from core.flow.results import keep_bytes
from core.log import log
from core.retrying import retrying
from core.types import Claim, Outcome, Step, StepState, Task, Work, from_json, to_json

CLOCK_SKEW = timedelta(minutes=2)
PATIENCE = timedelta(hours=2)
"""How long a submit refused for load, or a list that cannot be had, is tried again before its
person is told."""
MAX_SENDS = 4
"""Times a submit whose answer got lost is sent, each time after no task of it was found."""
MAX_TASKS = 2
"""Tasks made for one step: a FAILED task cost nothing, so one more may be tried."""


class Answer(StrEnum):
    """What a failed task asks for."""

    AGAIN = "again"


def work_of(step: Step, model: Model) -> Work:
    """What the provider is asked to make for a step."""
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
    context: Context, claim: Claim, accepted: Callable[[Claim], None]
) -> Outcome | None:
    """What the service made of a step, wherever its job has come to; None when the step has ended.

    ``accepted`` is called when the service has taken the work. Raises Retryable when it would not
    have it now.
    """
    for _ in range(MAX_TASKS):
        if not await submit(context, claim):
            return None
        accepted(claim)
        answer = await wait(context, claim.tenant, claim.step)
        if answer is not Answer.AGAIN:
            return answer
    raise AssertionError("the last task ends the step")


async def submit(context: Context, claim: Claim) -> bool:
    """Bring the step to RUNNING, whatever happened before. False when it has come to its end.

    Raises Retryable when the service would not have it now; then it is QUEUED again.
    """
    failpoint("submit.before_intent")
    step = await context.store.step(claim.tenant, claim.step)
    try:
        if context.catalog.model(step.model).is_sync:
            return await _submit_once(context, step)
        async with context.submit_lock(step):
            return await _submit_once(context, step)
    except Retryable as error:
        log.info("submit_refused", step=step.id, code=error.code)
        waiting = await context.store.forget_intent(step.tenant, step.id)
        if waiting is not None and waiting.cancel_requested:
            await fail_step(
                context, waiting, Refused("status.cancelled"), state=StepState.CANCELLED
            )
            return False
        if claim.refused is None or context.clock.now() - claim.refused <= PATIENCE:
            raise
        await fail_step(context, step, error)
    except Uncertain as error:
        await fail_step(context, step, error, state=StepState.UNKNOWN)
    except (Refused, Misconfigured) as error:
        await fail_step(context, step, error)
    return False


async def _submit_once(context: Context, step: Step) -> bool:
    if step.state is StepState.RUNNING:
        return bool(step.task_id or step.outcome) or await _lost(context, step)
    lost_before = step.state is StepState.SUBMITTING
    intended = await context.store.intend(step.tenant, step.id, context.clock.now())
    if intended is None:
        await _tell_if_cancelled(context, step)
        return False
    failpoint("submit.after_intent")
    return await _send(context, intended, lost=lost_before)


async def _send(context: Context, step: Step, *, lost: bool) -> bool:
    """Send the work.

    Whenever the service may or may not have it, its task is looked for before anything is sent
    again.

    A synchronous model's lost call leaves no task to find, so its person decides.
    """
    model = context.catalog.model(step.model)
    work = work_of(step, model)
    for _ in range(MAX_SENDS):
        if lost and model.is_sync:
            break
        found = await _find_lost(context, step) if lost else None
        if found is not None:
            log.info("task_adopted", step=step.id, task=found.id)
            return await _record(context, step, found)
        if lost and await _is_cancelled(context, step):
            return False
        try:
            sent = await context.provider(step).submit(work)
        except Refused as error:
            # A link may die before its time: then the bytes themselves are sent.
            if error.key != "provider.picture_unreachable" or not any(
                one.url for one in work.inputs
            ):
                raise
            log.info("link_died", step=step.id, code=error.code)
            work = replace(
                work, inputs=tuple(replace(one, url=None) for one in work.inputs)
            )
            continue
        except Uncertain as error:
            log.warning("submit_uncertain", step=step.id, code=error.code)
            lost = True
            continue
        failpoint("submit.after_send")
        return await _record(context, step, sent)
    return await _lost(context, step)


async def _find_lost(context: Context, step: Step) -> Task | None:
    """The task a lost submit made, None when there is none.

    Raises Uncertain when the service will not tell.

    That the list cannot be had just now says nothing of the submit: it must never pass for "not
    taken".
    """
    started = context.clock.now()
    work = work_of(step, context.catalog.model(step.model))
    since = (step.intended or started) - CLOCK_SKEW

    async def find() -> Task | None:
        known = await context.store.task_ids(step.account, step.model, since)
        return await context.provider(step).find(work, since, known)

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
        raise Uncertain("status.lost_call", charged="maybe", code=error.code) from error


async def _record(context: Context, step: Step, sent: Task | Outcome) -> bool:
    task_id = sent.id if isinstance(sent, Task) else None
    now = context.clock.now()

    async def record() -> None:
        outcome = None
        if isinstance(sent, Outcome):
            outcome = to_json(await keep_bytes(context, step, sent))
        await context.store.record_task(
            step.tenant, step.id, task_id, sent.request_id, outcome, now
        )

    # A synchronous call's pictures are known here and nowhere else.
    await outlast(context, step.id, record)
    context.moved.set()
    failpoint("submit.after_record")
    return True


async def _lost(context: Context, step: Step) -> bool:
    error = Uncertain("status.lost_call", charged="maybe")
    await fail_step(context, step, error, state=StepState.UNKNOWN)
    return False


async def _is_cancelled(context: Context, step: Step) -> bool:
    """End a step that was cancelled while it was not known whether the service had it."""
    step = await context.store.step(step.tenant, step.id)
    if step.cancel_requested:
        error = Refused("status.cancelled")
        await fail_step(context, step, error, state=StepState.CANCELLED)
    return step.cancel_requested


async def _tell_if_cancelled(context: Context, step: Step) -> None:
    step = await context.store.step(step.tenant, step.id)
    if step.state is StepState.CANCELLED:
        await post_outcome(context, step)


async def wait(
    context: Context, tenant: str, step_id: str
) -> "Outcome | Answer | None":
    """Until the service has done it.

    The outcome, AGAIN for one more task, or None when the step has ended.
    """
    failpoint("wait.before")
    step = await context.store.step(tenant, step_id)
    if step.outcome is not None:
        return from_json(Outcome, step.outcome)
    if step.task_id is None or step.state is not StepState.RUNNING:
        return None
    task = Task(id=step.task_id, request_id=step.request_id or "")
    try:
        outcome = await context.provider(step).wait(
            work_of(step, context.catalog.model(step.model)), task
        )
    except ProviderError as error:
        return await _failed_task(context, step, error)
    failpoint("wait.after")
    return await keep_bytes(context, step, outcome)


async def _failed_task(
    context: Context, step: Step, error: ProviderError
) -> "Answer | None":
    fresh = await context.store.step(step.tenant, step.id)
    if fresh.cancel_requested:
        cancelled = Refused(
            "status.cancelled", code=error.code, request_id=error.request_id
        )
        await fail_step(context, step, cancelled, state=StepState.CANCELLED)
        return None
    if isinstance(error, Retryable) and step.attempts < MAX_TASKS:
        await context.store.requeue(step.tenant, step.id)
        return Answer.AGAIN
    unknown = isinstance(error, Uncertain)
    await fail_step(
        context, step, error, state=StepState.UNKNOWN if unknown else StepState.FAILED
    )
    return None
