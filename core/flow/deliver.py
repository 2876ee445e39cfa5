"""deliver: fetch, check and store the results, settle the money, post the result."""

from dataclasses import replace
from datetime import datetime, timedelta

from core.catalog import Choice
from core.errors import (
    Charged,
    DeliveryError,
    NotFound,
    ProviderError,
    Refused,
    Rejected,
    Retryable,
    Uncertain,
)
from core.failpoints import failpoint
from core.flow.context import (
    Context,
    fail_step,
    post_outcome,
    try_delivery,
    upsert_status,
)
from core.flow.generate import work_of
from core.flow.outages import ServiceAway
from core.flow.results import store_picture, stored_picture
from core.log import log
from core.retrying import retrying
from core.types import (
    ImageResult,
    Money,
    Outcome,
    Picture,
    Step,
    StepId,
    StepState,
    Task,
    Tenant,
)
from core.views import steps

DOWNLOAD_TRIES = 6
"""Tries in a row; then the job waits for its next turn."""
LINK_LIFE = timedelta(hours=24)
"""Life of a result's link where the service names no end (its documentation says 24 hours)."""


async def store_results(
    context: Context, tenant: Tenant, step_id: StepId, outcome: Outcome
) -> Step | None:
    """Store the results and settle the money.

    A failed download never causes a new, billed submit. Returns the step with its results, None
    when it has ended without any.
    """
    step = await context.store.step(tenant, step_id)
    if step.state is not StepState.RUNNING:
        return step if step.state is StepState.MADE else None
    cost = _cost(context, step, outcome)
    try:
        outputs = await _fetch_all(context, step, outcome)
    except ProviderError as error:
        # It was made and billed, though its picture cannot be had.
        charged = Charged.YES if outcome.billed else Charged.NO
        await fail_step(context, step, error, charged=charged, cost=cost)
        return None
    if (await context.store.step(tenant, step_id)).cancel_requested:
        await _withhold(context, step, outputs, cost, outcome)
        return None
    failpoint("keep.before_commit")
    made_step = await context.store.record_results(
        step,
        outputs,
        cost,
        outcome.seconds,
        context.clock.now(),
        partial=_first_error(outcome),
        text=None if outputs else outcome.text,
    )
    failpoint("keep.after_commit")
    log.info(
        "made",
        step=step.id,
        model=step.model,
        pictures=len(outputs),
        seconds=outcome.seconds,
        amount=float(cost.amount) if cost else 0.0,
        currency=cost.currency if cost else "",
    )
    return made_step


async def deliver(context: Context, step: Step) -> None:
    """Turn the status message into the result."""
    failpoint("deliver.before_post")
    is_shown = await post_outcome(context, step)
    failpoint("deliver.after_post")
    if not is_shown:
        await context.store.note_failed_delivery(step.tenant, step.id)
    await context.store.finish(step.tenant, step.id)
    _log(context, "delivered" if is_shown else "undeliverable", step)
    failpoint("deliver.after_commit")


def _log(context: Context, event: str, step: Step) -> None:
    lag = context.clock.now() - (step.finished or step.created)
    log.info(
        event,
        step=step.id,
        platform=step.place.platform,
        model=step.model,
        lag=lag.total_seconds(),
    )


async def retry_deliveries(
    context: Context, platform: str | None = None
) -> None:
    """Try again to show the results that neither their place nor their person took.

    With ``platform``, only those of a platform that may take them now.
    """
    for tenant, id in await context.store.failed_deliveries():
        try:
            step = await context.store.step(tenant, id)
            name = step.place.platform
            if name in context.chats and platform in {None, name}:
                await _deliver_again(context, step)
        except (DeliveryError, NotFound) as error:
            log.info("still_undelivered", step=id, error=error.key)


async def _deliver_again(context: Context, step: Step) -> None:
    # Taken first: several processes may hear that the platform is back.
    if not await context.store.take_failed_delivery(step.tenant, step.id):
        return
    is_shown = step.deleted is not None
    try:
        if not is_shown:
            is_shown = await post_outcome(context, step)
            event = "delivered" if is_shown else "still_undelivered"
            _log(context, event, step)
    finally:
        if not is_shown:
            await context.store.note_failed_delivery(step.tenant, step.id)


async def post_reference(context: Context, step: Step) -> None:
    """Say, with a reference, that our own error keeps the end of a step from being shown."""
    log.error("given_up", step=step.id, state=step.state.value)
    post = steps.broken_post(step)
    await try_delivery(step.id, lambda: upsert_status(context, step, post))
    if step.state is StepState.MADE:
        await context.store.finish(step.tenant, step.id)
    else:
        await context.store.close_step(step.tenant, step.id)


async def _withhold(
    context: Context,
    step: Step,
    outputs: list[Picture],
    cost: Money | None,
    outcome: Outcome,
) -> None:
    """Hold back the results of a job that was cancelled too late, and say what they cost.

    They are paid for: its person may have them shown all the same.
    """
    await context.store.withhold(step, outputs)
    error = Refused("status.cancelled_late", request_id=outcome.request_id)
    await fail_step(
        context,
        step,
        error,
        state=StepState.CANCELLED,
        charged=Charged.YES,
        cost=cost,
    )


async def _fetch_all(
    context: Context, step: Step, outcome: Outcome
) -> list[Picture]:
    """Fetch every result. Raises Refused when there is none, not even words."""
    count = sum(result.is_made for result in outcome.made)
    if not count and not outcome.text:
        reason = _first_error(outcome) or "provider.empty"
        raise Refused(reason, request_id=outcome.request_id)
    return [
        await _fetch(context, step, outcome, position)
        for position in range(count)
    ]


async def _fetch(
    context: Context, step: Step, outcome: Outcome, position: int
) -> Picture:
    result = _pictures_in(outcome)[position]
    if result.key is not None:
        return await stored_picture(context, step, result.key)
    failpoint("keep.before_download")
    try:
        content = await _download(context, step, outcome, position)
    except Retryable as error:
        if context.clock.now() >= _end_of_links(context, step, outcome):
            raise
        # What was paid for is waited for, and others may download meanwhile.
        raise ServiceAway(error.key) from error
    failpoint("keep.after_download")
    try:
        picture = await store_picture(context, step, content, position)
    except Rejected as error:
        raise Refused(
            "provider.not_a_picture", request_id=outcome.request_id
        ) from error
    failpoint("keep.after_blob")
    return replace(picture, url=result.url, url_expires=outcome.expires)


async def _download(
    context: Context, step: Step, outcome: Outcome, position: int
) -> bytes:
    """Try again while the link lives; a dead link is asked for again before the next try."""
    provider = context.provider(step)
    fresh = outcome

    async def download() -> bytes:
        nonlocal fresh
        urls = [result.url for result in fresh.made if result.url]
        try:
            return await provider.download(urls[min(position, len(urls) - 1)])
        except Uncertain:
            if step.task_id is None:
                raise
            task = Task(id=step.task_id, request_id=step.request_id or "")
            work = work_of(step, context.catalog.model(step.model))
            fresh = await provider.wait(work, task)
            raise

    def may_pass(error: Exception) -> bool | float:
        if isinstance(error, Retryable):
            return error.retry_after or True
        if isinstance(error, Uncertain) and step.task_id is not None:
            return 0.0
        return False

    patiently = retrying(
        may_pass, first=context.back_off, attempts=DOWNLOAD_TRIES
    )
    return await patiently(download)


def _end_of_links(context: Context, step: Step, outcome: Outcome) -> datetime:
    """Until when the results can be fetched."""
    if outcome.expires is not None:
        return outcome.expires
    return (step.submitted or context.clock.now()) + LINK_LIFE


def _pictures_in(outcome: Outcome) -> list[ImageResult]:
    return [result for result in outcome.made if result.is_made]


def _cost(context: Context, step: Step, outcome: Outcome) -> Money | None:
    if step.account not in context.providers:
        # The account has been taken out of the settings since.
        return step.price
    choice = Choice(
        model=context.catalog.model(step.model),
        account=context.provider(step).account,
    )
    price = context.catalog.price(
        choice, outcome.billed, step.size, step.options
    )
    # A catalogue that has forgotten the price since makes nothing free.
    return price or step.price


def _first_error(outcome: Outcome) -> str | None:
    """Why fewer pictures came than were asked for: the first failed one's message key."""
    return next(
        (result.error for result in outcome.made if result.error), None
    )
