"""Whether a workspace takes a request at all, as its administrators have settled it."""

from core import channel_settings, permissions, sessions
from core.channel_settings import Preferences
from core.errors import Rejected
from core.flow.context import Context
from core.types import Place, Request


async def preferences_in(context: Context, place: Place) -> Preferences:
    """The settings that hold in a place."""
    settings = await context.store.settings(place.tenant)
    return channel_settings.preferences_of(settings, place.channel)


async def require(context: Context, request: Request) -> None:
    """Raise Rejected for a request that is not taken, before anything is kept or paid for.

    What Again and Re-run would do is known only when they are planned.
    """
    preferences = await preferences_in(context, request.place)
    permissions.require_person(preferences, request)
    if not request.action.makes_pictures:
        return
    if await context.store.has_pause(request.place.tenant):
        raise Rejected("refuse.paused")
    if not sessions.same_again(request.action):
        permissions.require_work(
            preferences,
            request,
            request.action,
            request.text,
        )
