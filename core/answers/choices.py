"""Words that may ask for a drawing or for an edit: the person chooses with a button.

The request waits as a draft; nothing is billed by guessing.
"""

from dataclasses import replace

from core import sessions
from core.answers import drafts
from core.flow import heads
from core.flow.context import Context
from core.operations import Action
from core.post import Post
from core.types import Head, Request, to_json
from core.views import pictures


async def offer(context: Context, request: Request) -> Post:
    """Ask which, naming the very picture that an edit would start from."""
    tenant = request.place.tenant
    draft = sessions.step_id(request)
    head = await _head(context, request)
    version = None
    if head is not None:
        request = replace(request, target=head.step, index=head.index)
        version = (await context.store.step(tenant, head.step)).number
    now = context.clock.now()
    await context.drafts.save(tenant, draft, to_json(request), now)
    return pictures.choice_post(draft, request.text, version, request.locale)


async def _head(context: Context, request: Request) -> Head | None:
    if request.target is not None:
        return Head(step=request.target, index=request.index or 0)
    session = await heads.session_of(context, request)
    return await heads.head_of(context, request, session)


async def complete(context: Context, request: Request) -> Request:
    """The draft as a drawing or as an edit. Raises Rejected or NotFound."""
    draft = await drafts.read_own(context, request)
    chosen = drafts.job_of(draft, request)
    if request.action is Action.AS_DRAWING:
        # The picture that was offered for an edit has no part in a drawing.
        return replace(chosen, action=Action.DRAW, target=None, index=None)
    return replace(chosen, action=Action.EDIT)
