"""A request that is understood: answered at once, or ready to be taken as a job."""

from collections.abc import Awaitable, Callable, Mapping

from core import grammar
from core.answers import jobs, masks, navigation, queries, reactions, settings
from core.errors import EaselError, Rejected
from core.flow import replies
from core.flow.context import Tools
from core.forms import Form
from core.i18n import say
from core.post import Post
from core.types import Action, Request

Answering = Callable[[Tools, Request], Awaitable[Post | None]]
AT_ONCE: Mapping[Action, Answering] = {
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


async def asked(tools: Tools, request: Request) -> Post | Form | Request | None:
    """What to say, to ask, or to take as a job; None when there is nothing to say.

    Raises Rejected or NotFound.
    """
    if request.action is Action.REGION:
        request = await masks.with_region(tools, request)
    if lacks_mask(request):
        return await masks.offer(tools, request)
    if request.action.makes_pictures:
        replies.check(tools, request)
        return request
    if request.action is Action.SETTINGS:
        return await (
            settings.save(tools, request) if request.given else settings.form(tools, request)
        )
    if request.action not in AT_ONCE:
        raise Rejected(
            "refuse.not_here", action=say(f"action.{request.action.value}", request.locale)
        )
    return await AT_ONCE[request.action](tools, request)


def lacks_mask(request: Request) -> bool:
    """Of a picture that came along we know nothing yet: that is asked when it has been fetched."""
    if request.action is not Action.INPAINT or request.mask or request.attachments:
        return False
    return grammar.parse(request.text, request.given).options.mask is None


async def answer(tools: Tools, request: Request) -> Request | None:
    """Answer in the chat what can be answered at once; else the request to take as a job."""
    try:
        found = await asked(tools, request)
    except EaselError as error:
        await replies.refuse(tools, request, error)
        return None
    if isinstance(found, Request):
        return found
    if isinstance(found, Form):
        await replies.ask(tools, request, found)
    elif found is not None:
        await replies.say_once(tools, request, found)
    return None


async def taken(tools: Tools, job: Request) -> None:
    """The draft a job was made of is used once the job is taken."""
    draft = masks.draft_of(job)
    if draft is not None:
        await tools.together.use_draft(job.place.tenant, draft)
