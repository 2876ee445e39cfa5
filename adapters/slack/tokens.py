"""Which bot token acts for which workspace: the configured one, or those of installations."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass

import aiohttp
from cachetools import TTLCache
from slack_sdk.errors import SlackClientError
from slack_sdk.oauth.installation_store import Bot
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.payloads import PLATFORM, split, workspace_of
from adapters.slack.store import SlackStore
from core.errors import DeliveryError

RENEW_MINUTES = 120
"""A token lives twelve hours; a job may take minutes, never hours."""
CACHE_SECONDS = 60.0
"""How long a token read from the database is used without looking again."""
CACHE_SIZE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BotIdentity:
    """The bot as one workspace knows it."""

    workspace: str
    token: str
    user: str = ""


class OneToken:
    """SLACK_BOT_TOKEN: one workspace, which auth.test named at the start."""

    def __init__(self, identity: BotIdentity, store: SlackStore) -> None:
        self._identity = identity
        self._store = store
        self._home = ""

    async def identity(
        self,
        workspace: str,
        *,
        reread: bool = False,  # noqa: ARG002  # it never changes
    ) -> BotIdentity:
        """Raise DeliveryError for any other workspace."""
        if workspace != self._identity.workspace:
            home = await self.home(self._identity.workspace)
            if workspace != home:
                raise not_installed()
        return self._identity

    async def home(self, workspace: str) -> str:
        """The name under which a workspace is kept: as it was before it joined an organisation."""
        if workspace != self._identity.workspace:
            return workspace
        if not self._home:
            self._home = await self._find_home()
        return self._home

    async def _find_home(self) -> str:
        workspace = self._identity.workspace
        _, team = split(workspace)
        if team is None or team == workspace:
            return workspace
        is_kept = await self._store.has_files_of(f"{PLATFORM}:{workspace}")
        was_kept = await self._store.has_files_of(f"{PLATFORM}:{team}")
        return team if was_kept and not is_kept else workspace

    async def installation(self, workspace: str) -> str | None:  # noqa: ARG002  # there is one workspace
        """Return None: with one token installations cannot be told apart."""
        return None


class Installed:
    """Installations of many workspaces. Rotating tokens takes the app's own id and secret."""

    def __init__(
        self,
        store: SlackStore,
        client: AsyncWebClient,
        client_id: str,
        client_secret: str,
    ) -> None:
        self._store = store
        self._rotator = AsyncTokenRotator(
            client_id=client_id,
            client_secret=client_secret,
            client=client,
        )
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._identities: TTLCache[str, BotIdentity] = TTLCache(
            CACHE_SIZE, CACHE_SECONDS
        )
        self._homes: TTLCache[str, str] = TTLCache(CACHE_SIZE, CACHE_SECONDS)

    async def home(self, workspace: str) -> str:
        """The name under which a workspace is kept: as it was when it installed us.

        It may have joined an organisation since.
        """
        enterprise, team = split(workspace)
        if not (enterprise and team):
            return workspace
        home = self._homes.get(workspace)
        if home is None:
            home = team if await self._find(team) else workspace
            self._homes[workspace] = home
        return home

    async def identity(
        self,
        workspace: str,
        *,
        reread: bool = False,
    ) -> BotIdentity:
        """Read the identity, its token renewed in time. Raises DeliveryError."""
        identity = self._identities.get(workspace)
        if identity is not None and not reread:
            return identity
        # One at a time: a refresh token works once.
        async with self._locks[workspace]:
            bot = await self._find(workspace)
            if bot is None:
                self._identities.pop(workspace, None)
                raise not_installed()
            bot = await self._renew(bot)
            identity = BotIdentity(
                workspace=workspace,
                token=bot.bot_token,
                user=bot.bot_user_id or "",
            )
            self._identities[workspace] = identity
            return identity

    async def installation(self, workspace: str) -> str | None:
        """What tells this installation from the next one. Raises DeliveryError without one."""
        bot = await self._find(workspace)
        if bot is None:
            raise not_installed()
        return f"{bot.installed_at:.3f}"

    def forget(self, workspace: str) -> None:
        """Read the workspace's token from the database the next time."""
        self._identities.pop(workspace, None)

    async def _find(self, workspace: str) -> Bot | None:
        enterprise, team = split(workspace)
        installations = self._store.installations
        bot = None
        # The team's own installation goes before its organisation's.
        if team:
            bot = await installations.async_find_bot(
                enterprise_id=enterprise,
                team_id=team,
            )
        if bot is None and enterprise:
            bot = await installations.async_find_bot(
                enterprise_id=enterprise,
                team_id=None,
                is_enterprise_install=True,
            )
        return bot

    async def _renew(self, bot: Bot) -> Bot:
        if bot.bot_refresh_token is None:
            return bot
        try:
            renewed = await self._rotator.perform_bot_token_rotation(
                bot=bot,
                minutes_before_expiration=RENEW_MINUTES,
            )
        except (SlackClientError, aiohttp.ClientError, TimeoutError):
            # Another process may have been quicker: then its token is in the database.
            workspace = workspace_of(bot.enterprise_id, bot.team_id)
            return await self._find(workspace) or bot
        if renewed is None:
            return bot
        await self._store.installations.async_save_bot(renewed)
        return renewed


def not_installed() -> DeliveryError:
    """The error for a workspace where Easel was never installed, or was removed."""
    return DeliveryError("slack.not_installed", permanent=True)
