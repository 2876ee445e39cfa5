"""The gateway: discord.py's client, and somebody who looks after it.

It reconnects by itself. Where it gives up, or stays silent too long, a new one is made, never so
often that Discord takes the token away (1,000 IDENTIFYs a day); what only the operator can mend
ends the process with one line.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import discord
import structlog
from yarl import URL

from adapters.discord.api import Api
from adapters.discord.app import DiscordApp
from core.errors import DeliveryError

LEAST = discord.Intents(
    guilds=True,
    guild_messages=True,
    dm_messages=True,
    guild_reactions=True,
    dm_reactions=True,
)
"""None of them privileged. With message_content, plain words in threads of ours are read, too."""
FATAL = frozenset({4004, 4010, 4011, 4012, 4013, 4014})
SILENCE = 300.0
"""Seconds without a living connection after which the client is made anew."""
LOOK, READY = 5.0, 0.5
FIRST_PAUSE, LONGEST_PAUSE, STEADY = 5.0, 300.0, 600.0

log = structlog.get_logger()


class EventClient(discord.Client):
    """Hands on what it hears. Lean: no messages, no members, nothing asked for at start."""

    app: DiscordApp

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """A command, a press, a filled modal."""
        await _safely(self.app.interaction(interaction))

    async def on_message(self, message: discord.Message) -> None:
        """Something was said."""
        await _safely(self.app.message(message))

    async def on_raw_reaction_add(self, event: discord.RawReactionActionEvent) -> None:
        """A reaction came."""
        await _safely(self.app.reaction(event, self.get_channel(event.channel_id)))

    async def on_raw_reaction_remove(
        self, event: discord.RawReactionActionEvent
    ) -> None:
        """A reaction went."""
        await _safely(self.app.reaction(event, self.get_channel(event.channel_id)))

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """We were removed; a guild that is only unavailable does not come here."""
        joined = guild.me.joined_at if guild.me else None  # type: ignore[truthy-bool]  # not in every cache
        await _safely(self.app.left(guild.id, int(joined.timestamp()) if joined else 0))


class SingleClient(EventClient):
    """One connection.

    It goes on with its session as long as Discord remembers it, so that nothing is lost.
    """

    @property
    def is_alive(self) -> bool:
        """Is it connected?"""
        return self.is_ready() and self.ws.open


class ShardedClient(EventClient, discord.AutoShardedClient):
    """As many connections as Discord asks for, once there are thousands of guilds."""

    @property
    def is_alive(self) -> bool:
        """Is every one connected?"""
        return self.is_ready() and not any(
            one.is_closed() for one in self.shards.values()
        )


def _guard(client: discord.Client) -> None:
    """One event that discord.py cannot read must not end its client and its session (a private name: tested)."""
    parsers = client._connection.parsers
    parsers.update({event: _guarded(event, read) for event, read in parsers.items()})


def _guarded(event: str, read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def carefully(data: Any) -> Any:
        try:
            return read(data)
        except Exception as error:
            log.error("event_unreadable", event_name=event, error=type(error).__name__)
            return None

    return carefully


async def _safely(what: Awaitable[None]) -> None:
    """One event that breaks must not be silence in the log.

    Discord.py's own words may hold tokens.
    """
    try:
        await what
    except Exception:
        log.exception("event_broke")


class Gateway:
    """``lost`` ends the process.

    ``pause`` seconds before the first new client, then twice as long each time.
    """

    def __init__(
        self,
        app: DiscordApp,
        api: Api,
        token: str,
        lost: Callable[[], None],
        *,
        content: bool = False,
        pause: float = FIRST_PAUSE,
        silence: float = SILENCE,
    ) -> None:
        self._app = app
        self._api = api
        self._token = token
        self._lost = lost
        self._intents = discord.Intents(**{**dict(LEAST), "message_content": content})
        self._pause = pause
        self._silence = silence
        self._client: SingleClient | ShardedClient | None = None
        self._tasks: list[asyncio.Task[None]] = []
        logging.getLogger("discord").setLevel(logging.CRITICAL)
        discord.VoiceClient.warn_nacl = False

    def open(self) -> None:
        """Connect, now or as soon as Discord can be reached."""
        self._tasks = [
            asyncio.create_task(self._run(), name="discord gateway"),
            asyncio.create_task(self._watch(), name="discord watchdog"),
        ]

    async def close(self) -> None:
        """Take nothing more in."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def check(self) -> None:
        """Raise DeliveryError while there is no living connection."""
        if self._client is None or not self._client.is_alive:
            raise DeliveryError("discord.refused", code="not connected")

    async def _run(self) -> None:
        pause = self._pause
        while True:
            began = time.monotonic()
            code = await self._live()
            if code in FATAL:
                log.error(
                    "discord_refuses", close_code=code, setting="DISCORD_BOT_TOKEN"
                )
                self._lost()
                return
            if time.monotonic() - began > STEADY:
                pause = self._pause
            log.warning("discord_lost", close_code=code, next_try_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _live(self) -> int:
        """One client's whole life; the close code it ended with, 0 for none."""
        try:
            self._client = client = await self._made()
            async with client:
                await client.start(self._token)
        except discord.PrivilegedIntentsRequired:
            return 4014
        except discord.LoginFailure:
            return 4004
        except discord.ConnectionClosed as error:
            return error.code
        except Exception as error:
            log.warning("discord_client_broke", error=type(error).__name__)
        return 0

    async def _made(self) -> SingleClient | ShardedClient:
        """Where to connect, and how often, is asked each time."""
        found = await self._api.call("GET", "/gateway/bot")
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = URL(str(found["url"]))
        made = (SingleClient if found.get("shards", 1) == 1 else ShardedClient)(
            intents=self._intents,
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            max_ratelimit_timeout=60.0,
            guild_ready_timeout=READY,
            allowed_mentions=discord.AllowedMentions.none(),
        )
        made.app = self._app
        _guard(made)
        return made

    async def _watch(self) -> None:
        alive = time.monotonic()
        while True:
            await asyncio.sleep(min(LOOK, self._silence / 4))
            client = self._client
            if client is not None and client.is_alive:
                alive = time.monotonic()
            elif client is not None and time.monotonic() - alive > self._silence:
                log.error("discord_silent", seconds=round(time.monotonic() - alive))
                alive = time.monotonic()
                with suppress(Exception):
                    await client.close()
