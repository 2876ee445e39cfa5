"""finish: download, verify and keep the pictures by hash, settle the money, post the result."""

from collections.abc import Mapping

from core import sessions
from core.catalog import Choice
from core.errors import ProviderError, Refused, Rejected, Retryable, Uncertain
from core.failpoints import failpoint
from core.flow.context import Tools, fail, tell_end
from core.flow.generate import work_of
from core.log import log
from core.pictures import normalize, png_metadata
from core.types import Money, Outcome, Picture, Step, StepState, Task

DOWNLOAD_TRIES = 6


async def keep(tools: Tools, tenant: str, step_id: str, outcome: Outcome) -> Step | None:
    """Make the pictures ours and settle the money.

    A failed download never makes a new, billed, submit.

    The step with its pictures, None when it has ended without.
    """
    step = await tools.store.step(tenant, step_id)
    if step.state is not StepState.RUNNING:
        return step if step.state is StepState.MADE else None
    try:
        outputs = await _download_all(tools, step, outcome)
    except ProviderError as error:
        charged = "yes" if outcome.billed else "no"
        await fail(tools, step, error, charged=charged, cost=_cost(tools, step, outcome))
        return None
    cost = _cost(tools, step, outcome)
    if (await tools.store.step(tenant, step_id)).cancel_requested:
        await _drop(tools, step, outputs, cost, outcome)
        return None
    failpoint("keep.before_commit")
    made = await tools.store.keep(
        step, outputs, cost, outcome.seconds, tools.clock.now(), partial=_missing(outcome)
    )
    failpoint("keep.after_commit")
    return made


async def deliver(tools: Tools, step: Step) -> None:
    """The status message becomes the result."""
    failpoint("deliver.before_post")
    await tell_end(tools, step)
    failpoint("deliver.after_post")
    await tools.store.finish(step.tenant, step.id)
    log.info("delivered", step=step.id, seconds=step.seconds)
    failpoint("deliver.after_commit")


async def _drop(
    tools: Tools, step: Step, outputs: list[Picture], cost: Money | None, outcome: Outcome
) -> None:
    """Cancelled too late: what was made is dropped, and its price said."""
    for picture in outputs:
        await tools.blobs.delete(step.tenant, picture.key)
    error = Refused("status.cancelled_late", request_id=outcome.request_id)
    await fail(tools, step, error, state=StepState.CANCELLED, charged="yes", cost=cost)


async def _download_all(tools: Tools, step: Step, outcome: Outcome) -> list[Picture]:
    urls = [one.url for one in outcome.made if one.url]
    if not urls:
        reason = next((one.error for one in outcome.made if one.error), "provider.empty")
        raise Refused(reason, request_id=outcome.request_id)
    return [await _download(tools, step, outcome, position) for position in range(len(urls))]


async def _download(tools: Tools, step: Step, outcome: Outcome, position: int) -> Picture:
    failpoint("keep.before_download")
    data = await _fetch(tools, step, outcome, position)
    failpoint("keep.after_download")
    try:
        data, facts = await tools.pool.run(_checked, data, sessions.recipe(step, position))
    except Rejected as error:
        raise Refused("provider.not_a_picture", request_id=outcome.request_id) from error
    key = await tools.blobs.keep(step.tenant, data)
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


def _checked(data: bytes, recipe: Mapping[str, str]) -> tuple[bytes, normalize.Facts]:
    """A whole picture, with its recipe. Raises Rejected."""
    facts = normalize.check_result(data)
    return png_metadata.write_recipe(data, recipe), facts


async def _fetch(tools: Tools, step: Step, outcome: Outcome, position: int) -> bytes:
    """Try again while the link lives; a dead link is asked for afresh once a try."""
    delay = tools.back_off
    for last in [False] * (DOWNLOAD_TRIES - 1) + [True]:
        urls = [one.url for one in outcome.made if one.url]
        try:
            return await tools.providers[step.account].download(urls[min(position, len(urls) - 1)])
        except Retryable:
            if last:
                raise
            await tools.clock.sleep(delay)
            delay *= 2
        except Uncertain:
            if last or step.task_id is None:
                raise
            task = Task(id=step.task_id, request_id=step.request_id or "")
            outcome = await tools.providers[step.account].wait(
                work_of(step, tools.catalog.model(step.model)), task
            )
    raise AssertionError("the last try returns or raises")


def _cost(tools: Tools, step: Step, outcome: Outcome) -> Money | None:
    choice = Choice(model=tools.catalog.model(step.model), region=step.account)
    return tools.catalog.price(choice, outcome.billed, step.size, step.options)


def _missing(outcome: Outcome) -> str | None:
    """Why fewer pictures came than were asked for: the first failed one's message key."""
    return next((one.error for one in outcome.made if one.error), None)
