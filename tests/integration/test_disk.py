"""A disk that is full, or can only be read, ends no job: each reaches its end once, by itself."""

import asyncio
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import cycle
from pathlib import Path

import pytest
import stamina
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from bot import cli, run
from bot.exit_codes import ExitCode
from bot.settings import load
from bot.simulator.server import SimulatorConfig
from core import failpoints
from core.errors import Unavailable
from core.incoming import Incoming
from core.operations import Action
from core.post import Tone
from core.types import Attachment, StepState
from tests.conftest import PHOTOS
from tests.e2e.test_kill import IN_A_JOB
from tests.fakes import events
from tests.fakes.disk import Disk, Trouble, a_disk
from tests.fakes.memory_chat import MemoryChat
from tests.integration.test_flow import PLACE, Team, team_on
from tests.integration.test_migration import Installation
from tests.integration.test_outage_words import fast_caller

STAGES = [name for name in IN_A_JOB if not name.startswith("take")]
"""``take`` is the door of the room and the prompt: what they say is tested there."""
BY_DAY = (
    "hear.before_commit",
    "collect.before",
    "begin.before_commit",
    "submit.after_send",
    "keep.after_download",
    "keep.before_commit",
    "deliver.after_post",
)
TROUBLES = (Trouble.FULL, Trouble.READ_ONLY)
MOST_FAIL = 0.6
"""Share of the stages at which something is written before the job is over."""


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    monkeypatch.setattr(stamina, "AsyncRetryingCaller", fast_caller)
    with a_disk(monkeypatch) as below:
        yield below
    failpoints.arm("")


def request(number: int) -> Incoming:
    """With a picture: it is fetched, checked and kept, too."""
    photo = Attachment(ref=str(PHOTOS / "rocket.jpg"), name="rocket.jpg")
    return events.command(
        Action.EXPAND,
        f"a meadow {number}",
        key=f"disk {number}",
        place=PLACE,
        person="ana",
        attachments=(photo,),
    )


async def deliver(team: Team, incoming: Incoming) -> None:
    """As a platform does: again, until it is acknowledged."""
    while True:
        try:
            await team.easel.service.receive(incoming)
        except (SQLAlchemyError, OSError):
            await asyncio.sleep(0.02)
        else:
            return


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def count_ends(chat: MemoryChat) -> int:
    posts = [message.posts[-1] for message in chat.messages.values()]
    return sum(post.tone is Tone.RESULT for post in posts)


async def test_a_disk_that_fails_at_any_stage_ends_no_job(
    tmp_path: Path,
    disk: Disk,
    monkeypatch: pytest.MonkeyPatch,
    is_nightly: bool,
) -> None:
    jobs = [(stage, trouble) for stage in STAGES for trouble in TROUBLES]
    if not is_nightly:
        jobs = list(zip(BY_DAY, cycle(TROUBLES)))
    met = 0
    trouble = Trouble.NONE

    def fail(_action: str) -> None:
        disk.trouble = trouble

    monkeypatch.setattr(failpoints, "_run", fail)
    config = SimulatorConfig(time_scale=0.005, seed=3)
    async with team_on(config, tmp_path / "team") as team:
        team.easel.engine._slots.first_pause = 0.02
        for number, (stage, trouble) in enumerate(jobs):  # noqa: B007  # ``fail`` reads it
            failpoints.arm(f"{stage}=disk")
            disk.failures = 0
            delivery = asyncio.create_task(deliver(team, request(number)))
            # At the last stages nothing is left to write.
            await until(lambda: disk.failures > 0 or is_done(team, number))
            met += disk.failures > 0
            disk.trouble = Trouble.NONE
            await delivery
            await until(lambda: is_done(team, number))
        assert met >= MOST_FAIL * len(jobs)
        assert len(team.simulator.account.tasks) == len(jobs)
        assert len(team.chat.messages) == len(jobs)
        for message in team.chat.messages.values():
            await is_finished(team, message.posts[-1].job)


async def is_finished(team: Team, job: str) -> None:
    async with asyncio.timeout(60):
        while (await team.step(job)).state is not StepState.DONE:
            await asyncio.sleep(0.01)


def is_done(team: Team, number: int) -> bool:
    return count_ends(team.chat) > number


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_an_upgrade_on_a_bad_disk_changes_nothing_and_is_done_later(
    tmp_path: Path, disk: Disk, trouble: Trouble
) -> None:
    installation = Installation(
        folder=tmp_path, url=f"sqlite:///{tmp_path / 'easel.db'}"
    )
    installation.fill()
    before = dump(tmp_path / "easel.db")
    disk.trouble = trouble
    with pytest.raises(Unavailable):
        await installation.migrate()
    assert dump(tmp_path / "easel.db") == before
    disk.trouble = Trouble.NONE
    await installation.migrate()
    assert dump(tmp_path / "easel.db") != before


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_the_command_that_upgrades_says_that_it_can_be_done_later(
    tmp_path: Path,
    disk: Disk,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("EASEL_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["easel", "migrate"])
    disk.trouble = Trouble.READ_ONLY
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == ExitCode.GIVEN_UP
    assert "Nothing was changed" in capsys.readouterr().err


async def test_a_start_on_a_bad_disk_waits_until_it_can_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles = [
        Unavailable("config.database.away", setting="x", reason="full"),
        OperationalError("UPDATE", {}, sqlite3.OperationalError("full")),
    ]

    async def work(*_: object) -> int:
        if troubles:
            raise troubles.pop()
        return 0

    monkeypatch.setattr(run, "_work", work)
    monkeypatch.setattr(run, "FIRST_PAUSE", 0.01)
    config = load(EASEL_DATA_DIR=tmp_path)
    assert await run._run(config, run.Role.ALL) == 0
    assert troubles == []
