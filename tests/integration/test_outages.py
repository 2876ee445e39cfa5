"""Neighbours go away at any moment: every request reaches its end once, by itself.

The program runs as processes, on SQLite as one, on PostgreSQL as one that listens and a worker
beside it. Slack, Discord, its gateway, the image service, the bucket and the database stand behind
wires that can be cut (tests/fakes/fleet.py). Pauses between two tries pass ``SPEED`` times as fast
as by the clock, so that three seconds without a neighbour are ten minutes. By day the outages come
one after the other to one fleet; at night each in each way, of each length.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import obstore.store
import pytest
import pytest_asyncio

from tests.contract.conftest import bucket as bucket  # noqa: PLC0414  # the fixtures
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414
from tests.fakes.fleet import Fleet, fleet
from tests.fakes.lives import Parent, forking_parent
from tests.fakes.proxy import Outage

SPEED = 200
AWAY = {"3 s": 0.015, "60 s": 0.3, "10 min": 3.0}
"""By the clock."""
ONE_PLATFORM = 10
"""Requests in work on each platform at night, and how many by day."""
BY_DAY = 2

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parent() -> AsyncIterator[Parent]:
    async with forking_parent() as started:
        yield started


STAGES: dict[str, Callable[[Fleet, int], bool]] = {
    "asked": lambda _, __: True,
    "submitted": lambda place, before: (
        len(place.simulator.account.tasks) > before
    ),
    "one shown": lambda place, before: (
        place.count_results()["pictures"] > before
    ),
}
WAYS = {
    "slack": tuple(Outage),
    "discord": tuple(Outage),
    "gateway": (Outage.CUT, Outage.HANGING, Outage.SLOW),
    "service": tuple(Outage),
    # It has no page in front of it, and a disk that says yes and forgets is none.
    "bucket": tuple(way for way in Outage if way is not Outage.NONSENSE),
    "database": (Outage.CUT, Outage.HANGING, Outage.SLOW),
}
MATRIX = [
    (kind, neighbour, way, stage)
    for kind in ("sqlite", "postgresql")
    for neighbour, ways in WAYS.items()
    for way in ways
    for stage in STAGES
    if (kind, neighbour) != ("sqlite", "database")
    and (way is Outage.CUT or stage == "submitted")
]
"""A neighbour that is just gone, at every stage; one that is ill, in the middle."""
SHORT = {
    "sqlite": [
        ("slack", Outage.CUT, "10 min", "submitted"),
        ("service", Outage.ERRORS, "60 s", "asked"),
        ("bucket", Outage.HTML, "60 s", "one shown"),
    ],
    "postgresql": [
        ("discord", Outage.HTML, "60 s", "one shown"),
        ("gateway", Outage.CUT, "3 s", "asked"),
        ("bucket", Outage.CUT, "60 s", "submitted"),
        ("database", Outage.CUT, "10 min", "submitted"),
    ],
}


@pytest.mark.parametrize("kind", SHORT)
async def test_outages_one_after_another_end_no_job(
    parent: Parent,
    tmp_path: Path,
    bucket: obstore.store.S3Store,
    request: pytest.FixtureRequest,
    kind: str,
) -> None:
    async with fleet(
        parent, tmp_path, bucket, postgres=_server(request, kind), speed=SPEED
    ) as place:
        await _start(place, kind)
        for neighbour, way, away, stage in SHORT[kind]:
            await _meet(place, neighbour, way, stage, AWAY[away], BY_DAY)
        await place.until_all_are_done()


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("kind", "neighbour", "way", "stage"), MATRIX)
async def test_no_outage_ends_a_job(
    parent: Parent,
    tmp_path: Path,
    bucket: obstore.store.S3Store,
    request: pytest.FixtureRequest,
    kind: str,
    neighbour: str,
    way: Outage,
    stage: str,
) -> None:
    """Of each length, with twenty jobs in work."""
    async with fleet(
        parent, tmp_path, bucket, postgres=_server(request, kind), speed=SPEED
    ) as place:
        await _start(place, kind)
        for seconds in AWAY.values():
            await _meet(place, neighbour, way, stage, seconds, ONE_PLATFORM)
            await place.until_all_are_done()


def _server(request: pytest.FixtureRequest, kind: str) -> str:
    if kind == "sqlite":
        return ""
    return str(request.getfixturevalue("postgres"))


async def _start(place: Fleet, kind: str) -> None:
    await place.start("first")
    if kind == "postgresql":
        await place.start("second", "worker")


async def _meet(
    place: Fleet,
    neighbour: str,
    way: Outage,
    stage: str,
    seconds: float,
    jobs: int,
) -> None:
    """Jobs on both platforms meet an outage; one more on each is asked for while it lasts."""
    in_slack = [place.in_slack.person(f"Ana {at}") for at in range(2)]
    in_discord = [place.in_discord.person(f"Bo {at}") for at in range(2)]
    before = len(place.asked)
    for number in range(jobs):
        place.ask_in_slack(in_slack[number % 2])
        place.ask_in_discord(in_discord[number % 2])
    await place.in_slack.until(lambda: STAGES[stage](place, before))
    async with place.wires[neighbour].outage(way):
        place.ask_in_slack(in_slack[0])
        # The gateway tells it once, be our database there or not.
        place.ask_in_discord(in_discord[0])
        await asyncio.sleep(seconds)
