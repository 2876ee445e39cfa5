"""Several processes together ask the service no more than the account may."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot import settings, wiring
from bot.simulator.server import SimulatorConfig, serve
from core.operations import Action
from core.post import Tone
from core.providers.dashscope.client import DashScope
from core.storage import database
from core.storage.query_turns import QueryTurns
from core.types import Place
from tests.contract.conftest import fresh_database
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414  # the fixture
from tests.fakes import events
from tests.fakes.memory_chat import MemoryChat

ALLOWED = 20
PROCESSES = 4
TURNS = 15
PLACE = Place(platform="memory", workspace="w", channel="c")


def most_a_second(times: list[float]) -> int:
    """The most in any second."""
    return max(
        sum(begins <= at < begins + 1 for at in times) for begins in times
    )


async def test_turns_of_several_processes_are_as_far_apart_as_those_of_one(
    postgres: str,
) -> None:
    url = fresh_database(postgres, "turns")
    await database.migrate(url)
    engines = [database.open_async(url, pool=1) for _ in range(PROCESSES)]
    due: list[float] = []

    async def take(turns: QueryTurns) -> None:
        for _ in range(TURNS):
            seconds = await turns.take("beijing")
            due.append(time.monotonic() + seconds)
            await asyncio.sleep(seconds)

    await asyncio.gather(*(take(QueryTurns(engine)) for engine in engines))
    assert most_a_second(due) <= ALLOWED
    # Another account waits for none of them.
    assert await QueryTurns(engines[0]).take("singapore") == 0
    for engine in engines:
        await engine.dispose()
    # Without the database nobody is kept from asking.
    away = database.open_async("postgresql://127.0.0.1:9/nowhere", pool=1)
    assert await QueryTurns(away).take("beijing") == 0


async def test_four_watchers_ask_no_more_than_the_account_may(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = fresh_database(postgres, "watchers")
    asked: list[float] = []
    send = DashScope._send

    async def count(
        provider: DashScope, call: object, *rest: object
    ) -> object:
        if getattr(call, "method", "") == "GET":
            asked.append(time.monotonic())
        return await send(provider, call, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(DashScope, "_send", count)
    chat = MemoryChat()
    async with (
        serve(SimulatorConfig(durations=(2.0, 2.5))) as simulator,
        AsyncExitStack() as stack,
    ):
        chosen = settings.load(
            EASEL_BLOB_URL=(tmp_path / "blobs").as_uri(),
            EASEL_DATABASE_URL=url,
            DASHSCOPE_API_KEY="sk-simulator",
            EASEL_DASHSCOPE_URL=simulator.url,
            EASEL_RESULT_HOSTS=simulator.host,
        )
        easels = [
            await stack.enter_async_context(
                wiring.open_easel(
                    chosen,
                    lambda _: {"memory": chat},
                    simulator=SimulatorConfig(),
                )
            )
            for _ in range(PROCESSES)
        ]
        for number, easel in enumerate(easels):
            for model in ("qwen-image-plus", "wan2.2-t2i-plus"):
                command = events.command(
                    Action.DRAW,
                    f"fox --model {model}",
                    key=f"{model}{number}",
                    place=PLACE,
                    person=f"p{number}",
                )
                await easel.service.receive(command)
        async with asyncio.timeout(60):
            while (
                sum(
                    message.posts[-1].tone is Tone.RESULT
                    for message in chat.messages.values()
                )
                < 2 * PROCESSES
            ):
                await asyncio.sleep(0.05)
        assert most_a_second(asked) <= ALLOWED
        # With nothing to wait for, nobody asks.
        asked.clear()
        await asyncio.sleep(0.5)
        assert asked == []
