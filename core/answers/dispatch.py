"""A request that is understood: answered at once, or ready to be taken as a job."""

from collections.abc import Awaitable, Callable, Mapping

from core import grammar
from core.answers import jobs, masks, navigation, queries, reactions, settings
from core.errors import EaselError, Rejected
from core.flow import replies
from core.flow.context import Context
from core.forms import Form
from core.i18n import translate
from core.operations import OPERATIONS, Answered
from core.post import Post
from core.types import Action, Request

Answering = Callable[[Context, Request], Awaitable[Post | None]]
HANDLERS: Mapping[Action, Answering] = {
    Action.UNDO: navigation.undo,
    Action.REDO: navigation.redo,
    Action.PICK: navigation.pick,
    Action.CANCEL: jobs.cancel,
    Action.DROP: jobs.drop,
    Action.DELETE: reactions.delete,
    Action.REMOVE: reactions.remove,
    Action.SEND_ME: reactions.send_me,
    Action.VOTE: reactions.vote,
    Action.UNVOTE: reactions.unvote,
    Action.CHOOSE: reactions.choose,
    Action.FAVOURITE: reactions.favourite,
    Action.UNFAVOURITE: reactions.unfavourite,
    Action.COMPARE: queries.compare,
    Action.HISTORY: queries.history,
    Action.SHOW: queries.show,
    Action.INFO: queries.info,
    Action.USAGE: queries.usage,
    Action.BUDGET: queries.budget,
    Action.HELP: queries.help_text,
    Action.MORE: queries.more,
    Action.MASK: masks.offer,
}
_AT_ONCE = {
    action
    for action, operation in OPERATIONS.items()
    if operation.answered is Answered.AT_ONCE
}
assert HANDLERS.keys() == _AT_ONCE, HANDLERS.keys() ^ _AT_ONCE  # noqa: S101


async def dispatch(context: Context, request: Request) -> Post | Form | Request | None:
    """What to say, to ask, or to take as a job; None when there is nothing to say.

    Raises Rejected or NotFound.
    """
    if request.action is Action.REGION:
        request = await masks.complete_with_region(context, request)
    if lacks_mask(request):
        return await masks.offer(context, request)
    if request.action.makes_pictures:
        replies.check(context, request)
        return request
    if request.action is Action.SETTINGS:
        return await (
            settings.save(context, request)
            if request.given
            else settings.form(context, request)
        )
    if request.action not in HANDLERS:
        raise Rejected(
            "refuse.not_here",
            action=translate(f"action.{request.action.value}", request.locale),
        )
    return await HANDLERS[request.action](context, request)


def lacks_mask(request: Request) -> bool:
    """Of a picture that came along we know nothing yet: that is asked when it has been fetched."""
    if request.action is not Action.INPAINT or request.mask or request.attachments:
        return False
    return grammar.parse(request.text, request.given).options.mask is None


async def answer(context: Context, request: Request) -> Request | None:
    """Answer in the chat what can be answered at once; else the request to take as a job."""
    try:
        found = await dispatch(context, request)
    except EaselError as error:
        await replies.refuse(context, request, error)
        return None
    if isinstance(found, Request):
        return found
    if isinstance(found, Form):
        await replies.show_form(context, request, found)
    elif found is not None:
        await replies.reply_once(context, request, found)
    return None


async def consume_draft(context: Context, job: Request) -> None:
    """The draft a job was made of is used once the job is taken."""
    draft = masks.draft_of(job)
    if draft is not None:
        await context.drafts.use(job.place.tenant, draft)
