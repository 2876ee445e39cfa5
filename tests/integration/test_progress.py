"""Progress lines: neither a broken step nor another process's clock keeps anyone's news back."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from weakref import WeakValueDictionary

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import InternalError

from core.budgets import Caps
from core.flow import context as context_module
from core.flow import status
from core.flow.context import is_passing, upsert_status
from core.post import Post, PostedMessage, Tone
from core.storage import database
from core.storage.tables import steps
from core.types import Step, StepState
from tests.contract.conftest import fresh_database
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414  # the fixture
from tests.fakes.steps import step
from tests.integration.test_flow import PLACE, Team
from tests.integration.test_flow import team as team  # noqa: PLC0414  # the fixture


async def at_service(team: Team, name: str, **columns: object) -> Step:
    """A step that no worker brings on, and whose message stands there."""
    context = team.easel.context
    chat = context.chats["memory"]
    now = context.clock.now()
    begun = await context.store.begin(
        step(name, place=PLACE, created=now), Caps(), now
    )
    post = Post(tone=Tone.STATUS, text="In line", job=name)
    sent = await chat.post(PLACE, post, to=begun.person, reply={})
    await context.store.remember(sent, begun.tenant, begun.id)
    running = {"state": StepState.RUNNING, "submitted": now, "worker": "else"}
    change = sa.update(steps).where(steps.c.id == name)
    async with team.easel.engine._claims._writing.begin() as connection:
        await connection.execute(change.values({**running, **columns}))
    return begun


async def test_a_step_whose_model_has_left_the_catalogue_hides_no_others_progress(
    team: Team,
) -> None:
    await at_service(team, "a", model="gone")
    await at_service(team, "b", parent="no such step")
    await at_service(team, "c")
    team.easel.context.moved.set()
    for name, has_progress in (("a", True), ("b", False), ("c", True)):
        (message,) = [
            message
            for message in team.chat.messages.values()
            if message.posts[0].job == name
        ]
        async with asyncio.timeout(30):
            while has_progress and not message.posts[-1].progress:
                await asyncio.sleep(0.02)
        assert bool(message.posts[-1].progress) is has_progress


@pytest.mark.parametrize("is_other_process", [False, True])
async def test_a_result_waits_for_a_progress_line_that_is_on_its_way(
    team: Team, monkeypatch: pytest.MonkeyPatch, *, is_other_process: bool
) -> None:
    is_sent, may_arrive = asyncio.Event(), asyncio.Event()
    arrived: asyncio.Queue[Tone] = asyncio.Queue()

    async def update_slowly(sent: PostedMessage, post: Post) -> PostedMessage:
        if post.tone is Tone.STATUS:
            is_sent.set()
            await may_arrive.wait()
        arrived.put_nowait(post.tone)
        return sent

    monkeypatch.setattr(team.chat, "update", update_slowly)
    begun = await at_service(team, "a")
    here = there = team.easel.context
    if is_other_process:
        here = replace(here, is_shared=True)
        there = replace(here, locks=WeakValueDictionary())
    line = Post(tone=Tone.STATUS, text="Drawing", job="a")
    result = Post(tone=Tone.RESULT, text="Here", job="a")
    async with asyncio.timeout(60):
        sending = asyncio.create_task(
            status._send_progress(here, begun, line, {})
        )
        await is_sent.wait()
        showing = asyncio.create_task(upsert_status(there, begun, result))
        await asyncio.wait({showing}, timeout=0.5)
        may_arrive.set()
        await sending
        await showing
        order = [await arrived.get(), await arrived.get()]
    assert order == [Tone.STATUS, Tone.RESULT]


@pytest.mark.parametrize("minutes", [-5, 5])
async def test_a_result_waits_for_progress_by_no_other_processs_clock(
    team: Team, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    """Wrong by minutes either way: it waits while there is a line, and not for ever."""
    life = timedelta(seconds=0.5)
    monkeypatch.setattr(context_module, "PROGRESS_LIFE", life)
    shared = replace(team.easel.context, is_shared=True)
    now = shared.clock.now()
    begun = await at_service(
        team, "a", progress_until=now + timedelta(minutes=minutes)
    )
    result = Post(tone=Tone.RESULT, text="Here", job="a")
    await upsert_status(shared, begun, result)
    assert life <= shared.clock.now() - now < 20 * life
    assert (await team.chat.end_of("a")).text == "Here"
    # The line of a process that died is waited for once.
    assert await shared.store.progress_until(begun.tenant, begun.id) is None


async def test_a_standby_is_waited_for_and_left(postgres: str) -> None:
    """After a failover the old database refuses to write, and its connections work."""
    engine = database.open_async(fresh_database(postgres, "standby"), pool=1)
    create = sa.text("CREATE TABLE drawings (id integer)")
    async with engine.begin() as connection:
        await connection.execute(
            sa.text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        )
    with pytest.raises(InternalError) as caught:
        async with engine.begin() as connection:
            await connection.execute(create)
    assert is_passing(caught.value)
    async with engine.begin() as connection:
        await connection.execute(create)
    await engine.dispose()
