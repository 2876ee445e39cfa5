"""Which bot token speaks for which workspace.

The one set, or those of installations, renewed before they end.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass

import aiohttp
from cachetools import TTLCache
from slack_sdk.errors import SlackClientError
from slack_sdk.oauth.installation_store import Bot
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.decode import split, workspace_of
from adapters.slack.store import SlackStore
from core.errors import DeliveryError

RENEW_MINUTES = 120
"""A token lives twelve hours; a job may take minutes, never hours."""
KNOWN_SECONDS = 60.0
"""How long a token read from the database is used without looking again."""
MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BotIdentity:
    """The bot as one workspace knows it."""

    workspace: str
    token: str
    user: str = ""


class OneToken:
    """SLACK_BOT_TOKEN: one workspace, which auth.test named at the start."""

    def __init__(self, us: BotIdentity) -> None:
        self._us = us

    async def us(self, workspace: str, *, anew: bool = False) -> BotIdentity:  # noqa: ARG002  # it never changes
        """Raises DeliveryError for any other workspace."""
        if workspace != self._us.workspace:
            raise not_installed()
        return self._us

    async def installation(self, workspace: str) -> str | None:  # noqa: ARG002  # there is one workspace
        """Nothing tells one installation from the next."""
        return None


class Installed:
    """Installations of many workspaces. ``rotator`` needs the app's own id and secret."""

    def __init__(
        self,
        store: SlackStore,
        client: AsyncWebClient,
        client_id: str,
        client_secret: str,
    ) -> None:
        self._store = store
        self._rotator = AsyncTokenRotator(
            client_id=client_id, client_secret=client_secret, client=client
        )
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._known: TTLCache[str, BotIdentity] = TTLCache(MOST, KNOWN_SECONDS)

    async def us(self, workspace: str, *, anew: bool = False) -> BotIdentity:
        """Read, and renewed by one at a time, as a refresh token works once.

        Raises DeliveryError.
        """
        known = self._known.get(workspace)
        if known is not None and not anew:
            return known
        async with self._locks[workspace]:
            bot = await self._find(workspace)
            if bot is None:
                self._known.pop(workspace, None)
                raise not_installed()
            bot = await self._renewed(bot)
            us = BotIdentity(
                workspace=workspace, token=bot.bot_token, user=bot.bot_user_id or ""
            )
            self._known[workspace] = us
            return us

    async def installation(self, workspace: str) -> str | None:
        """What tells this installation from the next one.

        Raises DeliveryError when there is none.
        """
        bot = await self._find(workspace)
        if bot is None:
            raise not_installed()
        return f"{bot.installed_at:.3f}"

    def forget(self, workspace: str) -> None:
        """Do not use what is remembered."""
        self._known.pop(workspace, None)

    async def _find(self, workspace: str) -> Bot | None:
        enterprise, team = split(workspace)
        find = self._store.installations.async_find_bot
        found = await find(enterprise_id=enterprise, team_id=team) if team else None
        if found is None and enterprise:
            found = await find(
                enterprise_id=enterprise, team_id=None, is_enterprise_install=True
            )
        return found

    async def _renewed(self, bot: Bot) -> Bot:
        """Another process may have been quicker: then its token is in the database."""
        if bot.bot_refresh_token is None:
            return bot
        try:
            fresh = await self._rotator.perform_bot_token_rotation(
                bot=bot, minutes_before_expiration=RENEW_MINUTES
            )
        except (SlackClientError, aiohttp.ClientError, TimeoutError):
            workspace = workspace_of(bot.enterprise_id, bot.team_id)
            return await self._find(workspace) or bot
        if fresh is None:
            return bot
        await self._store.installations.async_save_bot(fresh)
        return fresh


def not_installed() -> DeliveryError:
    """Nobody installed us there, or they removed us."""
    return DeliveryError("slack.not_installed", permanent=True)
