"""Looks at a database without changing it: no file, no table, no upgrade."""

from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from core.storage import database


class Schema(StrEnum):
    """How the tables stand to this program."""

    MISSING = "missing"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


def sqlite_file(url: str) -> Path:
    """Return the file of a SQLite address."""
    return Path(make_url(url).database or "")


def exists(url: str) -> bool:
    """Whether there can be tables at all: a SQLite file that is not there is not to be made."""
    return not database.is_sqlite(url) or sqlite_file(url).exists()


def open_read_only(url: str) -> AsyncEngine:
    """Open a database that is there, for reading alone."""
    if not database.is_sqlite(url):
        return database.reading(database.open_async(url, pool=1))
    file = sqlite_file(url)
    query: dict[str, Any] = {"uri": "true", "mode": "ro"}
    # Without a log beside it, SQLite would make one even to read.
    if not file.with_name(f"{file.name}-wal").exists():
        query["immutable"] = "1"
    address = make_url("sqlite+aiosqlite://").set(
        database=f"file:{file}", query=query
    )
    return create_async_engine(address, hide_parameters=True)


async def revision_of(url: str) -> str | None:
    """Return the revision of the tables; None where there are none yet.

    Raises SQLAlchemyError or OSError when the database cannot be reached.
    """
    if not exists(url):
        return None
    engine = open_read_only(url)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
            return await _read_revision(connection)
    finally:
        await engine.dispose()


async def _read_revision(connection: Any) -> str | None:
    query = text("SELECT version_num FROM alembic_version")
    try:
        return str(await connection.scalar(query))
    except (OperationalError, ProgrammingError):
        return None  # there is no such table


def compare(revision: str | None) -> Schema:
    """Tell how a revision stands to this program. Revisions are numbers of four digits."""
    if revision is None:
        return Schema.MISSING
    if revision == database.HEAD:
        return Schema.CURRENT
    return Schema.OLDER if revision < database.HEAD else Schema.NEWER
