"""A file that could not be had: the words that follow must not edit another picture instead."""

import hashlib
from datetime import datetime

from core import sessions
from core.errors import NotFound, Rejected
from core.flow.context import Context
from core.types import Request, Step


async def note(context: Context, request: Request) -> None:
    """Note that what a person attached could not be had."""
    now = context.clock.now()
    row = {"at": now.isoformat()}
    await context.drafts.put(request.place.tenant, _draft(request), row, now)


async def require_clear(
    context: Context, request: Request, latest: Step
) -> None:
    """Make sure that words without a picture mean the latest result.

    Raises Rejected, once, when a file of the person's has been lost since then.
    """
    tenant = request.place.tenant
    try:
        row, was_told = await context.drafts.read(tenant, _draft(request))
    except NotFound:
        return
    is_older = datetime.fromisoformat(row["at"]) < latest.created
    if is_older or was_told:
        return
    await context.drafts.use(tenant, _draft(request))
    raise Rejected("refuse.lost_file", version=latest.number)


def _draft(request: Request) -> str:
    session = sessions.person_session(request.place, request.person.id)
    digest = hashlib.sha256(session.encode()).hexdigest()
    return f"lost:{digest[:20]}"
