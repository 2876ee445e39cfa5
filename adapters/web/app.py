"""The web server: the room, the painter, picture pages and health on one port, behind one guard."""

import asyncio
import socket
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, nullcontext

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from adapters.web.connections import WatchedProtocol
from adapters.web.guard import Guard
from adapters.web.pages import locale_of, page
from core.i18n import translate

GRACE = 2
"""Seconds that open connections get to finish when the server stops."""


def create_app(
    routes: Sequence[BaseRoute],
    hosts: Sequence[str],
    any_host: Collection[str] = (),
) -> ASGIApp:
    """The routes and our static files, guarded. See Guard for ``any_host``."""
    static = Mount(
        "/static", StaticFiles(packages=[("adapters.web", "static")])
    )
    app = Starlette(routes=[*routes, static])
    # A path is exactly one of ours, or it is none: no second spelling leads to a page.
    app.router.redirect_slashes = False
    return Guard(app, hosts=hosts, any_host=any_host)


def room_pages(*, simulated: bool = False) -> list[Route]:
    """The room's page, which loads everything else by itself.

    ``simulated``: it says that a stand-in paints.
    """

    async def show_room(request: Request) -> Response:
        locale = locale_of(request)
        title = translate("room.title", locale)
        room = page("room", locale, title, data={"simulated": simulated})
        return HTMLResponse(room)

    return [
        Route("/", _redirect_to_room, methods=["GET"]),
        Route("/room", show_room, methods=["GET"]),
    ]


async def _redirect_to_room(_request: Request) -> Response:
    return RedirectResponse("/room")


def bind(host: str, port: int) -> socket.socket:
    """Bind a socket, so that its port is known before anything is served. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    return listening


@asynccontextmanager
async def serving(
    app: ASGIApp,
    listening: socket.socket,
) -> AsyncIterator[None]:
    """Serve until the block ends. No access log: an address may hold a token."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        http=WatchedProtocol,
        ws="none",
        h11_max_incomplete_event_size=16 * 1024,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE,
        limit_concurrency=1000,
    )
    server = uvicorn.Server(config)
    # The program handles signals, not the server.
    server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(server.serve(sockets=[listening]), name="web")
    try:
        while not server.started and not task.done():  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.01)
        if task.done():
            await task
        yield
    finally:
        server.should_exit = True
        await task
        listening.close()
