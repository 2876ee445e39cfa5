"""Puts the core together; read it top to bottom.

Beside it, accounts, providers, web, slack and discord build what the core is given.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import Engine as BlockingEngine
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.accounts import is_simulated
from bot.clock import WallClock
from bot.folder import link_keys, lock_folder
from bot.providers import (
    PROVIDERS,
    ProviderKind,
    Surroundings,
    load_catalog,
    open_providers,
)
from bot.room_references import room_references, room_uploads
from bot.sealing import open_keyring, seal_secrets
from bot.settings import Settings
from bot.simulator.tasks import SimulatorConfig
from core.catalog import Catalog
from core.engine import Engine
from core.errors import ConfigurationError
from core.flow.context import Context
from core.pictures.pool import Pool
from core.ports import Blobs, Chat, Clock
from core.service import Service
from core.signed_links import Links
from core.storage import database
from core.storage.blob_sweep import BlobSweep
from core.storage.blobs import open_blobs
from core.storage.claims import Claims
from core.storage.drafts import DraftStore
from core.storage.history_life import HistoryLife
from core.storage.inbox import Inbox
from core.storage.people import PeopleStore
from core.storage.pooler import lends_sessions
from core.storage.query_turns import QueryTurns
from core.storage.reactions import ReactionStore
from core.storage.retention import Retention
from core.storage.sealing import Keyring, use_keyring
from core.storage.shielding import wait_for_transactions
from core.storage.store import Store
from core.storage.workers import Workers

THREADS = 4
"""Threads for reading files and looking up host names, which block."""
SETTLE = 2.0
"""Seconds before a lost submit is looked for, as the service may list it late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Easel:
    """The core, put together and started. ``simulated`` when no key was set."""

    service: Service
    context: Context
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
    engine: AsyncEngine | None = None,
    lost: Callable[[], None] | None = None,
    providers: Mapping[str, ProviderKind] = PROVIDERS,
    takes_jobs: bool = True,
) -> AsyncIterator[Easel]:
    """Start everything, and stop it at the end.

    ``waiting`` is called when another process has the data folder. ``engine`` is a pool of
    connections shared with others, ``providers`` are those that are built in, by id. ``lost`` is
    called when other workers may take this process for dead. Where it does not ``take_jobs``,
    other processes on the same database do.

    Raises ConfigurationError naming the setting.
    """
    async with AsyncExitStack() as stack:
        asyncio.get_running_loop().set_default_executor(
            ThreadPoolExecutor(THREADS, "easel")
        )
        await lock_folder(stack, settings, waiting)
        keyring = await migrate(settings)
        if engine is None:
            engine = await stack.enter_async_context(open_database(settings))
        use_keyring(engine, keyring)
        blobs: Blobs = open_blobs(settings.blobs)
        catalog = load_catalog(providers)
        check_caps(settings, catalog)
        clock: Clock = WallClock()
        is_shared = not database.is_sqlite(settings.database)
        shared_turn = QueryTurns(engine).take if is_shared else None
        surroundings = Surroundings(
            settings=settings,
            catalog=catalog,
            simulator=simulator,
            blobs=blobs,
            clock=clock,
            shared_turn=shared_turn,
        )
        pool = Pool(workers=2)
        stack.callback(pool.close)
        context = Context(
            store=Store(engine),
            reactions=ReactionStore(engine),
            drafts=DraftStore(engine),
            people=PeopleStore(engine),
            links=Links(link_keys(settings), settings.public_url or ""),
            caps=settings.caps,
            blobs=blobs,
            catalog=catalog,
            providers=await open_providers(stack, providers, surroundings),
            chats=chats(blobs),
            clock=clock,
            pool=pool,
            keep_days=settings.keep_days,
            is_shared=is_shared,
            uploads=room_uploads(settings.data_dir),
            settle=settle,
        )
        worker = worker_name(settings)
        inbox = Inbox(
            open_inbox(settings, keyring),
            worker,
            context.chats,
            takes_jobs=takes_jobs,
        )
        stack.push_async_callback(inbox.close)
        workers: Workers | None = None
        if context.is_shared:
            await require_own_sessions(settings)
            workers = Workers(
                settings.direct_database,
                worker,
                context.chats,
                takes_jobs=takes_jobs,
            )
        claims = Claims(engine, worker, context.chats)
        jobs = Engine(
            context,
            claims,
            inbox,
            Retention(engine),
            HistoryLife(engine),
            BlobSweep(engine, blobs, room_references(settings.data_dir)),
            worker,
            workers,
            lost=lost or stop_this_process,
            takes_jobs=takes_jobs,
        )
        # Last: what was in work continues at once, and needs everything above.
        await jobs.start()
        stack.push_async_callback(jobs.stop)
        yield Easel(
            service=Service(context, jobs),
            context=context,
            engine=jobs,
            simulated=is_simulated(settings),
        )


def check_caps(settings: Settings, catalog: Catalog) -> None:
    """Raise ConfigurationError for a cap in a currency that no model is paid in."""
    caps = {
        "EASEL_BUDGET_DAY": settings.budget_day,
        "EASEL_BUDGET_MONTH": settings.budget_month,
    }
    for setting, cap in caps.items():
        if cap is not None and cap.currency not in catalog.currencies:
            allowed = ", ".join(catalog.currencies)
            raise ConfigurationError(
                "config.value", setting=setting, allowed=allowed
            )


async def migrate(settings: Settings) -> Keyring | None:
    """Bring every table up to date, but for the room's, and encrypt with the newest key.

    Return the keys. Raises ConfigurationError.
    """
    await database.migrate(settings.database)
    if database.is_sqlite(settings.database):
        await database.migrate(inbox_url(settings), database.TableSet.INBOX)
    keyring = open_keyring(settings)
    await seal_secrets(settings, inbox_url(settings), keyring)
    return keyring


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """Open the pool of connections that everything in this process shares."""
    engine = database.open_async(
        settings.database,
        settings.database_pool,
        is_pooled=settings.database_direct_url is not None,
    )
    try:
        yield engine
    finally:
        # A transaction cut off now would leave its connection behind.
        await wait_for_transactions()
        await engine.dispose()


async def require_own_sessions(settings: Settings) -> None:
    """Raises ConfigurationError when a pooler would keep the locks we take in a session."""
    if await lends_sessions(settings.direct_database):
        raise ConfigurationError(
            "config.database.pooler", setting="EASEL_DATABASE_DIRECT_URL"
        )


def worker_name(settings: Settings) -> str:
    """Name this process among the workers."""
    if database.is_sqlite(settings.database):
        # There is one worker, and it continues its own work after a restart.
        return "local"
    return uuid4().hex


def inbox_url(settings: Settings) -> str:
    """The inbox's database: on SQLite a separate file, so that it never waits for a job."""
    if database.is_sqlite(settings.database):
        return f"sqlite:///{settings.data_dir / 'inbox.db'}"
    return settings.database


def open_inbox(settings: Settings, keyring: Keyring | None) -> BlockingEngine:
    """Open the inbox's database, for one thread."""
    engine = database.open_sync(inbox_url(settings))
    use_keyring(engine, keyring)
    return engine


def stop_this_process() -> None:
    """Shut down gracefully, as SIGTERM does."""
    signal.raise_signal(signal.SIGTERM)
