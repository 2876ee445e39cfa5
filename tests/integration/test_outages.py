"""Neighbours go away at any moment: every request reaches its end once, by itself.

Slack, the image service, the bucket and the database stand behind a wire that can be cut
(tests/fakes/proxy.py). Waits run ``SPEED`` times as fast as the clock, so that three seconds
without a neighbour are ten minutes. At night every outage comes at every stage.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore.store
import pytest
import sqlalchemy as sa
import stamina
from stamina import AsyncRetryingCaller

from adapters.slack.chat import SlackChat
from bot import wiring
from bot.clock import WallClock
from bot.run import Running
from bot.simulator.server import Running as Simulator
from bot.simulator.server import SimulatorConfig, serve
from core.flow import outages
from core.storage import database
from core.types import Step, StepState, Tenant
from tests.contract.conftest import bucket as bucket  # noqa: PLC0414  # the fixtures
from tests.contract.conftest import fresh_database
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414
from tests.fakes.proxy import Outage, Proxy, proxy_to, proxy_to_postgres
from tests.fakes.slack.driver import Slack, Somebody, slack
from tests.fakes.slack.house import easel_in
from tests.fakes.slack.world import Message, World

SPEED = 200
JOBS = 5
AWAY = {"seconds": 0.3, "minutes": 3.0}
"""By the clock; for Easel's own waits a minute and ten."""
PATIENCE = 60.0
PRICE = 200_000
"""Of one picture, in millionths of a yuan."""


class FastClock(WallClock):
    """Waits pass ``SPEED`` times as fast."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


def fast_caller(**waits: Any) -> stamina.AsyncRetryingCaller:
    """stamina's own, with pauses ``SPEED`` times as short."""
    for name in ("wait_initial", "wait_max", "wait_jitter"):
        waits[name] /= SPEED
    return AsyncRetryingCaller(**waits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """Easel and its neighbours, each behind a wire."""

    fake: Slack
    ana: Somebody
    bot: Running
    simulator: Simulator
    wires: dict[str, Proxy]
    database: str

    def results(self) -> Counter[str]:
        """How often each picture's file was shared in the channel or its threads."""
        return Counter(
            file for message in self._ours() for file in message.files
        )

    def captions(self) -> Counter[str]:
        """How often each prompt stands as the title of a message in the channel."""
        texts = [message.text for message in self._ours() if message.text]
        return Counter(text.split("\n")[0] for text in texts)

    def _ours(self) -> list[Message]:
        return [
            message
            for message in self.fake.world.messages
            if message.user == self.fake.workspace.bot_user
            and message.channel == self.fake.general
            and not message.deleted
        ]

    async def are_done(self) -> bool:
        """Have all requests come to their good end?"""
        states = Counter(step.state for step in await self.steps())
        return states == {StepState.DONE: JOBS}

    async def steps(self) -> list[Step]:
        """What became of the requests."""
        return await self.bot.easel.context.store.recent(
            Tenant("slack:T00000001"), self.ana.id, 50
        )

    def charged(self) -> int:
        """What the ledger sums up to."""
        engine = database.open_sync(self.database)
        with engine.begin() as connection:
            total = connection.scalar(
                sa.text("SELECT SUM(micros) FROM ledger")
            )
        engine.dispose()
        return int(total or 0)


@asynccontextmanager
async def town(
    folder: Path,
    postgres: str,
    bucket: obstore.store.S3Store,
    patch: pytest.MonkeyPatch,
    time_scale: float = 0.02,
) -> AsyncIterator[Town]:
    patch.setattr(wiring, "WallClock", FastClock)
    patch.setattr(stamina, "AsyncRetryingCaller", fast_caller)
    url = fresh_database(postgres, str(folder))
    async with AsyncExitStack() as stack:
        fake = await stack.enter_async_context(slack(World(share_after=0.02)))
        config = SimulatorConfig(time_scale=time_scale, seed=7)
        simulator = await stack.enter_async_context(serve(config))
        targets = {
            "slack": fake.world.base,
            "service": simulator.host,
            "bucket": str(bucket.config["endpoint"]),
        }
        wires = {
            name: await stack.enter_async_context(proxy_to(target))
            for name, target in targets.items()
        }
        wires["database"], there = await stack.enter_async_context(
            proxy_to_postgres(url)
        )
        lead_to_bucket(patch, wires["bucket"])
        bot = await stack.enter_async_context(
            easel_in(
                fake,
                folder,
                config=config,
                EASEL_SLACK_API_URL=f"http://{wires['slack'].host}/api/",
                EASEL_DATABASE_URL=there,
                EASEL_BLOB_URL=f"s3://easel/{folder.name}",
                DASHSCOPE_API_KEY="sk-simulator",
                EASEL_DASHSCOPE_URL=f"http://{wires['service'].host}/api/v1",
                EASEL_RESULT_HOSTS=wires["service"].host,
            )
        )
        ana = fake.person("Ana")
        yield Town(
            fake=fake,
            ana=ana,
            bot=bot,
            simulator=simulator,
            wires=wires,
            database=url,
        )


def lead_to_bucket(patch: pytest.MonkeyPatch, wire: Proxy) -> None:
    """The usual AWS variables."""
    patch.setenv("AWS_ENDPOINT", f"http://{wire.host}")
    patch.setenv("AWS_REGION", "us-east-1")
    patch.setenv("AWS_ACCESS_KEY_ID", "test")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    patch.setenv("AWS_ALLOW_HTTP", "true")


STAGES: dict[str, Callable[[Town], bool]] = {
    "accepted": lambda _: True,
    "submitted": lambda place: bool(place.simulator.account.tasks),
    "one shown": lambda place: bool(place.results()),
}
EVERY = [
    (neighbour, outage, away, stage)
    for neighbour in ("slack", "service", "bucket", "database")
    for outage in Outage
    for away in AWAY
    for stage in STAGES
    if neighbour != "database" or outage in {Outage.CUT, Outage.HANGING}
]
SHORT = {
    ("slack", Outage.CUT, "minutes", "submitted"),
    ("slack", Outage.HTML, "minutes", "one shown"),
    ("service", Outage.ERRORS, "minutes", "submitted"),
    ("service", Outage.HANGING, "seconds", "accepted"),
    ("bucket", Outage.CUT, "minutes", "submitted"),
    ("bucket", Outage.HTML, "seconds", "one shown"),
    ("database", Outage.CUT, "minutes", "submitted"),
    ("database", Outage.HANGING, "seconds", "accepted"),
}
MATRIX = [
    pytest.param(
        *case,
        marks=() if case in SHORT else pytest.mark.nightly,
        id="-".join(case),
    )
    for case in EVERY
]


async def until_done(place: Town) -> None:
    """Wait for the end of every job, and a moment more for what should not come."""
    ends = time.monotonic() + PATIENCE
    while not await place.are_done():
        assert time.monotonic() < ends, [
            step.state for step in await place.steps()
        ]
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)


@pytest.mark.parametrize(("neighbour", "outage", "away", "stage"), MATRIX)
async def test_no_outage_ends_a_job(
    tmp_path: Path,
    postgres: str,
    bucket: obstore.store.S3Store,
    monkeypatch: pytest.MonkeyPatch,
    neighbour: str,
    outage: Outage,
    away: str,
    stage: str,
) -> None:
    async with town(tmp_path, postgres, bucket, monkeypatch) as place:
        for number in range(JOBS):
            await place.ana.types(f"/draw fox {number}")
        await place.fake.until(lambda: STAGES[stage](place))
        async with place.wires[neighbour].outage(outage):
            await asyncio.sleep(AWAY[away])
        await until_done(place)
        assert len(place.results()) == JOBS
        assert place.results().total() == JOBS
        assert place.captions() == {
            f"fox {number}": 1 for number in range(JOBS)
        }
        assert len(place.simulator.account.tasks) == JOBS
        assert place.charged() == JOBS * PRICE


AWAY_WORDS = [
    pytest.param("service", "The image service does not answer"),
    pytest.param("bucket", "My storage does not answer"),
    pytest.param(
        "database",
        "My database does not answer",
        marks=pytest.mark.nightly,
    ),
]


@pytest.mark.parametrize(("neighbour", "words"), AWAY_WORDS)
async def test_the_message_says_what_is_away_and_moves_on_afterwards(
    tmp_path: Path,
    postgres: str,
    bucket: obstore.store.S3Store,
    monkeypatch: pytest.MonkeyPatch,
    neighbour: str,
    words: str,
) -> None:
    monkeypatch.setattr(outages, "WORTH_SAYING", 0.1)
    monkeypatch.setattr(SlackChat, "pace", 0.2)
    async with town(tmp_path, postgres, bucket, monkeypatch, 0.1) as place:
        await place.ana.types(f"/draw {neighbour}")
        status = await place.ana.reads(neighbour, button="Cancel")
        await place.fake.until(lambda: "Working" in status.words)
        async with place.wires[neighbour].outage(Outage.CUT):
            await place.fake.until(lambda: words in status.words)
        await place.ana.result(neighbour)
        assert words not in status.words


async def test_the_message_says_that_slack_takes_no_picture_just_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "WORTH_SAYING", 0.1)
    monkeypatch.setattr(SlackChat, "pace", 0.2)
    async with (
        slack(World(share_after=0.02)) as fake,
        easel_in(fake, tmp_path / "data"),
    ):
        ana = fake.person("Ana")
        fake.api.upload_faults = [504] * 500
        await ana.types("/draw a fox")
        status = await ana.reads("a fox", button="Cancel")
        await fake.until(lambda: "Slack is slow" in status.words)
        assert "Cancel" not in status.buttons
        fake.api.upload_faults.clear()
        caption, _ = await ana.result("a fox")
        assert caption.ts == status.ts
        assert "Slack is slow" not in status.words
