"""What ``easel doctor`` asks Slack: token, scopes, clock, channels."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.manifest import SCOPES
from core.errors import DeliveryError
from core.i18n import translate

MAX_SKEW = timedelta(minutes=5)
MAX_CHANNELS = 20
"""Channels that are named in the answer."""
UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError)
Finding = tuple[str, bool, str]
"""Name, whether all is well, what to say."""


async def bot(client: AsyncWebClient, locale: str) -> list[Finding]:
    """Check the bot token: its owner, its scopes, the clocks, the channels it was invited to.

    Raises DeliveryError when Slack is away.
    """
    name = "slack token"
    try:
        answer = await client.auth_test()
    except SlackApiError as error:
        return [(name, False, _refusal(error, "SLACK_BOT_TOKEN", locale))]
    except UNREACHABLE:
        raise DeliveryError("doctor.slack_unreachable") from None
    user = answer.get("user", "?")
    team = answer.get("team", "?")
    text = translate("doctor.slack_us", locale, name=user, team=team)
    return [
        (name, True, text),
        _scopes(str(answer.headers.get("x-oauth-scopes", "")), locale),
        _clock(str(answer.headers.get("date", "")), locale),
        await _channels(client, str(answer.get("user_id", "")), locale),
    ]


async def app(
    client: AsyncWebClient, token: str, locale: str
) -> list[Finding]:
    """Check the app token: may it open a connection? Raises DeliveryError when Slack is away."""
    name = "slack socket"
    try:
        await client.apps_connections_open(app_token=token)
    except SlackApiError as error:
        return [(name, False, _refusal(error, "SLACK_APP_TOKEN", locale))]
    except UNREACHABLE:
        raise DeliveryError("doctor.slack_unreachable") from None
    return [(name, True, translate("doctor.slack_events", locale))]


def _refusal(error: SlackApiError, setting: str, locale: str) -> str:
    reason = str(error.response.get("error", ""))
    return translate(
        "doctor.slack_token",
        locale,
        setting=setting,
        reason=reason,
    )


def _scopes(header: str, locale: str) -> Finding:
    granted = {scope.strip() for scope in header.split(",")}
    missing = sorted(set(SCOPES) - granted)
    if missing:
        text = translate("doctor.slack_scopes_missing", locale, scopes=missing)
        return "slack scopes", False, text
    return "slack scopes", True, translate("doctor.slack_scopes", locale)


def _clock(date: str, locale: str) -> Finding:
    try:
        skew = abs(datetime.now(UTC) - parsedate_to_datetime(date))
    except (ValueError, TypeError):
        skew = timedelta()
    is_right = skew < MAX_SKEW
    key = "doctor.slack_clock" if is_right else "doctor.slack_clock_off"
    text = translate(key, locale, seconds=round(skew.total_seconds()))
    return "slack clock", is_right, text


async def _channels(client: AsyncWebClient, user: str, locale: str) -> Finding:
    name = "slack channels"
    try:
        kinds = "public_channel,private_channel"
        answer = await client.users_conversations(
            user=user,
            types=kinds,
            limit=200,
        )
    except (SlackApiError, *UNREACHABLE):
        return name, True, translate("doctor.slack_channels_unknown", locale)
    channels: list[dict[str, str]] = answer.get("channels", [])
    if not channels:
        return name, False, translate("doctor.slack_no_channels", locale)
    names: list[str] = []
    for channel in channels:
        channel_name = channel.get("name", channel["id"])
        names.append(f"#{channel_name}")
    text = translate(
        "doctor.slack_channels",
        locale,
        names=names[:MAX_CHANNELS],
    )
    return name, True, text
