"""The core without an engine, for commands that are answered at once.

It opens the store and the blobs as they are; nothing here may be slow to load.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Never, cast

from bot import accounts
from bot.clock import WallClock
from bot.folder import link_keys
from bot.providers import load_catalog
from bot.settings import Settings
from core.flow.context import Context
from core.incoming import Incoming
from core.pictures.pool import SameProcess
from core.ports import Blobs, Chat
from core.signed_links import Links
from core.storage import database
from core.storage.blobs import open_blobs
from core.storage.blocking import BlockingEngine
from core.storage.drafts import DraftStore
from core.storage.people import PeopleStore
from core.storage.reactions import ReactionStore
from core.storage.store import Store
from core.types import Request

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine


class NoJobs:
    """Takes the place of the engine: a command that is answered at once begins no job."""

    async def take(self, request: Request) -> Never:
        """Never called."""
        raise AssertionError(request.action)

    async def receive(self, incoming: Incoming) -> Never:
        """Never called."""
        raise AssertionError(incoming.key)

    def retry_deliveries(self, platform: str) -> Never:
        """Never called."""
        raise AssertionError(platform)


@asynccontextmanager
async def open_context(
    settings: Settings,
    chats: Callable[[Blobs], Mapping[str, Chat]],
) -> AsyncIterator[Context | None]:
    """Open what an answer needs. None when the database is not up to date.

    Raises ConfigurationError.
    """
    catalog = load_catalog()
    accounts.check(settings, catalog)
    async with AsyncExitStack() as stack:
        engine = database.open_sync(settings.database)
        stack.callback(engine.dispose)
        # Only a process with an engine migrates: it holds the folder.
        if not database.is_current(engine):
            yield None
            return
        # Nothing else runs in this process: blocking is cheaper than a thread for each query.
        blocking = cast("AsyncEngine", BlockingEngine(engine))
        blobs = open_blobs(settings.blobs)
        # What it draws are pictures that were checked when they came.
        pool = SameProcess()
        stack.callback(pool.close)
        yield Context(
            store=Store(blocking),
            reactions=ReactionStore(blocking),
            drafts=DraftStore(blocking),
            people=PeopleStore(blocking),
            links=Links(link_keys(settings), settings.public_url or ""),
            blobs=blobs,
            catalog=catalog,
            providers={},
            chats=chats(blobs),
            clock=WallClock(),
            pool=pool,
        )
