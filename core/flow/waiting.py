"""A request that waits for pictures its platform does not give now: told, cancelled, or too old.

There is no step yet: it waits in the inbox, and a draft remembers since when.
"""

from datetime import datetime, timedelta
from typing import Any

from core import sessions
from core.earlier import read_request
from core.errors import EaselError, NotFound, Rejected
from core.flow.context import Context, intend_post
from core.post import Post
from core.types import MessageRole, Request, Tenant, to_json
from core.views import steps

LIFE = timedelta(hours=23)
"""How long a file is waited for: links of files, and drafts, live for a day."""


class Withdrawn(EaselError):
    """The person has cancelled a request that waited."""


async def check(context: Context, request: Request) -> None:
    """Raise Withdrawn for a request that was cancelled while it waited."""
    if not request.attachments and request.mask is None:
        return
    _, is_withdrawn = await _read(
        context,
        request.place.tenant,
        sessions.step_id(request),
    )
    if is_withdrawn:
        raise Withdrawn("status.cancelled")


async def wait(context: Context, request: Request) -> None:
    """Note that a request waits; the caller tries again.

    Its person is told when it is more than a hiccup. Raises Rejected when it has waited too long.
    """
    job = sessions.step_id(request)
    now = context.clock.now()
    row, _ = await _read(context, request.place.tenant, job)
    if not row:
        row = {"since": now.isoformat(), "request": to_json(request)}
        tenant = request.place.tenant
        await context.drafts.save(tenant, _draft(job), row, now)
        return
    if now - datetime.fromisoformat(row["since"]) > LIFE:
        raise Rejected("refuse.file_never_came", platform=_name(request))
    # What is private is not said where it cannot be found again, to be changed.
    if not request.options.private:
        post = steps.awaited_file_post(request, job, _name(request))
        await _post_once(context, request, post)


async def withdraw(context: Context, press: Request) -> Post:
    """Cancel a request that waits.

    Raises NotFound when there is none, or it is not the person's.
    """
    tenant = press.place.tenant
    job = press.target or ""
    row, _ = await _read(context, tenant, job)
    if not row:
        raise NotFound("refuse.not_found", id=job)
    request = read_request(row["request"])
    if request.person.id != press.person.id and not press.is_admin:
        raise Rejected("refuse.not_yours", owner=request.person.name)
    await context.drafts.use(tenant, _draft(job))
    await show_end(context, request, Withdrawn("status.cancelled"))
    return steps.note_post("status.cancelled", press.locale)


async def show_end(
    context: Context,
    request: Request,
    error: EaselError,
) -> bool:
    """Turn the message of a request that waited into its end. False when there is no message."""
    job = sessions.step_id(request)
    row, _ = await _read(context, request.place.tenant, job)
    if not row:
        return False
    chat = context.chats[request.place.platform]
    sent = await chat.find(request.place, job)
    if sent is None:
        return False
    await chat.update(sent, steps.ended_wait_post(error, request.locale, job))
    return True


async def _read(
    context: Context,
    tenant: Tenant,
    job: str,
) -> tuple[dict[str, Any], bool]:
    """What is noted of a request that waits, and whether it was withdrawn; empty for none."""
    try:
        return await context.drafts.read(tenant, _draft(job))
    except NotFound:
        return {}, False


async def _post_once(context: Context, request: Request, post: Post) -> None:
    """Post what becomes the status message of the step, unless it is there."""
    role = MessageRole.STATUS
    if await intend_post(context, request.place, post.job, role) is None:
        await context.chats[request.place.platform].post(
            request.place,
            post,
            to=request.person,
            reply=request.reply,
        )


def _draft(job: str) -> str:
    return f"waits:{job}"


def _name(request: Request) -> str:
    return request.place.platform.capitalize()
