"""From an event to its meaning: ask the platform, look up the facts, interpret.

The decisions are ``core.interpret``'s; this module only collects the facts for them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from core.errors import EaselError, NotFound
from core.flow import heads, replies
from core.flow.context import Context
from core.incoming import Incoming, Kind
from core.interpret import interpret
from core.meaning import Meaning, Situation
from core.operations import Action
from core.relevance import Relevance, relevance
from core.types import Place, Request, StepId

NAMING = frozenset({Action.CANCEL, Action.DELETE, Action.REMOVE})
"""Actions whose step may be named in words."""
MOVING = frozenset({Action.UNDO, Action.REDO, Action.DELETE, Action.REMOVE})
"""Actions that move the head."""

LOOK_PAUSES = (0.05, 0.1, 0.2, 0.4)
"""Seconds before each further look for what a message shows, while a post may be on its way."""
T = TypeVar("T")


async def understand_or_refuse(
    context: Context,
    incoming: Incoming,
) -> Meaning | None:
    """Return what the event asks for; None when that is nothing, or was refused with words.

    Raises what passes: the caller tries again.
    """
    try:
        completed = await complete(context, incoming)
        if completed is None:
            return None
        incoming = completed
        return await understand(context, incoming)
    except EaselError as error:
        await replies.refuse_or_raise(context, incoming, error)
        return None


async def complete(context: Context, incoming: Incoming) -> Incoming | None:
    """Add to the event what only its platform knows; None when it is not for us."""
    if not await _is_about_us(context, incoming):
        return None
    return await context.chats[incoming.place.platform].complete(incoming)


async def understand(context: Context, incoming: Incoming) -> Meaning | None:
    """Return what a completed event asks for. Raises Rejected or NotFound."""
    meaning = interpret(incoming, await look_up(context, incoming))
    if isinstance(meaning, Request):
        return await pin_step(context, meaning)
    return meaning


async def look_up(context: Context, incoming: Incoming) -> Situation:
    """Look up what the store knows about the place of the event."""
    place = incoming.place
    if incoming.kind is Kind.REACTION:
        settings = await context.store.settings(place.tenant)
        step = await answered_step(context, incoming)
        return Situation(step=step, reactions=settings.get("reactions"))
    if incoming.kind is Kind.SHORTCUT:
        # A result can be seen, and chosen, a moment before it is remembered.
        return Situation(
            step=await _look_again(context, incoming, answered_step)
        )
    step = None
    if not incoming.attachments:
        step = await answered_step(context, incoming)
    if incoming.kind is Kind.MESSAGE:
        return Situation(
            step=step,
            is_ours=await context.store.is_step_thread(place),
        )
    return Situation(step=step)


async def _is_about_us(context: Context, incoming: Incoming) -> bool:
    """Most events around us are not for the bot; skip the user look-up for those."""
    first_look = relevance(incoming)
    if first_look is not Relevance.PERHAPS:
        return first_look is Relevance.CERTAIN
    is_message = incoming.kind is Kind.MESSAGE
    if is_message and await context.store.is_step_thread(incoming.place):
        return True
    # Only what hangs from a message is certainly later than it: other words in a thread may be
    # older than the bot's there.
    return bool(await _look_again(context, incoming, _is_about_our_message))


async def _is_about_our_message(context: Context, incoming: Incoming) -> bool:
    """Is it about one of our messages, or does its thread hang from one?"""
    if await answered_step(context, incoming) is not None:
        return True
    if incoming.answers is not None and incoming.answers.pictures:
        # The person's own picture, or it would not be relevant.
        return True
    place = incoming.place
    if incoming.kind is not Kind.MESSAGE or not place.thread:
        return False
    channel = replace(place, thread="")
    return await _step_of(context, channel, place.thread) is not None


async def answered_step(context: Context, incoming: Incoming) -> StepId | None:
    """The step that the message answered, reacted to or pointed at shows."""
    if incoming.answers is None or incoming.answers.is_ours is False:
        return None
    return await _step_of(context, incoming.place, incoming.answers.message)


async def _step_of(
    context: Context,
    place: Place,
    message: str,
) -> StepId | None:
    try:
        return await context.store.step_of_message(place, message)
    except NotFound:
        return None


async def _look_again(
    context: Context,
    incoming: Incoming,
    look: Callable[[Context, Incoming], Awaitable[T]],
) -> T:
    """Look again for a moment while one of our messages is posted and not yet remembered."""
    message = incoming.answers.message if incoming.answers else ""
    sight = await look(context, incoming)
    for seconds in LOOK_PAUSES:
        if sight or not await context.store.may_show_step(
            incoming.place, message
        ):
            break
        await context.clock.sleep(seconds)
        sight = await look(context, incoming)
    return sight


async def pin_step(context: Context, request: Request) -> Request:
    """Name the step of a request that could mean another one when it is repeated.

    A request that is interrupted and taken up again then acts once.
    """
    if request.target is not None:
        return request
    if request.action in NAMING and request.text.strip():
        return request
    if request.action is Action.CANCEL:
        newest = await context.store.newest_open_step(
            request.place.tenant, request.person.id
        )
        return replace(request, target=newest.id if newest else None)
    if request.action not in MOVING:
        return request
    session = await heads.session_of(context, request)
    head = await heads.head_of(context, request, session)
    return replace(request, target=head.step if head else None)
