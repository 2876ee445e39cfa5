"""prepare: store the attachments, begin the step, announce it."""

from dataclasses import replace

from core import budgets, channel_settings, sessions
from core.errors import DeliveryError, EaselError, NotFound, Rejected
from core.failpoints import failpoint
from core.flow import admission, lost_files, replies, status_posts, waiting
from core.flow.attachments import Collected, collect
from core.flow.context import (
    Context,
    fail_step,
    is_passing,
    retry_delivery,
    upsert_status,
)
from core.flow.plan import plan_step
from core.incoming import Origin
from core.log import log
from core.operations import Action
from core.types import Attachment, Request, Step, StepState


async def prepare(context: Context, request: Request) -> Step | None:
    """Begin a request's step and announce it.

    None when it was refused and its person has been told why. Raises a DeliveryError that passes
    while the platform does not give a file: the caller tries again.
    """
    step = await _find_begun(context, request)
    if step is None:
        try:
            await waiting.check(context, request)
            await admission.require(context, request)
            collected = await _collect_or_wait(context, request)
            step = await _begin(context, request, collected)
        except waiting.Withdrawn:
            return None
        except EaselError as error:
            if is_passing(error):
                raise
            await admission.note_refusal(context, request, error)
            await _refuse(context, request, error)
    if step is not None:
        await announce(context, step)
    return step


async def _find_begun(context: Context, request: Request) -> Step | None:
    """Find the step that an earlier try has begun already."""
    try:
        return await context.store.step(
            request.place.tenant, sessions.step_id(request)
        )
    except NotFound:
        return None


async def _collect_or_wait(context: Context, request: Request) -> Collected:
    """Raises what ``collect`` raises, and Rejected for a file that was waited for too long."""
    try:
        return await collect(context, request)
    except DeliveryError as error:
        if is_passing(error):
            await waiting.wait(context, request)
        raise
    except (Rejected, NotFound):
        await lost_files.note(context, request)
        raise


async def _refuse(
    context: Context,
    request: Request,
    error: EaselError,
) -> None:
    if error.key == "refuse.no_picture":
        # A form to attach one is better than a refusal, where the platform still shows it.
        form = replies.form_again(context, request)
        if await context.chats[request.place.platform].ask(form, request):
            return
    if not await waiting.show_end(context, request, error):
        await replies.refuse(context, request, error)


async def _begin(
    context: Context,
    request: Request,
    collected: Collected,
) -> Step | None:
    """Session, step and held money in one transaction.

    None when the mask must be asked for first.
    """
    if _lacks_mask(request, collected):
        await _ask_for_mask(context, request, collected)
        return None
    settings = await context.store.settings(request.place.tenant)
    preferences = channel_settings.preferences_of(
        settings, request.place.channel
    )
    step = await plan_step(context, request, collected, preferences)
    failpoint("begin.before_commit")
    caps = budgets.caps(settings, context.caps)
    begun = await context.store.begin(step, caps, context.clock.now())
    failpoint("begin.after_commit")
    if begun is not None:
        log.info(
            "accepted",
            step=begun.id,
            platform=begun.place.platform,
            action=begun.action.value,
            model=begun.model,
        )
    return begun


def _lacks_mask(request: Request, collected: Collected) -> bool:
    if request.action is not Action.INPAINT or collected.mask is not None:
        return False
    return request.options.mask is None


async def _ask_for_mask(
    context: Context,
    request: Request,
    collected: Collected,
) -> None:
    """Ask for the mask of an attached picture, which is stored first for the painter."""
    pictures = tuple(
        Attachment(key=picture.key) for picture in collected.pictures
    )
    with_pictures = replace(request, attachments=pictures)
    offer = await replies.offer_mask(context, with_pictures)
    await replies.reply_once(context, request, offer)


async def give_up(context: Context, request: Origin) -> None:
    """End a request that a bug has stopped.

    Its person gets a reference, whether its step had begun or not.
    """
    job = sessions.step_id(request)
    broken = EaselError("status.broken", reference=job)
    try:
        step = await context.store.step(request.place.tenant, job)
    except NotFound:
        await replies.refuse(context, request, broken)
        return
    await fail_step(context, step, broken)


async def announce(context: Context, step: Step) -> None:
    """The one status message of the job."""
    if step.state is not StepState.QUEUED:
        return
    if await context.store.message_of(step) is not None:
        return
    failpoint("announce.before_post")
    working = await status_posts.working(context, step)
    await retry_delivery(
        context,
        step.id,
        lambda: upsert_status(
            context,
            step,
            working,
            only_while=StepState.QUEUED,
        ),
    )
    failpoint("announce.after_post")
