"""The schema brought up to date by Alembic, which is slow to load.

Only who needs it imports this.
"""

from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from core.errors import ConfigurationError


def upgrade(connection: Connection, to: str) -> None:
    """Run what is missing, up to a revision or "head".

    Raises ConfigurationError for a schema newer than ours.
    """
    with as_file(files("core.storage") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder))
        _refuse_newer(connection, ScriptDirectory.from_config(config))
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def _refuse_newer(connection: Connection, scripts: ScriptDirectory) -> None:
    with connection.begin():
        current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in {
        script.revision for script in scripts.walk_revisions()
    }:
        raise ConfigurationError(
            "config.database.newer", setting="EASEL_DATABASE_URL", version=current
        )
