"""Opens the web server: its port, its address and its pages."""

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from starlette.routing import Route

from adapters.web.app import bind, create_app, room_pages, serving
from adapters.web.health import Check, Health
from adapters.web.metrics import Metrics
from adapters.web.pages import Pages
from adapters.web.painter import Painter
from adapters.web.room import RoomApi
from adapters.web.store import Room
from bot.lifecycle import Front
from bot.settings import Settings
from bot.wiring import Easel
from core.errors import ConfigurationError
from core.log import log


def listen(settings: Settings, port: int | None = None) -> socket.socket:
    """Listen on ``port``, else on the port that is set, else on the usual one or any free one.

    Raises ConfigurationError when a port that was asked for is taken.
    """
    number = settings.http_port if port is None else port
    is_set = port is not None or "http_port" in settings.model_fields_set
    try:
        return bind(settings.http_host, number)
    except OSError as error:
        if not is_set:
            # The usual port is taken, by another demo perhaps.
            return bind(settings.http_host, 0)
        setting = "EASEL_HTTP_PORT" if port is None else "--port"
        reason = error.strerror or "error"
        raise ConfigurationError(
            "config.port",
            setting=setting,
            port=number,
            reason=reason,
        ) from None


def address_of(settings: Settings, listening: socket.socket) -> str:
    """Where people reach the web server: as set, else on this machine."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    host = settings.http_host
    # "Every address of this machine" is none that a browser could open.
    if host in {"0.0.0.0", "::"}:  # noqa: S104
        host = "127.0.0.1"
    if ":" in host:
        host = f"[{host}]"
    return f"http://{host}:{port_of(listening)}"


def port_of(listening: socket.socket) -> int:
    """The port it listens on."""
    return int(listening.getsockname()[1])


def hosts_of(settings: Settings, listening: socket.socket) -> list[str]:
    """The ``Host`` headers a browser may send us."""
    port = port_of(listening)
    names = {"127.0.0.1", "localhost", "[::1]", settings.http_host}
    hosts = [f"{name}:{port}" for name in sorted(names)]
    if settings.public_url:
        hosts.append(urlsplit(settings.public_url).netloc.lower())
    return hosts


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
    """Serve the painter, picture pages, health, and the room if there is one.

    ``platforms`` are paths at which chat platforms deliver, ``checks`` tell whether they can.
    Metrics get a port of their own if one is set. ``front`` is what serves already; without it
    the server starts here.
    """

    async def check_database() -> None:
        await easel.context.store.check()
        await easel.engine.check()

    checks = {"database": check_database, **(checks or {})}
    if room is not None:
        checks["room"] = room.last_change
    metrics = Metrics(easel.context, easel.engine.count_deliveries)
    health = Health(easel.context, checks, metrics)
    routes = [
        *health.routes(),
        *Painter(easel.service, easel.context).routes(),
        *Pages(easel.context).routes(),
        *platforms,
    ]
    if room is not None:
        routes += [
            *room_pages(simulated=easel.simulated),
            *RoomApi(room, easel.service, easel.context).routes(),
        ]
    async with AsyncExitStack() as stack:
        stack.enter_context(log.watched_by(metrics.note))
        if settings.metrics_port is not None:
            routes = [route for route in routes if route.path != "/metrics"]
            private = bind(settings.http_host, settings.metrics_port)
            private_app = create_app(health.metrics_routes(), [])
            await stack.enter_async_context(serving(private_app, private))
        # What a platform delivers is signed: it may name us as it likes.
        signed = {
            route.path
            for route in platforms
            if "POST" in (route.methods or ())
        }
        app = create_app(routes, hosts_of(settings, listening), signed)
        if front is None:
            await stack.enter_async_context(serving(app, listening))
        else:
            front.app = app
        if room is not None:
            stack.callback(room.stop_streams)
        yield
