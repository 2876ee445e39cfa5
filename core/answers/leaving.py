"""What a person may take along, and being forgotten.

To be forgotten takes a question first, and then one durable note that it shall be done.
"""

from datetime import timedelta

from core import sessions
from core.answers import drafts
from core.flow import forgetting
from core.flow.context import Context
from core.post import Post
from core.signed_links import Purpose
from core.types import Request, to_json
from core.views import people, steps

EXPORT_LIFE = timedelta(hours=1)
"""How long the link to an export works."""


async def export(context: Context, request: Request) -> Post:
    """Give a person alone the link to all that is kept of them."""
    claims = {"t": request.place.tenant, "p": request.person.id}
    until = context.clock.now() + EXPORT_LIFE
    url = context.links.url(Purpose.EXPORT, claims, until)
    return people.export_post(url, request.person.id, request.locale)


async def offer(context: Context, request: Request) -> Post:
    """Say what goes and what stays, with the button that does it."""
    draft = sessions.step_id(request)
    now = context.clock.now()
    tenant = request.place.tenant
    await context.drafts.save(tenant, draft, to_json(request), now)
    return people.forget_question(draft, request.locale)


async def forget(context: Context, request: Request) -> Post:
    """Forget who asked. Raises Rejected for another person's question."""
    question = await drafts.read_own(context, request)
    await forgetting.request_forgetting(
        context, request.place, question.person
    )
    return steps.note_post("people.forgetting", request.locale)
