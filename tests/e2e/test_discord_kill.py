"""``easel run`` is killed with SIGKILL while it speaks to Discord.

There are never two results, never none, and no outdated words. The killed process is forked from
one that has imported everything, as a life must begin quickly here. At night also on PostgreSQL,
with a worker beside that takes over.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from bot.simulator.server import SimulatorConfig, serve
from core import failpoints
from tests.conftest import PHOTOS
from tests.contract.conftest import fresh_database
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414  # the fixture
from tests.fakes.discord.driver import Discord, discord
from tests.fakes.discord.things import Fault, Message, User
from tests.fakes.lives import (
    Life,
    Parent,
    forking_parent,
    running,
    worker_beside,
)

IN_A_COMMAND = [
    name
    for name in failpoints.NAMES
    if name.startswith(
        (
            "hear.after",
            "take.after",
            "announce",
            "say",
            "settle",
            "submit.after_send",
            "deliver",
        )
    )
]
"""Where something is heard or said; all others are reached on every platform alike:
tests/e2e/test_kill.py."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parent() -> AsyncIterator[Parent]:
    async with forking_parent() as started:
        yield started


class Bot:
    """What leads the process to the two servers of the test."""

    def __init__(
        self,
        parent: Parent,
        fake: Discord,
        folder: Path,
        url: str,
        host: str,
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
            **fake.settings(),
        }

    @asynccontextmanager
    async def living(self, point: str = "") -> AsyncIterator[Life]:
        """Connected to Discord; killed at the named place, or at the end."""
        identified = self._fake.gateway.identifies
        connected = lambda: self._fake.gateway.identifies > identified  # noqa: E731
        async with running(
            self._parent, self.environment, point, connected
        ) as life:
            yield life


Begun = tuple[Discord, Bot, User]


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
    """A Discord, what is to be killed in it, and Ana."""
    async with (
        serve(SimulatorConfig(time_scale=0.02, seed=3)) as simulator,
        discord() as fake,
        AsyncExitStack() as stack,
    ):
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
        yield fake, bot, fake.person("Ana")


def shown(fake: Discord) -> list[Message]:
    """Everything of ours in the channel, whoever may see it."""
    return [
        one
        for one in fake.world.messages
        if one.author == fake.world.bot.id and not one.deleted
    ]


async def once(fake: Discord, words: str, user: User) -> Message:
    """Check that one message shows the result, and that no "thinking…" is left."""
    result = await fake.sees(words, user=user, button="Edit", files=1)
    await fake.until(
        lambda: not [one for one in shown(fake) if one.is_loading]
    )
    await asyncio.sleep(0.2)
    assert [one.id for one in shown(fake) if words in one.words] == [result.id]
    return result


@pytest.mark.parametrize("point", IN_A_COMMAND)
async def test_a_command_killed_anywhere_shows_one_result_and_its_buttons_work(
    begun: Begun, point: str
) -> None:
    fake, bot, ana = begun
    async with bot.living(point) as life:
        typed = asyncio.create_task(
            fake.command(ana, "draw", {"prompt": "a fox"})
        )
        assert await life.is_killed()
    async with bot.living():
        result = await once(fake, "a fox", ana)
        asked = await typed
        assert asked.refused == (point == "hear.after_commit")
        opened = await fake.presses(ana, result, "Edit")
        assert opened.modal
        assert len(shown(fake)) == 1


async def test_killed_before_its_commit_a_command_fails_for_its_person_and_for_nobody_later(
    begun: Begun,
) -> None:
    fake, bot, ana = begun
    async with bot.living("hear.before_commit") as life:
        asked = await fake.command(ana, "draw", {"prompt": "a fox"})
        assert await life.is_killed()
    assert asked.error
    async with bot.living():
        await fake.command(ana, "draw", {"prompt": "a heron"})
        await once(fake, "a heron", ana)
    assert len([one for one in shown(fake) if one.files]) == 1


@pytest.mark.parametrize("point", ["settle.before", "say.after_post"])
async def test_a_private_result_killed_anywhere_is_sent_once(
    begun: Begun, point: str
) -> None:
    fake, bot, ana = begun
    async with bot.living(point) as life:
        typed = asyncio.create_task(
            fake.command(ana, "draw", {"prompt": "a secret", "private": True})
        )
        assert await life.is_killed()
    async with bot.living():
        await once(fake, "a secret", ana)
        told = await fake.reply(await typed)
        assert "direct message" in told.words


@pytest.mark.parametrize("point", ["hear.after_commit", "say.after_post"])
async def test_words_with_a_picture_killed_anywhere_show_one_result(
    begun: Begun, point: str
) -> None:
    fake, bot, ana = begun
    async with bot.living(point) as life:
        fake.says(
            ana, f"{fake.mention} make it night", files=[PHOTOS / "coffee.png"]
        )
        assert await life.is_killed()
    async with bot.living():
        await once(fake, "make it night", ana)


@pytest.mark.parametrize("route", ["create_message", "update_message"])
async def test_killed_in_the_middle_of_a_post_there_is_one_message(
    begun: Begun, route: str
) -> None:
    fake, bot, ana = begun

    async with bot.living() as life:
        # The message stands there, but the bot dies before it hears so.
        fake.world.faults[route].append(Fault(effect=True, drop=True))
        await _kill_when(
            fake,
            life,
            lambda: bool(shown_by(fake, route)),
            fake.command(ana, "draw", {"prompt": "a fox"}),
        )
    async with bot.living():
        await once(fake, "a fox", ana)


def shown_by(fake: Discord, route: str) -> list[Message]:
    """Messages for all that were posted, or changed."""
    open_to_all = [one for one in shown(fake) if not one.only_for]
    return [
        one for one in open_to_all if route == "create_message" or one.edits
    ]


async def _kill_when(
    fake: Discord,
    life: Life,
    happened: Callable[[], bool],
    doing: Awaitable[object],
) -> None:
    done = asyncio.ensure_future(doing)
    while not happened():
        await asyncio.sleep(0)
    life.kill()
    assert await life.is_killed()
    await done


async def test_an_answer_killed_around_its_post_is_given_once(
    begun: Begun,
) -> None:
    fake, bot, ana = begun
    async with bot.living():
        await fake.command(ana, "draw", {"prompt": "a fox"})
        await once(fake, "a fox", ana)
    for at, point in enumerate(
        ("answer.before_post", "settle.before", "answer.after_post"), 1
    ):
        async with bot.living():
            await fake.command(ana, "edit", {"instruction": f"add hat {at}"})
            hat = await once(fake, f"add hat {at}", ana)
            assert f"v{at + 1}" in hat.words
        async with bot.living(point) as life:
            pressed = asyncio.create_task(fake.presses(ana, hat, "Undo"))
            assert await life.is_killed()
            await pressed
        async with bot.living():
            await fake.until(lambda: len(_answers(fake)) >= at)
            await fake.until(
                lambda: not [one for one in shown(fake) if one.is_loading]
            )
            await asyncio.sleep(0.2)
            assert len(_answers(fake)) == at


def _answers(fake: Discord) -> list[Message]:
    return [one for one in shown(fake) if "Now at v1" in one.words]
