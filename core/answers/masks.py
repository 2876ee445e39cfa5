"""Masks: the painter and the quick regions.

A draft keeps the request until it is known what should change.
"""

from dataclasses import replace

from core import sessions
from core.answers.lookup import current_step
from core.errors import Rejected
from core.flow import prepare, replies
from core.flow.context import Context
from core.options import REGIONS
from core.post import Post
from core.types import Action, Attachment, Picture, Request, from_json

PAINTED = "painted:"
"""What the key of a job made of a draft begins with: the same draft is the same job."""


def draft_of(job: Request) -> str | None:
    """The draft a job was made of."""
    return job.key.removeprefix(PAINTED) if job.key.startswith(PAINTED) else None


async def offer(context: Context, request: Request) -> Post:
    """Which part? The request waits, with the very picture it means, for a mask."""
    if not request.attachments:
        session, step = await current_step(context, request)
        head = await prepare.head_of(context, request, session)
        index = request.index if request.target else head.index if head else 0
        sessions.picture_at(step, index or 0)
        request = replace(request, target=step.id, index=index or 0)
    return await replies.offer_mask(context, replace(request, action=Action.INPAINT))


async def complete_with_region(context: Context, request: Request) -> Request:
    """The draft a region button belongs to, with that region.

    Its words and picture, the presser's hands.
    """
    draft = await read_draft(context, request.place.tenant, request.target or "")
    if draft.person.id != request.person.id:
        raise Rejected("refuse.not_yours", owner=draft.person.name)
    region = REGIONS[min(request.index or 0, len(REGIONS) - 1)]
    given = {**draft.given, "mask": region}
    return replace(
        draft,
        key=f"{PAINTED}{request.target}",
        given=given,
        locale=request.locale,
        reply=request.reply,
    )


async def read_draft(context: Context, tenant: str, draft: str) -> Request:
    """The draft as a request. Raises NotFound; Rejected when it was used already."""
    kept, used = await context.drafts.read(tenant, draft)
    if used:
        raise Rejected("link.used")
    return from_json(Request, kept)


async def complete_with_mask(
    context: Context, tenant: str, draft: str, mask: bytes, prompt: str
) -> Request:
    """The draft with its mask painted and its prompt settled; the same however often it is sent."""
    request = await read_draft(context, tenant, draft)
    key = await context.blobs.keep(tenant, mask)
    return replace(
        request,
        key=f"{PAINTED}{draft}",
        text=prompt,
        mask=Attachment(key=key, name="mask.png"),
        reply={},
    )


async def picture_of(context: Context, request: Request) -> Picture:
    """The picture a draft is about."""
    if request.attachments:
        return await prepare.stored_picture(context, request, request.attachments[0])
    step = await context.store.step(request.place.tenant, request.target or "")
    return sessions.picture_at(step, request.index or 0)
