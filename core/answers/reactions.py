"""What a team does with a result: votes, favourites, the gallery, private copies, deleting."""

from dataclasses import replace

from core import channel_settings, sessions
from core.answers.jobs import cancel
from core.answers.lookup import require_audience, resolve_step
from core.errors import DeliveryError, NotFound, Rejected
from core.flow import heads
from core.flow.context import Context, intend_post
from core.flow.erasing import erase_pictures
from core.log import log
from core.post import Post, PostedMessage, Tally
from core.types import CountedReaction, Head, MessageRole, Request, Step
from core.views import answers, pictures, steps


async def vote(context: Context, request: Request) -> None:
    """Count a vote for a picture; a quorum settles it."""
    step, index = await _resolve_picture(context, request)
    tally = await context.reactions.add(
        step.tenant,
        step.id,
        request.person.id,
        CountedReaction.VOTE,
        index,
    )
    preferences = await _preferences(context, step)
    quorum = preferences.number("quorum")
    leaders = _leaders(tally)
    # With a tie there is no winner yet.
    if len(leaders) == 1:
        winner = leaders[0]
        has_quorum = tally.votes[winner] >= quorum
        if has_quorum and winner != step.chosen:
            await _settle(context, step, winner)
    await _refresh_status(context, step)


async def unvote(context: Context, request: Request) -> None:
    """Take a vote back; what was settled stays."""
    step, index = await _resolve_picture(context, request)
    await context.reactions.remove(
        step.tenant,
        step.id,
        request.person.id,
        CountedReaction.VOTE,
        index,
    )
    await _refresh_status(context, step)


async def choose(context: Context, request: Request) -> None:
    """Settle on the picture with most votes, without votes on the first: its person's choice."""
    step = await resolve_step(context, request)
    require_audience(request, step)
    sessions.picture_at(step, 0)
    tally = await context.reactions.tally(step.tenant, step.id)
    winner = min(_leaders(tally), default=0)
    await _settle(context, step, winner)
    await _refresh_status(context, step)


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
    preferences = await _preferences(context, step)
    gallery = preferences.gallery
    has_enough = tally.favourites >= preferences.number("favourites")
    if gallery and has_enough and not step.options.private:
        await _post_to_gallery(context, step, tally, gallery)
    await _refresh_status(context, step)


async def unfavourite(context: Context, request: Request) -> None:
    """Remove a favourite; the gallery keeps its copy."""
    step = await resolve_step(context, request)
    await context.reactions.remove(
        step.tenant,
        step.id,
        request.person.id,
        CountedReaction.FAVOURITE,
        request.index or 0,
    )
    await _refresh_status(context, step)


async def send_me(context: Context, request: Request) -> Post:
    """Post the result in the person's direct messages, where their next edit starts from it."""
    step = await resolve_step(context, request)
    sessions.picture_at(step, 0)
    person = request.person
    chat = context.chat(step)
    place = await chat.private_place(request.place, person)
    job = sessions.step_id(request)
    post = pictures.copy_post(step, job, request.locale)
    # An earlier try may have been posted and not remembered.
    message = await intend_post(context, place, post.job, MessageRole.COPY)
    if message is None:
        message = await chat.post(place, post, to=person, reply={})
    await context.store.remember(
        message,
        step.tenant,
        step.id,
        MessageRole.COPY,
    )
    session = sessions.person_session(place, person.id)
    head = Head(step=step.id, index=step.chosen or 0)
    await context.store.move_head(step.tenant, session, head)
    return steps.note_post(
        "status.sent_to_you",
        request.locale,
        version=step.number,
    )


async def remove(context: Context, request: Request) -> Post:
    """❌: cancel what still runs, delete what is done."""
    step = await resolve_step(context, request)
    request = replace(request, target=step.id)
    if step.state.is_final:
        return await delete(context, request)
    return await cancel(context, request)


async def delete(context: Context, request: Request) -> Post:
    """Remove a result's pictures and words wherever they were posted.

    Pictures that others made from them stay, but not the copies that these were made of.
    """
    step = await resolve_step(context, request)
    require_audience(request, step)
    if not step.state.is_final:
        raise Rejected("refuse.still_running", version=step.number)
    store = context.store
    await erase_pictures(context, step.tenant, step.id)
    for message in await store.messages_of(step):
        await _update(context, step, message)
    for message in await store.drawings_of(step):
        await _remove_drawing(context, step, message)
    return steps.note_post(
        "status.you_deleted",
        request.locale,
        version=step.number,
    )


async def _remove_drawing(
    context: Context, step: Step, message: PostedMessage
) -> None:
    """Replace a history or comparison that shows the step."""
    post = answers.removed_post(step.locale)
    try:
        await context.chat(step).update(message, post)
    except (DeliveryError, NotFound) as error:
        log.warning("undeliverable", step=step.id, error=error.key)


async def _refresh_status(context: Context, step: Step) -> None:
    """Show in the step's own message how things stand now."""
    message = await context.store.message_of(step)
    if message is not None:
        await _update(context, step, message)


async def _update(
    context: Context,
    step: Step,
    message: PostedMessage,
) -> None:
    """Show the step as it is now. A platform that will not take it keeps the old message."""
    async with context.message_lock(step):
        # Read inside the lock: an earlier reaction may have changed it.
        current = await context.store.step(step.tenant, step.id)
        tally = await context.reactions.tally(step.tenant, step.id)
        post = steps.outcome_post(current, None, tally)
        try:
            updated = await context.chat(step).update(message, post)
        except (DeliveryError, NotFound) as error:
            log.warning("undeliverable", step=step.id, error=error.key)
            return
        if updated is not None:
            # A platform may have had to post it again.
            await context.store.remember(updated, step.tenant, step.id)


async def _resolve_picture(
    context: Context,
    request: Request,
) -> tuple[Step, int]:
    """The step, and which of its pictures. Raises Rejected when it is not there."""
    step = await resolve_step(context, request)
    index = request.index or 0
    sessions.picture_at(step, index)
    return step, index


async def _preferences(
    context: Context,
    step: Step,
) -> channel_settings.Preferences:
    settings = await context.store.settings(step.tenant)
    return channel_settings.preferences_of(settings, step.place.channel)


def _leaders(tally: Tally) -> list[int]:
    """The pictures with most votes: several where they are equal, none without votes."""
    most_votes = max(tally.votes.values(), default=0)
    return [
        index for index, votes in tally.votes.items() if votes == most_votes
    ]


async def _settle(context: Context, step: Step, index: int) -> None:
    """The winner becomes the head of the session it was made in, and of its person's own."""
    await context.store.choose_picture(step.tenant, step.id, index)
    head = Head(step=step.id, index=index)
    own_session = sessions.own_session(step)
    for session in {step.session, own_session}:
        await context.store.move_head(step.tenant, session, head)


async def _post_to_gallery(
    context: Context,
    step: Step,
    tally: Tally,
    channel: str,
) -> None:
    store = context.store
    chat = context.chat(step)
    place = replace(step.place, channel=channel, thread="")
    role = MessageRole.GALLERY
    if not await heads.may_be_shown(context, step, place):
        log.warning("no_gallery", step=step.id, error="refuse.for_adults")
        return
    async with context.message_lock(step):
        if await store.message_of(step, role):
            return
        is_first = await store.intend_post(step.tenant, step.id, role)
        if not is_first and await chat.find(place, f"{step.id}g"):
            return
        original = await store.message_of(step)
        link = await chat.link(original) if original else ""
        post = pictures.gallery_post(step, tally, link, step.locale)
        try:
            message = await chat.post(place, post, to=step.person, reply={})
        except (DeliveryError, NotFound) as error:
            log.warning("no_gallery", step=step.id, error=error.key)
            return
        await store.remember(message, step.tenant, step.id, role)
