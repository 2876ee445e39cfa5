"""finish: download, verify and keep the pictures by hash, settle the money, post the result."""

from collections.abc import Mapping

from core import sessions
from core.catalog import Choice
from core.errors import Charged, ProviderError, Refused, Rejected, Retryable, Uncertain
from core.failpoints import failpoint
from core.flow.context import Context, fail_step, post_outcome
from core.flow.generate import work_of
from core.log import log
from core.pictures import formats, normalize, png_metadata
from core.types import Money, Outcome, Picture, Step, StepState, Task

DOWNLOAD_TRIES = 6


async def store_results(
    context: Context, tenant: str, step_id: str, outcome: Outcome
) -> Step | None:
    """Make the pictures ours and settle the money.

    A failed download never makes a new, billed, submit.

    The step with its pictures, None when it has ended without.
    """
    step = await context.store.step(tenant, step_id)
    if step.state is not StepState.RUNNING:
        return step if step.state is StepState.MADE else None
    try:
        outputs = await _download_all(context, step, outcome)
    except ProviderError as error:
        charged = Charged.YES if outcome.billed else Charged.NO
        await fail_step(
            context, step, error, charged=charged, cost=_cost(context, step, outcome)
        )
        return None
    cost = _cost(context, step, outcome)
    if (await context.store.step(tenant, step_id)).cancel_requested:
        await _drop(context, step, outputs, cost, outcome)
        return None
    failpoint("keep.before_commit")
    made = await context.store.record_results(
        step,
        outputs,
        cost,
        outcome.seconds,
        context.clock.now(),
        partial=_missing(outcome),
    )
    failpoint("keep.after_commit")
    return made


async def deliver(context: Context, step: Step) -> None:
    """The status message becomes the result."""
    failpoint("deliver.before_post")
    await post_outcome(context, step)
    failpoint("deliver.after_post")
    await context.store.finish(step.tenant, step.id)
    log.info("delivered", step=step.id, seconds=step.seconds)
    failpoint("deliver.after_commit")


async def _drop(
    context: Context,
    step: Step,
    outputs: list[Picture],
    cost: Money | None,
    outcome: Outcome,
) -> None:
    """Cancelled too late: what was made is dropped, and its price said."""
    for picture in outputs:
        await context.blobs.delete(step.tenant, picture.key)
    error = Refused("status.cancelled_late", request_id=outcome.request_id)
    await fail_step(
        context, step, error, state=StepState.CANCELLED, charged=Charged.YES, cost=cost
    )


async def _download_all(
    context: Context, step: Step, outcome: Outcome
) -> list[Picture]:
    urls = [one.url for one in outcome.made if one.url]
    if not urls:
        reason = next(
            (one.error for one in outcome.made if one.error), "provider.empty"
        )
        raise Refused(reason, request_id=outcome.request_id)
    return [
        await _download(context, step, outcome, position)
        for position in range(len(urls))
    ]


async def _download(
    context: Context, step: Step, outcome: Outcome, position: int
) -> Picture:
    failpoint("keep.before_download")
    data = await _fetch(context, step, outcome, position)
    failpoint("keep.after_download")
    try:
        data, facts = await context.pool.run(
            _checked, data, sessions.recipe(step, position)
        )
    except Rejected as error:
        raise Refused(
            "provider.not_a_picture", request_id=outcome.request_id
        ) from error
    key = await context.blobs.keep(step.tenant, data)
    failpoint("keep.after_blob")
    return Picture(
        key=key,
        width=facts.width,
        height=facts.height,
        media_type=facts.media_type,
        length=len(data),
        url=[one.url for one in outcome.made if one.url][position],
        url_expires=outcome.expires,
    )


def _checked(data: bytes, recipe: Mapping[str, str]) -> tuple[bytes, formats.Facts]:
    """A whole picture, with its recipe. Raises Rejected."""
    facts = normalize.check_result(data)
    return png_metadata.write_recipe(data, recipe), facts


async def _fetch(
    context: Context, step: Step, outcome: Outcome, position: int
) -> bytes:
    """Try again while the link lives; a dead link is asked for afresh once a try."""
    delay = context.back_off
    for last in [False] * (DOWNLOAD_TRIES - 1) + [True]:
        urls = [one.url for one in outcome.made if one.url]
        try:
            return await context.provider(step).download(
                urls[min(position, len(urls) - 1)]
            )
        except Retryable:
            if last:
                raise
            await context.clock.sleep(delay)
            delay *= 2
        except Uncertain:
            if last or step.task_id is None:
                raise
            task = Task(id=step.task_id, request_id=step.request_id or "")
            outcome = await context.provider(step).wait(
                work_of(step, context.catalog.model(step.model)), task
            )
    raise AssertionError("the last try returns or raises")


def _cost(context: Context, step: Step, outcome: Outcome) -> Money | None:
    if step.account not in context.providers:
        return step.price  # The account has been taken out of the settings since.
    choice = Choice(
        model=context.catalog.model(step.model),
        account=context.provider(step).account,
    )
    return context.catalog.price(choice, outcome.billed, step.size, step.options)


def _missing(outcome: Outcome) -> str | None:
    """Why fewer pictures came than were asked for: the first failed one's message key."""
    return next((one.error for one in outcome.made if one.error), None)
