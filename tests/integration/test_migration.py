"""Alembic makes every table, and earlier versions' data is taken over, jobs included."""

import asyncio
import json
import sqlite3
import sys
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.discord import store as discord
from adapters.discord.store import DiscordStore
from adapters.slack import store as slack
from adapters.slack.store import SlackStore
from adapters.web import tables as room_tables
from adapters.web.store import Room, room_url
from bot import run, settings, wiring
from bot.simulator.rules import Wanted
from bot.simulator.server import Running, SimulatorConfig, serve
from core import ports
from core.post import Tally
from core.storage import database, inbox, tables
from core.storage.database import TableSet
from core.storage.reactions import ReactionStore
from core.storage.store import Store
from core.types import Head, MessageRole, SessionId, StepId, StepState, Tenant
from tests.contract.conftest import fresh_database
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414  # the fixture
from tests.fakes.journal_chat import JournalChat

ROOT = Path(__file__).parents[2]
OLD = ROOT / "tests" / "samples" / "at_revision_0007"
TENANT = "journal:w"
KINDS = ["sqlite", "postgresql"]
POSTED = [
    {
        "op": "post",
        "message": f"m{number}",
        "job": job,
        "tone": "status",
        "pictures": [],
    }
    for number, job in enumerate(
        (
            "donestep00",
            "madestep00",
            "runstep000",
            "substep000",
            "failstep00",
            "queuestep0",
        ),
        start=1,
    )
]
PICTURE = (OLD / "picture.png").read_bytes()


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A data folder and its databases, empty or as the earlier version left them."""

    folder: Path
    url: str

    @property
    def is_sqlite(self) -> bool:
        return database.is_sqlite(self.url)

    @property
    def inbox_url(self) -> str:
        return (
            f"sqlite:///{self.folder / 'inbox.db'}"
            if self.is_sqlite
            else self.url
        )

    def fill(self, task_id: str = "task-running") -> None:
        """With the earlier version's databases; its running step waits for that task."""
        if self.is_sqlite:
            for name in ("easel", "inbox", "room"):
                dump = (OLD / f"{name}.sql").read_text()
                with closing(
                    sqlite3.connect(self.folder / f"{name}.db")
                ) as connection:
                    connection.executescript(
                        dump.replace("task-running", task_id)
                    )
            return
        dump = (OLD / "postgresql.sql").read_text()
        with psycopg.connect(self.url) as connection:
            connection.execute(dump.replace("task-running", task_id).encode())

    async def migrate(self) -> None:
        await database.migrate(self.url)
        await database.migrate(self.inbox_url, TableSet.INBOX)

    def settings(self, simulator: Running) -> settings.Settings:
        return settings.load(
            EASEL_DATA_DIR=self.folder,
            EASEL_DATABASE_URL=self.url,
            EASEL_BLOB_URL=(self.folder / "blobs").as_uri(),
            DASHSCOPE_API_KEY="sk-simulator",
            EASEL_DASHSCOPE_URL=simulator.url,
            EASEL_RESULT_HOSTS=simulator.host,
        )


@pytest.fixture(params=KINDS)
def installation(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Installation:
    url = f"sqlite:///{tmp_path / 'easel.db'}"
    if request.param == "postgresql":
        url = fresh_database(
            request.getfixturevalue("postgres"), request.node.name
        )
    return Installation(folder=tmp_path, url=url)


def described_tables(*parts: MetaData) -> MetaData:
    """What the stores believe a database to hold."""
    whole = MetaData()
    for part in parts:
        for table in part.tables.values():
            table.to_metadata(whole)
    return whole


def differences(url: str, wanted: MetaData) -> list[object]:
    """What Alembic would have to change for the database to be as described."""
    engine = database.open_sync(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        with warnings.catch_warnings():
            # It warns of indexes of expressions, which it cannot compare on SQLite.
            warnings.simplefilter("ignore")
            changes = compare_metadata(context, wanted)
    engine.dispose()
    return list(changes)


def main_tables() -> tuple[MetaData, ...]:
    store = SlackStore(create_async_engine("sqlite+aiosqlite://"))
    sdk = (store.installations.metadata, store.states.metadata)
    return tables.metadata, discord.metadata, slack.metadata, *sdk


def check_schema(installation: Installation) -> None:
    if installation.is_sqlite:
        assert (
            differences(installation.url, described_tables(*main_tables()))
            == []
        )
        assert (
            differences(
                installation.inbox_url, described_tables(inbox.metadata)
            )
            == []
        )
    else:
        everything = described_tables(*main_tables(), inbox.metadata)
        assert differences(installation.url, everything) == []


async def test_migrations_make_every_table_as_the_stores_describe_it(
    installation: Installation,
) -> None:
    await installation.migrate()
    check_schema(installation)


async def test_easel_migrate_makes_every_table(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EASEL_DATA_DIR", str(installation.folder))
    monkeypatch.setenv("EASEL_DATABASE_URL", installation.url)
    assert await asyncio.to_thread(run.run_migrate) == 0
    check_schema(installation)
    url = room_url(installation.folder)
    assert differences(url, described_tables(room_tables.metadata)) == []


async def test_the_tables_of_the_version_before_are_taken_over_as_they_are(
    installation: Installation,
) -> None:
    installation.fill()
    await installation.migrate()
    check_schema(installation)
    await installation.migrate()
    engine = database.open_async(installation.url)
    store = Store(engine)
    done = await store.step(TENANT, "donestep00")
    assert done.chosen == 0
    assert await store.head(TENANT, "c/@dee") == Head(step=done.id)
    assert await ReactionStore(engine).tally(TENANT, done.id) == Tally(
        votes={0: 1}, favourites=1
    )
    copy = await store.message_of(done, MessageRole.GALLERY)
    assert copy is not None
    assert copy.message == "g1"
    waiting = await DiscordStore(engine).response("1002")
    assert waiting is not None
    assert waiting.token == "token-of-an-answer"
    assert await DiscordStore(engine).workspace_of_direct("55", None) == "99"
    at_slack = SlackStore(engine, "client")
    assert await at_slack.files_in("slack:E.T1", "C1", "1.5")
    bot = await at_slack.installations.async_find_bot(
        enterprise_id=None, team_id="T1"
    )
    assert bot is not None
    assert bot.bot_token == "bot-token-of-t1"
    await engine.dispose()


async def test_a_room_of_the_version_before_is_entered_again(
    tmp_path: Path,
) -> None:
    Installation(
        folder=tmp_path, url=f"sqlite:///{tmp_path / 'easel.db'}"
    ).fill()
    room = Room.at(tmp_path)
    assert not await room.prepare()
    assert [member.name for member in await room.members()] == ["Ana", "Bo"]
    for person, count in (("ana", 1), ("bo", 2)):
        messages = await room.newest(person)
        assert len(messages) == count
        assert messages[0].body["text"] == "Hello from before"
        assert messages[0].marks == {"⭐": ["bo"]}
    await room.close()
    assert (
        differences(room_url(tmp_path), described_tables(room_tables.metadata))
        == []
    )


@asynccontextmanager
async def resumed(
    installation: Installation, simulator: Running
) -> AsyncIterator[tuple[wiring.Easel, JournalChat]]:
    """Today's Easel, continuing where the earlier version was stopped."""
    journal = installation.folder / "journal"
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in POSTED))
    chat = JournalChat(journal)
    async with wiring.open_easel(
        installation.settings(simulator),
        lambda _: {"journal": chat},
        simulator=SimulatorConfig(),
        settle=0.1,
    ) as easel:
        yield easel, chat


async def test_jobs_the_version_before_had_in_flight_are_finished(
    installation: Installation,
) -> None:
    async with serve(SimulatorConfig(time_scale=0.01, seed=4)) as simulator:
        wanted = Wanted(
            model="qwen-image-plus",
            endpoint="T2I",
            prompt="a blue bird",
            n=1,
            seed=2,
            size=(1328, 1328),
        )
        running = simulator.account.accept(wanted, (), None, is_sync=False)
        installation.fill(running.id)
        async with resumed(installation, simulator) as (easel, chat):
            store, blobs = easel.context.store, easel.context.blobs
            key = await blobs.keep(TENANT, PICTURE)
            async with asyncio.timeout(30):
                while await has_open_jobs(store):
                    await asyncio.sleep(0.05)
            results = {
                line["message"]: line["pictures"]
                for line in chat.lines()
                if line["tone"] == "result"
            }
            made = await store.step(Tenant(TENANT), StepId("madestep00"))
            assert made.state is StepState.DONE
        # The messages the earlier version had posted became the results, each with one picture.
        assert set(results) == {"m2", "m3", "m4", "m6", "m7", "m8"}
        assert results["m2"] == [key]
        assert all(len(pictures) == 1 for pictures in results.values())
        # Those in the inbox, and what no task was known of; nothing was done twice.
        prompts = [
            task.request.prompt for task in simulator.account.tasks.values()
        ]
    assert sorted(prompts) == [
        "a black cat",
        "a blue bird",
        "a red fox",
        "a silver fish",
        "a yellow duck",
    ]


async def has_open_jobs(store: ports.Store) -> bool:
    """Whether a step is under way, or one is still to come from the inbox."""
    if await store.open_steps():
        return True
    sessions = [
        await store.history(Tenant(TENANT), SessionId(f"c/@{name}"))
        for name in ("gus", "flo")
    ]
    return not all(sessions)


async def test_an_earlier_version_still_without_a_column_gets_it(
    installation: Installation,
) -> None:
    """Discord's answers once had no job, and those of jobs a table of their own."""
    await database.migrate(installation.url, to="0007")
    engine = database.open_sync(installation.url)
    columns = (
        "interaction VARCHAR(20) PRIMARY KEY, app VARCHAR(20), token TEXT"
    )
    with engine.begin() as connection:
        for statement in (
            f"CREATE TABLE discord_answers ({columns}, created VARCHAR(40))",
            f"CREATE TABLE discord_thinking ({columns}, job VARCHAR(64), created VARCHAR(40))",
            "INSERT INTO discord_answers VALUES ('1', 'app', 'token', '2026')",
            "INSERT INTO discord_thinking VALUES ('2', 'app', 'other', 'job', '2026')",
        ):
            connection.execute(text(statement))
    engine.dispose()
    await database.migrate(installation.url)
    opened = database.open_async(installation.url)
    store = DiscordStore(opened)
    first, second = (
        await store.response("1"),
        await store.response_of_job("job"),
    )
    assert first is not None
    assert second is not None
    assert (first.token, second.token) == ("token", "other")
    await store.save_response(first, "another job")
    await opened.dispose()


MIGRATE = """
import asyncio, os, sys
from core.storage import database, upgrade
start, end = os.pipe()
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        os.close(end)
        os.read(start, 1)  # returns in all of them once the parent has closed its end
        asyncio.run(database.migrate(sys.argv[1]))
        asyncio.run(database.migrate(sys.argv[2], database.TableSet.INBOX))
        os._exit(0)
    children.append(child)
os.close(end)
statuses = [os.waitpid(child, 0)[1] for child in children]
print([os.waitstatus_to_exitcode(status) for status in statuses])
"""


async def test_four_processes_migrate_one_empty_database_at_once(
    installation: Installation,
) -> None:
    pipe = asyncio.subprocess.PIPE
    addresses = (installation.url, installation.inbox_url)
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        MIGRATE,
        *addresses,
        stdout=pipe,
        stderr=pipe,
        cwd=ROOT,
    )
    async with asyncio.timeout(60):
        output, errors = await parent.communicate()
    assert output == b"[0, 0, 0, 0]\n", errors.decode()[-500:]
    check_schema(installation)
