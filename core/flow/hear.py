"""hear: what a platform delivered, understood.

Who said it, in which language, of which picture, and what it asks.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from core import emoji, grammar
from core.errors import EaselError, NotFound, Rejected
from core.flow import prepare, replies
from core.flow.context import Context
from core.operations import NEEDS_WORDS, command_names
from core.types import Action, Request

NAMING = frozenset({Action.CANCEL, Action.DELETE, Action.REMOVE})
"""May name their step in words."""
MOVING = frozenset({Action.UNDO, Action.REDO, Action.DELETE, Action.REMOVE})
"""After these the head is another."""

REMEMBERING = (0.05, 0.1, 0.2, 0.4)
"""Seconds before each further look for what a message shows, while one of ours may be on its way."""
T = TypeVar("T")


async def understand(context: Context, request: Request) -> Request | None:
    """The request with everything its answer needs.

    None when it asks nothing of us, or was refused.
    """
    if not await _may_be_for_us(context, request):
        return None
    try:
        completed = await context.chats[request.place.platform].complete(request)
        if completed is None:
            return None
        request = completed
        interpreted = await _interpreted(context, await aimed(context, request))
    except EaselError as error:
        await replies.refuse(context, request, error)
        return None
    return None if interpreted is None else await _with_step(context, interpreted)


def is_to_us(request: Request) -> bool:
    """Is it asked of us, said to us, or an answer to a message of ours, as the platform itself tells?"""
    if request.action is Action.REACTED:
        return False
    return request.action is not Action.SAID or request.to_us or bool(request.message)


async def _may_be_for_us(context: Context, request: Request) -> bool:
    """Of what was only perhaps for us most is not: then nobody need be asked who it was."""
    if request.action is not Action.REACTED and (
        request.action is not Action.SAID or request.to_us
    ):
        return True
    if request.action is Action.SAID and await context.store.is_step_thread(
        request.place
    ):
        return True
    # Only what hangs from a message is certainly later than it: other words in a thread may be
    # older than ours there.
    return bool(
        await _look_again(context, request, lambda: _answers_ours(context, request))
    )


async def _answers_ours(context: Context, request: Request) -> bool:
    """Is it about a message of ours, or does its thread hang from one?"""
    if (await aimed(context, request)).target is not None:
        return True
    place = request.place
    if request.action is not Action.SAID or not place.thread:
        return False
    root = replace(
        request, message=place.thread, place=replace(place, thread=""), attachments=()
    )
    return (await aimed(context, root)).target is not None


async def _look_again(
    context: Context, request: Request, look: Callable[[], Awaitable[T]]
) -> T:
    """What a look says, asked again for a moment while a message of ours is posted and not yet remembered."""
    answer = await look()
    for seconds in REMEMBERING:
        if answer or not await context.store.may_show_step(
            request.place, request.message
        ):
            break
        await context.clock.sleep(seconds)
        answer = await look()
    return answer


async def _with_step(context: Context, request: Request) -> Request:
    """What would mean another step the second time, with its step.

    Being killed in the middle does it once.
    """
    if request.target is not None or (
        request.action in NAMING and request.text.strip()
    ):
        return request
    if request.action is Action.CANCEL:
        newest = await context.store.newest_open_step(
            request.place.tenant, request.person.id
        )
        return replace(request, target=newest.id if newest else None)
    if request.action not in MOVING:
        return request
    head = await prepare.head_of(
        context, request, await prepare.session_of(context, request)
    )
    return replace(request, target=head.step if head else None)


async def aimed(context: Context, request: Request) -> Request:
    """At the step that the message it is about shows. What is attached goes first."""
    if request.message and not request.attachments:
        try:
            return replace(
                request,
                target=await context.store.step_of_message(
                    request.place, request.message
                ),
            )
        except NotFound:
            return request
    return request


async def shown(context: Context, request: Request) -> Request:
    """What the message it is about shows: a step of ours, else somebody's pictures.

    Raises Rejected for neither.

    A result of ours can be seen, and chosen, a moment before it is remembered.
    """
    bare = replace(request, attachments=())

    async def step_there() -> str | None:
        return (await aimed(context, bare)).target

    step = await _look_again(context, request, step_there)
    if step is not None:
        return replace(bare, target=step)
    if not request.attachments:
        raise Rejected("refuse.no_picture_there")
    return request


async def _interpreted(context: Context, request: Request) -> Request | None:
    if request.action is Action.REACTED:
        return await reacted(context, request)
    if request.action is not Action.SAID:
        return request
    if not request.to_us:
        return replace(request, action=Action.EDIT)
    is_ours = await context.store.is_step_thread(request.place)
    if is_ours or request.attachments or not request.replied:
        return spoken(request, in_our_thread=is_ours)
    return _about_replied(request)


def _about_replied(request: Request) -> Request:
    """Words under somebody's picture are about it, unless they ask for a drawing."""
    interpreted = spoken(
        replace(request, attachments=request.replied), in_our_thread=False
    )
    if interpreted.action is Action.DRAW:
        return replace(interpreted, attachments=())
    return interpreted


async def reacted(context: Context, request: Request) -> Request | None:
    """What an emoji on a message of ours asks for, by the workspace's own map."""
    if request.target is None:
        return None
    custom = (await context.store.settings(request.place.tenant)).get("reactions")
    reaction = emoji.reaction(request.text, custom)
    action = emoji.action_of(reaction, added=request.added) if reaction else None
    if reaction is None or action is None:
        return None
    return replace(
        request,
        action=action,
        text="",
        index=reaction.index,
    )


def spoken(request: Request, *, in_our_thread: bool) -> Request:
    """Words said to Easel: a command, with or without its slash, else an instruction.

    Raises Rejected.

    In a thread of ours "draw a hat on her" is an instruction; elsewhere, without a picture, it asks
    for a drawing.
    """
    first, _, rest = request.text.partition(" ")
    name = first.lower().removeprefix("/")
    is_command = first.startswith("/") or name in {"wanx", "easel"}
    if name == "draw" and not (in_our_thread or request.attachments or request.target):
        is_command = True
    if name in command_names() and is_command:
        action, text = grammar.command(name, rest.strip())
        return replace(request, action=action, text=text)
    alone = _alone(request.text)
    if alone is not None:
        return replace(request, action=alone, text="")
    if not request.text and not request.attachments:
        return replace(request, action=Action.HELP)
    return replace(request, action=Action.EDIT)


def needs_words(request: Request) -> bool:
    """Came a command without the words it cannot do without?"""
    if request.action not in NEEDS_WORDS:
        return False
    try:
        return not grammar.parse(request.text, request.given).prompt
    except Rejected:
        return False


def _alone(text: str) -> Action | None:
    """A word of /easel that is all there is: "@Easel undo"."""
    word = text.lower().removeprefix("/")
    try:
        return grammar.command("easel", word)[0] if word and " " not in word else None
    except Rejected:
        return None
