"""Many jobs of many people, several processes, random kills, the bucket and the database away.

Every request is answered once: the processes are ``easel run`` itself on PostgreSQL, those that
died are started again, as a supervisor does.
"""

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import obstore.store
import pytest
import pytest_asyncio

from tests.contract.conftest import bucket as bucket  # noqa: PLC0414  # the fixtures
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414
from tests.fakes.fleet import Fleet, fleet
from tests.fakes.lives import Parent, forking_parent
from tests.fakes.proxy import Outage

SEED = 20261201


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much happens; ``away`` are seconds that a neighbour is gone."""

    jobs: int
    people: int
    processes: int
    kills: int
    away: float


BY_DAY = Size(jobs=12, people=4, processes=2, kills=2, away=1.0)
BY_NIGHT = Size(jobs=200, people=40, processes=4, kills=20, away=30.0)
ASKED_EVERY = 0.25
"""Seconds between two requests."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parent() -> AsyncIterator[Parent]:
    async with forking_parent() as started:
        yield started


@pytest.mark.timeout(1800)
async def test_every_job_is_done_once_whatever_dies_or_goes_away(
    parent: Parent,
    tmp_path: Path,
    postgres: str,
    bucket: obstore.store.S3Store,
    is_nightly: bool,
) -> None:
    size = BY_NIGHT if is_nightly else BY_DAY
    opening = fleet(
        parent,
        tmp_path,
        bucket,
        postgres=postgres,
        with_discord=False,
    )
    async with opening as place:
        names = {
            f"process{number}": "worker" if number % 2 else "all"
            for number in range(size.processes)
        }
        for name, role in names.items():
            await place.start(name, role)
        async with asyncio.TaskGroup() as group:
            group.create_task(_ask(place, size))
            group.create_task(_kill(place, size, names))
            group.create_task(_take_away(place, size))
        await place.wait_for_slack()
        await place.until_all_are_done()


async def _ask(place: Fleet, size: Size) -> None:
    people = [
        place.in_slack.person(f"Ana {number}") for number in range(size.people)
    ]
    for number in range(size.jobs):
        place.ask_in_slack(people[number % size.people])
        await asyncio.sleep(ASKED_EVERY)


async def _kill(place: Fleet, size: Size, names: dict[str, str]) -> None:
    """Kill a process now and then, and start it again."""
    luck = random.Random(SEED)
    usual = (2 * size.away + ASKED_EVERY * size.jobs) / size.kills
    for _ in range(size.kills):
        await asyncio.sleep(luck.uniform(0.2, usual))
        name = luck.choice(list(names))
        await place.kill(name)
        await place.start(name, names[name])


async def _take_away(place: Fleet, size: Size) -> None:
    """In the middle of it the bucket goes, and then the database."""
    for neighbour in ("bucket", "database"):
        await asyncio.sleep(ASKED_EVERY * size.jobs / 4)
        async with place.wires[neighbour].outage():
            await asyncio.sleep(size.away)


@pytest.mark.nightly
async def test_a_process_asked_to_stop_while_the_database_hangs_ends(
    parent: Parent,
    tmp_path: Path,
    postgres: str,
    bucket: obstore.store.S3Store,
) -> None:
    opening = fleet(
        parent, tmp_path, bucket, postgres=postgres, with_discord=False
    )
    async with opening as place:
        await place.start("first")
        place.ask_in_slack(place.in_slack.person("Ana"))
        await place.wait_for_slack()
        async with place.wires["database"].outage(Outage.HANGING):
            # Long enough for a transaction to hang in it.
            await asyncio.sleep(1)
            place.lives["first"].kill(signal.SIGTERM)
            assert await place.lives["first"].status() == 0
        await place.start("second")
        await place.until_all_are_done()


@pytest.mark.nightly
async def test_a_process_that_slept_past_its_lock_writes_nothing(
    parent: Parent,
    tmp_path: Path,
    postgres: str,
    bucket: obstore.store.S3Store,
) -> None:
    """SIGSTOP: it does not know that it counts as dead, and goes on where it was.

    On SQLite nobody can take over: the lock is on a file that the sleeping process holds open.
    """
    opening = fleet(
        parent, tmp_path, bucket, postgres=postgres, with_discord=False
    )
    async with opening as place:
        await place.start("first")
        await place.start("second", "worker")
        ana = place.in_slack.person("Ana")
        for _ in range(10):
            place.ask_in_slack(ana)
        await place.wait_for_slack()
        await place.until_one_is_done()
        place.lives["first"].kill(signal.SIGSTOP)
        place.cut("first")
        await place.until_all_are_done()
        place.lives["first"].kill(signal.SIGCONT)
        await asyncio.sleep(5)  # for what should not come
        place.check()
        place.ask_in_slack(ana)
        await place.wait_for_slack()
        await place.until_all_are_done()


@pytest.mark.nightly
async def test_a_fleet_is_back_half_a_minute_after_its_database(
    parent: Parent,
    tmp_path: Path,
    postgres: str,
    bucket: obstore.store.S3Store,
) -> None:
    opening = fleet(
        parent, tmp_path, bucket, postgres=postgres, with_discord=False
    )
    names = {"gateway": "gateway", "worker": "worker", "both": "all"}
    async with opening as place:
        for name, role in names.items():
            await place.start(name, role)
        watching = [
            asyncio.create_task(_supervise(place, name, role))
            for name, role in names.items()
        ]
        ana = place.in_slack.person("Ana")
        place.ask_in_slack(ana)
        async with place.wires["database"].outage():
            await asyncio.sleep(60)
        place.ask_in_slack(ana)
        async with asyncio.timeout(30):
            await place.wait_for_slack()
            await place.until_all_are_done()
        for task in watching:
            task.cancel()
        assert not any(life.ended.done() for life in place.lives.values())


async def _supervise(place: Fleet, name: str, role: str) -> None:
    """Obey the exit codes: start it again but for 0 and 78, which want a person."""
    while True:
        code = await asyncio.shield(place.lives[name].ended)
        assert code not in {0, 78}, f"{name} gave up with {code}"
        await asyncio.sleep(1)
        await place.start(name, role)
