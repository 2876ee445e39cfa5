"""A request that is understood: answered at once, or ready to be taken as a job."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from core import forms, permissions, sessions
from core.answers import (
    auditing,
    choices,
    edit_tree,
    jobs,
    leaving,
    masks,
    navigation,
    pausing,
    queries,
    reactions,
    settings,
)
from core.answers.lookup import current_step
from core.errors import EaselError, Rejected
from core.flow import admission, heads, replies
from core.flow.context import Context
from core.forms import Form
from core.i18n import translate
from core.meaning import Choice, FormSubject, OpenForm
from core.operations import OPERATIONS, Action, Answered
from core.post import Post
from core.types import Request

Answering = Callable[[Context, Request], Awaitable[Post | None]]
HANDLERS: Mapping[Action, Answering] = {
    Action.UNDO: navigation.undo,
    Action.REDO: navigation.redo,
    Action.PICK: navigation.pick,
    Action.CANCEL: jobs.cancel,
    Action.DROP: jobs.drop,
    Action.SHOW_ANYWAY: jobs.show_anyway,
    Action.DELETE: reactions.delete,
    Action.REMOVE: reactions.remove,
    Action.SEND_ME: reactions.send_me,
    Action.VOTE: reactions.vote,
    Action.UNVOTE: reactions.unvote,
    Action.CHOOSE: reactions.choose,
    Action.FAVOURITE: reactions.favourite,
    Action.UNFAVOURITE: reactions.unfavourite,
    Action.COMPARE: queries.compare,
    Action.HISTORY: edit_tree.history,
    Action.SHOW: queries.show,
    Action.INFO: queries.info,
    Action.USAGE: queries.usage,
    Action.BUDGET: queries.budget,
    Action.PAUSE: pausing.pause,
    Action.RESUME: pausing.resume,
    Action.AUDIT: auditing.show,
    Action.HELP: queries.help_text,
    Action.MORE: queries.more,
    Action.MASK: masks.offer,
    Action.SETTINGS: settings.save,
    Action.EXPORT: leaving.export,
    Action.FORGET_ME: leaving.offer,
    Action.FORGET: leaving.forget,
}
DRAFT_ACTIONS = frozenset(
    action
    for action, operation in OPERATIONS.items()
    if operation.answered is Answered.BY_DRAFT
)
"""Buttons that complete a draft."""
PRIVATELY = "--private"
_ANSWERED = {
    action
    for action, operation in OPERATIONS.items()
    if operation.answered in {Answered.AT_ONCE, Answered.BY_FORM}
}
assert HANDLERS.keys() == _ANSWERED, HANDLERS.keys() ^ _ANSWERED  # noqa: S101


async def dispatch(
    context: Context,
    request: Request,
) -> Post | Request | None:
    """Return what to say or to take as a job; None when there is nothing to say.

    Raises Rejected or NotFound.
    """
    if request.action is Action.REGION:
        request = await masks.complete_with_region(context, request)
    elif request.action in DRAFT_ACTIONS:
        request = await choices.complete(context, request)
    await admission.require(context, request)
    if request.action.makes_pictures:
        return await _begin(context, request)
    if request.action not in HANDLERS:
        raise Rejected(
            "refuse.not_here",
            action=translate(f"action.{request.action.value}", request.locale),
        )
    post = await HANDLERS[request.action](context, request)
    # Only now: what the handler refused was not done.
    await admission.note_act(context, request)
    return post


async def _begin(context: Context, request: Request) -> Post | Request:
    """A job that may begin, or the question for the mask it lacks. Raises Rejected."""
    await _require_open(context, request)
    if lacks_mask(request):
        return await masks.offer(context, request)
    replies.check(context, request)
    return request


async def _require_open(context: Context, request: Request) -> None:
    """Make sure, before anything is queued, that the result may be posted. Raises Rejected.

    What is private is not posted there.
    """
    if request.closed and not await heads.is_secret(context, request):
        raise Rejected(request.closed)


async def _require_open_for(context: Context, opening: OpenForm) -> None:
    """The same for what a form asks, unless it was asked for privately. Raises Rejected."""
    is_private = "private" in opening.fields or PRIVATELY in opening.words
    if opening.request.action.makes_pictures and not is_private:
        await _require_open(context, opening.request)


async def build_form(context: Context, opening: OpenForm) -> Form:
    """The form to show first. Raises Rejected or NotFound."""
    # Before the form is shown: it should not be filled in for nothing.
    await _require_open_for(context, opening)
    form = await _build_plain_form(context, opening)
    return replace(form, typed=opening.fields)


async def _build_plain_form(context: Context, opening: OpenForm) -> Form:
    request = opening.request
    words = opening.words
    if opening.subject is FormSubject.SETTINGS:
        return await settings.form(context, request)
    if opening.subject is FormSubject.FUNCTION:
        preferences = await admission.preferences_in(context, request.place)
        allowed = permissions.allowed_functions(preferences)
        if not any(action.is_wanx for action in allowed):
            raise Rejected("refuse.no_function")
        return forms.functions_form(request.locale, allowed)
    if request.target is None:
        return replies.form_for(context, request, words)
    _, step = await current_step(context, request)
    index = request.index if request.index is not None else step.chosen or 0
    sessions.picture_at(step, index)
    if request.action is Action.RERUN:
        # A rerun repeats the whole chain: its form holds the instructions of each edit.
        edits = (await heads.chain_of(context, step))[1]
        words = sessions.merged_instructions(edits)
    return replies.form_for(context, replace(request, index=index), words)


async def ask_back(context: Context, question: OpenForm | Choice) -> None:
    """Show the form, or the two buttons, that come before an answer.

    Raises what passes: the caller tries again.
    """
    request = question.request
    try:
        if isinstance(question, Choice):
            await _require_open(context, request)
            offer = await choices.offer(context, request)
            await replies.reply_once(context, request, offer)
        else:
            form = await build_form(context, question)
            await replies.show_form(context, request, form)
    except EaselError as error:
        await replies.refuse_or_raise(context, request, error)


def lacks_mask(request: Request) -> bool:
    """Whether a mask must be asked for first.

    An attached picture is unknown until it has been fetched; ``prepare`` asks about it then.
    """
    if (
        request.action is not Action.INPAINT
        or request.mask
        or request.attachments
    ):
        return False
    return request.options.mask is None


async def answer(context: Context, request: Request) -> Request | None:
    """Answer in the chat what can be answered at once; else the request to take as a job.

    Raises what passes when the answer cannot be posted: the caller tries again.
    """
    try:
        reply = await dispatch(context, request)
    except EaselError as error:
        await replies.refuse(context, request, error)
        return None
    if isinstance(reply, Request):
        return reply
    if reply is not None:
        await replies.reply_once(context, request, reply)
    return None
