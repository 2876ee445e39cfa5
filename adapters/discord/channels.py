"""What Discord tells of channels and guilds, remembered for ten minutes.

Threads, age limits, file sizes, language.
"""

from collections.abc import Mapping
from typing import Any

from cachetools import TTLCache

from adapters.discord.api import Api, DiscordError
from adapters.discord.decode import DIRECT
from core.types import Place

KNOWN_SECONDS = 600.0
MOST = 10_000
SIZES = {2: 50 << 20, 3: 100 << 20}
LEAST = 10 << 20
"""Bytes of a file everybody may send; more in guilds that are boosted."""
NO_MEMBER = 10007
THREADS = frozenset({10, 11, 12})


def channel_id(place: Place) -> str:
    """The channel to write to, as Discord names it."""
    return place.thread or place.channel.removeprefix(DIRECT)


def is_direct(place: Place) -> bool:
    """Is it where only one person and we speak?"""
    return place.channel.startswith(DIRECT)


class ChannelDirectory:
    """GET /channels and /guilds, remembered.

    What Discord does not tell is as in an ordinary channel.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: TTLCache[str, Mapping[str, Any]] = TTLCache(MOST, KNOWN_SECONDS)

    async def find_thread(self, place: Place) -> Place:
        """The place, its channel's parent looked up where it is a thread."""
        found = await self._channel(place.channel)
        if found.get("type") not in THREADS or not found.get("parent_id"):
            return place
        return Place(
            platform=place.platform,
            workspace=place.workspace,
            channel=str(found["parent_id"]),
            thread=place.channel,
        )

    async def is_restricted(self, place: Place) -> bool:
        """Is it for adults only?"""
        return not is_direct(place) and bool(
            (await self._channel(place.channel)).get("nsfw")
        )

    async def largest(self, place: Place) -> int:
        """Bytes a file may have there."""
        if is_direct(place):
            return LEAST
        return SIZES.get(
            (await self._guild(place.workspace)).get("premium_tier", 0), LEAST
        )

    async def locale(self, place: Place) -> str:
        """The language a community has chosen, "" where nobody has."""
        if is_direct(place):
            return ""
        guild = await self._guild(place.workspace)
        return (
            str(guild.get("preferred_locale") or "")
            if "COMMUNITY" in guild.get("features", ())
            else ""
        )

    async def has_member(self, workspace: str, person: str) -> bool:
        """Is the person still in the guild?

        Yes where Discord does not tell, as where we are no member ourselves.
        """
        if workspace.startswith(DIRECT):
            return True
        found = await self._look(
            "/guilds/{guild_id}/members/{user_id}",
            {"guild_id": workspace, "user_id": person},
        )
        return found.get("code") != NO_MEMBER

    async def _channel(self, channel: str) -> Mapping[str, Any]:
        return await self._look("/channels/{channel_id}", {"channel_id": channel})

    async def _guild(self, guild: str) -> Mapping[str, Any]:
        return await self._look("/guilds/{guild_id}", {"guild_id": guild})

    async def _look(self, path: str, ids: Mapping[str, str]) -> Mapping[str, Any]:
        name = path.format(**ids)
        known = self._known.get(name)
        if known is not None:
            return known
        try:
            found: Mapping[str, Any] = await self._api.call("GET", path, ids)
        except DiscordError as error:
            if not error.permanent:
                return {}
            found = {"code": error.code}
        self._known[name] = found
        return found
