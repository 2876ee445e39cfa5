"""While a neighbour is away, the message of a job says so, and moves on afterwards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore.store
import pytest
import stamina
from stamina import AsyncRetryingCaller

from adapters.slack import progress
from adapters.slack.chat import SlackChat
from bot import wiring
from bot.clock import WallClock
from bot.simulator.server import SimulatorConfig, serve
from core.flow import outages
from tests.contract.conftest import bucket as bucket  # noqa: PLC0414  # the fixtures
from tests.contract.conftest import fresh_database
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414
from tests.fakes.proxy import Outage, Proxy, proxy_to, proxy_to_postgres
from tests.fakes.slack.driver import Slack, Somebody, slack
from tests.fakes.slack.house import easel_in
from tests.fakes.slack.world import World

SPEED = 200


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
    """A Slack, somebody in it, and the wires to all neighbours of the Easel there."""

    fake: Slack
    ana: Somebody
    wires: dict[str, Proxy]


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
        await stack.enter_async_context(
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
        yield Town(fake=fake, ana=ana, wires=wires)


def lead_to_bucket(patch: pytest.MonkeyPatch, wire: Proxy) -> None:
    """The usual AWS variables."""
    patch.setenv("AWS_ENDPOINT", f"http://{wire.host}")
    patch.setenv("AWS_REGION", "us-east-1")
    patch.setenv("AWS_ACCESS_KEY_ID", "test")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    patch.setenv("AWS_ALLOW_HTTP", "true")


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
    monkeypatch.setattr(outages, "LONG_WAIT", 0.1)
    monkeypatch.setattr(SlackChat, "pace", 0.2)
    async with town(tmp_path, postgres, bucket, monkeypatch, 0.1) as place:
        await place.ana.types(f"/draw {neighbour}")
        status = await place.ana.reads(neighbour, button="Cancel")
        await place.fake.until(lambda: "Working" in status.words)
        async with place.wires[neighbour].outage(Outage.CUT):
            await place.fake.until(lambda: words in status.words)
        await place.ana.result(neighbour)
        assert words not in status.words


async def test_words_that_slack_had_no_room_for_are_said_when_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "LONG_WAIT", 0.1)
    monkeypatch.setattr(SlackChat, "pace", 0.2)
    async with (
        slack(World(share_after=0.02)) as fake,
        easel_in(fake, tmp_path / "data"),
    ):
        ana = fake.person("Ana")
        monkeypatch.setattr(progress, "PROGRESS_A_MINUTE", 0)
        fake.api.upload_faults = [504] * 500
        await ana.types("/draw a fox")
        status = await ana.reads("a fox", button="Cancel")
        await fake.until(lambda: len(fake.api.upload_faults) < 495)
        assert "Slack is slow" not in status.words
        monkeypatch.setattr(progress, "PROGRESS_A_MINUTE", 30)
        await fake.until(lambda: "Slack is slow" in status.words)


async def test_the_message_says_that_slack_takes_no_picture_just_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "LONG_WAIT", 0.1)
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
