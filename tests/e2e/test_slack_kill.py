"""``easel run`` is killed with SIGKILL while it speaks to Slack: never two results, never none, no dead words."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.simulator.server import SimulatorConfig, serve
from core import failpoints
from tests.conftest import PHOTOS
from tests.fakes.slack.driver import Slack, slack

ROOT = Path(__file__).parents[2]
PROGRAM = "from bot.cli import main; import sys; sys.argv = ['easel', 'run']; main()"
LIFE_SECONDS = 40
IN_A_COMMAND = [
    name
    for name in failpoints.NAMES
    if name.startswith(("hear.after", "take.after", "announce", "say", "submit.after_send", "share", "deliver"))
]


class Bot:
    """The process and what leads it to the two servers of the test."""

    def __init__(self, fake: Slack, folder: Path, url: str, host: str) -> None:
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "EASEL_DATA_DIR": str(folder),
            "EASEL_HTTP_PORT": "0",
            "DASHSCOPE_API_KEY": "sk-simulator",
            "EASEL_DASHSCOPE_URL": url,
            "EASEL_RESULT_HOSTS": host,
            "EASEL_LOG_LEVEL": "error",
            **fake.settings(socket=True),
        }
        self._fake = fake

    @asynccontextmanager
    async def living(self, point: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
        """Connected to Slack; killed at the named place, or at the end."""
        armed = {"FAILPOINTS": f"{point}=kill"} if point else {}
        opened = self._fake.socket.opened
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, env={**self._environment, **armed}, cwd=ROOT
        )
        try:
            await self._fake.until(lambda: self._fake.socket.opened > opened or process.returncode is not None, 30)
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), LIFE_SECONDS)


@asynccontextmanager
async def a_bot(folder: Path) -> AsyncIterator[tuple[Slack, Bot]]:
    async with serve(SimulatorConfig(time_scale=0.02, seed=3)) as simulator, slack() as fake:
        fake.socket.patience = 1.0
        yield fake, Bot(fake, folder / "data", simulator.url, simulator.host)


@pytest.mark.parametrize("point", IN_A_COMMAND)
async def test_a_command_killed_anywhere_shows_one_result(point: str, tmp_path: Path) -> None:
    async with a_bot(tmp_path) as (fake, bot):
        ana = fake.person("Ana")
        async with bot.living(point) as process:
            typed = asyncio.create_task(ana.types("/draw a fox"))
            assert await asyncio.wait_for(process.wait(), LIFE_SECONDS) == -signal.SIGKILL
            await typed
        async with bot.living():
            await ana.result("a fox")
            await asyncio.sleep(0.3)
        said = [one for one in fake.world.messages if one.user == fake.workspace.bot_user and not one.deleted]
        assert sorted(len(one.files) for one in said if not one.only_for) == [0, 1]


@pytest.mark.parametrize("point", ["say.after_post", "share.after_complete"])
async def test_a_private_command_killed_after_it_was_said_shows_one_result(point: str, tmp_path: Path) -> None:
    async with a_bot(tmp_path) as (fake, bot):
        ana = fake.person("Ana")
        async with bot.living(point) as process:
            typed = asyncio.create_task(ana.types("/draw a fox --private"))
            assert await asyncio.wait_for(process.wait(), LIFE_SECONDS) == -signal.SIGKILL
            await typed
        async with bot.living():
            await ana.result("a fox", ana.direct)
            await asyncio.sleep(0.3)
        assert sorted(len(one.files) for one in ana.sees(ana.direct)) == [0, 1]
        assert ana.sees() == []


async def test_an_event_killed_before_its_commit_is_delivered_again(tmp_path: Path) -> None:
    async with a_bot(tmp_path) as (fake, bot):
        ana = fake.person("Ana")
        async with bot.living("hear.before_commit") as process:
            photo = ana.uploads(PHOTOS / "coffee.png")
            said = asyncio.create_task(ana.says(f"{ana.easel} make it night", files=[photo], as_events=("message",)))
            assert await asyncio.wait_for(process.wait(), LIFE_SECONDS) == -signal.SIGKILL
        async with bot.living():
            await said
            await ana.result("make it night")
        assert len([one for one in fake.world.messages if one.files and one.user == fake.workspace.bot_user]) == 1


@pytest.mark.parametrize("point", ["answer.before_post", "answer.after_post"])
async def test_an_answer_killed_around_its_post_is_given_once(point: str, tmp_path: Path) -> None:
    async with a_bot(tmp_path) as (fake, bot):
        ana = fake.person("Ana")
        async with bot.living():
            await ana.types("/draw a fox")
            await ana.result("a fox")
            await ana.types("/edit make it night")
            night, _ = await ana.result("make it night")
        async with bot.living(point) as process:
            pressed = asyncio.create_task(ana.presses(night, "Undo"))
            assert await asyncio.wait_for(process.wait(), LIFE_SECONDS) == -signal.SIGKILL
            await pressed
        async with bot.living():
            await ana.reads("Now at v1")
            await ana.types("/edit add a hat")
            hat, _ = await ana.result("add a hat")
        assert len([one for one in ana.sees() if "Now at v1" in one.words]) == 1
        assert "v3" in hat.words


async def test_a_copy_killed_after_its_post_is_sent_once_and_as_often_as_asked(tmp_path: Path) -> None:
    async with a_bot(tmp_path) as (fake, bot):
        ana = fake.person("Ana")
        async with bot.living():
            await ana.types("/draw a fox")
            fox, _ = await ana.result("a fox")
        # The copy stands in the direct message; the word that it does is not said yet.
        async with bot.living("answer.before_post") as process:
            reacted = asyncio.create_task(ana.reacts(fox, "email"))
            assert await asyncio.wait_for(process.wait(), LIFE_SECONDS) == -signal.SIGKILL
        async with bot.living():
            await reacted
            await ana.reads("Sent v1 to you")
            assert sorted(len(one.files) for one in ana.sees(ana.direct)) == [0, 1]
            await ana.reacts(fox, "email")
            await fake.until(lambda: sorted(len(one.files) for one in ana.sees(ana.direct)) == [0, 0, 1, 1])
