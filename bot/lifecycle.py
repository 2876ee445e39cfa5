"""The life of ``easel run``: what its start waits for, what it answers meanwhile, how it ends.

Something that is away when the bot starts is no mistake of the operator's: the process waits for
it, alive but not ready, and hears SIGTERM all the time.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import ConfigurationError
from core.retrying import retrying

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between two tries to reach what is away."""
CONNECT_SECONDS = 10.0
RETRY_AFTER = "5"
OUTAGES = (OperationalError, InterfaceError, OSError, TimeoutError)
MISTAKES = (
    "authentication failed",
    "does not exist",
    "no pg_hba.conf entry",
    "permission denied",
    "unable to open database file",
)
"""What drivers say, in an error that looks like an outage, when only the operator can mend it."""

log = structlog.get_logger()


GIVEN_UP, MISCONFIGURED = 75, 78
"""Exit codes: a supervisor should start it again; only a person can mend it."""


class Lost(asyncio.Event):
    """Set when the process cannot go on; ``code`` is what it exits with."""

    code = 0

    def give_up(self) -> None:
        """End the process; a new one may have better luck."""
        self.code = GIVEN_UP
        self.set()

    def need_operator(self) -> None:
        """End the process; a new one would fare no better until a setting is changed."""
        self.code = MISCONFIGURED
        self.set()


class Front:
    """The web server's application while the bot starts, works and stops: ``app`` changes."""

    def __init__(self) -> None:
        self.app: ASGIApp = unready_app("starting")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    def close(self) -> None:
        """Say that the process is alive but not ready, so that a proxy sends people elsewhere."""
        self.app = unready_app("stopping")


def unready_app(state: str) -> ASGIApp:
    """An app that says the process lives and is not ready; other requests must come again."""

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        return JSONResponse({"state": state}, 503)

    async def anything(_request: Request) -> Response:
        return PlainTextResponse(f"{state}\n", 503, {"Retry-After": RETRY_AFTER})

    return Starlette(
        routes=[
            Route("/healthz", healthz, methods=["GET", "HEAD"]),
            Route("/readyz", readyz, methods=["GET", "HEAD"]),
            Route("/{path:path}", anything, methods=["GET", "HEAD", "POST"]),
        ]
    )


async def wait_for_database(engine: AsyncEngine) -> None:
    """Wait until the database answers. Raises ConfigurationError for what waiting cannot mend."""

    async def ask() -> None:
        async with asyncio.timeout(CONNECT_SECONDS), engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    await wait_until(ask, "database_unreachable")


async def wait_until(attempt: Callable[[], Awaitable[object]], event: str) -> None:
    """Try until it works, with growing pauses, logging ``event`` each time it does not."""

    def is_outage(error: Exception) -> bool:
        if not isinstance(error, OUTAGES):
            return False
        raise_if_mistake(error)
        log.warning(event, error=type(error).__name__)
        return True

    patiently = retrying(is_outage, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
    await patiently(attempt)


def raise_if_mistake(error: BaseException) -> None:
    """Raise ConfigurationError when a driver's error says what only the operator can mend."""
    message = str(getattr(error, "orig", error)).lower()
    reason = next((mistake for mistake in MISTAKES if mistake in message), None)
    if reason is not None:
        raise ConfigurationError(
            "config.database.unusable", setting="EASEL_DATABASE_URL", reason=reason
        ) from None
