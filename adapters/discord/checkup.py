"""What ``easel doctor`` asks Discord: token, intents, clock, servers; and the invitation.

``easel discord-invite`` prints the address that invites the bot with the fewest permissions that
everything needs.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import discord

from adapters.discord.api import Api, DiscordError
from core.errors import DeliveryError
from core.i18n import translate

Row = Mapping[str, Any]
"""An object of Discord's JSON."""

PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    attach_files=True,
    read_message_history=True,
)
INVITE = "https://discord.com/oauth2/authorize"
MAX_SKEW = timedelta(seconds=60)
"""A response can be edited for fifteen minutes by Discord's clock; we stop a minute before."""
MAX_NAMES = 20
Finding = tuple[str, bool, str]
"""Name, whether all is well, what to say."""


def invite(app: str) -> str:
    """The address at which an admin chooses a server to add the bot to."""
    query = {
        "client_id": app,
        "scope": "bot applications.commands",
        "permissions": PERMISSIONS.value,
    }
    return f"{INVITE}?{urlencode(query)}"


def app_of(token: str) -> str:
    """The application a bot token belongs to, "" for anything that is no such token."""
    # The token's first part is the application's id, without the padding of base64.
    encoded = token.partition(".")[0]
    padding = "=" * (-len(encoded) % 4)
    try:
        app = base64.b64decode(encoded + padding, validate=True).decode()
    except ValueError:
        return ""
    return app if app.isdecimal() else ""


async def findings(api: Api, locale: str) -> list[Finding]:
    """Check the token, what we may read, the clocks, and our permissions in each server.

    Raises DeliveryError when Discord is away.
    """
    try:
        await api.open()
        guilds = await api.call("GET", "/users/@me/guilds")
    except DiscordError as error:
        if error.status != 401:
            raise DeliveryError("doctor.discord_unreachable") from None
        text = translate("doctor.discord_token", locale, reason=error.status)
        return [("discord token", False, text)]
    key = "doctor.discord_no_content"
    if api.reads_content:
        key = "doctor.discord_content"
    url = invite(api.app)
    return [
        (
            "discord token",
            True,
            translate("doctor.discord_us", locale, name=api.name),
        ),
        ("discord messages", True, translate(key, locale)),
        _clock(api.date, locale),
        _servers(guilds, url, locale),
        *_permissions(guilds, url, locale),
    ]


def _clock(date: str, locale: str) -> Finding:
    try:
        skew = abs(datetime.now(UTC) - parsedate_to_datetime(date))
    except (ValueError, TypeError):
        skew = timedelta()
    is_right = skew < MAX_SKEW
    key = "doctor.discord_clock" if is_right else "doctor.discord_clock_off"
    text = translate(key, locale, seconds=round(skew.total_seconds()))
    return "discord clock", is_right, text


def _servers(
    guilds: Sequence[Row],
    url: str,
    locale: str,
) -> Finding:
    name = "discord servers"
    if not guilds:
        return (
            name,
            False,
            translate("doctor.discord_no_servers", locale, url=url),
        )
    names = _names_of(guilds)
    return name, True, translate("doctor.discord_servers", locale, names=names)


def _permissions(
    guilds: Sequence[Row],
    url: str,
    locale: str,
) -> list[Finding]:
    if not guilds:
        return []
    lacking = [guild for guild in guilds if not _has_permissions(guild)]
    key = "doctor.discord_permissions"
    if not lacking:
        return [("discord permissions", True, translate(key, locale))]
    text = translate(
        f"{key}_missing",
        locale,
        names=_names_of(lacking),
        permissions=_missing_in(lacking),
        url=url,
    )
    return [("discord permissions", False, text)]


def _names_of(guilds: Sequence[Row]) -> list[str]:
    names = [str(guild.get("name", guild["id"])) for guild in guilds]
    return names[:MAX_NAMES]


def _missing_in(guilds: Sequence[Row]) -> list[str]:
    """The permissions that any of the guilds lacks, as Discord calls them in English."""
    needed = [name for name, is_needed in PERMISSIONS if is_needed]
    granted = [_granted(guild) for guild in guilds]
    missing = {
        name
        for name in needed
        if not all(getattr(permissions, name) for permissions in granted)
    }
    return [name.replace("_", " ").title() for name in sorted(missing)]


def _granted(guild: Row) -> discord.Permissions:
    return discord.Permissions(int(guild.get("permissions", 0)))


def _has_permissions(guild: Row) -> bool:
    granted = _granted(guild)
    return granted.administrator or PERMISSIONS.is_subset(granted)
