"""What the engine does when something breaks in the middle: no other job stands still."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

import core.engine
from bot import settings, wiring
from bot.simulator.server import SimulatorConfig, serve
from core.budgets import Caps
from core.errors import Retryable, Uncertain
from core.flow import deliver, generate
from core.incoming import Incoming
from core.operations import Action
from core.post import Tone
from core.storage import database
from core.storage import workers as workers_module
from core.storage.inbox import Inbox
from core.storage.store import Store
from core.storage.tables import steps
from core.storage.workers import Workers
from core.types import Place, StepState
from tests.contract.conftest import fresh_database
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414  # the fixture
from tests.fakes import events
from tests.fakes.memory_chat import MemoryChat
from tests.fakes.proxy import proxy_to_postgres
from tests.fakes.steps import NOW, step
from tests.integration.test_attack import row_of, until
from tests.integration.test_flow import PLACE, Team, team_on
from tests.integration.test_flow import team as team  # noqa: PLC0414  # the fixture
from tests.integration.test_trouble import database_away, fails_first

SYNC = "qwen-image-2.0"


async def nothing() -> None:
    """Nothing is to be done."""


async def break_it(*_: object, **__: object) -> Any:
    raise ZeroDivisionError


def command(action: Action, place: Place, key: str = "x") -> Incoming:
    return events.command(action, key=key, place=place, person="ana")


async def test_a_refused_step_is_not_sent_again_before_the_service_wants_it(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = team.easel.engine._claims
    release = fails_first(claims.release, database_away(), 1)
    monkeypatch.setattr(claims, "release", release)
    provider = team.easel.context.providers["beijing"]
    really, sent = provider.submit, []

    async def submit(work: Any) -> Any:
        sent.append(time.monotonic())
        if len(sent) == 1:
            raise Retryable("provider.busy", retry_after=2.5)
        return await really(work)

    monkeypatch.setattr(provider, "submit", submit)
    step, _ = await team.gets(Action.DRAW, "a fox")
    assert (step.state, len(sent)) == (StepState.DONE, 2)
    assert sent[1] - sent[0] >= 2.5


async def test_a_line_goes_on_when_a_refused_step_cannot_be_put_back_into_it(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = team.easel.engine._claims
    release = fails_first(claims.release, ZeroDivisionError(), 1)
    monkeypatch.setattr(claims, "release", release)
    provider = team.easel.context.providers["beijing"]
    busy = Retryable("provider.busy", retry_after=1.0)
    monkeypatch.setattr(
        provider, "submit", fails_first(provider.submit, busy, 1)
    )
    broken = await team.asks(Action.DRAW, f"a fox --model {SYNC}")
    assert (await team.chat.end_of(broken.accepted or "")).tone is Tone.REFUSAL
    step, _ = await team.gets(Action.DRAW, f"a heron --model {SYNC}")
    assert step.state is StepState.DONE


async def test_a_lost_submit_that_was_cancelled_is_not_sent_again(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = team.easel.context.providers["beijing"]
    really, sent = provider.submit, []

    async def submit(work: Any) -> Any:
        sent.append(work.step)
        if len(sent) == 1:
            await team.asks(Action.CANCEL, target=work.step)
            raise Uncertain("status.lost_call", charged="maybe")
        return await really(work)

    monkeypatch.setattr(provider, "submit", submit)
    step, _ = await team.gets(Action.DRAW, "a fox")
    assert (step.state, step.charged, len(sent)) == (
        StepState.CANCELLED,
        "no",
        1,
    )
    assert team.simulator.account.tasks == {}


async def test_refusals_for_load_leave_a_failed_task_its_second_try(
    team: Team,
) -> None:
    busy = {"where": "submit", "kind": "status", "status": 429, "times": 2}
    busy["code"] = "Throttling.RateQuota"
    team.simulator.account.faults.append(busy)
    step, _ = await team.gets(Action.DRAW, "[fail] a fox")
    assert step.state is StepState.FAILED
    assert len(team.simulator.account.tasks) == 2


@pytest.mark.parametrize(
    ("breaks", "end"),
    # The simulator, made anew, knows nothing of a task of before.
    [("on its way in", Tone.RESULT), ("on its way out", Tone.REFUSAL)],
)
async def test_a_job_that_cannot_even_be_given_up_frees_its_place_and_waits_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: str, end: Tone
) -> None:
    chat = MemoryChat()
    config = SimulatorConfig(time_scale=0.01, seed=3)
    with monkeypatch.context() as patch:
        if breaks == "on its way in":
            patch.setattr(generate, "submit", break_it)
        else:
            patch.setattr(deliver, "store_results", break_it)
        patch.setattr(core.engine, "fail_step", break_it)
        async with team_on(config, tmp_path, chat=chat) as team:
            answer = await team.asks(Action.DRAW, "a fox")

            async def is_let_go() -> bool:
                if not chat.messages:
                    return False
                row = await row_of(team, answer.accepted or "")
                return row.claims == 1 and not row.slot

            await until(is_let_go)
            await asyncio.sleep(0.3)
            assert await is_let_go()  # and nobody tried it again and again
    async with team_on(config, tmp_path, chat=chat) as team:
        assert (await team.chat.end_of(answer.accepted or "")).tone is end


async def test_a_goodbye_that_meets_a_bug_is_tried_again_until_all_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.engine, "SWEEP_SECONDS", 0.3)
    config = SimulatorConfig(time_scale=0.01, seed=3)
    async with team_on(config, tmp_path) as team:
        drawn, _ = await team.gets(Action.DRAW, "a fox")
        store = team.easel.context.store
        forget = fails_first(store.forget_workspace, ZeroDivisionError(), 2)
        monkeypatch.setattr(store, "forget_workspace", forget)
        await team.easel.service.receive(events.goodbye("left", PLACE))

        async def is_forgotten() -> bool:
            return not await store.history(PLACE.tenant, drawn.session)

        await until(is_forgotten)


class AwayChat(MemoryChat):
    """A platform that has stopped answering."""

    async def complete(self, request: Incoming) -> Incoming | None:
        """Never."""
        await asyncio.Event().wait()
        return request


async def test_a_platform_that_is_away_does_not_hold_up_another(
    tmp_path: Path,
) -> None:
    config = SimulatorConfig(time_scale=0.01, seed=3)
    chat = MemoryChat()
    async with serve(config) as simulator:
        chosen = settings.load(
            EASEL_DATA_DIR=tmp_path,
            DASHSCOPE_API_KEY="sk-simulator",
            EASEL_DASHSCOPE_URL=simulator.url,
            EASEL_RESULT_HOSTS=simulator.host,
        )
        async with wiring.open_easel(
            chosen,
            lambda _: {"away": AwayChat(), "memory": chat},
            simulator=config,
        ) as easel:
            away = Place(platform="away", workspace="w", channel="c")
            for number in range(2 * core.engine.ANSWERED_AT_ONCE):
                await easel.service.receive(
                    command(Action.HELP, away, f"away{number}")
                )
            await asyncio.sleep(0.5)
            await easel.service.receive(command(Action.HELP, PLACE))

            async def is_answered() -> bool:
                return len(chat.messages) == 1

            async def only_those_that_wait_are_left() -> bool:
                return (
                    len(easel.engine._answering)
                    == core.engine.ANSWERED_AT_ONCE
                )

            await until(is_answered)
            await until(only_those_that_wait_are_left)


async def test_a_survivor_goes_on_when_a_take_over_breaks(
    postgres: str,
) -> None:
    url = fresh_database(postgres, "survivor")
    await database.migrate(url)
    opened = database.open_async(url)
    begun = await Store(opened).begin(step(), Caps(), NOW)
    async with opened.begin() as connection:
        await connection.execute(steps.update().values(worker="dead"))
    await opened.dispose()
    inbox = Inbox(database.open_sync(url), "survivor", [begun.place.platform])
    taken: list[str] = []
    lost: list[str] = []

    async def take_over(dead: str) -> None:
        taken.append(dead)
        if len(taken) == 1:
            raise database_away()

    workers = Workers(url, "survivor", [begun.place.platform])
    await workers.live()
    watching = asyncio.create_task(
        workers.watch(
            take_over, nothing, lambda: lost.append("lost"), lambda: None
        )
    )

    async def is_tried_again() -> bool:
        return len(taken) >= 2

    try:
        await until(is_tried_again)
        assert lost == []
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await workers.close()
        await inbox.close()


async def test_a_lost_lock_is_taken_again_and_what_others_took_over_is_left_to_them(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers_module, "GRACE", 0.1)
    monkeypatch.setattr(workers_module, "EVERY", 0.1)
    url = fresh_database(postgres, "regained")
    await database.migrate(url)
    notes: list[str] = []
    regained: list[str] = []
    lost: list[str] = []

    async def note() -> None:
        # The database goes away once more while it is asked what is left.
        notes.append("asked")
        if len(notes) == 1:
            raise ConnectionResetError
        regained.append("regained")

    async def take_over(_: str) -> None:
        raise AssertionError("nobody is dead")

    async def is_regained() -> bool:
        return bool(regained)

    async with proxy_to_postgres(url) as (wire, there):
        workers = Workers(there, "survivor", [PLACE.platform])
        await workers.live()
        watching = asyncio.create_task(
            workers.watch(
                take_over, note, lambda: lost.append("lost"), lambda: None
            )
        )
        try:
            async with wire.outage():
                await asyncio.sleep(1)
            await until(is_regained)
            assert lost == []
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await workers.close()


async def test_work_that_others_took_over_is_stopped_here(
    tmp_path: Path,
) -> None:
    async with team_on(SimulatorConfig(time_scale=1), tmp_path) as team:
        await team.asks(Action.DRAW, "a fox")
        engine = team.easel.engine

        async def is_begun() -> bool:
            return bool(engine._jobs)

        await until(is_begun)
        await engine._drop_lost()
        [claim] = engine._jobs.values()
        change = steps.update().where(steps.c.id == claim.step)
        async with engine._claims._writing.begin() as connection:
            await connection.execute(change.values(worker="other"))
        await engine._drop_lost()
        assert not engine._jobs


async def test_work_begun_while_it_is_asked_what_is_left_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with team_on(SimulatorConfig(time_scale=1), tmp_path) as team:
        engine = team.easel.engine
        read_numbers = engine._inbox.own_numbers

        async def is_begun() -> bool:
            return bool(engine._jobs)

        async def begin_meanwhile() -> set[int]:
            await team.asks(Action.DRAW, "a fox")
            await until(is_begun)
            return await read_numbers()

        monkeypatch.setattr(engine._inbox, "own_numbers", begin_meanwhile)
        await engine._drop_lost()
        assert engine._jobs
