"""Which session and which step a request means."""

from core.errors import Rejected
from core.flow import prepare
from core.flow.context import Tools
from core.types import Request, Step


async def current(tools: Tools, request: Request) -> tuple[str, Step]:
    """The session and the step meant: the one pressed or replied to, else the session's head."""
    session = await prepare.session_of(tools, request)
    if request.target:
        return session, await prepare.seen(tools, request, request.target)
    head = await prepare.head_of(tools, request, session)
    if head is None:
        raise Rejected("refuse.no_session")
    return session, await tools.store.step(request.place.tenant, head.step)


async def named(tools: Tools, request: Request) -> Step:
    """The step whose id was given, else the current one. Raises NotFound."""
    wanted = request.target or request.text.strip()
    if not wanted:
        return (await current(tools, request))[1]
    return await prepare.seen(tools, request, wanted)


def must_own(request: Request, step: Step) -> None:
    """Raises Rejected for anybody but the step's person and those who run the place."""
    if step.person.id != request.person.id and not request.is_admin:
        raise Rejected("refuse.not_yours", owner=step.person.name)
