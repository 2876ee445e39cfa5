"""A bare client of the real discord.py, to test the Discord on loopback itself."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route
from PIL import Image

from tests.fakes.discord.driver import Discord

Handler = Callable[[Any], Any]
MINIMAL = discord.Intents(
    guilds=True,
    guild_messages=True,
    dm_messages=True,
    guild_reactions=True,
    dm_reactions=True,
)


class Bot(discord.AutoShardedClient):
    """A client with one command, whose behaviour each test hangs in."""

    def __init__(self) -> None:
        super().__init__(
            intents=MINIMAL,
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self.heard: list[discord.Message] = []
        self.reactions: list[discord.RawReactionActionEvent] = []
        self.acts: Handler | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.tree = app_commands.CommandTree(self)

    async def before_identify_hook(
        self, shard_id: int | None, *, initial: bool = False
    ) -> None:
        """Without the five seconds discord.py waits."""

    async def on_message(self, message: discord.Message) -> None:
        self.heard.append(message)

    async def on_raw_reaction_add(
        self, payload: discord.RawReactionActionEvent
    ) -> None:
        self.reactions.append(payload)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        if self.acts:
            await self.acts(interaction)


@contextmanager
def led_to(fake: Discord) -> Iterator[None]:
    """discord.py leads here: it keeps its addresses in classes."""
    base, gateway = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    Route.BASE = fake.settings()["EASEL_DISCORD_API_URL"]
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(fake.app.gateway_url)
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = base, gateway


@asynccontextmanager
async def connected(fake: Discord) -> AsyncIterator[Bot]:
    """A client that has logged in."""
    with led_to(fake):
        bot = Bot()
        bot._connection.guild_ready_timeout = 0.05
        running = asyncio.create_task(bot.start(fake.world.token))
        try:
            await fake.connected()
            await bot.wait_until_ready()
            yield bot
        finally:
            await bot.close()
            with suppress(discord.DiscordException):
                await running


def png() -> bytes:
    """A small picture."""
    png = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(png, "PNG")
    return png.getvalue()


def view(*labels: str) -> discord.ui.View:
    """Some buttons."""
    view = discord.ui.View(timeout=None)
    for label in labels:
        view.add_item(discord.ui.Button(label=label, custom_id=label.lower()))
    return view


def text_channel(bot: Bot, fake: Discord) -> discord.TextChannel:
    """The channel as the client knows it."""
    channel = bot.get_channel(int(fake.general.id))
    assert isinstance(channel, discord.TextChannel)
    return channel


def fox() -> discord.File:
    """An upload."""
    return discord.File(io.BytesIO(png()), "fox.png")
