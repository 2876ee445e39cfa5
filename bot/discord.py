"""Builds Discord from its settings: first what jobs need to post, then what listens."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.discord.api import Api, DiscordError
from adapters.discord.app import DiscordApp
from adapters.discord.channels import ChannelDirectory
from adapters.discord.chat import DiscordChat
from adapters.discord.commands import sync
from adapters.discord.entities import PLATFORM
from adapters.discord.files import Files, session
from adapters.discord.gateway import Gateway
from adapters.discord.messages import MessageClient
from adapters.discord.responses import InteractionResponses
from adapters.discord.store import DiscordStore
from adapters.discord.uploads import ImageUploads
from adapters.discord.users import UserDirectory
from adapters.web.health import Check
from bot.egress import proxy_for
from bot.folder import link_keys
from bot.lifecycle import Lost
from bot.settings import Settings
from bot.wiring import Easel
from core.errors import ConfigurationError
from core.pictures.pool import Pool
from core.ports import Blobs
from core.retrying import retrying
from core.signed_links import Links

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Discord:
    """What jobs need to post on Discord; it exists before anything listens."""

    settings: Settings
    http: aiohttp.ClientSession
    store: DiscordStore
    api: Api
    pool: Pool

    def chat(self, blobs: Blobs) -> DiscordChat:
        """The Chat port for Discord."""
        config = self.settings
        api = self.api
        store = self.store
        channels = ChannelDirectory(api)
        links = Links(link_keys(config), config.public_url or "")
        uploads = ImageUploads(
            blobs,
            self.pool,
            channels,
            store,
            links,
            config.locale,
        )
        messages = MessageClient(api, store, channels, uploads)
        return DiscordChat(
            api=api,
            store=store,
            files=Files(messages, self.http, config.discord_cdn_hosts),
            channels=channels,
            users=UserDirectory(api, store, channels, config.locale),
            messages=messages,
            responses=InteractionResponses(api, store, uploads),
        )


@asynccontextmanager
async def open_discord(
    settings: Settings,
    engine: AsyncEngine,
) -> AsyncIterator[Discord]:
    """Log in. Raises ConfigurationError for a token that Discord refuses."""
    assert settings.discord_bot_token is not None  # noqa: S101  # the caller has looked
    proxy = proxy_for(settings.discord_api_url)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(session(proxy))
        store = DiscordStore(engine)
        api = Api(
            settings.discord_api_url,
            settings.discord_bot_token.get_secret_value(),
            proxy=proxy,
        )
        stack.push_async_callback(api.close)
        await _log_in(api)
        pool = Pool(workers=1)
        stack.callback(pool.close)
        yield Discord(
            settings=settings,
            http=http,
            store=store,
            api=api,
            pool=pool,
        )


@asynccontextmanager
async def listening(
    discord: Discord,
    easel: Easel,
    lost: Lost,
) -> AsyncIterator[Mapping[str, Check]]:
    """Listen to the gateway; yield its checks for readiness.

    ``lost`` is set when Discord refuses us for good.
    """
    chat = easel.context.chats[PLATFORM]
    assert isinstance(chat, DiscordChat)  # noqa: S101  # made above
    assert discord.settings.discord_bot_token is not None  # noqa: S101
    app = DiscordApp(
        easel.service,
        easel.context,
        chat,
        discord.api,
        discord.store,
    )
    token = discord.settings.discord_bot_token.get_secret_value()
    gateway = Gateway(
        app,
        discord.api,
        token,
        lost.need_operator,
        content=discord.api.reads_content,
    )
    # Registering the commands may take minutes, and may fail: it runs beside.
    syncing = asyncio.create_task(
        sync(discord.api, discord.store), name="discord commands"
    )
    gateway.open()
    try:
        yield {PLATFORM: gateway.check}
    finally:
        syncing.cancel()
        await asyncio.gather(syncing, return_exceptions=True)
        await gateway.close()


async def _log_in(api: Api) -> None:
    """Ask until Discord answers: an outage is not the operator's mistake."""

    def may_pass(error: Exception) -> bool:
        if not isinstance(error, DiscordError) or error.status == 401:
            return False
        log.warning("discord_unreachable")
        return True

    try:
        await retrying(may_pass, first=1.0)(api.open)
    except DiscordError:
        raise ConfigurationError(
            "config.discord_bot_token",
            setting="DISCORD_BOT_TOKEN",
            reason="401",
        ) from None
