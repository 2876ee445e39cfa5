"""Check a request against the rules that a workspace's administrators have set."""

from core import audit, channel_settings, permissions, sessions
from core.channel_settings import Preferences
from core.errors import EaselError, Rejected
from core.flow.context import Context
from core.operations import OPERATIONS
from core.types import Place, Request


async def preferences_in(context: Context, place: Place) -> Preferences:
    """The settings that hold in a place."""
    settings = await context.store.settings(place.tenant)
    return channel_settings.preferences_of(settings, place.channel)


async def require(context: Context, request: Request) -> None:
    """Raise Rejected for a request that is not taken, before anything is kept or paid for."""
    try:
        await _check(context, request)
    except Rejected as error:
        await note_refusal(context, request, error)
        raise


async def note_refusal(
    context: Context, request: Request, error: EaselError
) -> None:
    """Record what the workspace's own rules refuse; nothing for any other refusal."""
    entry = audit.refusal(request, error, context.clock.now())
    if entry is not None:
        await context.store.record(request.place.tenant, [entry])


async def note_act(context: Context, request: Request) -> None:
    """Record an act in the audit log, if it belongs there."""
    if OPERATIONS[request.action].audited:
        entry = audit.act_of(request, context.clock.now())
        await context.store.record(request.place.tenant, [entry])


async def _check(context: Context, request: Request) -> None:
    """Raise Rejected for what the rules refuse, as far as the request says what it is."""
    preferences = await preferences_in(context, request.place)
    permissions.require_person(preferences, request)
    if not request.action.makes_pictures:
        return
    if await context.store.has_pause(request.place.tenant):
        raise Rejected("refuse.paused")
    # Again and Re-run repeat another step: what they would do is known when they are planned.
    if not sessions.same_again(request.action):
        permissions.require_work(
            preferences,
            request,
            request.action,
            request.text,
        )
