"""A database that blocks the loop: for one command at a prompt, which has nothing else to do.

Without SQLAlchemy's asyncio (and the ORM it brings along) a command takes a tenth less processor
time.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine


class BlockingEngine:
    """What the store asks of an AsyncEngine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.dialect = engine.dialect

    def execution_options(self, **options: Any) -> "BlockingEngine":
        """The same, with other options."""
        return BlockingEngine(self._engine.execution_options(**options))

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["BlockingConnection"]:
        """A transaction."""
        with self._engine.begin() as connection:
            yield BlockingConnection(connection)


class BlockingConnection:
    """What the store asks of an AsyncConnection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(self, *arguments: Any) -> CursorResult[Any]:
        """Run a statement."""
        return self._connection.execute(*arguments)
