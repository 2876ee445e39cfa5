"""``easel run`` is killed with SIGKILL while it speaks to Slack.

There are never two results, never none, and no outdated words. At night also on PostgreSQL, with a
worker beside that takes over.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from bot.simulator.server import SimulatorConfig, serve
from core import failpoints
from tests.conftest import PHOTOS
from tests.contract.conftest import fresh_database
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414  # the fixture
from tests.fakes.lives import (
    Life,
    Parent,
    forking_parent,
    running,
    worker_beside,
)
from tests.fakes.slack.driver import Slack, slack

IN_A_COMMAND = [
    name
    for name in failpoints.NAMES
    if name.startswith(
        (
            "hear.after",
            "take.after",
            "announce",
            "say",
            "submit.after_send",
            "share",
            "deliver",
        )
    )
]


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parent() -> AsyncIterator[Parent]:
    """The process that forks the lives."""
    async with forking_parent() as started:
        yield started


class Bot:
    """What leads the process to the two servers of the test."""

    def __init__(
        self, parent: Parent, fake: Slack, folder: Path, url: str, host: str
    ) -> None:
        self._parent = parent
        self._fake = fake
        self.environment = {
            "PATH": os.environ["PATH"],
            "EASEL_DATA_DIR": str(folder),
            "EASEL_HTTP_PORT": "0",
            "DASHSCOPE_API_KEY": "sk-simulator",
            "EASEL_DASHSCOPE_URL": url,
            "EASEL_RESULT_HOSTS": host,
            "EASEL_LOG_LEVEL": "error",
            **fake.settings(socket=True),
        }

    @asynccontextmanager
    async def living(self, point: str = "") -> AsyncIterator[Life]:
        """Connected to Slack; killed at the named place, or at the end."""
        opened = self._fake.socket.opened
        connected = lambda: self._fake.socket.opened > opened  # noqa: E731
        async with running(
            self._parent, self.environment, point, connected
        ) as life:
            yield life


Begun = tuple[Slack, Bot]


@pytest_asyncio.fixture(
    loop_scope="module",
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.nightly),
    ],
)
async def begun(
    parent: Parent, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Begun]:
    """A Slack, and what is to be killed in it."""
    async with (
        serve(SimulatorConfig(time_scale=0.02, seed=3)) as simulator,
        slack() as fake,
        AsyncExitStack() as stack,
    ):
        fake.socket.patience = 1.0
        bot = Bot(
            parent, fake, tmp_path / "data", simulator.url, simulator.host
        )
        if request.param == "postgresql":
            server = request.getfixturevalue("postgres")
            bot.environment |= {
                "EASEL_DATABASE_URL": fresh_database(server, str(tmp_path)),
                "EASEL_BLOB_URL": (tmp_path / "blobs").as_uri(),
                "EASEL_LINK_KEYS": "key-of-both",
            }
            await stack.enter_async_context(
                worker_beside(parent, bot.environment, tmp_path)
            )
        yield fake, bot


@pytest.mark.parametrize("point", IN_A_COMMAND)
async def test_a_command_killed_anywhere_shows_one_result(
    begun: Begun, point: str
) -> None:
    fake, bot = begun
    ana = fake.person("Ana")
    async with bot.living(point) as life:
        typed = asyncio.create_task(ana.types("/draw a fox"))
        assert await life.is_killed()
        await typed
    async with bot.living():
        await ana.result("a fox")
        await asyncio.sleep(0.3)
    said = [
        one
        for one in fake.world.messages
        if one.user == fake.workspace.bot_user and not one.deleted
    ]
    assert sorted(len(one.files) for one in said if not one.only_for) == [
        0,
        1,
    ]


@pytest.mark.parametrize("point", ["say.after_post", "share.after_complete"])
async def test_a_private_command_killed_after_it_was_said_shows_one_result(
    begun: Begun, point: str
) -> None:
    fake, bot = begun
    ana = fake.person("Ana")
    async with bot.living(point) as life:
        typed = asyncio.create_task(ana.types("/draw a fox --private"))
        assert await life.is_killed()
        await typed
    async with bot.living():
        await ana.result("a fox", ana.direct)
        await asyncio.sleep(0.3)
    assert sorted(len(one.files) for one in ana.sees(ana.direct)) == [0, 1]
    assert ana.sees() == []


async def test_an_event_killed_before_its_commit_is_delivered_again(
    begun: Begun,
) -> None:
    fake, bot = begun
    ana = fake.person("Ana")
    async with bot.living("hear.before_commit") as life:
        photo = ana.uploads(PHOTOS / "coffee.png")
        said = asyncio.create_task(
            ana.says(
                f"{ana.easel} make it night",
                files=[photo],
                as_events=("message",),
            )
        )
        assert await life.is_killed()
    async with bot.living():
        await said
        await ana.result("make it night")
    assert (
        len(
            [
                one
                for one in fake.world.messages
                if one.files and one.user == fake.workspace.bot_user
            ]
        )
        == 1
    )


@pytest.mark.parametrize("point", ["answer.before_post", "answer.after_post"])
async def test_an_answer_killed_around_its_post_is_given_once(
    begun: Begun, point: str
) -> None:
    fake, bot = begun
    ana = fake.person("Ana")
    async with bot.living():
        await ana.types("/draw a fox")
        await ana.result("a fox")
        await ana.types("/edit make it night")
        night, _ = await ana.result("make it night")
    async with bot.living(point) as life:
        pressed = asyncio.create_task(ana.presses(night, "Undo"))
        assert await life.is_killed()
        await pressed
    async with bot.living():
        await ana.reads("Now at v1")
        await ana.types("/edit add a hat")
        hat, _ = await ana.result("add a hat")
    assert len([one for one in ana.sees() if "Now at v1" in one.words]) == 1
    assert "v3" in hat.words


async def test_a_copy_killed_after_its_post_is_sent_once_and_as_often_as_asked(
    begun: Begun,
) -> None:
    fake, bot = begun
    ana = fake.person("Ana")
    async with bot.living():
        await ana.types("/draw a fox")
        fox, _ = await ana.result("a fox")
    # The copy stands in the direct message; the word that it does is not said yet.
    async with bot.living("answer.before_post") as life:
        reacted = asyncio.create_task(ana.reacts(fox, "email"))
        assert await life.is_killed()
    async with bot.living():
        await reacted
        await ana.reads("Sent v1 to you")
        assert sorted(len(one.files) for one in ana.sees(ana.direct)) == [
            0,
            1,
        ]
        await ana.reacts(fox, "email")
        await fake.until(
            lambda: (
                sorted(len(one.files) for one in ana.sees(ana.direct))
                == [0, 0, 1, 1]
            )
        )
