"""A gateway listens and answers; what needs the image service is done by workers."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import core.engine
from bot import settings, wiring
from bot.simulator.server import Running, SimulatorConfig, serve
from core.operations import Action
from core.post import Tone
from core.types import Place
from tests.contract.conftest import fresh_database
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414  # the fixture
from tests.fakes import events
from tests.fakes.memory_chat import MemoryChat
from tests.fakes.slack.driver import Somebody, slack
from tests.integration.test_start import PATIENCE, Bot, easel_run

PLACE = Place(platform="memory", workspace="w", channel="c")


def shared(folder: Path, simulator: Running, url: str) -> dict[str, str]:
    """Settings of processes that are one bot."""
    return {
        "EASEL_BLOB_URL": (folder / "blobs").as_uri(),
        "EASEL_DATABASE_URL": url,
        "DASHSCOPE_API_KEY": "sk-simulator",
        "EASEL_DASHSCOPE_URL": simulator.url,
        "EASEL_RESULT_HOSTS": simulator.host,
        "EASEL_LINK_KEYS": "k" * 40,
    }


async def test_a_gateway_keeps_jobs_waiting_and_a_worker_does_them(
    postgres: str,
    tmp_path: Path,
    unused_tcp_port_factory: Callable[[], int],
) -> None:
    ports = [unused_tcp_port_factory() for _ in range(2)]
    url = fresh_database(postgres, "roles")
    async with (
        serve(SimulatorConfig(time_scale=0.02)) as simulator,
        slack() as fake,
        AsyncExitStack() as stack,
    ):
        common = {
            **fake.settings(),
            **shared(tmp_path, simulator, url),
            "EASEL_DRAIN_SECONDS": "6",
        }
        gateway = await stack.enter_async_context(
            easel_run(tmp_path, ports[0], "gateway", **common)
        )
        await gateway.until("/readyz", 200)
        fake.url = f"http://127.0.0.1:{ports[0]}"
        ana = fake.person("Ana")
        await ana.types("/draw a fox")
        # The answer to what was asked later says that the former has been looked at.
        await ana.types("/easel help")
        await ana.reads("/wanx")
        assert simulator.account.tasks == {}
        worker = await stack.enter_async_context(
            easel_run(tmp_path, ports[1], "worker", **common)
        )
        await worker.until("/readyz", 200)
        await ana.result("a fox")
        assert len(simulator.account.tasks) == 1
        await _hears_while_it_drains(gateway, ana)
        assert await gateway.process.wait() == 0
        assert (await worker.ends())[0] == 0


async def _hears_while_it_drains(gateway: Bot, ana: Somebody) -> None:
    """Tell it to stop: a proxy hears so first, and what is on its way is still answered."""
    gateway.process.terminate()
    await gateway.until("/readyz", 503)
    assert await gateway.status("/healthz") == 200
    await ana.types("/easel undo")
    await ana.reads("nothing to undo")


async def test_a_gateway_without_a_database_to_share_is_refused(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    async with (
        slack() as fake,
        easel_run(
            tmp_path, unused_tcp_port, "gateway", **fake.settings()
        ) as bot,
        asyncio.timeout(PATIENCE),
    ):
        assert await bot.process.wait() == 78


async def test_a_worker_is_told_that_a_job_waits(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.engine, "LOOK_SECONDS", 3600)
    url = fresh_database(postgres, "told")
    chat = MemoryChat()
    async with (
        serve(SimulatorConfig(time_scale=0.01)) as simulator,
        AsyncExitStack() as stack,
    ):
        chosen = settings.load(**shared(tmp_path, simulator, url))
        gateway, _ = [
            await stack.enter_async_context(
                wiring.open_easel(
                    chosen,
                    lambda _: {"memory": chat},
                    simulator=SimulatorConfig(),
                    takes_jobs=takes_jobs,
                )
            )
            for takes_jobs in (False, True)
        ]
        asked = events.command(
            Action.DRAW, "a fox", key="k", place=PLACE, person="ana"
        )
        await gateway.service.receive(asked)
        async with asyncio.timeout(PATIENCE):
            while not any(
                message.posts[-1].tone is Tone.RESULT
                for message in chat.messages.values()
            ):
                await asyncio.sleep(0.05)
