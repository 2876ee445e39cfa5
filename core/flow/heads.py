"""Which session, head and step a request works with, as its person may see them."""

from dataclasses import replace

from core import channel_settings, sessions
from core.errors import NotFound, Rejected
from core.flow.context import Context
from core.operations import Action
from core.types import Head, Place, Request, SessionId, Step, StepId


async def session_of(context: Context, request: Request) -> SessionId:
    """Return the thread's session in a thread of the bot, else the person's own in this channel."""
    place = request.place
    own = sessions.person_session(place, request.person.id)
    if not place.thread or not await context.store.is_step_thread(place):
        return own
    settings = await context.store.settings(place.tenant)
    preferences = channel_settings.preferences_of(settings, place.channel)
    if preferences.threads_are_personal:
        return own
    return sessions.thread_session(place)


async def head_of(
    context: Context,
    request: Request,
    session: SessionId,
) -> Head | None:
    """Where the session's next edit starts.

    In a thread still without results, at the result it hangs from.
    """
    place = request.place
    head = await context.store.head(place.tenant, session)
    if head is not None or session != sessions.thread_session(place):
        return head
    try:
        channel = replace(place, thread="")
        step = await context.store.step_of_message(channel, place.thread)
        root = await visible_step(context, request, step)
    except NotFound:
        return None
    if not root.outputs:
        return None
    return Head(step=root.id, index=root.chosen or 0)


async def visible_step(context: Context, request: Request, id: StepId) -> Step:
    """A step as this person may see it here: their own, or one shown to all in this channel.

    Raises NotFound, in the same words for what is not there and what is not theirs; Rejected for
    what was shown to adults only.
    """
    step = await context.store.step(request.place.tenant, id)
    if not await may_be_shown(context, step, request.place):
        raise Rejected("refuse.for_adults")
    if step.person.id == request.person.id:
        return step
    messages = await context.store.messages_of(step)
    channels = {message.place.channel for message in messages}
    channels.add(step.place.channel)
    # What is shown in another channel stays there.
    if step.options.private or request.place.channel not in channels:
        raise NotFound("refuse.not_found", id=id)
    return step


async def may_be_shown(context: Context, step: Step, place: Place) -> bool:
    """Whether a step's pictures may be shown there: not those of a channel for adults."""
    if step.place.channel == place.channel or not step.outputs:
        return True
    keys = [picture.key for picture in step.outputs]
    return await context.chat(step).may_show(place, keys)


async def is_secret(context: Context, request: Request) -> bool:
    """Will the result be private: asked for so, or made of a private picture?"""
    if request.options.private:
        return True
    if request.action is Action.DRAW or request.attachments:
        return False
    source = request.target
    if source is None:
        session = await session_of(context, request)
        head = await head_of(context, request, session)
        source = head.step if head else None
    if source is None:
        return False
    step = await context.store.step(request.place.tenant, source)
    return step.options.private


async def chain_of(context: Context, step: Step) -> tuple[Step, list[Step]]:
    """The root a step descends from, and the edits since, oldest first.

    A root that edited an upload is the first of the edits.
    """
    chain = await context.store.chain(step.tenant, step.id)
    root, *edits = chain
    return root, chain if root.inputs else edits
