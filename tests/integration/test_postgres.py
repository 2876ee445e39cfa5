"""Several workers on PostgreSQL do the same jobs as one.

That a living worker takes over the work of a dead one: tests/e2e/test_kill.py.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot import settings, wiring
from bot.simulator.server import SimulatorConfig, serve
from core.operations import Action
from core.ports import Chat, Store
from core.post import Post, PostedMessage, Tone
from core.types import (
    Outcome,
    Place,
    SessionId,
    Step,
    StepState,
    Task,
    Work,
)
from tests.contract.conftest import fresh_database
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414  # the fixture
from tests.fakes import events
from tests.fakes.memory_chat import MemoryChat
from tests.integration.test_flow import team_on

JOBS = 10
LONGEST_UPDATE = 1.5
PLATFORMS = ("blue", "red")
"""Each process speaks to one of them."""


async def test_a_job_runs_on_postgresql(postgres: str, tmp_path: Path) -> None:
    url = fresh_database(postgres, "runs")
    async with team_on(
        SimulatorConfig(time_scale=0.01), tmp_path, EASEL_DATABASE_URL=url
    ) as team:
        step, post = await team.gets(Action.DRAW, "a fox")
        assert step.state is StepState.DONE
        assert post.tone is Tone.RESULT


class SlowChat(MemoryChat):
    """Every second update takes up to ``LONGEST_UPDATE`` seconds; what arrives last stands."""

    def __init__(self) -> None:
        super().__init__()
        self.updates = 0
        self._random = random.Random(5)

    async def update(self, sent: PostedMessage, post: Post) -> PostedMessage:
        """Change a message, perhaps after a while."""
        self.updates += 1
        if self.updates % 2:
            await asyncio.sleep(LONGEST_UPDATE * self._random.random())
        return await super().update(sent, post)

    def tones(self) -> list[Tone]:
        """What each message says at last."""
        return [message.posts[-1].tone for message in self.messages.values()]


async def draw_with(processes: int, url: str, folder: Path) -> SlowChat:
    """``JOBS`` pictures by so many Easels on one database: the chat they spoke in."""
    chat = SlowChat()
    async with (
        serve(SimulatorConfig(time_scale=0.03)) as simulator,
        AsyncExitStack() as stack,
    ):
        easels = []
        for number in range(processes):
            chosen = settings.load(
                EASEL_DATA_DIR=folder / f"{processes}-{number}",
                EASEL_BLOB_URL=(folder / "blobs").as_uri(),
                EASEL_DATABASE_URL=url,
                DASHSCOPE_API_KEY="sk-simulator",
                EASEL_DASHSCOPE_URL=simulator.url,
                EASEL_RESULT_HOSTS=simulator.host,
            )
            opening = wiring.open_easel(
                chosen, lambda _: {"memory": chat}, simulator=SimulatorConfig()
            )
            easels.append(await stack.enter_async_context(opening))
        for number in range(JOBS):
            command = events.command(
                Action.DRAW,
                f"fox {number}",
                key=f"k{number}",
                place=Place(platform="memory", workspace="w", channel="c"),
                person=f"p{number % 4}",
            )
            await easels[number % processes].service.receive(command)
        async with asyncio.timeout(60):
            while chat.tones() != [Tone.RESULT] * JOBS:
                await asyncio.sleep(0.1)
        await asyncio.sleep(2 * LONGEST_UPDATE)
    return chat


async def test_several_processes_show_progress_like_one_and_never_over_a_result(
    postgres: str, tmp_path: Path
) -> None:
    alone = await draw_with(1, fresh_database(postgres, "one"), tmp_path)
    assert alone.tones() == [Tone.RESULT] * JOBS
    many = await draw_with(3, fresh_database(postgres, "three"), tmp_path)
    assert many.tones() == [Tone.RESULT] * JOBS
    assert many.updates <= 1.5 * alone.updates


async def test_a_lost_submit_never_takes_the_picture_of_another_process(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the one looks for its task, the other's is at the service and not yet recorded."""
    url = fresh_database(postgres, "lost")
    asked = ("a fox", "a lion")
    async with (
        serve(SimulatorConfig(durations=(5.0, 5.1))) as simulator,
        AsyncExitStack() as stack,
    ):
        tasks, faults = simulator.account.tasks, simulator.account.faults
        places, store = [], None
        for platform, words in zip(PLATFORMS, asked, strict=True):
            chosen = settings.load(
                EASEL_DATA_DIR=tmp_path / platform,
                EASEL_BLOB_URL=(tmp_path / "blobs").as_uri(),
                EASEL_DATABASE_URL=url,
                DASHSCOPE_API_KEY="sk-simulator",
                EASEL_DASHSCOPE_URL=simulator.url,
                EASEL_RESULT_HOSTS=simulator.host,
            )
            chats = {platform: MemoryChat()}
            opening = wiring.open_easel(
                chosen, chats_of(chats), simulator=SimulatorConfig()
            )
            easel = await stack.enter_async_context(opening)
            store = easel.context.store
            (provider,) = easel.context.providers.values()
            monkeypatch.setattr(
                provider, "submit", slowly(provider.submit, "a fox")
            )
            place = Place(platform=platform, workspace="w", channel="c")
            places.append(place)
            command = events.command(
                Action.DRAW, words, key=words, place=place, person=words
            )
            await easel.service.receive(command)
            await until(lambda: bool(tasks))
            # The fox is taken, and its answer on its way; the lion's is lost.
            if words == "a fox":
                faults.append({"where": "submit", "kind": "truncated_json"})
        assert store
        steps = []
        for place, person in zip(places, asked, strict=True):
            session = SessionId(f"c/@{person}")
            steps.append(await ended(store, place, session))
        made = [tasks[step.task_id or ""].request.prompt for step in steps]
        assert made == ["a fox", "a lion"]


def chats_of(
    chats: Mapping[str, Chat],
) -> Callable[[object], Mapping[str, Chat]]:
    """What the wiring asks for the chats of a process."""
    return lambda _: chats


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for it, at most a minute."""
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.02)


async def ended(store: Store, place: Place, session: SessionId) -> Step:
    """The session's only step, once it has ended."""
    async with asyncio.timeout(60):
        while True:
            steps = await store.history(place.tenant, session)
            if steps and steps[0].state.is_final:
                return steps[0]
            await asyncio.sleep(0.1)


def slowly(
    submit: Callable[[Work], Awaitable[Task | Outcome]], words: str
) -> Callable[[Work], Awaitable[Task | Outcome]]:
    """The same submit, whose answer to these words is long on its way."""

    async def answer(work: Work) -> Task | Outcome:
        task = await submit(work)
        if work.prompt == words:
            await asyncio.sleep(4)
        return task

    return answer
