"""Settings of a channel: shown as a form, changed by those who run it."""

from core import budgets, channel_settings
from core.answers.lookup import require_audience
from core.flow.context import Context
from core.forms import Form
from core.post import Post
from core.types import Request
from core.views import steps


async def form(context: Context, request: Request) -> Form:
    """As they stand. Raises Rejected for anybody who may not change them."""
    require_audience(request)
    settings = await context.store.settings(request.place.tenant)
    wanted = channel_settings.of(settings, request.place.channel)
    return channel_settings.form(
        wanted, budgets.caps(settings), context.catalog, request.locale
    )


async def save(context: Context, request: Request) -> Post:
    """What the form held."""
    require_audience(request)
    settings = await context.store.settings(request.place.tenant)
    settings = budgets.update_caps(settings, request.given)
    given = {
        name: value
        for name, value in request.given.items()
        if name not in budgets.NAMES
    }
    changed = channel_settings.changed(
        settings, request.place.channel, given, context.catalog
    )
    await context.store.save_settings(request.place.tenant, changed)
    return steps.note_post("status.saved", request.locale)
