"""The schema brought up to date by Alembic, which is slow to load.

Import this only where there is something to upgrade.
"""

from collections.abc import Collection
from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select

from core.errors import ConfigurationError

ONLY_MAIN = "0008"
"""Revisions up to this one concern the main tables alone: other files begin behind it."""
LOCK = "easel migrations"


def upgrade(connection: Connection, tables: Collection[str], to: str) -> None:
    """Run the missing migrations, up to a revision or "head", in the connection's transaction.

    Processes that start at the same time take turns: the second finds nothing to do. On SQLite the
    transaction itself is the lock, as it began by announcing a write.

    Raises ConfigurationError for a schema newer than this program.
    """
    if connection.dialect.name == "postgresql":
        lock = func.pg_advisory_xact_lock(func.hashtext(LOCK))
        connection.execute(select(lock))
    with as_file(files("core.storage") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder))
        config.attributes |= {"connection": connection, "tables": tables}
        current = MigrationContext.configure(connection).get_current_revision()
        _refuse_newer(current, ScriptDirectory.from_config(config))
        if current is None and "main" not in tables:
            command.stamp(config, ONLY_MAIN)
        command.upgrade(config, to)


def _refuse_newer(current: str | None, scripts: ScriptDirectory) -> None:
    if current is None:
        return
    if current not in {script.revision for script in scripts.walk_revisions()}:
        raise ConfigurationError(
            "config.database.newer",
            setting="EASEL_DATABASE_URL",
            version=current,
        )
