"""A backup holds everything, beside a bot that works; a restore is whole, or changes nothing."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import backup, restore, settings, wiring
from bot.exit_codes import ExitCode
from bot.simulator.server import Running, SimulatorConfig, serve
from core.errors import Rejected, Unavailable
from core.operations import Action
from core.storage import database, snapshots
from core.storage.inspection import sqlite_file
from core.types import StepState
from tests.contract.conftest import fresh_database
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414  # the fixture
from tests.fakes.lives import ROOT
from tests.fakes.memory_chat import MemoryChat
from tests.integration.test_flow import PLACE, Team

QUICK = SimulatorConfig(time_scale=0.01, seed=3)
OLD = "0012"
KINDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.nightly),
]


def settings_for(
    simulator: Running, folder: Path, url: str
) -> settings.Settings:
    changes = {"EASEL_DATABASE_URL": url} if url else {}
    return settings.load(
        EASEL_DATA_DIR=folder,
        DASHSCOPE_API_KEY="sk-simulator",
        EASEL_DASHSCOPE_URL=simulator.url,
        EASEL_RESULT_HOSTS=simulator.host,
        **changes,
    )


@asynccontextmanager
async def team_at(
    simulator: Running, chat: MemoryChat, folder: Path, url: str = ""
) -> AsyncIterator[Team]:
    """Easel on a folder; the simulator and the chat outlive it."""
    async with wiring.open_easel(
        settings_for(simulator, folder, url),
        lambda _: {"memory": chat},
        simulator=QUICK,
        settle=0.2,
    ) as easel:
        yield Team(easel=easel, chat=chat, simulator=simulator)


async def run(work: Callable[..., int], *arguments: Any) -> int:
    """A command's work, in a thread with a loop for it."""

    def call() -> int:
        with asyncio.Runner() as loop:
            return work(*arguments, loop)

    return await asyncio.to_thread(call)


def rows_of(url: str) -> dict[str, list[str]]:
    """Every row of every table."""
    engine = database.open_sync(url)
    names = sa.inspect(engine).get_table_names()
    rows: dict[str, list[str]] = {}
    with engine.connect() as connection:
        for name in names:
            query = sa.select(sa.text("*")).select_from(sa.table(name))
            rows[name] = sorted(map(repr, connection.execute(query)))
    engine.dispose()
    return rows


@contextmanager
def address(
    kind: str, name: str, request: pytest.FixtureRequest
) -> Iterator[str]:
    if kind == "sqlite":
        yield ""
        return
    yield fresh_database(request.getfixturevalue("postgres"), name)


@pytest.mark.parametrize("kind", KINDS)
async def test_jobs_in_flight_continue_where_they_were_in_another_place(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    slow = SimulatorConfig(time_scale=0.1, seed=3)
    chat = MemoryChat()
    file = tmp_path / "easel.tar"
    with (
        address(kind, "backup", request) as url,
        address(kind, "restored", request) as other,
    ):
        async with serve(slow) as simulator:
            async with team_at(simulator, chat, tmp_path / "a", url) as team:
                done, _ = await team.gets(Action.DRAW, "a red fox")
                answer = await team.asks(Action.DRAW, "a blue bird")
                job = answer.accepted
                assert job
                async with asyncio.timeout(60):
                    while len(simulator.account.tasks) < 2:
                        await asyncio.sleep(0.01)
                    while not (await team.step(job)).task_id:
                        await asyncio.sleep(0.01)
                config = settings_for(simulator, tmp_path / "a", url)
                await run(backup.write, config, file)
            config = settings_for(simulator, tmp_path / "b", other)
            count = await run(restore.read, config, file)
            assert count >= 1
            async with team_at(simulator, chat, tmp_path / "b", other) as team:
                async with asyncio.timeout(60):
                    while not (await team.step(job)).state.is_final:
                        await asyncio.sleep(0.01)
                assert (await team.step(job)).state is StepState.DONE
                picture = (await team.step(done.id)).outputs[0]
                read = team.easel.context.blobs.read
                assert await read(PLACE.tenant, picture.key)
                await team.gets(Action.DRAW, "a green frog")
            prompts = [
                task.request.prompt
                for task in simulator.account.tasks.values()
            ]
    assert sorted(prompts) == ["a blue bird", "a green frog", "a red fox"]
    assert (tmp_path / "b" / "link.key").read_bytes() == (
        tmp_path / "a" / "link.key"
    ).read_bytes()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_every_row_is_there_again(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with (
        address(kind, "rows", request) as url,
        address(kind, "rows_again", request) as other,
    ):
        async with serve(QUICK) as simulator:
            async with team_at(
                simulator, MemoryChat(), tmp_path / "a", url
            ) as team:
                await team.gets(Action.DRAW, "a \\ red\tfox\n“in” the snow")
            here = settings_for(simulator, tmp_path / "a", url)
            there = settings_for(simulator, tmp_path / "b", other)
            await run(backup.write, here, tmp_path / "easel.tar")
            await run(restore.read, there, tmp_path / "easel.tar")
    before = rows_of(here.database)
    assert before["steps"]
    assert rows_of(there.database) == before
    if kind == "sqlite":
        inbox = wiring.inbox_url
        assert rows_of(inbox(there)) == rows_of(inbox(here))


async def filled(folder: Path) -> settings.Settings:
    """A data folder with tables, a key and a picture."""
    folder.mkdir()
    config = settings.load(EASEL_DATA_DIR=folder)
    await wiring.migrate(config)
    (folder / "link.key").write_text("k" * 40)
    return config


async def test_neither_replaces_anything(tmp_path: Path) -> None:
    config = await filled(tmp_path / "a")
    file = tmp_path / "easel.tar"
    file.write_text("dear")
    with pytest.raises(Rejected, match="exists"):
        await run(backup.write, config, file)
    assert file.read_text() == "dear"
    file.unlink()
    await run(backup.write, config, file)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Rejected, match="not_empty"):
        await run(restore.read, config, file)
    assert sorted(tmp_path.rglob("*")) == before
    assert file.stat().st_mode & 0o777 == 0o600


async def test_a_database_that_has_tables_is_not_filled(
    postgres: str, tmp_path: Path
) -> None:
    url = fresh_database(postgres, "not_empty")
    await database.migrate(url)
    config = settings.load(
        EASEL_DATA_DIR=tmp_path / "b", EASEL_DATABASE_URL=url
    )
    with pytest.raises(Rejected, match="database_not_empty"):
        await run(restore.read, config, tmp_path / "easel.tar")


async def test_a_folder_that_never_ran_has_nothing_to_back_up(
    tmp_path: Path,
) -> None:
    config = settings.load()
    with pytest.raises(Rejected, match="nothing"):
        await run(backup.write, config, tmp_path / "easel.tar")
    assert not list(tmp_path.iterdir())


async def test_half_a_file_or_another_one_is_refused_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    config = await filled(tmp_path / "a")
    file = tmp_path / "easel.tar"
    await run(backup.write, config, file)
    whole = file.read_bytes()
    target = settings.load(EASEL_DATA_DIR=tmp_path / "b")
    for length in (0, 700, len(whole) // 2, len(whole) - 11_000):
        file.write_bytes(whole[:length])
        with pytest.raises(Rejected, match="damaged"):
            await run(restore.read, target, file)
    with tarfile.open(file, "w") as archive:
        archive.add(ROOT / "README.md", "../README.md")
    with pytest.raises(Rejected, match="damaged"):
        await run(restore.read, target, file)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a",
        "easel.tar",
    ]


async def test_a_newer_backup_needs_a_newer_easel_and_an_older_one_is_upgraded(
    tmp_path: Path,
) -> None:
    config = await filled(tmp_path / "a")
    engine = database.open_sync(config.database)
    with engine.begin() as connection:
        newer = "UPDATE alembic_version SET version_num = '9999'"
        connection.exec_driver_sql(newer)
    engine.dispose()
    await run(backup.write, config, tmp_path / "newer.tar")
    target = settings.load(EASEL_DATA_DIR=tmp_path / "b")
    with pytest.raises(Rejected, match="newer"):
        await run(restore.read, target, tmp_path / "newer.tar")
    old = settings.load(EASEL_DATA_DIR=tmp_path / "old")
    old.data_dir.mkdir()
    await database.migrate(old.database, to=OLD)
    await run(backup.write, old, tmp_path / "old.tar")
    await run(restore.read, target, tmp_path / "old.tar")
    await wiring.migrate(target)
    with closing(sqlite3.connect(sqlite_file(target.database))) as opened:
        query = "SELECT version_num FROM alembic_version"
        assert opened.execute(query).fetchone() == (database.HEAD,)


KILLED = """
import os, pathlib, signal, sys
def kill(*_arguments, **_names):
    os.kill(os.getpid(), signal.SIGKILL)
def after(work):
    def both(*arguments, **names):
        work(*arguments, **names)
        kill()
    return both
place, name, when = {place}, {name!r}, {when!r}
setattr(place, name, kill if when == "before" else after(getattr(place, name)))
from bot.cli import main
sys.argv[0] = "easel"
main()
"""


def killed(words: list[str], folder: Path, **place: str) -> None:
    """The program, killed just before or after it calls a function."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(**place), *words],
        env={**os.environ, "EASEL_DATA_DIR": str(folder)},
        cwd=ROOT,
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL


async def test_killed_in_the_middle_a_backup_is_there_whole_or_not_at_all(
    tmp_path: Path,
) -> None:
    config = await filled(tmp_path / "a")
    file = tmp_path / "easel.tar"
    words = ["backup", str(file)]
    killed(words, tmp_path / "a", place="os", name="link", when="before")
    assert not file.exists()
    killed(words, tmp_path / "a", place="os", name="link", when="after")
    target = settings.load(EASEL_DATA_DIR=tmp_path / "b")
    await run(restore.read, target, file)
    assert rows_of(target.database) == rows_of(config.database)


async def test_killed_in_the_middle_a_restore_is_there_whole_or_not_at_all(
    tmp_path: Path,
) -> None:
    config = await filled(tmp_path / "a")
    file = tmp_path / "easel.tar"
    await run(backup.write, config, file)
    words = ["restore", str(file)]
    place = {"place": "pathlib.Path", "name": "rename"}
    killed(words, tmp_path / "b", **place, when="before")
    assert not (tmp_path / "b").exists()
    killed(words, tmp_path / "b", **place, when="after")
    target = settings.load(EASEL_DATA_DIR=tmp_path / "b")
    assert rows_of(target.database) == rows_of(config.database)
    assert (tmp_path / "b" / "link.key").read_text() == "k" * 40


def test_a_copy_is_of_one_moment_while_others_write(tmp_path: Path) -> None:
    path = tmp_path / "busy.db"
    engine = database.open_sync(f"sqlite:///{path}")
    with engine.begin() as connection:
        for table in ("a", "b"):
            connection.exec_driver_sql(f"CREATE TABLE {table} (n INTEGER)")
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            with engine.begin() as connection:
                for table in ("a", "b"):
                    connection.execute(
                        sa.insert(sa.table(table, sa.column("n"))).values(n=1)
                    )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            copy = tmp_path / f"{number}.db"
            snapshots.copy_database(path, copy)
            assert snapshots.is_whole(copy)
            with closing(sqlite3.connect(copy)) as opened:
                counts = [
                    opened.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
                    for table in ("a", "b")
                ]
            assert counts[0] == counts[1]
    finally:
        stop.set()
        writer.join()
        engine.dispose()


async def test_a_copy_is_kept_before_an_upgrade_and_the_one_before_goes(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'easel.db'}"
    await database.migrate(url, to="0011")
    assert not list(tmp_path.glob("*.before-*"))
    await database.migrate(url, to=OLD)
    await database.migrate(url)
    await database.migrate(url)
    (copy,) = tmp_path.glob("*.before-*")
    assert copy.name == f"easel.db.before-{OLD}"
    with closing(sqlite3.connect(copy)) as opened:
        query = "SELECT version_num FROM alembic_version"
        assert opened.execute(query).fetchone() == (OLD,)


async def test_without_room_for_the_copy_nothing_is_upgraded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "easel.db"
    url = f"sqlite:///{path}"
    await database.migrate(url, to=OLD)
    before = rows_of(url)

    def fail(_source: Path, _target: Path) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(snapshots, "copy_database", fail)
    with pytest.raises(Unavailable, match="disk is full"):
        await database.migrate(url)
    assert rows_of(url) == before


def test_the_commands_say_what_they_did_and_what_they_refuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(filled(tmp_path / "data"))
    file = tmp_path / "easel.tar"
    assert backup.run(file) == ExitCode.OK
    assert f"{file}: everything is in it" in capsys.readouterr().out
    assert backup.run(file) == ExitCode.FAILED
    assert "replaces nothing" in capsys.readouterr().err
    assert restore.run(file) == ExitCode.FAILED
    assert "is not empty" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "data")
    assert restore.run(file) == ExitCode.OK
    assert "unfinished work continues" in capsys.readouterr().out
    assert backup.run(tmp_path / "no" / "folder.tar") == ExitCode.FAILED
    assert "Nothing was changed" in capsys.readouterr().err
