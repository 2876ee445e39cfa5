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
from core.flow.context import Tools, fail, outlast, tell_end
from core.log import log
from core.types import Claim, Outcome, Step, StepState, Task, Work, from_json, to_json

CLOCK_SKEW = timedelta(minutes=2)
PATIENCE = timedelta(hours=2)
"""How long a submit refused for load, or a list that cannot be had, is tried again before its
person is told."""
MAX_BACK_OFF = 60.0
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
        strength=options.strength,
        scale=options.scale,
        top=options.top,
        bottom=options.bottom,
        left=options.left,
        right=options.right,
        sketch=options.sketch,
    )


async def generate(tools: Tools, claim: Claim, accepted: Callable[[Claim], None]) -> Outcome | None:
    """What the service made of a step, wherever its job has come to; None when the step has ended.

    ``accepted`` is called when the service has taken the work. Raises Retryable when it would not
    have it now.
    """
    for _ in range(MAX_TASKS):
        if not await submit(tools, claim):
            return None
        accepted(claim)
        answer = await wait(tools, claim.tenant, claim.step)
        if answer is not Answer.AGAIN:
            return answer
    raise AssertionError("the last task ends the step")


async def submit(tools: Tools, claim: Claim) -> bool:
    """Bring the step to RUNNING, whatever happened before. False when it has come to its end.

    Raises Retryable when the service would not have it now; then it is QUEUED again.
    """
    failpoint("submit.before_intent")
    step = await tools.store.step(claim.tenant, claim.step)
    try:
        if tools.catalog.model(step.model).sync:
            return await _submit_once(tools, step)
        async with tools.submit_lock(step):
            return await _submit_once(tools, step)
    except Retryable as error:
        log.info("submit_refused", step=step.id, code=error.code)
        waiting = await tools.store.forget_intent(step.tenant, step.id)
        if waiting is not None and waiting.cancel_requested:
            await fail(tools, waiting, Refused("status.cancelled"), state=StepState.CANCELLED)
            return False
        if claim.refused is None or tools.clock.now() - claim.refused <= PATIENCE:
            raise
        await fail(tools, step, error)
    except Uncertain as error:
        await fail(tools, step, error, state=StepState.UNKNOWN)
    except (Refused, Misconfigured) as error:
        await fail(tools, step, error)
    return False


async def _submit_once(tools: Tools, step: Step) -> bool:
    if step.state is StepState.RUNNING:
        return bool(step.task_id or step.outcome) or await _lost(tools, step)
    lost_before = step.state is StepState.SUBMITTING
    intended = await tools.store.intend(step.tenant, step.id, tools.clock.now())
    if intended is None:
        await _tell_if_cancelled(tools, step)
        return False
    failpoint("submit.after_intent")
    return await _send(tools, intended, lost=lost_before)


async def _send(tools: Tools, step: Step, *, lost: bool) -> bool:
    """Send the work.

    Whenever the service may or may not have it, its task is looked for before anything is sent
    again.

    A synchronous model's lost call leaves no task to find, so its person decides.
    """
    model = tools.catalog.model(step.model)
    work = work_of(step, model)
    for _ in range(MAX_SENDS):
        if lost and model.sync:
            break
        found = await _find_lost(tools, step) if lost else None
        if found is not None:
            log.info("task_adopted", step=step.id, task=found.id)
            return await _record(tools, step, found)
        try:
            sent = await tools.providers[step.account].submit(work)
        except Refused as error:
            # A link may die before its time: then the bytes themselves are sent.
            if error.key != "provider.picture_unreachable" or not any(
                one.url for one in work.inputs
            ):
                raise
            log.info("link_died", step=step.id, code=error.code)
            work = replace(work, inputs=tuple(replace(one, url=None) for one in work.inputs))
            continue
        except Uncertain as error:
            log.warning("submit_uncertain", step=step.id, code=error.code)
            lost = True
            continue
        failpoint("submit.after_send")
        return await _record(tools, step, sent)
    return await _lost(tools, step)


async def _find_lost(tools: Tools, step: Step) -> Task | None:
    """The task a lost submit made, None when there is none.

    Raises Uncertain when the service will not tell.

    That the list cannot be had just now says nothing of the submit: it must never pass for "not
    taken".
    """
    started, delay = tools.clock.now(), tools.settle
    work = work_of(step, tools.catalog.model(step.model))
    since = (step.intended or started) - CLOCK_SKEW
    while True:
        await tools.clock.sleep(delay)
        known = await tools.store.known_tasks(step.account, step.model, since)
        try:
            return await tools.providers[step.account].find(work, since, known)
        except Retryable as error:
            log.warning("list_failed", step=step.id, code=error.code, wait=delay)
            if tools.clock.now() - started > PATIENCE:
                raise Uncertain("status.lost_call", charged="maybe", code=error.code) from error
            delay = min(delay * 2, MAX_BACK_OFF)
        except (Refused, Misconfigured) as error:
            raise Uncertain("status.lost_call", charged="maybe", code=error.code) from error


async def _record(tools: Tools, step: Step, sent: Task | Outcome) -> bool:
    task_id = sent.id if isinstance(sent, Task) else None
    outcome = to_json(sent) if isinstance(sent, Outcome) else None
    now = tools.clock.now()

    async def record() -> None:
        await tools.store.record_task(step.tenant, step.id, task_id, sent.request_id, outcome, now)

    # A synchronous call's pictures are known here and nowhere else.
    await outlast(tools, step.id, record)
    tools.moved.set()
    failpoint("submit.after_record")
    return True


async def _lost(tools: Tools, step: Step) -> bool:
    error = Uncertain("status.lost_call", charged="maybe")
    await fail(tools, step, error, state=StepState.UNKNOWN)
    return False


async def _tell_if_cancelled(tools: Tools, step: Step) -> None:
    step = await tools.store.step(step.tenant, step.id)
    if step.state is StepState.CANCELLED:
        await tell_end(tools, step)


async def wait(tools: Tools, tenant: str, step_id: str) -> "Outcome | Answer | None":
    """Until the service has done it.

    The outcome, AGAIN for one more task, or None when the step has ended.
    """
    failpoint("wait.before")
    step = await tools.store.step(tenant, step_id)
    if step.outcome is not None:
        return from_json(Outcome, step.outcome)
    if step.task_id is None or step.state is not StepState.RUNNING:
        return None
    task = Task(id=step.task_id, request_id=step.request_id or "")
    try:
        outcome = await tools.providers[step.account].wait(
            work_of(step, tools.catalog.model(step.model)), task
        )
    except ProviderError as error:
        return await _failed_task(tools, step, error)
    failpoint("wait.after")
    return outcome


async def _failed_task(tools: Tools, step: Step, error: ProviderError) -> "Answer | None":
    fresh = await tools.store.step(step.tenant, step.id)
    if fresh.cancel_requested:
        cancelled = Refused("status.cancelled", code=error.code, request_id=error.request_id)
        await fail(tools, step, cancelled, state=StepState.CANCELLED)
        return None
    if isinstance(error, Retryable) and step.attempts < MAX_TASKS:
        await tools.store.requeue(step.tenant, step.id)
        return Answer.AGAIN
    unknown = isinstance(error, Uncertain)
    await fail(tools, step, error, state=StepState.UNKNOWN if unknown else StepState.FAILED)
    return None
