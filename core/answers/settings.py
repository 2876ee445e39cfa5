"""Settings of a channel: shown as a form, changed by those who run it."""

from core import posts, preferences
from core.errors import Rejected
from core.flow.tools import Tools
from core.forms import Form
from core.speech import Post
from core.types import Request


async def form(tools: Tools, request: Request) -> Form:
    """As they stand. Raises Rejected for anybody who may not change them."""
    _must_run_it(request)
    settings = await tools.store.settings(request.place.tenant)
    return preferences.form(preferences.of(settings, request.place.channel), tools.catalog, request.locale)


async def save(tools: Tools, request: Request) -> Post:
    """What the form held."""
    _must_run_it(request)
    settings = await tools.store.settings(request.place.tenant)
    changed = preferences.changed(settings, request.place.channel, request.given, tools.catalog)
    await tools.store.save_settings(request.place.tenant, changed)
    return posts.note("status.saved", request.locale)


def _must_run_it(request: Request) -> None:
    if not request.is_admin:
        raise Rejected("refuse.admins_only")
