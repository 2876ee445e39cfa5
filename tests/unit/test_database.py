"""Whether the schema is current is known without Alembic; how transactions end."""

import asyncio
import gc
from importlib.resources import as_file, files
from pathlib import Path

from alembic.script import ScriptDirectory

from core.storage import database
from core.storage.shielding import shielded


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


@shielded
class Hanging:
    """A store whose transaction fails after its caller has left."""

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()

    async def write(self) -> None:
        await self.goes_on.wait()
        raise OSError("away")


async def test_an_error_that_no_caller_waits_for_is_not_logged() -> None:
    logged: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: logged.append(context))
    store = Hanging()
    caller = asyncio.create_task(store.write())
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.sleep(0)
    store.goes_on.set()
    await asyncio.wait([caller])
    assert caller.cancelled()
    gc.collect()
    await asyncio.sleep(0)
    assert logged == []
