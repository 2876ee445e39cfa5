"""What a team does with a result.

Votes, favourites and the gallery, sending it to oneself, deleting it.
"""

from dataclasses import replace

from core import channel_settings, sessions
from core.answers.jobs import cancel
from core.answers.lookup import require_audience, resolve_step
from core.errors import DeliveryError, NotFound, Rejected
from core.flow.context import Context
from core.log import log
from core.post import Post, PostedMessage, Tally
from core.types import CountedReaction, Head, MessageRole, Request, Step
from core.views import pictures, steps


async def vote(context: Context, request: Request) -> None:
    """Count a vote for a picture; a quorum settles it."""
    step, index = await _voted(context, request)
    tally = await context.reactions.add(
        step.tenant, step.id, request.person.id, CountedReaction.VOTE, index
    )
    quorum = (await _preferences(context, step)).number("quorum")
    leader = _leader(tally)
    if leader is not None and leader != step.chosen and tally.votes[leader] >= quorum:
        await _settle(context, step, leader)
    await show_again(context, step.tenant, step.id)


async def unvote(context: Context, request: Request) -> None:
    """Take a vote back; what was settled stays."""
    step, index = await _voted(context, request)
    await context.reactions.remove(
        step.tenant, step.id, request.person.id, CountedReaction.VOTE, index
    )
    await show_again(context, step.tenant, step.id)


async def choose(context: Context, request: Request) -> None:
    """Its person settles on the picture with most votes, without votes on the one shown first."""
    step = await resolve_step(context, request)
    require_audience(request, step)
    sessions.picture_at(step, 0)
    tally = await context.reactions.tally(step.tenant, step.id)
    await _settle(
        context,
        step,
        min(tally.votes, key=lambda at: (-tally.votes[at], at)) if tally.votes else 0,
    )
    await show_again(context, step.tenant, step.id)


async def favourite(context: Context, request: Request) -> None:
    """Like a result; enough of them copy it to the gallery, once."""
    step = await resolve_step(context, request)
    sessions.picture_at(step, 0)
    tally = await context.reactions.add(
        step.tenant,
        step.id,
        request.person.id,
        CountedReaction.FAVOURITE,
        request.index or 0,
    )
    wanted = await _preferences(context, step)
    if (
        wanted.gallery
        and tally.favourites >= wanted.number("favourites")
        and not step.options.private
    ):
        await _to_gallery(context, step, tally, wanted.gallery)
    await show_again(context, step.tenant, step.id)


async def unfavourite(context: Context, request: Request) -> None:
    """Like it no more; the gallery keeps its copy."""
    step = await resolve_step(context, request)
    await context.reactions.remove(
        step.tenant,
        step.id,
        request.person.id,
        CountedReaction.FAVOURITE,
        request.index or 0,
    )
    await show_again(context, step.tenant, step.id)


async def send_me(context: Context, request: Request) -> Post:
    """The result once more, where only this person sees it, and where their next edit starts from it."""
    step = await resolve_step(context, request)
    sessions.picture_at(step, 0)
    chat = context.chat(step)
    place = await chat.private_place(request.place, request.person)
    post = pictures.copy_post(step, sessions.step_id(request), request.locale)
    is_first = await context.store.intend_post(step.tenant, post.job, MessageRole.COPY)
    sent = None if is_first else await chat.find(place, post.job)
    if sent is None:
        sent = await chat.post(place, post, to=request.person, reply={})
    await context.store.remember(sent, step.tenant, step.id, MessageRole.COPY)
    head = Head(step=step.id, index=step.chosen or 0)
    await context.store.move_head(
        step.tenant, sessions.person_session(place, request.person.id), head
    )
    return steps.note_post("status.sent_to_you", request.locale, version=step.number)


async def remove(context: Context, request: Request) -> Post:
    """❌: cancel what still runs, delete what is done."""
    step = await resolve_step(context, request)
    return await (delete if step.state.is_final else cancel)(
        context, replace(request, target=step.id)
    )


async def delete(context: Context, request: Request) -> Post:
    """Take a result's pictures away, everywhere we showed them.

    What others made from them stays.
    """
    step = await resolve_step(context, request)
    require_audience(request, step)
    if not step.state.is_final:
        raise Rejected("refuse.still_running", version=step.number)
    for key in await context.store.delete_step(
        step.tenant, step.id, context.clock.now()
    ):
        await context.blobs.delete(step.tenant, key)
    for key in await context.store.forget_outputs(step.tenant, step.id):
        await context.blobs.delete(step.tenant, key)
    for sent in await context.store.messages_of(step):
        await _show(context, step.tenant, step.id, sent)
    return steps.note_post("status.you_deleted", request.locale, version=step.number)


async def show_again(context: Context, tenant: str, step_id: str) -> None:
    """The step's own message as things stand now."""
    sent = await context.store.message_of(await context.store.step(tenant, step_id))
    if sent is not None:
        await _show(context, tenant, step_id, sent)


async def _show(
    context: Context, tenant: str, step_id: str, sent: PostedMessage
) -> None:
    """A platform that will not take it keeps the old one."""
    step = await context.store.step(tenant, step_id)
    async with context.telling_lock(step):
        post = steps.outcome_post(
            step, None, await context.reactions.tally(tenant, step_id)
        )
        try:
            await context.store.remember(
                await context.chat(step).update(sent, post), tenant, step_id
            )
        except (DeliveryError, NotFound) as error:
            log.warning("undeliverable", step=step.id, error=error.key)


async def _voted(context: Context, request: Request) -> tuple[Step, int]:
    step = await resolve_step(context, request)
    index = request.index or 0
    sessions.picture_at(step, index)
    return step, index


async def _preferences(context: Context, step: Step) -> channel_settings.Preferences:
    return channel_settings.preferences_of(
        await context.store.settings(step.tenant), step.place.channel
    )


def _leader(tally: Tally) -> int | None:
    """The picture strictly ahead of all others."""
    ranked = sorted(tally.votes, key=lambda at: -tally.votes[at])
    if not ranked or (
        len(ranked) > 1 and tally.votes[ranked[0]] == tally.votes[ranked[1]]
    ):
        return None
    return ranked[0]


async def _settle(context: Context, step: Step, index: int) -> None:
    """The winner becomes the head of the session it was made in, and of its person's own."""
    await context.store.choose_picture(step.tenant, step.id, index)
    for session in {step.session, sessions.own_session(step)}:
        await context.store.move_head(
            step.tenant, session, Head(step=step.id, index=index)
        )


async def _to_gallery(context: Context, step: Step, tally: Tally, channel: str) -> None:
    chat = context.chat(step)
    place = replace(step.place, channel=channel, thread="")
    async with context.telling_lock(step):
        if await context.store.message_of(step, MessageRole.GALLERY):
            return
        is_first = await context.store.intend_post(
            step.tenant, step.id, MessageRole.GALLERY
        )
        if not is_first and await chat.find(place, f"{step.id}g"):
            return
        original = await context.store.message_of(step)
        link = await chat.link(original) if original else ""
        post = pictures.gallery_post(step, tally, link, step.locale)
        try:
            sent = await chat.post(place, post, to=step.person, reply={})
        except (DeliveryError, NotFound) as error:
            log.warning("no_gallery", step=step.id, error=error.key)
            return
        await context.store.remember(sent, step.tenant, step.id, MessageRole.GALLERY)
