"""The life of ``easel run``: what its start waits for, what it answers meanwhile, how it ends.

Something that is away when the bot starts is no mistake of the operator's: the process waits for
it, alive but not ready, and hears SIGTERM all the time.
"""

import asyncio

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.exit_codes import ExitCode
from core.errors import ConfigurationError
from core.flow.context import TRANSIENT
from core.retrying import retrying

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between two tries to reach what is away."""
CONNECT_SECONDS = 10.0
RETRY_AFTER = "5"
MISTAKES = (
    "authentication failed",
    "does not exist",
    "no pg_hba.conf entry",
    "permission denied",
)
"""What drivers say, in an error that looks like an outage, when only the operator can mend it."""

log = structlog.get_logger()


class Lost(asyncio.Event):
    """Set when the process cannot go on; ``code`` is what it exits with."""

    code = ExitCode.OK

    def give_up(self) -> None:
        """End the process; a new one may have better luck."""
        self.code = ExitCode.GIVEN_UP
        self.set()

    def need_operator(self) -> None:
        """End the process; a new one would fare no better until a setting is changed."""
        self.code = ExitCode.MISCONFIGURED
        self.set()


class Front:
    """The web server's application while the bot starts, works and stops: ``app`` changes."""

    def __init__(self) -> None:
        self.app: ASGIApp = unready_app("starting")

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        await self.app(scope, receive, send)

    def drain(self) -> None:
        """Say that the process is not ready, and go on answering what still comes."""
        self.app = _Draining(self.app)

    def close(self) -> None:
        """Say that the process is alive but not ready, so that a proxy sends people elsewhere."""
        self.app = unready_app("stopping")


class _Draining:
    """``app``, but not ready."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._unready = unready_app("stopping")

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        is_readiness = scope.get("path") == "/readyz"
        app = self._unready if is_readiness else self._app
        await app(scope, receive, send)


def unready_app(state: str) -> ASGIApp:
    """An app that says the process lives and is not ready; other requests must come again."""

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        return JSONResponse({"state": state}, 503)

    # Slack and proxies send a request again after a 503.
    async def anything(_request: Request) -> Response:
        return PlainTextResponse(
            f"{state}\n",
            503,
            {"Retry-After": RETRY_AFTER},
        )

    return Starlette(
        routes=[
            Route("/healthz", healthz, methods=["GET", "HEAD"]),
            Route("/readyz", readyz, methods=["GET", "HEAD"]),
            Route("/{path:path}", anything, methods=["GET", "HEAD", "POST"]),
        ]
    )


async def wait_for_database(engine: AsyncEngine, setting: str) -> None:
    """Wait until the database answers. ``setting``: where its address stands.

    Raises ConfigurationError for what waiting cannot mend.
    """

    async def ask() -> None:
        async with (
            asyncio.timeout(CONNECT_SECONDS),
            engine.connect() as connection,
        ):
            await connection.execute(text("SELECT 1"))

    def may_pass(error: Exception) -> bool:
        if not isinstance(error, TRANSIENT):
            return False
        _raise_if_mistake(error, setting)
        log.warning("database_unreachable", error=type(error).__name__)
        return True

    await retrying(may_pass, first=FIRST_PAUSE, longest=LONGEST_PAUSE)(ask)


def _raise_if_mistake(error: Exception, setting: str) -> None:
    """Raise ConfigurationError when a driver's error says what only the operator can mend."""
    message = str(getattr(error, "orig", error)).lower()
    reason = next(
        (mistake for mistake in MISTAKES if mistake in message), None
    )
    if reason is not None:
        raise ConfigurationError(
            "config.database.unusable",
            setting=setting,
            reason=reason,
        ) from None
