"""The app's manifest, from the table of operations: paste it at api.slack.com/apps. Pure."""

from typing import Any

from adapters.slack.decode import SHORTCUT
from core.i18n import translate
from core.operations import command_names

Section = dict[str, Any]
"""A section of the manifest."""

SCOPES = (
    "app_mentions:read",
    "channels:history",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "im:history",
    "im:write",
    "mpim:history",
    "reactions:read",
    "users:read",
)
"""The least that everything needs."""
EVENTS = (
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "member_joined_channel",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "reaction_added",
    "reaction_removed",
    "tokens_revoked",
)
HINTED = frozenset({"draw", "edit", "wanx", "easel"})
"""Commands with an example of what follows them."""
NAME, COLOUR = "Easel", "#1f2937"


def manifest(
    locale: str,
    url: str = "",
    *,
    installable: bool = False,
) -> Section:
    """Build the manifest for Socket Mode, or for HTTP at ``url``.

    ``installable``: in many workspaces, through the bot's own pages.
    """
    # With Socket Mode Slack needs no address to send events to.
    events = _address("request_url", url)
    oauth: Section = {"scopes": {"bot": list(SCOPES)}}
    if url and installable:
        oauth["redirect_urls"] = [f"{url}/slack/oauth_redirect"]
    return {
        "_metadata": {"major_version": 1, "minor_version": 1},
        "display_information": {
            "name": NAME,
            "description": translate("slack.manifest.description", locale),
            "background_color": COLOUR,
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": NAME, "always_online": True},
            "shortcuts": [
                {
                    "name": translate("slack.manifest.shortcut", locale),
                    "type": "message",
                    "callback_id": SHORTCUT,
                    "description": translate(
                        "slack.manifest.shortcut_text", locale
                    ),
                }
            ],
            "slash_commands": [
                _command(name, locale, url) for name in command_names()
            ],
        },
        "oauth_config": oauth,
        "settings": {
            "event_subscriptions": {**events, "bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True, **events},
            "org_deploy_enabled": installable,
            "socket_mode_enabled": not url,
            "token_rotation_enabled": installable,
        },
    }


def _command(name: str, locale: str, url: str) -> Section:
    command: Section = {
        "command": f"/{name}",
        **_address("url", url),
        "description": translate(f"command.{name}.text", locale),
    }
    if name in HINTED:
        hint = translate(f"slack.manifest.hint.{name}", locale)
        command["usage_hint"] = hint
    # The prompt comes as it was typed, names of people and channels included.
    return {**command, "should_escape": False}


def _address(field: str, url: str) -> dict[str, str]:
    return {field: f"{url}/slack/events"} if url else {}
