"""Work that takes its process down each time ends after three lives; its neighbours do not."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.simulator.tasks import SimulatorConfig
from core.operations import Action
from tests.fakes.killing import (
    KilledBot,
    Remains,
    check_end,
    command_event,
    killed_bot,
)
from tests.fakes.lives import Life, Parent, forking_parent

LIVES = 3
EVENTS = [
    command_event(1, Action.DRAW, "a fox"),
    command_event(2, Action.DRAW, "a deadly thing"),
    command_event(3, Action.DRAW, "a heron"),
    command_event(4, Action.DRAW, "a lion"),
]
OUTSIDE_KILLS = LIVES + 2
STEPS = "SELECT prompt, state, charged FROM steps ORDER BY prompt"
DEADLY_ENDS = {
    "deadly to prepare": None,
    "deadly to submit": ("a deadly thing", "failed", "maybe"),
    "deadly to deliver": ("a deadly thing", "done", "yes"),
}
MUTANTS = [
    "deadly to submit",
    pytest.param("deadly to prepare", marks=pytest.mark.nightly),
    pytest.param("deadly to deliver", marks=pytest.mark.nightly),
]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parent() -> AsyncIterator[Parent]:
    async with forking_parent("tests.fakes.killed_bot") as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def bot(parent: Parent) -> AsyncIterator[KilledBot]:
    async with killed_bot(parent, SimulatorConfig(time_scale=0.01)) as started:
        yield started


def is_over(remains: Remains) -> bool:
    """Whether everybody has read how it ended."""
    if not (remains.folder / "journal").exists():
        return False
    tones = [line["tone"] for line in remains.lines()]
    return tones.count("refusal") == 1 and tones.count("result") >= 3


async def lives_until_over(
    bot: KilledBot, remains: Remains, mutant: str
) -> int:
    """How many lives ended by themselves before it was over."""
    deaths = 0
    async with asyncio.timeout(60):
        while True:
            life: Life = await bot.begin(remains, EVENTS, mutant=mutant)
            ending = asyncio.create_task(life.status())
            while not ending.done() and not is_over(remains):
                await asyncio.sleep(0.02)
            # What was told may not be recorded yet.
            await asyncio.wait({ending}, timeout=0.5)
            if is_over(remains):
                life.kill()
                await ending
                return deaths
            assert await ending == -signal.SIGKILL
            deaths += 1


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_work_that_kills_its_process_each_time_ends_after_three_lives(
    bot: KilledBot, mutant: str, tmp_path: Path
) -> None:
    remains = Remains(folder=tmp_path)
    assert await lives_until_over(bot, remains, mutant) == LIVES
    ends = [("a fox", "done", "yes"), ("a heron", "done", "yes")]
    ends += [("a lion", "done", "yes")]
    deadly = DEADLY_ENDS[mutant]
    if deadly is not None:
        ends.append(deadly)
    assert remains.rows(STEPS) == sorted(ends)


async def test_work_at_the_service_is_not_blamed_for_kills_from_outside(
    parent: Parent, tmp_path: Path
) -> None:
    events = [EVENTS[0], EVENTS[2]]
    remains = Remains(folder=tmp_path)
    async with killed_bot(parent, SimulatorConfig(time_scale=0.2)) as bot:
        for _ in range(OUTSIDE_KILLS):
            life = await bot.begin(remains, events)
            while not (life.ended.done() or are_at_service(remains)):
                await asyncio.sleep(0.02)
            life.kill()
            await life.status()
        assert await bot.live(remains, events) == 0
        check_end(remains, events, bot.simulator)


def are_at_service(remains: Remains) -> bool:
    """Whether both jobs were submitted, and this life has taken them up."""
    if not (remains.folder / "data" / "ready").exists():
        return False
    query = "SELECT count(*) FROM steps WHERE state NOT IN ('queued', 'submitting')"
    return remains.rows(query) == [(2,)]
