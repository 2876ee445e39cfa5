"""Moving the head: undo, redo, pick. Free, and nothing is forgotten."""

from core import sessions
from core.answers.lookup import current_step
from core.errors import Rejected
from core.flow import heads
from core.flow.context import Context
from core.post import Post
from core.text import is_whole_number
from core.types import Head, Request, SessionId, Step, StepId
from core.views import pictures


async def undo(context: Context, request: Request) -> Post:
    """Move to the picture before."""
    session, step = await current_step(context, request)
    return await _move(context, request, session, sessions.undo(step))


async def redo(context: Context, request: Request) -> Post:
    """Move to the newest picture made from the step named, else from the head."""
    session = await heads.session_of(context, request)
    head = await heads.head_of(context, request, session)
    source = request.target or (head.step if head else None)
    if source:
        # What was made from it must not reveal a step that the person may not see.
        await heads.visible_step(context, request, source)
    newest = await _newest_from(context, request, session, source)
    if newest is None:
        raise Rejected("refuse.nothing_to_redo")
    return await _move(context, request, session, Head(step=newest.id))


async def _newest_from(
    context: Context,
    request: Request,
    session: SessionId,
    source: StepId | None,
) -> Step | None:
    """The newest step made from a source; in a person's own session also of the private ones."""
    place, person = request.place, request.person.id
    parts = [session]
    if session == sessions.person_session(place, person):
        parts.append(sessions.private_session(place, person))
    candidates = [
        await context.store.newest_from(place.tenant, part, source)
        for part in parts
    ]
    made = [step for step in candidates if step is not None]
    return max(made, key=lambda step: step.created, default=None)


async def pick(context: Context, request: Request) -> Post:
    """Choose one of a step's pictures; its own person's pick settles the step."""
    session, step = await current_step(context, request)
    index = request.index or 0
    typed = request.text.strip()
    if is_whole_number(typed):
        # No step has a hundred pictures.
        index = int(typed[:2]) - 1
    sessions.picture_at(step, index)
    return await _move(
        context,
        request,
        session,
        Head(step=step.id, index=index),
    )


async def _move(
    context: Context,
    request: Request,
    session: SessionId,
    head: Head,
) -> Post:
    tenant = request.place.tenant
    step = await context.store.step(tenant, head.step)
    sessions.picture_at(step, head.index)
    own_session = sessions.person_session(request.place, request.person.id)
    for moved in {session, own_session}:
        await context.store.move_head(tenant, moved, head)
    newest = await _newest_from(context, request, session, step.id)
    return pictures.head_post(
        step,
        head.index,
        request.person,
        request.locale,
        may_redo=newest is not None,
    )
