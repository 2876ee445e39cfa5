"""What is older than the operator keeps it goes; what something younger needs stays."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from core.budgets import Caps
from core.storage.drafts import DraftStore
from core.storage.history_life import NEVER, HistoryLife
from core.storage.retention import Retention
from core.storage.store import Store
from core.storage.tables import drafts, ledger, sessions, spending, steps
from core.types import Head, SessionId, StepId
from tests.fakes.steps import NOW, PLACE, picture, step, yuan

TENANT = PLACE.tenant
DAY = timedelta(days=1)
TODAY = NOW + 100 * DAY
LIMIT = TODAY - 30 * DAY


@pytest.fixture
def life(engine: AsyncEngine) -> HistoryLife:
    return HistoryLife(engine)


async def makes(
    store: Store, name: str, days: int, parent: str | None = None
) -> None:
    """A step that was drawn, shown and paid for, so many days after NOW."""
    moment = NOW + days * DAY
    plain = step(
        name,
        created=moment,
        parent=StepId(parent) if parent else None,
        session=SessionId(f"c/@{name[0]}"),
        reply={"token": "t"},
    )
    begun = await store.begin(plain, Caps(), moment)
    await store.intend(TENANT, begun.id, moment)
    await store.record_task(TENANT, begun.id, "t", "r", None, moment)
    output = picture(name[0])
    await store.record_results(begun, [output], yuan("0.2"), 1.0, moment)
    await store.finish(TENANT, begun.id)


async def prunes(store: Store, life: HistoryLife) -> set[str]:
    """What core.pruning does, but for bytes; which steps went."""
    gone: set[str] = set()
    while names := await life.old_steps(LIMIT, 2):
        for tenant, name in names:
            await store.delete_step(tenant, name, TODAY)
            await store.forget_outputs(tenant, name)
        await life.remove(names)
        gone |= {name for _, name in names}
    await life.remove_rest(LIMIT)
    await life.remove_drafts(TODAY)
    return gone


async def test_only_what_is_old_and_not_needed_goes_with_all_that_hangs_from_it(
    engine: AsyncEngine, store: Store, life: HistoryLife
) -> None:
    await makes(store, "a1", 1)
    await makes(store, "a2", 2, parent="a1")
    await makes(store, "b1", 1)
    await makes(store, "b2", 90, parent="b1")
    await makes(store, "c1", 1)
    await makes(store, "c2", 90)
    await store.move_head(TENANT, SessionId("c/@c"), Head(step=StepId("c1")))
    await store.begin(step("w1", created=NOW), Caps(), NOW)
    await DraftStore(engine).save(TENANT, "d", {}, NOW)
    assert await life.count_old(LIMIT) == 2
    assert await life.old_steps(NEVER, 9) == []
    assert await prunes(store, life) == {"a1", "a2"}
    assert await prunes(store, life) == set()
    async with engine.begin() as connection:

        async def count(column: object) -> list[str]:
            result = await connection.execute(select(column))  # type: ignore[call-overload]
            return sorted(result.scalars())

        assert await count(steps.c.id) == ["b1", "b2", "c1", "c2", "w1"]
        assert await count(sessions.c.id) == ["c/@ana", "c/@b", "c/@c"]
        assert "a1" not in await count(ledger.c.step)
        assert await count(drafts.c.id) == []
        total = await connection.execute(select(func.sum(spending.c.micros)))
        assert total.scalar_one() == 1_400_000
        names = select(spending.c.person_name).where(
            spending.c.day < LIMIT.date().isoformat()
        )
        assert set((await connection.execute(names)).scalars()) == {""}


async def test_what_stays_has_no_parent_that_went(
    store: Store, life: HistoryLife
) -> None:
    await makes(store, "d1", 1)
    await makes(store, "d2", 2, parent="d1")
    await makes(store, "d3", 90)
    head = Head(step=StepId("d2"))
    await store.move_head(TENANT, SessionId("c/@d"), head)
    assert await prunes(store, life) == {"d1"}
    assert (await store.step(TENANT, StepId("d2"))).parent is None


async def test_what_answered_an_event_goes_after_a_day(
    engine: AsyncEngine, store: Store
) -> None:
    await makes(store, "a1", 0)
    await store.begin(step("w1", reply={"token": "t"}), Caps(), NOW)
    retention = Retention(engine)
    assert await retention.prune_replies(NOW) == 0
    assert await retention.prune_replies(NOW + DAY) == 1
    assert await retention.prune_replies(NOW + DAY) == 0
    assert (await store.step(TENANT, StepId("a1"))).reply == {}
    assert (await store.step(TENANT, StepId("w1"))).reply == {"token": "t"}
