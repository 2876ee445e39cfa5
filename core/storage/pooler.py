"""Whether a pooler stands before PostgreSQL that lends a session for one transaction at a time.

PgBouncer does in its transaction mode. A lock or a LISTEN would stay in the session, whoever is
lent it next.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    create_async_engine,
)
from sqlalchemy.pool import NullPool

from core.storage.database import POSTGRESQL, sync_url

LOOKS = 5
"""A pooler with many idle sessions may lend us the same one by chance, but hardly so often."""
SESSION = text("SELECT pg_backend_pid()")


async def lends_sessions(url: str) -> bool:
    """Whether our session may change between two transactions. Raises SQLAlchemyError, OSError."""
    engine = create_async_engine(
        sync_url(url),
        poolclass=NullPool,
        connect_args=POSTGRESQL,
    )
    try:
        return await _lends_sessions(engine)
    finally:
        await engine.dispose()


async def _lends_sessions(engine: AsyncEngine) -> bool:
    async with engine.connect() as ours, engine.connect() as other:
        first = await _session(ours)
        if first == await _announced_session(ours):
            return False  # nothing stands between us and the server
        for _ in range(LOOKS):
            await ours.commit()
            # While the other is in a transaction it keeps a session, ours perhaps.
            taken = await _session(other)
            if first == taken or first != await _session(ours):
                return True
            await other.commit()
        return False


async def _session(connection: AsyncConnection) -> int:
    return int((await connection.execute(SESSION)).scalar_one())


async def _announced_session(connection: AsyncConnection) -> int:
    """The session's number, as announced when we connected: a pooler announces another one."""
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    assert driver is not None  # noqa: S101  # it has just answered
    return int(driver.info.backend_pid)
