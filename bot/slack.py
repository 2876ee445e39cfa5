"""Builds Slack from its settings: first what jobs need to post, then what listens."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import structlog
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.routing import Route

from adapters.slack.api import (
    PASSING,
    SlackApi,
    reason_of,
    session,
    web_client,
)
from adapters.slack.app import SlackApp
from adapters.slack.chat import SlackChat
from adapters.slack.files import Files
from adapters.slack.guard import (
    LaxStates,
    SlackGuard,
    callbacks,
    install_routes,
)
from adapters.slack.manifest import SCOPES
from adapters.slack.payloads import PLATFORM, workspace_of
from adapters.slack.socket import Socket
from adapters.slack.store import SlackStore
from adapters.slack.tokens import BotIdentity, Installed, OneToken
from adapters.slack.users import UserDirectory
from adapters.web.health import Check
from bot.egress import proxy_for
from bot.lifecycle import Lost
from bot.settings import Settings
from bot.wiring import Easel
from core.errors import ConfigurationError
from core.ports import Blobs
from core.retrying import retrying

RESPONSE_HOSTS: tuple[str, ...] = ("hooks.slack.com", "hooks.slack-gov.com")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """What jobs need to post on Slack; it exists before anything listens."""

    settings: Settings
    http: aiohttp.ClientSession
    store: SlackStore
    tokens: OneToken | Installed
    api: SlackApi

    def chat(self, blobs: Blobs) -> SlackChat:
        """The Chat port for Slack."""
        server = urlsplit(self.settings.slack_api_url).netloc
        # A compatible server on a port of its own answers interactions itself.
        response_hosts = RESPONSE_HOSTS
        if ":" in server:
            response_hosts = (*RESPONSE_HOSTS, server)
        return SlackChat(
            api=self.api,
            store=self.store,
            files=Files(
                self.api,
                self.store,
                self.http,
                self.settings.slack_file_hosts,
            ),
            users=UserDirectory(self.api),
            tokens=self.tokens,
            blobs=blobs,
            http=self.http,
            response_hosts=response_hosts,
            locale=self.settings.locale,
        )


@asynccontextmanager
async def open_slack(
    settings: Settings,
    engine: AsyncEngine,
) -> AsyncIterator[Slack]:
    """Log in. Raises ConfigurationError naming the setting that is missing or refused."""
    check(settings)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(
            session(proxy_for(settings.slack_api_url))
        )
        store = SlackStore(engine, settings.slack_client_id or "")
        client = web_client(settings.slack_api_url, http)
        tokens: OneToken | Installed
        if settings.slack_bot_token:
            bot_token = settings.slack_bot_token.get_secret_value()
            identity = await _log_in(client, bot_token)
            tokens = OneToken(identity, store)
        else:
            assert settings.slack_client_id is not None  # noqa: S101  # check() saw to it
            assert settings.slack_client_secret is not None  # noqa: S101
            secret = settings.slack_client_secret.get_secret_value()
            tokens = Installed(store, client, settings.slack_client_id, secret)

        # Asked for at every call: a token may be renewed, or taken back, at any time.
        async def token(workspace: str, *, reread: bool = False) -> str:
            return (await tokens.identity(workspace, reread=reread)).token

        api = SlackApi(settings.slack_api_url, http, token)
        yield Slack(
            settings=settings,
            http=http,
            store=store,
            tokens=tokens,
            api=api,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReceiver:
    """What listens to Slack: paths for the web server, and checks for readiness."""

    routes: list[Route]
    checks: dict[str, Check]


@asynccontextmanager
async def listening(
    slack: Slack,
    easel: Easel,
    lost: Lost,
) -> AsyncIterator[EventReceiver]:
    """Listen by Socket Mode, HTTP, or both. ``lost`` is set when the socket is lost for good."""
    settings = slack.settings
    chat = easel.context.chats[PLATFORM]
    assert isinstance(chat, SlackChat)  # noqa: S101  # made above
    app = SlackApp(easel.service, easel.context, chat, settings.locale)
    routes: list[Route] = []
    checks: dict[str, Check] = {}
    async with AsyncExitStack() as stack:
        stack.push_async_callback(app.close)
        if settings.slack_client_id:
            looking = asyncio.create_task(
                app.forget_gone(), name="slack installations"
            )
            stack.callback(looking.cancel)
        if settings.slack_signing_secret:
            signing_secret = settings.slack_signing_secret.get_secret_value()
            routes += SlackGuard(app, signing_secret).routes()
        if settings.slack_client_id:
            routes += install_routes(_oauth_flow(slack), settings.locale)
        if settings.slack_app_token:
            client = web_client(settings.slack_api_url, slack.http)
            app_token = settings.slack_app_token.get_secret_value()
            socket = Socket(
                app,
                app_token,
                client,
                lost.need_operator,
                proxy=proxy_for(settings.slack_api_url),
            )
            stack.push_async_callback(socket.close)
            await socket.open()
            checks["slack"] = socket.check
        yield EventReceiver(routes=routes, checks=checks)


def check(settings: Settings) -> None:
    """Check that Easel can both hear and answer. Raises ConfigurationError."""
    pair = {
        "SLACK_CLIENT_ID": settings.slack_client_id,
        "SLACK_CLIENT_SECRET": settings.slack_client_secret,
    }
    if any(pair.values()):
        if settings.slack_bot_token:
            raise ConfigurationError(
                "config.slack_either", setting="SLACK_BOT_TOKEN"
            )
        needed = {**pair, "EASEL_PUBLIC_URL": settings.public_url}
        for name, setting in needed.items():
            if not setting:
                raise ConfigurationError("config.slack_pair", setting=name)
    if not (settings.slack_bot_token or settings.slack_client_id):
        setting = (
            "SLACK_APP_TOKEN"
            if settings.slack_app_token
            else "SLACK_SIGNING_SECRET"
        )
        raise ConfigurationError("config.slack_way_out", setting=setting)
    if not (settings.slack_app_token or settings.slack_signing_secret):
        setting = (
            "SLACK_BOT_TOKEN"
            if settings.slack_bot_token
            else "SLACK_CLIENT_ID"
        )
        raise ConfigurationError("config.slack_way_in", setting=setting)


async def _log_in(client: AsyncWebClient, token: str) -> BotIdentity:
    """Ask until Slack answers: an outage is not the operator's mistake."""

    def may_pass(error: Exception) -> bool | float:
        if isinstance(error, SlackApiError):
            reason, retry_after = reason_of(error)
            if reason not in PASSING:
                return False
        elif isinstance(error, aiohttp.ClientError | TimeoutError | OSError):
            reason = type(error).__name__
            retry_after = None
        else:
            return False
        log.warning("slack_unreachable", reason=reason)
        return retry_after or True

    try:
        answer = await retrying(may_pass, first=1.0)(
            client.auth_test, token=token
        )
    except SlackApiError as error:
        raise ConfigurationError(
            "config.slack_bot_token",
            setting="SLACK_BOT_TOKEN",
            reason=reason_of(error)[0],
        ) from None
    return _identity(answer, token)


def _identity(
    answer: Mapping[str, Any] | AsyncSlackResponse,
    token: str,
) -> BotIdentity:
    # An organisation that installed Easel in all its teams is one workspace.
    team = (
        None if answer.get("is_enterprise_install") else answer.get("team_id")
    )
    workspace = workspace_of(answer.get("enterprise_id"), team)
    user = str(answer.get("user_id") or "")
    return BotIdentity(workspace=workspace, token=token, user=user)


def _oauth_flow(slack: Slack) -> AsyncOAuthFlow:
    """The SDK's own pages, with one-time states in our database, bound to a cookie."""
    settings = slack.settings
    assert settings.slack_client_secret is not None  # noqa: S101  # check() saw to it
    base = (settings.public_url or "").rstrip("/")
    oauth = AsyncOAuthSettings(
        client_id=settings.slack_client_id,
        client_secret=settings.slack_client_secret.get_secret_value(),
        scopes=list(SCOPES),
        redirect_uri=f"{base}/slack/oauth_redirect",
        install_path="/slack/install",
        install_page_rendering_enabled=False,
        callback_options=callbacks(settings.locale),
        redirect_uri_path="/slack/oauth_redirect",
        authorization_url=urljoin(
            settings.slack_api_url, "/oauth/v2/authorize"
        ),
        installation_store=slack.store.installations,
        state_store=slack.store.states,
    )
    oauth.state_utils = LaxStates()
    client = web_client(settings.slack_api_url, slack.http)
    return AsyncOAuthFlow(client=client, settings=oauth)
