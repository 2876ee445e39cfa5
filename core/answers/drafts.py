"""Drafts: requests that wait for one more answer of their person."""

from dataclasses import replace

from core.earlier import read_request
from core.errors import Rejected
from core.flow.context import Context
from core.types import Request, Tenant

PAINTED = "painted:"
"""What the key of a job made of a draft begins with: the same draft is the same job."""


def draft_of(job: Request) -> str | None:
    """The draft a job was made of."""
    return (
        job.key.removeprefix(PAINTED) if job.key.startswith(PAINTED) else None
    )


def job_of(draft: Request, press: Request) -> Request:
    """The job a draft becomes by a button: its words and picture, the presser's hands."""
    return replace(
        draft,
        key=f"{PAINTED}{press.target}",
        locale=press.locale,
        reply=press.reply,
        closed=press.closed,
    )


async def read(context: Context, tenant: Tenant, draft: str) -> Request:
    """The draft as a request. Raises NotFound; Rejected when it was used already."""
    row, is_used = await context.drafts.read(tenant, draft)
    if is_used:
        raise Rejected("link.used")
    return read_request(row)


async def read_own(context: Context, press: Request) -> Request:
    """The draft whose button was pressed. Raises Rejected for another person's."""
    draft = await read(context, press.place.tenant, press.target or "")
    if draft.person.id != press.person.id:
        raise Rejected("refuse.not_yours", owner=draft.person.name)
    return draft


async def consume(context: Context, job: Request) -> None:
    """The draft a job was made of is used once the job is taken."""
    draft = draft_of(job)
    if draft is not None:
        await context.drafts.use(job.place.tenant, draft)
