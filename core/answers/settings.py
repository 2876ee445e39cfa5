"""Settings of a channel: shown as a form, changed by those who run it."""

from core import audit, budgets, channel_settings, permissions
from core.answers.lookup import require_audience
from core.flow.context import Context
from core.forms import Form
from core.post import Post
from core.types import Request
from core.views import steps


async def form(context: Context, request: Request) -> Form:
    """The form with the settings as they are. Raises Rejected for who may not change them."""
    require_audience(request)
    settings = await context.store.settings(request.place.tenant)
    preferences = channel_settings.preferences_of(
        settings, request.place.channel
    )
    return channel_settings.settings_form(
        preferences,
        budgets.caps(settings),
        context.catalog,
        request.locale,
    )


async def save(context: Context, request: Request) -> Post:
    """Save what the form held. Raises Rejected for who may not change it."""
    require_audience(request)
    permissions.require_not_oneself(request, request.values)
    before = await context.store.settings(request.place.tenant)
    settings = budgets.update_caps(
        before,
        request.values,
        context.catalog.currencies_of(context.accounts),
    )
    texts = {
        name: text
        for name, text in request.values.items()
        if name not in budgets.NAMES
    }
    settings = channel_settings.update(
        settings,
        request.place.channel,
        texts,
        context.catalog,
    )
    entries = audit.changes_by(request, before, settings, context.clock.now())
    await context.store.save_settings(request.place.tenant, settings, entries)
    return steps.note_post("status.saved", request.locale)
