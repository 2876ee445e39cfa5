"""The records of jobs go after their time; what people made stays."""

from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from core.budgets import Caps
from core.storage.retention import Retention
from core.storage.store import Store
from core.storage.tables import posting
from core.types import MessageRole, StepState
from tests.fakes.steps import NOW, PLACE, picture, step, yuan

TENANT = PLACE.tenant
MONTH = timedelta(days=30)


@pytest.fixture
def retention(engine: AsyncEngine) -> Retention:
    return Retention(engine)


async def finish_step(store: Store, name: str, reply: dict[str, str]) -> None:
    """A step that was drawn and shown."""
    begun = await store.begin(step(name, reply=reply), Caps(), NOW)
    await store.intend(TENANT, begun.id, NOW)
    await store.record_task(TENANT, begun.id, None, "req", {"made": []}, NOW)
    await store.record_results(begun, [picture()], yuan("0.2"), 3.0, NOW)
    await store.finish(TENANT, begun.id)


async def test_what_a_job_needed_goes_and_what_it_made_stays(
    store: Store, retention: Retention
) -> None:
    await finish_step(
        store, "old", {"response_url": "https://example.test/hook"}
    )
    assert await retention.count(NOW + MONTH) == 1
    assert await retention.prune(NOW + MONTH) == 1
    old = await store.step(TENANT, "old")
    assert (old.reply, old.outcome) == ({}, None)
    assert (old.prompt, old.outputs, old.cost, old.state) == (
        "a fox",
        (picture(),),
        yuan("0.2"),
        StepState.DONE,
    )
    assert (
        await retention.count(NOW + MONTH)
        == await retention.prune(NOW + MONTH)
        == 0
    )


async def test_nothing_goes_before_its_time(
    store: Store, retention: Retention
) -> None:
    await finish_step(store, "young", {"response_url": "x"})
    assert await retention.prune(NOW) == 0
    assert (await store.step(TENANT, "young")).reply == {"response_url": "x"}


async def test_what_is_not_at_its_end_keeps_its_record(
    store: Store, retention: Retention
) -> None:
    await store.begin(step("waiting", reply={"token": "x"}), Caps(), NOW)
    assert await retention.prune(NOW + 12 * MONTH) == 0


async def test_notes_of_posts_go_a_month_after_they_were_made(
    engine: AsyncEngine, store: Store, retention: Retention
) -> None:
    for job in ("old", "young"):
        assert await store.intend_post(TENANT, job, MessageRole.ANSWER)
    async with engine.begin() as connection:
        await connection.execute(
            update(posting)
            .where(posting.c.job == "old")
            .values(at=NOW - 2 * MONTH)
        )
    assert await retention.prune(NOW - MONTH) == 1
    assert not await store.intend_post(TENANT, "young", MessageRole.ANSWER)
    assert await store.intend_post(TENANT, "old", MessageRole.ANSWER)
