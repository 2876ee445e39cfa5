"""Who somebody is at Slack: name, language, whether they run the workspace. Known for a minute, no longer."""

import time
from dataclasses import dataclass

from adapters.slack.api import SlackApi
from core import grammar
from core.errors import DeliveryError

KNOWN_SECONDS = 60.0
"""What a person may do is asked afresh after this."""
MOST = 10_000
NAME = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What Slack says of somebody."""

    name: str
    locale: str
    is_admin: bool
    is_bot: bool


class People:
    """users.info, remembered."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api
        self._known: dict[tuple[str, str], tuple[Known, float]] = {}

    async def find(self, workspace: str, person: str) -> Known | None:
        """None when Slack does not tell."""
        known = self._known.get((workspace, person))
        if known and time.monotonic() - known[1] < KNOWN_SECONDS:
            return known[0]
        try:
            user = (await self._api.look(workspace, "users.info", user=person, include_locale="true"))["user"]
        except (DeliveryError, KeyError):
            return None
        if len(self._known) >= MOST:
            self._known.clear()
        profile = user.get("profile") or {}
        name = profile.get("display_name") or user.get("real_name") or user.get("name") or person
        found = Known(
            name=grammar.clean(str(name)).replace("\n", " ")[:NAME] or person,
            locale=str(user.get("locale") or ""),
            is_admin=bool(user.get("is_admin") or user.get("is_owner")),
            is_bot=bool(user.get("is_bot")) or person == "USLACKBOT",
        )
        self._known[workspace, person] = (found, time.monotonic())
        return found
