"""What ``easel doctor`` asks Slack: token, scopes, clock, channels.

Each finding says whether all is well.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.manifest import SCOPES
from core.i18n import translate

MAX_SKEW = timedelta(minutes=5)
Finding = tuple[str, bool, str]
"""Name, whether it is well, what to say."""


async def bot(client: AsyncWebClient, locale: str) -> list[Finding]:
    """The bot token: whose it is, what it may, whether our clocks agree, where it was invited."""
    try:
        us = await client.auth_test()
    except SlackApiError as error:
        why = translate(
            "doctor.slack_token",
            locale,
            setting="SLACK_BOT_TOKEN",
            reason=str(error.response.get("error", "")),
        )
        return [("slack token", False, why)]
    except (aiohttp.ClientError, TimeoutError, OSError):
        return [("slack token", False, translate("doctor.slack_unreachable", locale))]
    found = [
        (
            "slack token",
            True,
            translate(
                "doctor.slack_us",
                locale,
                name=us.get("user", "?"),
                team=us.get("team", "?"),
            ),
        )
    ]
    given = {
        one.strip() for one in str(us.headers.get("x-oauth-scopes", "")).split(",")
    }
    missing = sorted(set(SCOPES) - given)
    text = (
        translate("doctor.slack_scopes_missing", locale, scopes=missing)
        if missing
        else translate("doctor.slack_scopes", locale)
    )
    found.append(("slack scopes", not missing, text))
    found.append(_clock(str(us.headers.get("date", "")), locale))
    return [*found, await _channels(client, str(us.get("user_id", "")), locale)]


async def app(client: AsyncWebClient, token: str, locale: str) -> Finding:
    """The app token: may it open a connection?"""
    try:
        await client.apps_connections_open(app_token=token)
    except SlackApiError as error:
        reason = str(error.response.get("error", ""))
        return (
            "slack socket",
            False,
            translate(
                "doctor.slack_token", locale, setting="SLACK_APP_TOKEN", reason=reason
            ),
        )
    except (aiohttp.ClientError, TimeoutError, OSError):
        return "slack socket", False, translate("doctor.slack_unreachable", locale)
    return "slack socket", True, translate("doctor.slack_events", locale)


def _clock(date: str, locale: str) -> Finding:
    try:
        off = abs(datetime.now(UTC) - parsedate_to_datetime(date))
    except (ValueError, TypeError):
        off = timedelta()
    well = off < MAX_SKEW
    key = "doctor.slack_clock" if well else "doctor.slack_clock_off"
    return (
        "slack clock",
        well,
        translate(key, locale, seconds=round(off.total_seconds())),
    )


async def _channels(client: AsyncWebClient, user: str, locale: str) -> Finding:
    try:
        kinds = "public_channel,private_channel"
        answer = await client.users_conversations(user=user, types=kinds, limit=200)
    except (SlackApiError, aiohttp.ClientError, TimeoutError, OSError):
        return (
            "slack channels",
            True,
            translate("doctor.slack_channels_unknown", locale),
        )
    found: list[dict[str, str]] = answer.get("channels", [])
    names = [f"#{one.get('name', one['id'])}" for one in found]
    if not names:
        return "slack channels", False, translate("doctor.slack_no_channels", locale)
    return (
        "slack channels",
        True,
        translate("doctor.slack_channels", locale, names=names[:20]),
    )
