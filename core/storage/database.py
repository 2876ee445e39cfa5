"""The database: engines that commit durably, and the schema brought up to date."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import (
    Connection,
    Engine,
    Table,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import (
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.pool import AsyncAdaptedQueuePool

from core.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext
    from sqlalchemy.ext.asyncio import AsyncEngine

BUSY_TIMEOUT_MS = 30_000
HEAD = "0021"
"""The newest revision, so that a start with nothing to upgrade loads no Alembic; a test compares
the two."""
LOG_PATIENCE_MS = 1_000
"""How long one try to empty the log may wait for readers; meanwhile nobody writes."""
LOG_TRIES = 5
LARGEST_LOG = 16 * 2**20
"""Bytes of SQLite's write-ahead log that remain after a rush, when overlapping readers kept it from
starting over."""
POOL = 5
"""Connections to the database, shared by everything in one process, unless it is set."""
POSTGRESQL = {"prepare_threshold": None}
"""Nothing is prepared for later: a pooler may lend the next transaction another session."""
SESSION = """
    SET idle_in_transaction_session_timeout = '60s';
    SET tcp_keepalives_idle = 20;
    SET tcp_keepalives_interval = 5;
    SET tcp_keepalives_count = 4
    """
"""Ends, with its locks, the session of a process that was stopped or of a host that is gone."""
READ_ONLY = "25006"
"""PostgreSQL's code for a write to a database, or in a transaction, that only reads."""
_REVISION = text("SELECT version_num FROM alembic_version")
DISK_TROUBLE = (
    "disk is full",
    "disk i/o error",
    "locked",
    "no space left",
    "read-only",
    "readonly",
)
"""What SQLite and the system say of a disk that may be written to again later."""
ONLY_READS = "easel_only_reads"
"""The mark of a connection whose transactions write nothing."""


class TableSet(StrEnum):
    """Tables that have a file of their own on SQLite.

    PostgreSQL holds the first two in one database. The room is on SQLite wherever the rest is.
    """

    MAIN = "main"
    """Steps and money, and what Slack and Discord need."""
    INBOX = "inbox"
    """What platforms delivered: acknowledging it never waits for a transaction of the jobs."""
    ROOM = "room"


def _durable(engine: Engine) -> None:
    """Set SQLite up so that what is committed survives a power cut (WAL with FULL).

    A transaction that reads sees the last commit and waits for no writer. One that writes says so
    at once (IMMEDIATE): a read that turns into a write would fail.
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
        # What is deleted is gone from the file, too, and not only from its tables.
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.execute("PRAGMA trusted_schema=OFF")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        only_reads = connection.get_execution_options().get(ONLY_READS, False)
        connection.exec_driver_sql(
            "BEGIN" if only_reads else "BEGIN IMMEDIATE"
        )


def _reconnect_on_refusal(engine: Engine) -> None:
    """Connect again where a database refuses to write.

    After a failover the old one still answers, as a standby.
    """

    @event.listens_for(engine, "handle_error")
    def on_error(context: ExceptionContext) -> None:
        refusal = getattr(context.original_exception, "sqlstate", None)
        if refusal == READ_ONLY:
            context.is_disconnect = True


def end_lost_sessions(engine: Engine) -> None:
    """Let PostgreSQL end a session, and free its locks, when its process sleeps or is gone."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(SESSION)
        cursor.close()
        connection.commit()


def empty_log(connection: Connection) -> None:
    """Empty SQLite's write-ahead log, where what was deleted may still stand.

    Where a reader is in the way for too long, the log is written over later.
    """
    if connection.dialect.name != "sqlite":
        return
    # Not by ``execute``, which would begin a transaction.
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={LOG_PATIENCE_MS}")
    for _ in range(LOG_TRIES):
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ((is_busy, _size, _moved),) = cursor.fetchall()
        if not is_busy:
            break
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.close()


def sync_url(url: str) -> str:
    """Return the address with the driver for blocking use (inbox, migrations).

    ``url`` is ``postgresql://…`` or ``sqlite:///…``. Raises ConfigurationError for any other kind.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return parsed.set(drivername="sqlite").render_as_string(
            hide_password=False
        )
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg").render_as_string(
            hide_password=False
        )
    raise ConfigurationError(
        "config.database.kind",
        setting="EASEL_DATABASE_URL",
        value=parsed.drivername,
    )


def is_sqlite(url: str) -> bool:
    """Whether it is SQLite: one file, hence one worker."""
    return make_url(url).get_backend_name() == "sqlite"


def files_of(url: str) -> list[Path]:
    """The files of a SQLite database, whether they are there or not."""
    path = make_url(url).database or ""
    return [Path(path + suffix) for suffix in ("", "-wal", "-shm")]


def _make_private_file(url: str) -> None:
    """Make SQLite's file for this user alone; the ones beside it are made like it."""
    path, *_ = files_of(url)
    # What cannot be written is for the database to say.
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


def open_sync(url: str) -> Engine:
    """A blocking engine for one thread, with the same durability."""
    if is_sqlite(url):
        engine = create_engine(sync_url(url), hide_parameters=True)
        _durable(engine)
        return engine
    engine = create_engine(
        sync_url(url),
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=POSTGRESQL,
    )
    _reconnect_on_refusal(engine)
    return engine


def open_async(
    url: str,
    pool: int = POOL,
    *,
    is_pooled: bool = False,
) -> AsyncEngine:
    """An asynchronous engine with at most ``pool`` connections: aiosqlite or psycopg.

    ``is_pooled``: a pooler stands before the database; its sessions are not ours to set up.
    """
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415  # slow to load: it brings the ORM

    limits: dict[str, Any] = {
        "pool_size": pool,
        "max_overflow": 0,
        "hide_parameters": True,
    }
    if is_sqlite(url):
        address = make_url(sync_url(url)).set(drivername="sqlite+aiosqlite")
        engine = create_async_engine(
            address,
            poolclass=AsyncAdaptedQueuePool,
            **limits,
        )
        _durable(engine.sync_engine)
        return engine
    engine = create_async_engine(
        sync_url(url),
        pool_pre_ping=True,
        connect_args=POSTGRESQL,
        **limits,
    )
    if not is_pooled:
        end_lost_sessions(engine.sync_engine)
    _reconnect_on_refusal(engine.sync_engine)
    return engine


def reading(engine: AsyncEngine) -> AsyncEngine:
    """The same engine, for transactions that write nothing.

    PostgreSQL refuses them a write, SQLite lets them pass.
    """
    return engine.execution_options(
        **{ONLY_READS: True, "postgresql_readonly": True}
    )


def reading_sync(engine: Engine) -> Engine:
    """The same as ``reading``, for a blocking engine."""
    return engine.execution_options(**{ONLY_READS: True})


def inserting(engine: AsyncEngine) -> Callable[[Table], Any]:
    """The dialect's INSERT, which knows what to do about rows already there.

    PostgreSQL's is slow to load.
    """
    if engine.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415

        return postgresql.insert
    return sqlite.insert


def _migrate(url: str, tables: TableSet, to: str) -> None:
    if is_sqlite(url):
        _make_private_file(url)
    engine = open_sync(url)
    try:
        # Most starts end here, without the time it takes to load Alembic.
        with engine.connect() as connection:
            if to == "head" and _revision(connection) == HEAD:
                return
        from core.storage.upgrade import upgrade  # noqa: PLC0415  # Alembic

        with engine.begin() as connection:
            if is_sqlite(url):
                _keep_copy(connection, url)
            upgrade(connection, _held_by(url, tables), to)
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise unusable(error, url) from error
    finally:
        engine.dispose()


def unusable(error: Exception, url: str) -> ConfigurationError:
    """Say why a database cannot be brought up to date; Unavailable for what passes."""
    # The text of another driver may name the host.
    reason = type(error).__name__
    may_pass = isinstance(
        error, OperationalError | InterfaceError | InternalError
    )
    if is_sqlite(url):
        text = str(getattr(error, "orig", error))
        may_pass = any(words in text.lower() for words in DISK_TROUBLE)
        reason = text if may_pass else reason
    if may_pass:
        return Unavailable(
            "config.database.away", setting="EASEL_DATABASE_URL", reason=reason
        )
    return ConfigurationError(
        "config.database.unusable", setting="EASEL_DATABASE_URL", reason=reason
    )


def _keep_copy(connection: Connection, url: str) -> None:
    """Copy a SQLite file that is about to be upgraded; its lock is held, so that one does it."""
    from core.storage.snapshots import keep_copy  # noqa: PLC0415  # seldom needed

    revision = connection.scalar(_REVISION) if _has_tables(connection) else ""
    file = make_url(url).database
    # One that is newer is about to be refused, and stays as it is.
    if revision and revision < HEAD and file:
        keep_copy(Path(file), revision)


def _has_tables(connection: Connection) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    return connection.scalar(text(query)) is not None


def _held_by(url: str, tables: TableSet) -> frozenset[TableSet]:
    if is_sqlite(url):
        return frozenset({tables})
    return frozenset({TableSet.MAIN, TableSet.INBOX})


def _revision(connection: Connection) -> str | None:
    try:
        with connection.begin():
            return cast(
                "str | None",
                connection.scalar(_REVISION),
            )
    except (OperationalError, ProgrammingError):
        return None  # a new database: there is no such table


def is_current(engine: Engine) -> bool:
    """Is the schema there and up to date? Changes nothing."""
    try:
        with engine.connect() as connection:
            return _revision(connection) == HEAD
    except SQLAlchemyError:
        return False


async def migrate(
    url: str,
    tables: TableSet = TableSet.MAIN,
    *,
    to: str = "head",
) -> None:
    """Bring the schema up to date, or to a certain revision.

    ``tables``: which of SQLite's files it is. Any number of processes may do so at once.

    Raises ConfigurationError if it is newer than this program, or unusable.
    """
    await asyncio.to_thread(_migrate, url, tables, to)
