"""What ``easel doctor`` asks Discord: token, intents, clock, servers.

Each finding says whether all is well.

Also what ``easel discord-invite`` prints: the address that invites us, asking for the least that
everything needs.
"""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import discord

from adapters.discord.api import Api, DiscordError
from core.i18n import translate

PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    attach_files=True,
    read_message_history=True,
)
INVITE = "https://discord.com/oauth2/authorize"
MAX_SKEW = timedelta(seconds=60)
"""An interaction's answer lives fifteen minutes by Discord's clock; we stop a minute before."""
NAMED = 20
Finding = tuple[str, bool, str]
"""Name, whether it is well, what to say."""


def invite(app: str) -> str:
    """The address at which one chooses a server for us."""
    asked = {
        "client_id": app,
        "scope": "bot applications.commands",
        "permissions": PERMISSIONS.value,
    }
    return f"{INVITE}?{urlencode(asked)}"


def app_of(token: str) -> str:
    """The application a bot token belongs to: its first part says so.

    "" for anything that is no such token.
    """
    first = token.partition(".")[0]
    try:
        found = base64.b64decode(
            first + "=" * (-len(first) % 4), validate=True
        ).decode()
    except ValueError:
        return ""
    return found if found.isdecimal() else ""


async def findings(api: Api, locale: str) -> list[Finding]:
    """Whose the token is, what we may read, whether our clocks agree, where we are and what we may do there."""
    try:
        await api.open()
        guilds = await api.call("GET", "/users/@me/guilds")
    except DiscordError as error:
        key = (
            "doctor.discord_token"
            if error.status == 401
            else "doctor.discord_unreachable"
        )
        return [("discord token", False, translate(key, locale, reason=error.status))]
    content = (
        "doctor.discord_content" if api.reads_content else "doctor.discord_no_content"
    )
    return [
        ("discord token", True, translate("doctor.discord_us", locale, name=api.name)),
        ("discord messages", True, translate(content, locale)),
        _clock(api.date, locale),
        *_servers(guilds, invite(api.app), locale),
    ]


def _clock(date: str, locale: str) -> Finding:
    try:
        off = abs(datetime.now(UTC) - parsedate_to_datetime(date))
    except (ValueError, TypeError):
        off = timedelta()
    well = off < MAX_SKEW
    key = "doctor.discord_clock" if well else "doctor.discord_clock_off"
    return (
        "discord clock",
        well,
        translate(key, locale, seconds=round(off.total_seconds())),
    )


def _servers(guilds: list[Mapping[str, Any]], url: str, locale: str) -> list[Finding]:
    if not guilds:
        return [
            (
                "discord servers",
                False,
                translate("doctor.discord_no_servers", locale, url=url),
            )
        ]
    names = [str(one.get("name", one["id"])) for one in guilds]
    lacking = [
        str(one.get("name", one["id"]))
        for one in guilds
        if not _has_all(int(one.get("permissions", 0)))
    ]
    found = [
        (
            "discord servers",
            True,
            translate("doctor.discord_servers", locale, names=names[:NAMED]),
        )
    ]
    if lacking:
        text = translate(
            "doctor.discord_permissions_missing", locale, names=lacking[:NAMED], url=url
        )
        return [*found, ("discord permissions", False, text)]
    return [
        *found,
        ("discord permissions", True, translate("doctor.discord_permissions", locale)),
    ]


def _has_all(permissions: int) -> bool:
    rights = discord.Permissions(permissions)
    return rights.administrator or PERMISSIONS.is_subset(rights)
