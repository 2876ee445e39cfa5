"""Socket Mode: one connection, and a watchdog that ends the process after too long a silence.

The SDK reconnects by itself; where that fails, only a new process is known to help.
"""

import asyncio
import logging
import time
from collections.abc import Callable

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.app import SlackApp
from core.errors import ConfigurationError, DeliveryError

PING_SECONDS = 5.0
SILENCE = 120.0
"""Seconds without a living connection after which the process is given up."""
PASSING = frozenset({"ratelimited", "internal_error", "service_unavailable"})

log = structlog.get_logger()


class Socket:
    """``lost`` ends the process; ``client`` uses the app's own token."""

    def __init__(
        self,
        app: SlackApp,
        token: str,
        client: AsyncWebClient,
        lost: Callable[[], None],
        *,
        ping: float = PING_SECONDS,
        silence: float = SILENCE,
    ) -> None:
        self._app = app
        self._client = client
        self._token = token
        self._lost = lost
        self._ping = ping
        self._silence = silence
        self._tasks: list[asyncio.Task[None]] = []
        # The SDK's complaints may hold the address of a connection, which is as good as a token.
        quiet = logging.getLogger("slack-socket")
        quiet.setLevel(logging.CRITICAL + 1)
        self._socket = SocketModeClient(
            app_token=token,
            web_client=client,
            logger=quiet,
            ping_interval=ping,
        )
        self._socket.socket_mode_request_listeners.append(self._deliver)

    async def open(self) -> None:
        """Connect, now or as soon as Slack can be reached.

        Raises ConfigurationError for a token Slack refuses.
        """
        try:
            answer = await self._client.apps_connections_open(
                app_token=self._token
            )
            self._socket.wss_uri = str(answer["url"])
        except SlackApiError as error:
            code = error.response.get("error", "")
            if code not in PASSING:
                raise ConfigurationError(
                    "config.slack_app_token",
                    setting="SLACK_APP_TOKEN",
                    reason=code,
                ) from None
        except (aiohttp.ClientError, TimeoutError):
            # The SDK keeps trying.
            log.warning("slack_unreachable")
        self._tasks = [
            asyncio.create_task(self._connect(), name="slack connects"),
            asyncio.create_task(self._watch(), name="slack watchdog"),
        ]

    async def check(self) -> None:
        """Raise DeliveryError while there is no living connection."""
        if not await self._socket.is_connected():
            raise DeliveryError("slack.refused", code="not connected")

    async def close(self) -> None:
        """Stop listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()  # type: ignore[no-untyped-call]

    async def _deliver(
        self, socket: AsyncBaseSocketModeClient, delivery: SocketModeRequest
    ) -> None:
        try:
            answer = await self._app.deliver(delivery.payload)
        except Exception:
            # Not acknowledged, so that Slack delivers it again.
            log.exception("not_taken")
            return
        payload = None if answer is None else dict(answer)
        await socket.send_socket_mode_response(
            SocketModeResponse(delivery.envelope_id, payload)
        )

    async def _connect(self) -> None:
        await self._socket.connect()  # type: ignore[no-untyped-call]

    async def _watch(self) -> None:
        alive = time.monotonic()
        while True:
            await asyncio.sleep(self._ping)
            if await self._socket.is_connected():
                alive = time.monotonic()
            elif time.monotonic() - alive > self._silence:
                log.error(
                    "slack_silent", seconds=round(time.monotonic() - alive)
                )
                self._lost()
                return
