"""Which session and which step a request means."""

from core.errors import Rejected
from core.flow import heads
from core.flow.context import Context
from core.operations import OPERATIONS, Audience
from core.types import Request, SessionId, Step, StepId


async def current_step(
    context: Context,
    request: Request,
) -> tuple[SessionId, Step]:
    """The session and the step meant: the one pressed or replied to, else the session's head."""
    session = await heads.session_of(context, request)
    if request.target:
        return session, await heads.visible_step(
            context,
            request,
            request.target,
        )
    head = await heads.head_of(context, request, session)
    if head is None:
        raise Rejected("refuse.no_session")
    return session, await context.store.step(request.place.tenant, head.step)


async def resolve_step(context: Context, request: Request) -> Step:
    """The step with the given id, else the current one. Raises NotFound."""
    id = request.target or request.text.strip()
    if not id:
        return (await current_step(context, request))[1]
    return await heads.visible_step(context, request, StepId(id))


def require_audience(request: Request, step: Step | None = None) -> None:
    """Raise Rejected for a person who may not ask for this operation, or not for this step."""
    if request.is_admin:
        return
    audience = OPERATIONS[request.action].audience
    if audience is Audience.ADMIN:
        raise Rejected("refuse.admins_only")
    if (
        audience is Audience.OWNER
        and step
        and step.person.id != request.person.id
    ):
        raise Rejected("refuse.not_yours", owner=step.person.name)
