"""What a team does with a result.

Votes, favourites and the gallery, sending it to oneself, deleting it.
"""

from dataclasses import replace

from core import channel_settings, sessions
from core.answers.jobs import cancel
from core.answers.lookup import must_own, named
from core.errors import DeliveryError, NotFound, Rejected
from core.flow.context import Tools
from core.log import log
from core.post import Post, Sent, Tally
from core.types import Head, Request, Step
from core.views import steps

VOTE, FAVOURITE = "vote", "favourite"
GALLERY = "gallery"


async def vote(tools: Tools, request: Request) -> None:
    """Count a vote for a picture; a quorum settles it."""
    step, index = await _voted(tools, request)
    tally = await tools.together.react(step.tenant, step.id, request.person.id, VOTE, index)
    quorum = (await _preferences(tools, step)).number("quorum")
    leader = _leader(tally)
    if leader is not None and leader != step.chosen and tally.votes[leader] >= quorum:
        await _settle(tools, step, leader)
    await show_again(tools, step.tenant, step.id)


async def unvote(tools: Tools, request: Request) -> None:
    """Take a vote back; what was settled stays."""
    step, index = await _voted(tools, request)
    await tools.together.unreact(step.tenant, step.id, request.person.id, VOTE, index)
    await show_again(tools, step.tenant, step.id)


async def choose(tools: Tools, request: Request) -> None:
    """Its person settles on the picture with most votes, without votes on the one shown first."""
    step = await named(tools, request)
    must_own(request, step)
    sessions.picture_at(step, 0)
    tally = await tools.together.tally(step.tenant, step.id)
    await _settle(
        tools, step, min(tally.votes, key=lambda at: (-tally.votes[at], at)) if tally.votes else 0
    )
    await show_again(tools, step.tenant, step.id)


async def favourite(tools: Tools, request: Request) -> None:
    """Like a result; enough of them copy it to the gallery, once."""
    step = await named(tools, request)
    sessions.picture_at(step, 0)
    tally = await tools.together.react(
        step.tenant, step.id, request.person.id, FAVOURITE, request.index or 0
    )
    wanted = await _preferences(tools, step)
    if (
        wanted.gallery
        and tally.favourites >= wanted.number("favourites")
        and not step.options.private
    ):
        await _to_gallery(tools, step, tally, wanted.gallery)
    await show_again(tools, step.tenant, step.id)


async def unfavourite(tools: Tools, request: Request) -> None:
    """Like it no more; the gallery keeps its copy."""
    step = await named(tools, request)
    await tools.together.unreact(
        step.tenant, step.id, request.person.id, FAVOURITE, request.index or 0
    )
    await show_again(tools, step.tenant, step.id)


async def send_me(tools: Tools, request: Request) -> Post:
    """The result once more, where only this person sees it, and where their next edit starts from it."""
    step = await named(tools, request)
    sessions.picture_at(step, 0)
    chat = tools.chat(step)
    place = await chat.private_place(request.place, request.person)
    post = steps.copied(step, sessions.step_id(request), request.locale)
    is_first = await tools.store.intend_post(step.tenant, post.job, "copy")
    sent = None if is_first else await chat.find(place, post.job)
    if sent is None:
        sent = await chat.post(place, post, to=request.person, reply={})
    await tools.store.remember(sent, step.tenant, step.id, "copy")
    head = Head(step=step.id, index=step.chosen or 0)
    await tools.store.move_head(
        step.tenant, sessions.person_session(place, request.person.id), head
    )
    return steps.note("status.sent_to_you", request.locale, version=step.number)


async def remove(tools: Tools, request: Request) -> Post:
    """❌: cancel what still runs, delete what is done."""
    step = await named(tools, request)
    return await (delete if step.state.is_final else cancel)(
        tools, replace(request, target=step.id)
    )


async def delete(tools: Tools, request: Request) -> Post:
    """Take a result's pictures away, everywhere we showed them.

    What others made from them stays.
    """
    step = await named(tools, request)
    must_own(request, step)
    if not step.state.is_final:
        raise Rejected("refuse.still_running", version=step.number)
    for key in await tools.together.delete(step.tenant, step.id, tools.clock.now()):
        await tools.blobs.delete(step.tenant, key)
    for key in await tools.together.forget_outputs(step.tenant, step.id):
        await tools.blobs.delete(step.tenant, key)
    for sent in await tools.store.messages_of(step):
        await _show(tools, step.tenant, step.id, sent)
    return steps.note("status.you_deleted", request.locale, version=step.number)


async def show_again(tools: Tools, tenant: str, step_id: str) -> None:
    """The step's own message as things stand now."""
    sent = await tools.store.message_of(await tools.store.step(tenant, step_id))
    if sent is not None:
        await _show(tools, tenant, step_id, sent)


async def _show(tools: Tools, tenant: str, step_id: str, sent: Sent) -> None:
    """A platform that will not take it keeps the old one."""
    step = await tools.store.step(tenant, step_id)
    async with tools.telling_lock(step):
        post = steps.ended(step, None, await tools.together.tally(tenant, step_id))
        try:
            await tools.store.remember(await tools.chat(step).update(sent, post), tenant, step_id)
        except (DeliveryError, NotFound) as error:
            log.warning("undeliverable", step=step.id, error=error.key)


async def _voted(tools: Tools, request: Request) -> tuple[Step, int]:
    step = await named(tools, request)
    index = request.index or 0
    sessions.picture_at(step, index)
    return step, index


async def _preferences(tools: Tools, step: Step) -> channel_settings.Preferences:
    return channel_settings.of(await tools.store.settings(step.tenant), step.place.channel)


def _leader(tally: Tally) -> int | None:
    """The picture strictly ahead of all others."""
    ranked = sorted(tally.votes, key=lambda at: -tally.votes[at])
    if not ranked or (len(ranked) > 1 and tally.votes[ranked[0]] == tally.votes[ranked[1]]):
        return None
    return ranked[0]


async def _settle(tools: Tools, step: Step, index: int) -> None:
    """The winner becomes the head of the session it was made in, and of its person's own."""
    await tools.together.choose(step.tenant, step.id, index)
    for session in {step.session, sessions.own_session(step)}:
        await tools.store.move_head(step.tenant, session, Head(step=step.id, index=index))


async def _to_gallery(tools: Tools, step: Step, tally: Tally, channel: str) -> None:
    chat = tools.chat(step)
    place = replace(step.place, channel=channel, thread="")
    async with tools.telling_lock(step):
        if await tools.store.message_of(step, GALLERY):
            return
        is_first = await tools.store.intend_post(step.tenant, step.id, GALLERY)
        if not is_first and await chat.find(place, f"{step.id}g"):
            return
        original = await tools.store.message_of(step)
        link = await chat.link(original) if original else ""
        post = steps.gallery(step, tally, link, step.locale)
        try:
            sent = await chat.post(place, post, to=step.person, reply={})
        except (DeliveryError, NotFound) as error:
            log.warning("no_gallery", step=step.id, error=error.key)
            return
        await tools.store.remember(sent, step.tenant, step.id, GALLERY)
