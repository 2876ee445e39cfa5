"""What a hostile world does to the engine."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import TimeoutError as PoolTimeout

import core.slots
from bot.simulator.server import SimulatorConfig
from core.errors import Retryable
from core.operations import Action
from core.post import Tone
from core.storage.inbox import OPEN, deliveries
from core.storage.tables import steps
from core.types import Place, StepState
from tests.fakes import events
from tests.fakes.memory_chat import MemoryChat
from tests.integration.test_flow import PLACE, Team, team_on
from tests.integration.test_flow import team as team  # noqa: PLC0414
from tests.integration.test_trouble import database_away, fails_first

SYNC = "qwen-image-2.0"


async def until(
    is_so: Callable[[], Awaitable[bool]], seconds: float = 30
) -> None:
    """Wait until a condition holds, as long as a busy machine may need for it."""
    async with asyncio.timeout(seconds):
        while not await is_so():
            await asyncio.sleep(0.05)


def pause_line(team: Team) -> None:
    """Let no step leave the line of the synchronous model."""
    line = team.easel.engine._slots._line("beijing", SYNC)
    line.paused_until = time.monotonic() + 1000


async def row_of(team: Team, step: str) -> Any:
    async with team.easel.engine._claims._reading.begin() as connection:
        return (
            await connection.execute(select(steps).where(steps.c.id == step))
        ).one()


async def is_answered(team: Team) -> bool:
    """Whether every delivery is answered to its end."""
    engine = team.easel.engine
    with engine._inbox._engine.connect() as connection:
        is_open = select(deliveries.c.number).where(OPEN)
        return connection.execute(is_open).first() is None


async def test_a_busy_service_may_refuse_more_than_fifty_times(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.slots, "MAX_PAUSE", 0.01)
    team.easel.engine._slots.first_pause = 0.01
    provider = team.easel.context.providers["beijing"]
    monkeypatch.setattr(
        provider,
        "submit",
        fails_first(provider.submit, Retryable("provider.busy"), 55),
    )
    step, _ = await team.gets(Action.DRAW, f"a fox --model {SYNC}")
    assert (step.state, step.error) == (StepState.DONE, None)


async def test_a_line_goes_on_when_the_workspace_that_filled_it_leaves(
    tmp_path: Path,
) -> None:
    async with team_on(
        SimulatorConfig(time_scale=20, seed=3, rate_limits=False), tmp_path
    ) as team:
        engine = team.easel.engine
        for number in range(2):
            await team.asks(Action.DRAW, f"fox {number} --model {SYNC}")
        elsewhere = Place(platform="memory", workspace="other", channel="c")
        while len(engine._jobs) < 2:
            await asyncio.sleep(0.05)
        waits = await team.asks(
            Action.DRAW, f"a heron --model {SYNC}", place=elsewhere
        )
        while not team.chat.messages or len(team.chat.messages) < 3:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        assert not (await row_of(team, waits.accepted or "")).slot
        await team.easel.service.receive(events.goodbye("", PLACE))
        line = engine._slots._lines["beijing", SYNC]

        async def has_gone_on() -> bool:
            tenants = {tenant for tenant, _ in line.at_service}
            row = await row_of(team, waits.accepted or "")
            return bool(row.slot) and tenants <= {elsewhere.tenant}

        await until(has_gone_on)


async def test_a_cancelled_job_is_told_though_the_database_was_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with team_on(
        SimulatorConfig(time_scale=20, seed=3, rate_limits=False), tmp_path
    ) as team:
        pause_line(team)
        waits = await team.asks(Action.DRAW, f"a heron --model {SYNC}")
        while not team.chat.messages:
            await asyncio.sleep(0.05)
        store = team.easel.context.store
        monkeypatch.setattr(
            store,
            "close_step",
            fails_first(store.close_step, database_away(), 1),
        )
        monkeypatch.setattr(
            store,
            "message_of",
            fails_first(store.message_of, database_away(), 1),
        )
        cancel = events.command(
            Action.CANCEL,
            key="x",
            place=PLACE,
            person="ana",
            target=waits.accepted,
        )
        await team.easel.service.receive(cancel)

        async def is_told() -> bool:
            row = await row_of(team, waits.accepted or "")
            return (row.state, row.told) == ("cancelled", True)

        await until(is_told)


async def test_cancelled_while_the_service_refuses_is_not_sent_again(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = team.easel.context.providers["beijing"]
    really = provider.submit
    calls = 0

    async def busy(work: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            await team.asks(Action.CANCEL, target=work.step)
            raise Retryable("provider.busy")
        return await really(work)

    monkeypatch.setattr(provider, "submit", busy)
    step, _ = await team.gets(Action.DRAW, f"a fox --model {SYNC}")
    assert (step.state, step.charged, calls) == (StepState.CANCELLED, "no", 1)


async def test_a_pool_that_gives_no_connection_is_waited_out(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = team.easel.context.store
    away = PoolTimeout(
        "QueuePool limit of size 3 overflow 0 reached, connection timed out, timeout 30.00"
    )
    monkeypatch.setattr(
        store, "record_results", fails_first(store.record_results, away, 1)
    )
    step, _ = await team.gets(Action.DRAW, f"a fox --model {SYNC}")
    assert step.state is StepState.DONE


async def test_a_sync_result_is_not_lost_when_the_database_hiccups(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = team.easel.context.store
    monkeypatch.setattr(
        store,
        "record_task",
        fails_first(store.record_task, database_away(), 1),
    )
    step, _ = await team.gets(Action.DRAW, f"a fox --model {SYNC}")
    assert step.state is StepState.DONE


async def test_a_model_no_longer_in_the_catalogue(tmp_path: Path) -> None:
    chat = MemoryChat()
    config = SimulatorConfig(time_scale=20, seed=3, rate_limits=False)
    async with team_on(config, tmp_path, chat=chat) as team:
        pause_line(team)
        waits = await team.asks(Action.DRAW, f"a heron --model {SYNC}")
        while not chat.messages:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
        async with team.easel.engine._claims._writing.begin() as connection:
            await connection.execute(steps.update().values(model="gone"))
    config = SimulatorConfig(time_scale=0.01, seed=3, rate_limits=False)
    async with team_on(config, tmp_path, chat=chat) as team:
        async with asyncio.timeout(30):
            while not (await row_of(team, waits.accepted or "")).told:
                await asyncio.sleep(0.1)


async def test_cancel_without_a_name_cancels_one_job_whatever_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with team_on(
        SimulatorConfig(time_scale=20, seed=3, rate_limits=False), tmp_path
    ) as team:
        pause_line(team)
        first = await team.asks(Action.DRAW, f"a heron --model {SYNC}")
        second = await team.asks(Action.DRAW, f"a fox --model {SYNC}")
        while len(team.chat.messages) < 2:
            await asyncio.sleep(0.05)
        store = team.easel.context.store
        monkeypatch.setattr(
            store,
            "message_of",
            fails_first(store.message_of, database_away(), 1),
        )
        cancel = events.command(
            Action.CANCEL, key="x", place=PLACE, person="ana"
        )
        await team.easel.service.receive(cancel)
        await until(partial(is_answered, team))
        states = [
            (await team.step(one.accepted or "")).state
            for one in (first, second)
        ]
        assert sorted(states) == [StepState.CANCELLED, StepState.QUEUED]


async def test_delete_without_a_name_deletes_one_result_whatever_happens(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _ = await team.gets(Action.DRAW, "a fox")
    edit, _ = await team.gets(Action.EDIT, "make it blue")
    blobs = team.easel.context.blobs
    monkeypatch.setattr(
        blobs, "delete", fails_first(blobs.delete, OSError("away"), 1)
    )
    delete = events.command(Action.DELETE, key="x", place=PLACE, person="ana")
    await team.easel.service.receive(delete)
    await until(partial(is_answered, team))
    assert (await team.step(edit.id)).deleted
    assert not (await team.step(root.id)).deleted


async def test_a_claim_whose_commit_was_not_heard_of_is_worked_on(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = team.easel.engine._claims
    really, left = claims.claim, [1]

    async def claim(*arguments: Any) -> Any:
        answer = await really(*arguments)
        if answer[0] and left:
            left.pop()
            raise database_away()
        return answer

    monkeypatch.setattr(claims, "claim", claim)
    asked = await team.asks(Action.DRAW, "a fox")
    assert (await team.chat.end_of(asked.accepted or "")).tone is Tone.RESULT


async def test_deliveries_whose_commit_was_not_heard_of_are_worked_on(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = team.easel.engine._inbox
    really, left = inbox.claim, [1]

    async def claim(*arguments: Any) -> Any:
        answer = await really(*arguments)
        if answer and left:
            left.pop()
            raise database_away()
        return answer

    monkeypatch.setattr(inbox, "claim", claim)
    asked = await team.asks(Action.DRAW, "a fox")
    assert (await team.chat.end_of(asked.accepted or "")).tone is Tone.RESULT
