"""Fields of Slack's payloads, and the workspace that a payload is of. Pure."""

from collections.abc import Mapping
from typing import Any

PLATFORM = "slack"
Payload = Mapping[str, Any]


def text_of(payload: Payload, name: str) -> str:
    """A text of the payload; "" where it is missing or null."""
    return str(payload.get(name) or "")


def part_of(payload: Payload, name: str) -> Payload:
    """An object of the payload; empty where it is missing or null."""
    part: Payload = payload.get(name) or {}
    return part


def workspace_of_event(body: Payload) -> str:
    """The installation an event was sent to.

    Slack names it first. What else the body names may be the sender's: in a channel shared with
    another organisation, that is not where the bot is installed.
    """
    authorizations = body.get("authorizations") or [body]
    installed = authorizations[0]
    enterprise = text_of(installed, "enterprise_id")
    return workspace_in(installed, enterprise, text_of(installed, "team_id"))


def workspace_of_press(body: Payload) -> str:
    """The installation whose button was pressed.

    A modal names it separately when a user of another organisation submits it.
    """
    team = part_of(body, "team")
    view = part_of(body, "view")
    installed = text_of(view, "app_installed_team_id") or text_of(team, "id")
    enterprise = text_of(part_of(body, "enterprise"), "id")
    enterprise = enterprise or text_of(team, "enterprise_id")
    return workspace_in(body, enterprise, installed)


def workspace_in(installed: Payload, enterprise: str, team: str) -> str:
    """The workspace: the whole organisation where the bot is installed in all of it.

    The payloads of such an installation may name any team of it, or none.
    """
    is_of_all = installed.get("is_enterprise_install") in {True, "true"}
    return workspace_of(enterprise, "" if is_of_all else team)


def us_of(body: Payload) -> str:
    """The bot's own user there."""
    authorizations = body.get("authorizations") or [{}]
    return text_of(authorizations[0], "user_id")


def split(workspace: str) -> tuple[str | None, str | None]:
    """Split a workspace into enterprise and team.

    It is "E1.T1", "T1", or "E1." for an organisation as a whole.
    """
    enterprise, _, team = workspace.rpartition(".")
    return enterprise or None, team or None


def workspace_of(enterprise: str | None, team: str | None) -> str:
    """A workspace's id, the enterprise before it where there is one."""
    team = team or ""
    return f"{enterprise}.{team}" if enterprise else team
