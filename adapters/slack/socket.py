"""Socket Mode: one connection, and a watchdog that makes a new client after too long a silence.

The SDK reconnects by itself, but goes on with an address that has ended when a connection fails
after Slack gave it one: only a new client asks for another.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy.exc import SQLAlchemyError

from adapters.slack.api import PASSING, reason_of
from adapters.slack.app import SlackApp
from core.errors import ConfigurationError, DeliveryError

PING_SECONDS = 5.0
SILENCE = 40.0
"""Seconds without a living connection after which the client is replaced."""
CLOSE_SECONDS = 5.0
"""Seconds that a client may take to close."""
log = structlog.get_logger()


class Socket:
    """``lost`` ends the process when Slack refuses the app's token, which ``client`` uses."""

    def __init__(
        self,
        app: SlackApp,
        token: str,
        client: AsyncWebClient,
        lost: Callable[[], None],
        *,
        proxy: str | None = None,
    ) -> None:
        self._app = app
        self._client = client
        self._token = token
        self._lost = lost
        self._proxy = proxy
        self._connecting: asyncio.Task[None] | None = None
        self._watchdog: asyncio.Task[None] | None = None
        # The SDK's complaints may hold the address of a connection, which is as good as a token.
        logging.getLogger("slack-socket").setLevel(logging.CRITICAL + 1)
        self._socket = self._make_socket()

    async def open(self) -> None:
        """Connect, now or as soon as Slack can be reached.

        Raises ConfigurationError for a token Slack refuses.
        """
        await self._connect()
        self._watchdog = asyncio.create_task(
            self._watch(), name="slack watchdog"
        )

    async def check(self) -> None:
        """Raise DeliveryError while there is no living connection."""
        if not await self._socket.is_connected():
            raise DeliveryError("slack.refused", code="not connected")

    async def close(self) -> None:
        """Stop listening."""
        tasks = [task for task in (self._watchdog, self._connecting) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._socket.close()  # type: ignore[no-untyped-call]

    def _make_socket(self) -> SocketModeClient:
        socket = SocketModeClient(
            app_token=self._token,
            web_client=self._client,
            logger=logging.getLogger("slack-socket"),
            ping_interval=PING_SECONDS,
        )
        # The SDK would take one from the environment, for every host.
        socket.proxy = self._proxy
        socket.socket_mode_request_listeners.append(self._deliver)
        return socket

    async def _deliver(
        self, socket: AsyncBaseSocketModeClient, delivery: SocketModeRequest
    ) -> None:
        try:
            answer = await self._app.deliver(delivery.payload)
        # Not acknowledged, so that Slack delivers it again.
        except (TimeoutError, SQLAlchemyError, OSError) as error:
            log.error("not_kept", error=type(error).__name__)
            return
        except Exception:
            log.exception("not_taken")
            return
        payload = None if answer is None else dict(answer)
        await socket.send_socket_mode_response(
            SocketModeResponse(delivery.envelope_id, payload)
        )

    async def _connect(self) -> None:
        """Raises ConfigurationError for a token Slack refuses."""
        try:
            answer = await self._client.apps_connections_open(
                app_token=self._token
            )
            self._socket.wss_uri = str(answer["url"])
        except SlackApiError as error:
            code, _ = reason_of(error)
            if code not in PASSING:
                raise ConfigurationError(
                    "config.slack_app_token",
                    setting="SLACK_APP_TOKEN",
                    reason=code,
                ) from None
        except (aiohttp.ClientError, TimeoutError, OSError):
            # The SDK keeps trying.
            log.warning("slack_unreachable")
        self._connecting = asyncio.create_task(
            self._socket.connect(),  # type: ignore[no-untyped-call]
            name="slack connects",
        )

    async def _watch(self) -> None:
        alive = time.monotonic()
        was_connected = False
        while True:
            await asyncio.sleep(PING_SECONDS)
            is_connected = await self._socket.is_connected()
            if is_connected and not was_connected:
                self._app.back()
            was_connected = is_connected
            if is_connected:
                alive = time.monotonic()
            elif time.monotonic() - alive > SILENCE:
                log.error(
                    "slack_silent", seconds=round(time.monotonic() - alive)
                )
                alive = time.monotonic()
                try:
                    await self._replace()
                except ConfigurationError as error:
                    log.error("slack_refuses", **error.params)
                    self._lost()
                    return

    async def _replace(self) -> None:
        """Connect with a new client. Raises ConfigurationError for a token Slack refuses."""
        if self._connecting is not None:
            self._connecting.cancel()
        with suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._socket.close()  # type: ignore[no-untyped-call]
        self._socket = self._make_socket()
        await self._connect()
