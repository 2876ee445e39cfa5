"""Who a Slack user is: name, language, whether they run the workspace."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache, TTLCache

from adapters.slack.api import SlackApi
from adapters.slack.payloads import split
from core.errors import DeliveryError
from core.text import clean

CACHE_SECONDS = 60.0
"""What a person may do is asked again after this."""
CACHE_SIZE = 10_000
LOOK_SECONDS = 1.0
"""How long a look may take that an answer can do without."""
NAME_LENGTH = 80
SLACKBOT = "USLACKBOT"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserProfile:
    """What Slack says of a user."""

    name: str
    locale: str
    is_admin: bool
    is_bot: bool


class UserDirectory:
    """Answers of users.info, cached for a minute; older ones serve where Slack takes its time."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api
        self._profiles: TTLCache[tuple[str, str], UserProfile] = TTLCache(
            CACHE_SIZE, CACHE_SECONDS
        )
        self._earlier: LRUCache[tuple[str, str], UserProfile] = LRUCache(
            CACHE_SIZE
        )

    async def find(self, workspace: str, person: str) -> UserProfile | None:
        """Return the profile, None when Slack does not tell within a second."""
        profile = self._profiles.get((workspace, person))
        if profile is not None:
            return profile
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                user = await self._ask(workspace, person)
        except (DeliveryError, KeyError, TimeoutError):
            return self._earlier.get((workspace, person))
        profile = UserProfile(
            name=_name_of(user) or person,
            locale=str(user.get("locale") or ""),
            is_admin=is_admin(user, workspace),
            is_bot=bool(user.get("is_bot")) or person == SLACKBOT,
        )
        self._profiles[workspace, person] = profile
        self._earlier[workspace, person] = profile
        return profile

    async def _ask(self, workspace: str, person: str) -> Mapping[str, Any]:
        """Raises DeliveryError, or KeyError for an answer without the user."""
        answer = await self._api.get(
            workspace,
            "users.info",
            user=person,
            include_locale="true",
        )
        user: Mapping[str, Any] = answer["user"]
        return user


def _name_of(user: Mapping[str, Any]) -> str:
    profile = user.get("profile") or {}
    # What people chose to be called comes before what they are called elsewhere.
    candidates = (
        profile.get("display_name"),
        user.get("real_name"),
        user.get("name"),
    )
    name = next(filter(None, candidates), "")
    one_line = clean(str(name)).replace("\n", " ")
    return one_line[:NAME_LENGTH]


def is_admin(user: Mapping[str, Any], workspace: str) -> bool:
    """Does the user run this workspace? Guests from Slack Connect run another one."""
    enterprise, team = split(workspace)
    grid = user.get("enterprise_user") or {}
    is_in_enterprise = grid.get("enterprise_id") == enterprise
    if enterprise and is_in_enterprise and _is_in_charge(grid):
        return True
    if team is None or user.get("is_stranger"):
        return False
    teams = [user.get("team_id"), *grid.get("teams", ())]
    return team in teams and _is_in_charge(user)


def _is_in_charge(user: Mapping[str, Any]) -> bool:
    return bool(user.get("is_admin") or user.get("is_owner"))
