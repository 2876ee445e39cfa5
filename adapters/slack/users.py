"""Who somebody is at Slack: name, language, whether they run the workspace.

Known for a minute, no longer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cachetools import TTLCache

from adapters.slack.api import SlackApi
from adapters.slack.decode import split
from core.errors import DeliveryError
from core.text import clean

KNOWN_SECONDS = 60.0
"""What a person may do is asked afresh after this."""
MOST = 10_000
NAME = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class UserProfile:
    """What Slack says of somebody."""

    name: str
    locale: str
    is_admin: bool
    is_bot: bool


class UserDirectory:
    """users.info, remembered."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api
        self._known: TTLCache[tuple[str, str], UserProfile] = TTLCache(
            MOST, KNOWN_SECONDS
        )

    async def find(self, workspace: str, person: str) -> UserProfile | None:
        """None when Slack does not tell."""
        known = self._known.get((workspace, person))
        if known is not None:
            return known
        try:
            user = (
                await self._api.look(
                    workspace, "users.info", user=person, include_locale="true"
                )
            )["user"]
        except (DeliveryError, KeyError):
            return None
        profile = user.get("profile") or {}
        name = (
            profile.get("display_name")
            or user.get("real_name")
            or user.get("name")
            or person
        )
        found = UserProfile(
            name=clean(str(name)).replace("\n", " ")[:NAME] or person,
            locale=str(user.get("locale") or ""),
            is_admin=is_admin(user, workspace),
            is_bot=bool(user.get("is_bot")) or person == "USLACKBOT",
        )
        self._known[workspace, person] = found
        return found


def is_admin(user: Mapping[str, Any], workspace: str) -> bool:
    """Whoever comes in through Slack Connect runs a workspace elsewhere, not this one."""
    enterprise, team = split(workspace)
    there = user.get("enterprise_user") or {}
    if (
        enterprise
        and there.get("enterprise_id") == enterprise
        and (there.get("is_admin") or there.get("is_owner"))
    ):
        return True
    is_of_team = user.get("team_id") == team or team in there.get("teams", ())
    is_ours = team is not None and is_of_team and not user.get("is_stranger")
    return is_ours and bool(user.get("is_admin") or user.get("is_owner"))
