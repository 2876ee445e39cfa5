"""The audit log, shown to administrators."""

from core import audit
from core.answers.lookup import require_audience
from core.flow.context import Context
from core.post import Post
from core.text import is_whole_number
from core.types import Request
from core.views.audit import audit_post


async def show(context: Context, request: Request) -> Post:
    """A page of the log, the newest first. Raises Rejected for who may not see it."""
    require_audience(request)
    store = context.store
    tenant = request.place.tenant
    count = await store.count_audit(tenant)
    pages = max(1, -(-count // audit.PAGE))
    page = min(_page_number(request.text), pages)
    offset = (page - 1) * audit.PAGE
    entries = await store.audit(tenant, audit.PAGE, offset)
    return audit_post(entries, page, pages, request.locale)


def _page_number(text: str) -> int:
    typed = text.strip()
    number = int(typed[:6]) if is_whole_number(typed) else 1
    return max(number, 1)
