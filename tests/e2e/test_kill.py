"""The real process is killed with SIGKILL at every named place and at random moments.

No job is lost, and none is doubled.
"""

import asyncio
import json
import random
import signal
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.web.chat import place as room_place
from bot.simulator.tasks import SimulatorConfig
from core import failpoints
from core.operations import Action
from tests.fakes.killing import (
    KilledBot,
    check_corpse,
    check_end,
    command_event,
    forking_parent,
    killed_bot,
)

IN_A_JOB = [
    name
    for name in failpoints.NAMES
    if not name.startswith(("answer", "share", "settle"))
]
"""The others are reached on a platform only: tests/e2e/test_slack_kill.py, test_discord_kill.py."""
LAPS = [
    0,
    *(pytest.param(lap, marks=pytest.mark.nightly) for lap in range(1, 5)),
]
"""Of forty kills at random moments: one by day, two hundred kills at night."""
KILLS_A_LAP = 40
SEED = 20261120

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parent() -> AsyncIterator[asyncio.subprocess.Process]:
    async with forking_parent() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def bot(parent: asyncio.subprocess.Process) -> AsyncIterator[KilledBot]:
    async with killed_bot(
        parent, SimulatorConfig(time_scale=0.02, seed=SEED)
    ) as started:
        yield started


@pytest.mark.parametrize("place", IN_A_JOB)
async def test_a_job_killed_at_any_named_place_reaches_its_end_once(
    bot: KilledBot, place: str, tmp_path: Path
) -> None:
    events = [
        command_event(1, Action.DRAW, "a fox"),
        command_event(2, Action.EXPAND, "a meadow", "rocket.jpg"),
    ]
    assert (
        await bot.live(tmp_path, events, failpoints=f"{place}=kill")
        == -signal.SIGKILL
    )
    check_corpse(tmp_path)
    assert await bot.live(tmp_path, events) == 0
    check_end(tmp_path, events, bot.simulator)


POSTING = [
    name
    for name in failpoints.NAMES
    if name.startswith(("announce", "say", "keep.after_c", "deliver"))
]


@pytest.mark.parametrize("place", POSTING)
async def test_the_room_shows_a_job_killed_around_its_posts_once(
    bot: KilledBot, place: str, tmp_path: Path
) -> None:
    asked = replace(
        command_event(1, Action.DRAW, "a fox"), place=room_place("general")
    )
    assert (
        await bot.live(tmp_path, [asked], failpoints=f"{place}=kill")
        == -signal.SIGKILL
    )
    assert await bot.live(tmp_path, [asked]) == 0
    connection = sqlite3.connect(tmp_path / "data" / "room.db")
    bodies = [
        json.loads(body)
        for (body,) in connection.execute("SELECT body FROM messages")
    ]
    connection.close()
    assert [(body["tone"], len(body["pictures"])) for body in bodies] == [
        ("result", 1)
    ]


async def test_a_job_killed_at_one_place_after_another_reaches_its_end_once(
    bot: KilledBot, tmp_path: Path
) -> None:
    events = [
        command_event(1, Action.DRAW, "a fox"),
        command_event(2, Action.EDIT, "make it night", "coffee.png"),
    ]
    for place in (
        "submit.after_send",
        "submit.after_intent",
        "keep.after_blob",
        "deliver.after_post",
    ):
        await bot.live(tmp_path, events, failpoints=f"{place}=kill")
        check_corpse(tmp_path)
    assert await bot.live(tmp_path, events) == 0
    check_end(tmp_path, events, bot.simulator)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("lap", LAPS)
async def test_forty_kills_at_random_moments_lose_and_double_nothing(
    parent: asyncio.subprocess.Process, tmp_path: Path, lap: int
) -> None:
    luck = random.Random(SEED + lap)
    killed, rounds = 0, 0
    while killed < KILLS_A_LAP:
        config = SimulatorConfig(
            time_scale=0.02, seed=SEED + lap * KILLS_A_LAP + rounds
        )
        async with killed_bot(parent, config) as bot:
            await _one_round(bot, tmp_path / str(rounds), luck)
            killed += bot.kills
        rounds += 1


async def _one_round(
    bot: KilledBot, folder: Path, luck: random.Random
) -> None:
    """Four jobs, the bot killed at random moments until they are done all the same."""
    folder.mkdir()
    events = [
        command_event(1, Action.DRAW, "a fox"),
        command_event(2, Action.DRAW, "a heron"),
        command_event(3, Action.EXPAND, "a meadow", "rocket.jpg"),
        command_event(4, Action.COLORIZE, "autumn", "chelsea.png"),
    ]
    status = -1
    while status != 0:
        status = await bot.live(
            folder,
            events,
            after=luck.uniform(0.05, 1.2) if bot.kills < KILLS_A_LAP else None,
        )
        check_corpse(folder)
    check_end(folder, events, bot.simulator)


@pytest.mark.parametrize(
    ("mutant", "place"),
    [("resubmit", "submit.after_send"), ("no_read_back", "say.after_post")],
)
async def test_the_same_checks_catch_a_bot_broken_on_purpose(
    bot: KilledBot, mutant: str, place: str, tmp_path: Path
) -> None:
    events = [command_event(1, Action.DRAW, "a fox")]
    assert (
        await bot.live(
            tmp_path, events, failpoints=f"{place}=kill", mutant=mutant
        )
        == -signal.SIGKILL
    )
    assert await bot.live(tmp_path, events, mutant=mutant) == 0
    with pytest.raises(AssertionError, match=r"times|more than once"):
        check_end(tmp_path, events, bot.simulator)
