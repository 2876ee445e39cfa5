"""The real process is killed with SIGKILL at every named place and at random moments.

No job is lost, and none is doubled: on SQLite, where the next life continues, and on PostgreSQL,
where another worker takes over.
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
from tests.contract.conftest import fresh_database
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414  # the fixture
from tests.fakes.killed_bot import LOST
from tests.fakes.killing import (
    KilledBot,
    Remains,
    check_corpse,
    check_end,
    command_event,
    killed_bot,
)
from tests.fakes.lives import Life, Parent, forking_parent

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
ROUNDS_OF_TWO, KILLS_A_WORKER = 5, 4
TELLING = {
    "begin.after_commit",
    "say.after_post",
    "submit.after_send",
    "wait.before",
    "keep.after_commit",
    "deliver.after_post",
}
"""Where it matters most that another worker continues: by day only there."""
TAKEN_OVER = [
    pytest.param(place, marks=() if place in TELLING else pytest.mark.nightly)
    for place in IN_A_JOB
]
SEED = 20261120
EVENTS = [
    command_event(1, Action.DRAW, "a fox"),
    command_event(2, Action.EXPAND, "a meadow", "rocket.jpg"),
]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parent() -> AsyncIterator[Parent]:
    async with forking_parent("tests.fakes.killed_bot") as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def bot(parent: Parent) -> AsyncIterator[KilledBot]:
    async with killed_bot(
        parent, SimulatorConfig(time_scale=0.02, seed=SEED)
    ) as started:
        yield started


@pytest.mark.parametrize("place", IN_A_JOB)
async def test_a_job_killed_at_any_named_place_reaches_its_end_once(
    bot: KilledBot, place: str, tmp_path: Path
) -> None:
    remains = Remains(folder=tmp_path)
    assert (
        await bot.live(remains, EVENTS, failpoints=f"{place}=kill")
        == -signal.SIGKILL
    )
    check_corpse(remains)
    assert await bot.live(remains, EVENTS) == 0
    check_end(remains, EVENTS, bot.simulator)


@pytest.mark.parametrize("place", TAKEN_OVER)
async def test_a_job_of_a_worker_killed_at_any_named_place_is_finished_once_by_another(
    bot: KilledBot, postgres: str, place: str, tmp_path: Path
) -> None:
    """The other is there before; what was not acknowledged is delivered to it."""
    remains = Remains(folder=tmp_path, server=fresh_database(postgres, place))
    died = tmp_path / "died"
    # It must not take what the first is about to do: it looks for the dead alone.
    other = await bot.begin(
        remains,
        EVENTS,
        worker="other",
        until=str(died),
        every=0.2,
        only_takes_over=True,
    )
    await is_ready(other, tmp_path / "other" / "ready")
    assert (
        await bot.live(remains, EVENTS, failpoints=f"{place}=kill")
        == -signal.SIGKILL
    )
    died.touch()
    assert await other.status() == 0
    check_end(remains, EVENTS, bot.simulator)


async def is_ready(life: Life, ready: Path) -> None:
    """Wait until it works."""
    while not (ready.exists() or life.ended.done()):
        await asyncio.sleep(0.01)


FOUR = [
    command_event(1, Action.DRAW, "a fox"),
    command_event(2, Action.DRAW, "a heron"),
    command_event(3, Action.EXPAND, "a meadow", "rocket.jpg"),
    command_event(4, Action.COLORIZE, "autumn", "chelsea.png"),
]
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
    remains = Remains(folder=tmp_path)
    assert (
        await bot.live(remains, [asked], failpoints=f"{place}=kill")
        == -signal.SIGKILL
    )
    assert await bot.live(remains, [asked]) == 0
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
    remains = Remains(folder=tmp_path)
    for place in (
        "submit.after_send",
        "submit.after_intent",
        "keep.after_blob",
        "deliver.after_post",
    ):
        await bot.live(remains, events, failpoints=f"{place}=kill")
        check_corpse(remains)
    assert await bot.live(remains, events) == 0
    check_end(remains, events, bot.simulator)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("lap", LAPS)
async def test_forty_kills_at_random_moments_lose_and_double_nothing(
    parent: Parent, tmp_path: Path, lap: int
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
    """Four jobs, the bot killed at random moments until they are done all the same.

    Nothing is blamed: forty kills from outside within a minute look like a crash loop.
    """
    folder.mkdir()
    remains = Remains(folder=folder)
    status = -1
    while status != 0:
        status = await bot.live(
            remains,
            FOUR,
            after=luck.uniform(0.05, 1.2) if bot.kills < KILLS_A_LAP else None,
            lives=0,
        )
        check_corpse(remains)
    check_end(remains, FOUR, bot.simulator)


@pytest.mark.nightly
@pytest.mark.timeout(900)
async def test_forty_kills_of_two_workers_at_random_moments_lose_and_double_nothing(
    parent: Parent, postgres: str, tmp_path: Path
) -> None:
    luck = random.Random(SEED)
    for number in range(ROUNDS_OF_TWO):
        config = SimulatorConfig(time_scale=0.05, seed=SEED + number)
        folder = tmp_path / str(number)
        folder.mkdir()
        server = fresh_database(postgres, f"two {number}")
        remains = Remains(folder=folder, server=server)
        async with killed_bot(parent, config) as bot:
            await asyncio.gather(
                _die_and_return(bot, remains, "worker0", luck),
                _die_and_return(bot, remains, "worker1", luck),
            )
            check_end(remains, FOUR, bot.simulator)


async def _die_and_return(
    bot: KilledBot, remains: Remains, worker: str, luck: random.Random
) -> None:
    """One of two workers, killed again and again and at last not any more."""
    ready = remains.folder / worker / "ready"
    for _ in range(KILLS_A_WORKER):
        ready.unlink(missing_ok=True)
        life = await bot.begin(
            remains, FOUR, worker=worker, every=0.2, lives=0
        )
        await is_ready(life, ready)
        await asyncio.sleep(luck.uniform(0.0, 1.0))
        life.kill()
        await life.status()
    assert await bot.live(remains, FOUR, worker=worker, every=0.2) == 0


@pytest.mark.parametrize(
    ("mutant", "point", "reason"),
    [
        ("resubmit", "submit.after_send=kill", "submitted 2 times"),
        ("no_read_back", "say.after_post=kill", "more than once"),
        ("early_ok", "hear.after_commit=kill@2", "lost"),
    ],
)
async def test_the_same_checks_catch_a_bot_broken_on_purpose(
    bot: KilledBot, mutant: str, point: str, reason: str, tmp_path: Path
) -> None:
    remains = Remains(folder=tmp_path)
    first = await bot.live(remains, EVENTS, failpoints=point, mutant=mutant)
    assert first == -signal.SIGKILL
    status = await bot.live(remains, EVENTS, mutant=mutant)
    assert status == (LOST if reason == "lost" else 0)
    with pytest.raises(AssertionError, match=reason):
        check_end(remains, EVENTS, bot.simulator)
