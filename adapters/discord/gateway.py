"""The gateway: discord.py's client, and a supervisor that replaces it when it fails.

The client reconnects by itself. Where it gives up, or is silent although Discord answers, a new
one is made, never so often that Discord revokes the token (1,000 IDENTIFYs a day). What only the
operator can mend ends the process with one line.
"""

import asyncio
import logging
import time
from collections import deque
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
"""None is privileged. With message_content, plain words in our threads are read, too."""
INVALID_TOKEN, PRIVILEGED_INTENTS = 4004, 4014
FATAL = frozenset({INVALID_TOKEN, 4010, 4011, 4012, 4013, PRIVILEGED_INTENTS})
"""Close codes after which connecting again is useless."""
SILENCE = 40.0
"""Seconds without a living connection, while Discord answers, after which the client is
replaced."""
GREETING = 300.0
"""The same for a connection that stands and waits for READY: after an outage that takes minutes."""
WATCH_SECONDS, READY_SECONDS = 5.0, 0.5
LOOK_SECONDS = 5.0
"""Seconds of one look whether Discord answers."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 30.0
STEADY = 600.0
"""A client that lived so many seconds begins the pauses again."""
LONGEST_RECONNECT_EXPONENT = 3
"""A client waits at most 2 to the power of this many seconds before it connects again."""
DAY = 86_400.0
QUICK_STARTS, SLOW_START_GAP = 500, 300.0
"""IDENTIFYs a day that are made as soon as they are due, and the seconds between further ones."""

log = structlog.get_logger()


class CappedBackoff(discord.backoff.ExponentialBackoff[bool]):
    """The client's pauses before it connects again: seconds, where its own grow to 17 minutes."""

    def __init__(self) -> None:
        super().__init__()
        self._max = LONGEST_RECONNECT_EXPONENT


# The client takes its pauses from here; a test fails should it change.
discord.client.ExponentialBackoff = CappedBackoff  # type: ignore[attr-defined,assignment]
discord.shard.ExponentialBackoff = CappedBackoff  # type: ignore[attr-defined,assignment]


class Starts:
    """When IDENTIFYs were sent: they get slow long before Discord's limit for a day."""

    def __init__(self) -> None:
        self._sent: deque[float] = deque()

    async def take_turn(self) -> None:
        """Wait until one more may be sent, and count it."""
        now = time.monotonic()
        while self._sent and now - self._sent[0] > DAY:
            self._sent.popleft()
        if len(self._sent) >= QUICK_STARTS:
            await asyncio.sleep(self._sent[-1] + SLOW_START_GAP - now)
        self._sent.append(time.monotonic())


class EventClient(discord.Client):
    """Passes events on. Keeps no messages and no members, and asks for nothing at start."""

    app: DiscordApp
    starts: Starts

    @property
    def is_greeting(self) -> bool:
        """Whether it is connected and waits for READY, as far as that is known."""
        return False

    async def before_identify_hook(
        self, shard_id: int | None, *, initial: bool = False
    ) -> None:
        """Keep to Discord's pace of IDENTIFYs: one in five seconds, and few enough a day."""
        await self.starts.take_turn()
        await super().before_identify_hook(shard_id, initial=initial)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Pass on a command, a pressed button or a filled form."""
        await _safely(self.app.interaction(interaction))

    async def on_message(self, message: discord.Message) -> None:
        """Pass on a message."""
        await _safely(self.app.message(message))

    async def on_raw_reaction_add(
        self, event: discord.RawReactionActionEvent
    ) -> None:
        """Pass on a reaction."""
        await _safely(
            self.app.reaction(event, self.get_channel(event.channel_id))
        )

    async def on_raw_reaction_remove(
        self, event: discord.RawReactionActionEvent
    ) -> None:
        """Pass on that a reaction was taken back."""
        await _safely(
            self.app.reaction(event, self.get_channel(event.channel_id))
        )

    async def on_guild_join(self, _guild: discord.Guild) -> None:
        """Pass on that a server has let us in."""
        self.app.back()

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Pass on that we were removed; guilds that are only unavailable do not come here."""
        member = guild.me
        joined = member.joined_at if member else None  # type: ignore[truthy-bool]  # not in every cache
        # It tells this membership from the next one.
        member_since = int(joined.timestamp()) if joined else 0
        await _safely(self.app.left(guild.id, member_since))


class SingleClient(EventClient):
    """One connection, resumed as long as Discord remembers its session, so that nothing is lost."""

    @property
    def is_alive(self) -> bool:
        """Whether it is connected."""
        return self.is_ready() and self.ws.open

    @property
    def is_greeting(self) -> bool:
        """Whether it is connected and waits for READY."""
        is_open = self.ws is not None and self.ws.open
        return is_open and not self.is_ready()


class ShardedClient(EventClient, discord.AutoShardedClient):
    """As many connections as Discord asks for, once there are thousands of guilds."""

    @property
    def is_alive(self) -> bool:
        """Whether every shard is connected."""
        is_any_closed = any(
            shard.is_closed() for shard in self.shards.values()
        )
        return self.is_ready() and not is_any_closed


def _guard_parsers(client: discord.Client) -> None:
    """Keep an event that discord.py cannot parse from ending its client and its session."""
    parsers = (
        client._connection.parsers
    )  # a private name; a test fails should it change
    for event, parse in list(parsers.items()):
        parsers[event] = _guard_parser(event, parse)


def _guard_parser(
    event: str, parse: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    def parse_safely(payload: Any) -> Any:
        try:
            return parse(payload)
        except Exception as error:
            log.error(
                "event_unreadable",
                event_name=event,
                error=type(error).__name__,
            )
            return None

    return parse_safely


async def _safely(handling: Awaitable[None]) -> None:
    # discord.py's own log, which may hold tokens, is switched off: errors are logged here.
    try:
        await handling
    except Exception:
        log.exception("event_broke")


class Gateway:
    """Keeps one client alive. ``lost`` ends the process.

    ``pause`` seconds pass before the first new client, then twice as many each time.
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
    ) -> None:
        self._app = app
        self._api = api
        self._token = token
        self._lost = lost
        self._intents = discord.Intents(
            **{**dict(LEAST), "message_content": content}
        )
        self._pause = pause
        self._client: SingleClient | ShardedClient | None = None
        self._starts = Starts()
        self._tasks: list[asyncio.Task[None]] = []
        self._notes: set[asyncio.Task[None]] = set()
        logging.getLogger("discord").setLevel(logging.CRITICAL)
        discord.VoiceClient.warn_nacl = False

    def open(self) -> None:
        """Connect, now or as soon as Discord can be reached."""
        self._tasks = [
            asyncio.create_task(self._run(), name="discord gateway"),
            asyncio.create_task(self._watch(), name="discord watchdog"),
        ]

    async def close(self) -> None:
        """Stop listening."""
        tasks = [*self._tasks, *self._notes]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def check(self) -> None:
        """Raise DeliveryError while there is no living connection."""
        if self._client is None or not self._client.is_alive:
            raise DeliveryError("discord.refused", code="not connected")

    async def _run(self) -> None:
        # Not a retry (core/retrying.py): a client's end is no error, and a steady life begins
        # the pauses again.
        pause = self._pause
        while True:
            began = time.monotonic()
            code = await self._run_client()
            if code == PRIVILEGED_INTENTS and self._intents.message_content:
                # It was switched off meanwhile: all else works without it.
                log.warning("discord_content_off")
                self._intents.message_content = False
                continue
            if code in FATAL:
                log.error(
                    "discord_refuses",
                    close_code=code,
                    setting="DISCORD_BOT_TOKEN",
                )
                self._lost()
                return
            if time.monotonic() - began > STEADY:
                pause = self._pause
            log.warning(
                "discord_lost", close_code=code, next_try_seconds=pause
            )
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _run_client(self) -> int:
        """Run one client until it ends. Return its close code, 0 for none."""
        try:
            client = await self._make_client()
            self._client = client
            async with client:
                await client.start(self._token)
        except discord.PrivilegedIntentsRequired:
            return PRIVILEGED_INTENTS
        except discord.LoginFailure:
            return INVALID_TOKEN
        except discord.ConnectionClosed as error:
            return error.code
        except Exception as error:
            log.warning("discord_client_broke", error=type(error).__name__)
        return 0

    async def _make_client(self) -> SingleClient | ShardedClient:
        """Ask Discord where to connect, and with how many connections."""
        gateway = await self._api.call("GET", "/gateway/bot")
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = URL(
            str(gateway["url"])
        )
        is_single = gateway.get("shards", 1) == 1
        kind = SingleClient if is_single else ShardedClient
        client = kind(
            intents=self._intents,
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            max_ratelimit_timeout=60.0,
            guild_ready_timeout=READY_SECONDS,
            allowed_mentions=discord.AllowedMentions.none(),
            proxy=self._api.proxy,
        )
        client.app = self._app
        client.starts = self._starts
        _guard_parsers(client)
        return client

    async def _watch(self) -> None:
        last_good = time.monotonic()
        was_alive = False
        noted: frozenset[int] = frozenset()
        while True:
            await asyncio.sleep(min(WATCH_SECONDS, SILENCE / 4))
            client = self._client
            is_alive = client is not None and client.is_alive
            if is_alive and not was_alive:
                self._app.back()
            if client is not None and is_alive:
                # Also those that are unavailable for a while.
                guilds = frozenset(guild.id for guild in client.guilds)
                if not was_alive or guilds != noted:
                    self._note_guilds(guilds, is_new=not was_alive)
                    noted = guilds
            was_alive = is_alive
            if client is None or is_alive or await self._is_away():
                # While Discord is away, a new client would not reach it either.
                last_good = time.monotonic()
                continue
            silent = time.monotonic() - last_good
            patience = GREETING if client.is_greeting else SILENCE
            if silent > patience:
                log.error("discord_silent", seconds=round(silent))
                last_good = time.monotonic()
                with suppress(Exception):
                    await client.close()

    def _note_guilds(self, guilds: frozenset[int], *, is_new: bool) -> None:
        """Note the servers we are in; after a new connection, forget those that are gone."""
        present = sorted(guilds)
        work = (
            self._app.compare_guilds(present)
            if is_new
            else self._app.note_guilds(present)
        )
        noting = asyncio.create_task(_safely(work), name="discord guilds")
        self._notes.add(noting)
        noting.add_done_callback(self._notes.discard)

    async def _is_away(self) -> bool:
        """Whether Discord does not answer at all."""
        try:
            await self._api.call("GET", "/gateway", seconds=LOOK_SECONDS)
        except DeliveryError:
            return True
        return False
