"""Whether the schema is current is known without Alembic; here Alembic checks it."""

from importlib.resources import as_file, files
from pathlib import Path

from alembic.script import ScriptDirectory

from core.storage import database


def test_the_newest_revision_is_the_one_we_know() -> None:
    with as_file(files("core.storage") / "migrations") as folder:
        assert ScriptDirectory(folder).get_current_head() == database.HEAD


async def test_a_database_is_current_once_it_was_migrated(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'easel.db'}"
    engine = database.open_sync(url)
    assert not database.is_current(engine)
    await database.migrate(url)
    assert database.is_current(engine)
    engine.dispose()
    nowhere = database.open_sync(
        f"sqlite:///{tmp_path / 'no folder' / 'easel.db'}"
    )
    assert not database.is_current(nowhere)
