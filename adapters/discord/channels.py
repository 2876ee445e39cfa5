"""Discord's channels and guilds: threads, age limits, file sizes, language, members."""

from collections.abc import Mapping
from typing import Any

from cachetools import TTLCache

from adapters.discord.api import Api, DiscordError
from adapters.discord.entities import DIRECT
from core.types import Place

Row = Mapping[str, Any]
"""An object of Discord's JSON."""

CACHE_SECONDS = 600.0
CACHE_SIZE = 10_000
SMALLEST_LIMIT = 10 << 20
"""Bytes of a file that can be sent everywhere."""
BOOSTED_LIMITS = {2: 50 << 20, 3: 100 << 20}
"""Bytes of a file by a guild's premium tier."""
UNKNOWN_MEMBER = 10007
THREADS = frozenset({10, 11, 12})


def channel_id(place: Place) -> str:
    """Return the id of the channel to write to."""
    return place.thread or place.channel.removeprefix(DIRECT)


def is_direct(place: Place) -> bool:
    """Whether it is a direct message with one person."""
    return place.channel.startswith(DIRECT)


class ChannelDirectory:
    """Answers of /channels and /guilds, cached.

    Where Discord does not answer, the channel counts as an ordinary one, but as one for adults.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._answers: TTLCache[str, Row] = TTLCache(CACHE_SIZE, CACHE_SECONDS)

    async def find_thread(self, place: Place) -> Place:
        """The same place, as a thread of its parent channel if it is one.

        Raises DiscordError while Discord does not say.
        """
        channel = await self._channel(place.channel)
        if not channel:
            raise DiscordError(0)
        if channel.get("type") not in THREADS or not channel.get("parent_id"):
            return place
        return Place(
            platform=place.platform,
            workspace=place.workspace,
            channel=str(channel["parent_id"]),
            thread=place.channel,
        )

    async def is_restricted(self, place: Place) -> bool:
        """Whether the channel is for adults only. Yes while Discord does not say."""
        if is_direct(place):
            return False
        channel = await self._channel(place.channel)
        return not channel or bool(channel.get("nsfw"))

    async def is_for_adults(self, place: Place) -> bool:
        """Whether the channel is certainly for adults only. No while Discord does not say."""
        if is_direct(place):
            return False
        return bool((await self._channel(place.channel)).get("nsfw"))

    async def file_limit(self, place: Place) -> int:
        """Bytes that a file may have there."""
        if is_direct(place):
            return SMALLEST_LIMIT
        guild = await self._guild(place.workspace)
        return BOOSTED_LIMITS.get(guild.get("premium_tier", 0), SMALLEST_LIMIT)

    async def locale(self, place: Place) -> str:
        """The language a community has chosen, "" elsewhere."""
        if is_direct(place):
            return ""
        guild = await self._guild(place.workspace)
        # Every guild names a language; only communities have chosen theirs.
        if "COMMUNITY" not in guild.get("features", ()):
            return ""
        return str(guild.get("preferred_locale") or "")

    async def has_member(self, workspace: str, person: str) -> bool:
        """Whether the person is in the guild. Yes where Discord does not say."""
        if workspace.startswith(DIRECT):
            return True
        ids = {"guild_id": workspace, "user_id": person}
        member = await self._get("/guilds/{guild_id}/members/{user_id}", ids)
        return member.get("code") != UNKNOWN_MEMBER

    async def _channel(self, channel: str) -> Row:
        return await self._get(
            "/channels/{channel_id}", {"channel_id": channel}
        )

    async def _guild(self, guild: str) -> Row:
        return await self._get("/guilds/{guild_id}", {"guild_id": guild})

    async def _get(
        self,
        path: str,
        ids: Mapping[str, str],
    ) -> Row:
        name = path.format(**ids)
        cached = self._answers.get(name)
        if cached is not None:
            return cached
        try:
            answer: Row = await self._api.call("GET", path, ids)
        except DiscordError as error:
            if not error.permanent:
                return {}
            # A refusal is an answer, too, and remembered: "unknown member" is one.
            answer = {"code": error.code}
        self._answers[name] = answer
        return answer
