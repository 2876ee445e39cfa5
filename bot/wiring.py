"""Puts Easel together: with bot/slack.py, the only place that names concrete classes. Read it top to bottom."""

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
from filelock import FileLock, Timeout
from starlette.routing import Route

from adapters.web.app import bind, create_app, room_pages, serving
from adapters.web.health import Check, Health
from adapters.web.pages import Pages
from adapters.web.painter import Painter
from adapters.web.room import RoomApi
from adapters.web.store import Room
from bot.settings import Settings
from bot.simulator.server import SimulatorConfig, serve
from core.catalog import Catalog
from core.engine import Engine
from core.errors import ConfigurationError
from core.flow.tools import Tools
from core.pictures.pool import Pool
from core.ports import Blobs, Chat, Clock, Provider
from core.providers.dashscope import catalog_text
from core.providers.dashscope.client import DashScope
from core.service import Service
from core.signed_links import Links
from core.storage import database
from core.storage.blobs import open_blobs
from core.storage.claims import Claims
from core.storage.inbox import Inbox
from core.storage.store import Store
from core.storage.together import Together
from core.storage.whole import all_ended
from core.storage.workers import Workers

SIMULATOR_KEY = "sk-simulator"
SETTLE = 2.0
"""Seconds before a lost submit is looked for, as the service may list it late."""


class WallClock:
    """The real time."""

    def now(self) -> datetime:
        """Aware, UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Sleep; cancellable."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where one account's service is reached. ``hosts`` its results may come from."""

    url: str
    key: str
    hosts: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Easel:
    """Everything put together, started. ``simulated`` when no key was set."""

    service: Service
    tools: Tools
    engine: Engine
    simulated: bool


ChatFactory = Callable[[Blobs], Mapping[str, Chat]]


@asynccontextmanager
async def open_easel(
    settings: Settings,
    chats: ChatFactory,
    *,
    simulator: SimulatorConfig,
    waiting: Callable[[], None] | None = None,
    settle: float = SETTLE,
    prepare: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[Easel]:
    """Start everything and stop it again. ``waiting`` is called when another process has the data folder.

    ``prepare`` is awaited once the folder is ours and the database up to date, before any job goes on.

    Raises ConfigurationError naming the setting.
    """
    async with AsyncExitStack() as stack:
        await lock_folder(stack, settings, waiting)
        await database.migrate(settings.database)
        if prepare is not None:
            await prepare()
        ours = database.open_async(settings.database)
        stack.push_async_callback(ours.dispose)
        stack.push_async_callback(all_ended)
        blobs: Blobs = open_blobs(settings.blobs)
        catalog = Catalog.load(catalog_text())
        accounts = await find_accounts(stack, settings, catalog, simulator)
        clock: Clock = WallClock()
        client = await stack.enter_async_context(http_client())
        providers: dict[str, Provider] = {}
        for name, account in accounts.items():
            provider = DashScope(
                client=client,
                base_url=account.url,
                api_key=account.key,
                catalog=catalog,
                read=blobs.read,
                result_hosts=account.hosts,
                clock=clock,
            )
            stack.push_async_callback(provider.close)
            providers[name] = provider
        pool = Pool(workers=2)
        stack.callback(pool.close)
        tools = Tools(
            store=Store(ours),
            together=Together(ours),
            links=Links(link_keys(settings), settings.public_url or ""),
            blobs=blobs,
            catalog=catalog,
            providers=providers,
            chats=chats(blobs),
            clock=clock,
            pool=pool,
            settle=settle,
        )
        worker = worker_name(settings)
        inbox = Inbox(database.open_sync(inbox_url(settings)), worker)
        stack.push_async_callback(inbox.close)
        await inbox.prepare()
        workers = None if database.is_sqlite(settings.database) else Workers(settings.database, worker)
        engine = Engine(tools, Claims(ours, worker), inbox, worker, workers, lost=stop_this_process)
        await engine.start()
        stack.push_async_callback(engine.stop)
        yield Easel(service=Service(tools, engine), tools=tools, engine=engine, simulated=is_simulated(settings))


def worker_name(settings: Settings) -> str:
    """On SQLite there is one worker, which goes on with its own work; elsewhere each process is a new one."""
    return "local" if database.is_sqlite(settings.database) else uuid4().hex


def inbox_url(settings: Settings) -> str:
    """On SQLite a file of its own; on PostgreSQL the database."""
    is_sqlite = database.is_sqlite(settings.database)
    return f"sqlite:///{settings.data_dir / 'inbox.db'}" if is_sqlite else settings.database


def listen(settings: Settings, port: int | None = None) -> socket.socket:
    """The port asked for; when nobody asked and the usual one is taken, any free one. Raises ConfigurationError."""
    wanted = settings.http_port if port is None else port
    try:
        return bind(settings.http_host, wanted)
    except OSError as error:
        if port is None and "http_port" not in settings.model_fields_set:
            return bind(settings.http_host, 0)
        setting = "EASEL_HTTP_PORT" if port is None else "--port"
        reason = error.strerror or "error"
        raise ConfigurationError("config.port", setting=setting, port=wanted, reason=reason) from None


def address_of(settings: Settings, listening: socket.socket) -> str:
    """Where people reach the web server: as set, else on this machine."""
    host = "127.0.0.1" if settings.http_host in {"0.0.0.0", "::"} else settings.http_host  # noqa: S104
    host = f"[{host}]" if ":" in host else host
    return (settings.public_url or f"http://{host}:{listening.getsockname()[1]}").rstrip("/")


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
) -> AsyncIterator[None]:
    """Painter, picture pages and health; the room where there is one; metrics on their own port if so set.

    ``platforms``: paths at which chat platforms deliver; ``checks``: whether they can.
    """
    checks = {**(checks or {}), **({"room": room.last_change} if room else {})}
    health = Health(easel.tools, checks)
    routes = [*health.routes(), *Painter(easel.service, easel.tools).routes(), *Pages(easel.tools).routes(), *platforms]
    if room is not None:
        routes += [*room_pages(), *RoomApi(room, easel.service, easel.tools).routes()]
    async with AsyncExitStack() as stack:
        if room is not None:
            stack.push_async_callback(room.close)
        if settings.metrics_port is not None:
            routes = [one for one in routes if one.path != "/metrics"]
            private = bind(settings.http_host, settings.metrics_port)
            await stack.enter_async_context(serving(create_app(health.metrics_routes(), []), private))
        await stack.enter_async_context(serving(create_app(routes, hosts_of(settings, listening)), listening))
        if room is not None:
            stack.callback(room.let_go)
        yield


def link_keys(settings: Settings) -> list[str]:
    """What links are signed with: the operator's own (several workers need the same), or one made at first start."""
    if settings.link_keys:
        return list(settings.link_keys.get_secret_value().split(","))
    path = settings.data_dir / "link.key"
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
    return [path.read_text()]


def stop_this_process() -> None:
    """As an operator would: the running command lets go of everything and ends."""
    signal.raise_signal(signal.SIGTERM)


async def lock_folder(stack: AsyncExitStack, settings: Settings, waiting: Callable[[], None] | None) -> None:
    """One worker a data folder on SQLite: its limits hold for one process only. Waits a minute for another to end."""
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not database.is_sqlite(settings.database):
            return
        lock = FileLock(folder / "easel.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            if waiting is not None:
                waiting()
            await asyncio.to_thread(lock.acquire, timeout=60 if waiting else 0)
    except Timeout:
        raise ConfigurationError("config.locked", setting="EASEL_DATA_DIR", folder=str(folder)) from None
    except OSError as error:
        raise ConfigurationError(
            "config.data_dir", setting="EASEL_DATA_DIR", folder=str(folder), reason=error.strerror or "error"
        ) from None
    stack.callback(lock.release)


def is_simulated(settings: Settings) -> bool:
    """No key and no server of one's own: the simulator stands in."""
    return not settings.keys and not settings.dashscope_url


async def find_accounts(
    stack: AsyncExitStack, settings: Settings, catalog: Catalog, simulator: SimulatorConfig
) -> dict[str, Account]:
    """The account of each region that has a key, the chosen region first; or the simulator's."""
    for region in (settings.region, *settings.keys):
        if region not in catalog.regions:
            known = ", ".join(catalog.regions)
            raise ConfigurationError("config.region", setting="EASEL_REGION", value=region, known=known)
    if not is_simulated(settings):
        return accounts_of(settings, catalog)
    stood_in = await stack.enter_async_context(serve(simulator))
    return {settings.region: Account(url=stood_in.url, key=SIMULATOR_KEY, hosts=(stood_in.host,))}


def accounts_of(settings: Settings, catalog: Catalog) -> dict[str, Account]:
    """Raises ConfigurationError for a missing key or address."""
    if not settings.keys:
        raise ConfigurationError("config.key_missing", setting="DASHSCOPE_API_KEY")
    return {
        region: Account(url=_url(settings, catalog, region), key=key.get_secret_value(), hosts=settings.result_hosts)
        for region, key in settings.keys.items()
    }


def _url(settings: Settings, catalog: Catalog, region: str) -> str:
    if settings.dashscope_url and region == settings.region:
        return settings.dashscope_url.rstrip("/")
    if not catalog.regions[region].url:
        raise ConfigurationError("config.region_url", setting="EASEL_DASHSCOPE_URL", region=region)
    return catalog.regions[region].url


def http_client() -> httpx.AsyncClient:
    """The one client for the service and its results: no redirects, nothing from the environment, HTTP/1.1."""
    return httpx.AsyncClient(follow_redirects=False, trust_env=False, http2=False)
