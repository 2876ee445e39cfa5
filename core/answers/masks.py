"""Masks: the painter and the quick regions.

A draft keeps the request until it is known what should change.
"""

from dataclasses import replace

from core import grammar, sessions
from core.answers import drafts
from core.answers.lookup import current_step
from core.flow import attachments, heads, replies
from core.flow.context import Context
from core.operations import Action
from core.options import REGIONS, override
from core.pictures import tasks
from core.post import Post
from core.types import Attachment, Picture, Request, StepId, Tenant


async def offer(context: Context, request: Request) -> Post:
    """Ask which part to change; the request waits, with the very picture it means, for a mask."""
    if not request.attachments:
        session, step = await current_step(context, request)
        head = await heads.head_of(context, request, session)
        # A button names the picture it stands under; words mean the head.
        index = head.index if head else 0
        if request.target:
            index = request.index or 0
        sessions.picture_at(step, index)
        request = replace(request, target=step.id, index=index)
    return await replies.offer_mask(
        context, replace(request, action=Action.INPAINT)
    )


async def complete_with_region(context: Context, request: Request) -> Request:
    """The draft a region button belongs to, with that region."""
    draft = await drafts.read_own(context, request)
    index = request.index or 0
    # A button of an older version may name a region that is gone.
    last = len(REGIONS) - 1
    region = REGIONS[min(index, last)]
    options = replace(draft.options, mask=region)
    return replace(drafts.job_of(draft, request), options=options)


async def complete_with_mask(
    context: Context,
    tenant: Tenant,
    draft: str,
    mask: bytes,
    prompt: str,
) -> Request:
    """Return the draft with its painted mask and final prompt, the same however often it is sent.

    Raises Rejected for a wrong option in the prompt, and for a mask that is no picture.
    """
    request = await drafts.read(context, tenant, draft)
    parsed = grammar.parse(prompt, action=request.action)
    request = replace(
        request,
        key=f"{drafts.PAINTED}{draft}",
        text=parsed.prompt,
        options=override(request.options, parsed.options),
        reply={},
    )
    # Both before it is kept: what is refused leaves nothing behind, and the painter stays open.
    replies.check(context, request)
    await context.pool.run(tasks.inspect, mask)
    key = await context.blobs.keep(tenant, mask)
    return replace(request, mask=Attachment(key=key, name="mask.png"))


async def picture_of(context: Context, request: Request) -> Picture:
    """The picture a draft is about."""
    if request.attachments:
        return await attachments.stored_picture(
            context,
            request,
            request.attachments[0],
        )
    step = await context.store.step(
        request.place.tenant, request.target or StepId("")
    )
    return sessions.picture_at(step, request.index or 0)
