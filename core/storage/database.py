"""The database itself: engines set up so that what is committed is durable, and the schema brought up to date."""

import asyncio
from importlib.resources import as_file, files
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from core.errors import ConfigurationError

BUSY_TIMEOUT_MS = 30_000
LARGEST_LOG = 16 * 2**20
"""Bytes of SQLite's write-ahead log that stay after a rush, when readers overlapped and it could not begin anew."""
LOOKS_ONLY = "easel_looks_only"
"""The mark of a connection whose transactions write nothing."""


def _durable(engine: Engine) -> None:
    """WAL with FULL survives a power cut. Who only looks sees the last commit and waits for no writer.

    Who writes says so at once (IMMEDIATE): a look that turns into a write would fail.
    """

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA journal_size_limit={LARGEST_LOG}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA trusted_schema=OFF")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        looks_only = connection.get_execution_options().get(LOOKS_ONLY, False)
        connection.exec_driver_sql("BEGIN" if looks_only else "BEGIN IMMEDIATE")


def sync_url(url: str) -> str:
    """The address with the driver for blocking use (DBOS, migrations): ``postgresql://…`` or ``sqlite:///…``."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return parsed.set(drivername="sqlite").render_as_string(hide_password=False)
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    raise ConfigurationError("config.database.kind", setting="EASEL_DATABASE_URL", value=parsed.drivername)


def is_sqlite(url: str) -> bool:
    """One file, hence one worker?"""
    return make_url(url).get_backend_name() == "sqlite"


def open_sync(url: str) -> Engine:
    """A blocking engine for DBOS, with the same durability as ours."""
    engine = create_engine(sync_url(url), pool_pre_ping=not is_sqlite(url), hide_parameters=True)
    if is_sqlite(url):
        _durable(engine)
    return engine


def open_async(url: str) -> AsyncEngine:
    """Our own engine: aiosqlite or psycopg."""
    if is_sqlite(url):
        engine = create_async_engine(make_url(sync_url(url)).set(drivername="sqlite+aiosqlite"), hide_parameters=True)
        _durable(engine.sync_engine)
        return engine
    return create_async_engine(sync_url(url), pool_pre_ping=True, hide_parameters=True)


def looking(engine: AsyncEngine) -> AsyncEngine:
    """The same engine, for transactions that write nothing: PostgreSQL refuses them a write, SQLite lets them pass."""
    return engine.execution_options(**{LOOKS_ONLY: True, "postgresql_readonly": True})


def _migrate(url: str, to: str) -> None:
    with as_file(files("core.storage") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder))
        engine = open_sync(url)
        try:
            with engine.connect() as connection:
                _refuse_newer(connection, ScriptDirectory.from_config(config))
                config.attributes["connection"] = connection
                command.upgrade(config, to)
        except SQLAlchemyError as error:
            raise ConfigurationError(
                "config.database.unusable", setting="EASEL_DATABASE_URL", reason=type(error).__name__
            ) from error
        finally:
            engine.dispose()


def _refuse_newer(connection: Connection, scripts: ScriptDirectory) -> None:
    with connection.begin():
        current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise ConfigurationError("config.database.newer", setting="EASEL_DATABASE_URL", version=current)


async def migrate(url: str, to: str = "head") -> None:
    """Bring the schema up to date, or to a certain revision.

    Raises ConfigurationError if it is newer than this program, or unusable.
    """
    await asyncio.to_thread(_migrate, url, to)
