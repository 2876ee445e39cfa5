"""A workspace paused by its administrators, and set going again."""

from core.answers.lookup import require_audience
from core.flow.context import Context
from core.post import Post
from core.types import Request
from core.views import steps


async def pause(context: Context, request: Request) -> Post:
    """Begin nothing more here. Running jobs finish, and waiting ones keep waiting."""
    require_audience(request)
    now = context.clock.now()
    await context.store.pause(request.place.tenant, now)
    # The messages of what waits say so.
    context.moved.set()
    return steps.note_post("status.paused", request.locale)


async def resume(context: Context, request: Request) -> Post:
    """Begin what has waited, and what comes."""
    require_audience(request)
    await context.store.resume(request.place.tenant)
    context.resumed.set()
    context.moved.set()
    return steps.note_post("status.resumed", request.locale)
