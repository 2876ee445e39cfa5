"""The web server: its port and address, and what it shows."""

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from starlette.routing import Route

from adapters.web.app import bind, create_app, room_pages, serving
from adapters.web.health import Check, Health
from adapters.web.pages import Pages
from adapters.web.painter import Painter
from adapters.web.room import RoomApi
from adapters.web.store import Room
from bot.lifecycle import Front
from bot.settings import Settings
from bot.wiring import Easel
from core.errors import ConfigurationError


def listen(settings: Settings, port: int | None = None) -> socket.socket:
    """The port asked for; when nobody asked and the usual one is taken, any free one.

    Raises ConfigurationError.
    """
    wanted = settings.http_port if port is None else port
    try:
        return bind(settings.http_host, wanted)
    except OSError as error:
        if port is None and "http_port" not in settings.model_fields_set:
            return bind(settings.http_host, 0)
        setting = "EASEL_HTTP_PORT" if port is None else "--port"
        reason = error.strerror or "error"
        raise ConfigurationError(
            "config.port", setting=setting, port=wanted, reason=reason
        ) from None


def address_of(settings: Settings, listening: socket.socket) -> str:
    """Where people reach the web server: as set, else on this machine."""
    host = settings.http_host
    if host in {"0.0.0.0", "::"}:  # noqa: S104
        host = "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    return (
        settings.public_url or f"http://{host}:{listening.getsockname()[1]}"
    ).rstrip("/")


def hosts_of(settings: Settings, listening: socket.socket) -> list[str]:
    """The names a browser may know us by."""
    port = listening.getsockname()[1]
    names = {"127.0.0.1", "localhost", "[::1]", settings.http_host}
    public = urlsplit(settings.public_url or "").netloc.lower()
    return [*(f"{name}:{port}" for name in sorted(names)), *filter(None, [public])]


@asynccontextmanager
async def open_web(
    settings: Settings,
    easel: Easel,
    listening: socket.socket,
    room: Room | None = None,
    *,
    platforms: Sequence[Route] = (),
    checks: Mapping[str, Check] | None = None,
    front: Front | None = None,
) -> AsyncIterator[None]:
    """Painter, picture pages and health; the room where there is one.

    Metrics on their own port if so set. ``platforms``: paths at which chat platforms deliver;
    ``checks``: whether they can. ``front``: what serves already; without it the server begins here.
    """
    checks = {**(checks or {}), **({"room": room.last_change} if room else {})}
    health = Health(easel.context, checks)
    routes = [
        *health.routes(),
        *Painter(easel.service, easel.context).routes(),
        *Pages(easel.context).routes(),
        *platforms,
    ]
    if room is not None:
        routes += [*room_pages(), *RoomApi(room, easel.service, easel.context).routes()]
    async with AsyncExitStack() as stack:
        if room is not None:
            stack.push_async_callback(room.close)
        if settings.metrics_port is not None:
            routes = [one for one in routes if one.path != "/metrics"]
            private = bind(settings.http_host, settings.metrics_port)
            await stack.enter_async_context(
                serving(create_app(health.metrics_routes(), []), private)
            )
        app = create_app(routes, hosts_of(settings, listening))
        if front is None:
            await stack.enter_async_context(serving(app, listening))
        else:
            front.app = app
        if room is not None:
            stack.callback(room.let_go)
        yield
