"""No cap is passed, whatever happens in whatever order, on every database."""

import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from core.budgets import MONEY_NAMES, Caps, month_start
from core.errors import Charged
from core.storage.store import Store
from core.types import Money, Person, Place, StepState
from tests.fakes.ledger_model import History, is_begun
from tests.fakes.steps import NOW, PLACE, picture, step, yuan

TENANT = PLACE.tenant
LAST_MINUTE = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
THIS_MONTH = month_start(NOW)
NEXT_MONTH = LAST_MINUTE + timedelta(minutes=2)


async def total(store: Store, since: datetime = THIS_MONTH) -> str:
    spending = await store.usage(TENANT, since)
    return str(sum(spent.total.amount for spent in spending))


@pytest.mark.parametrize(
    "name", ["person_day", "channel_month", "workspace_month", "operator_day"]
)
async def test_cancelling_after_midnight_makes_no_room_in_the_new_period(
    store: Store, name: str
) -> None:
    limit: Any = {name: yuan("0.4")}
    caps = Caps(**limit)
    for old in ("one", "two"):
        assert await is_begun(store, step(old), caps, LAST_MINUTE)
    assert not await is_begun(store, step("three"), caps, LAST_MINUTE)
    for old in ("one", "two"):
        await store.request_cancel(TENANT, old, NEXT_MONTH)
    accepted = [
        await is_begun(store, step(f"new{number}"), caps, NEXT_MONTH)
        for number in range(4)
    ]
    assert accepted == [True, True, False, False]
    assert float(await total(store)) == pytest.approx(0.4)


async def test_what_is_charged_after_midnight_counts_where_it_was_allowed(
    store: Store,
) -> None:
    caps = Caps(operator_month=yuan("0.2"))
    begun = await store.begin(step("old"), caps, LAST_MINUTE)
    await store.intend(TENANT, "old", LAST_MINUTE)
    await store.record_task(TENANT, "old", "t", "r", None, LAST_MINUTE)
    assert await is_begun(store, step("new"), caps, NEXT_MONTH)
    await store.record_results(
        begun, [picture()], yuan("0.2"), 1.0, NEXT_MONTH
    )
    assert await total(store, NEXT_MONTH) == "0.2"
    assert float(await total(store)) == pytest.approx(0.4)


async def test_an_unknown_price_is_refused_under_a_cap_and_free_without(
    store: Store,
) -> None:
    unpriced = step("one", price=None)
    assert not await is_begun(
        store, unpriced, Caps(operator_day=yuan("100")), NOW
    )
    assert await is_begun(store, unpriced, Caps(), NOW)


async def test_the_operators_cap_stands_over_all_workspaces_together(
    store: Store,
) -> None:
    """On Discord each direct message is a workspace of its own."""
    caps = Caps(operator_day=yuan("2"), operator_month=yuan("2"))

    async def ask(number: int) -> bool:
        place = Place(platform="test", workspace=f"@{number}", channel="c")
        return await is_begun(store, step("one", place=place), caps, NOW)

    accepted = await asyncio.gather(*(ask(number) for number in range(64)))
    assert sum(accepted) == 10


async def test_forgetting_a_workspace_leaves_the_operators_total(
    store: Store,
) -> None:
    caps = Caps(operator_day=yuan("0.2"))
    assert await is_begun(store, step(), caps, NOW)
    await store.forget_workspace(TENANT)
    assert not await is_begun(store, step(), caps, NOW)


async def test_a_persons_waiting_steps_are_limited_and_others_go_on(
    store: Store,
) -> None:
    caps = Caps(waiting=2)
    bo = Person(id="bo", name="Bo")
    assert await is_begun(store, step("one"), caps, NOW)
    assert await is_begun(store, step("two"), caps, NOW)
    assert not await is_begun(store, step("three"), caps, NOW)
    assert await is_begun(store, step("bo", person=bo), caps, NOW)
    elsewhere = replace(PLACE, workspace="another")
    assert await is_begun(store, step("four", place=elsewhere), caps, NOW)
    await store.request_cancel(TENANT, "one", NOW)
    assert await is_begun(store, step("three"), caps, NOW)


async def test_drop_pressed_many_times_at_once_gives_back_once(
    engine: AsyncEngine, store: Store
) -> None:
    lost = await store.begin(step(), Caps(), NOW)
    await store.end(
        lost,
        StepState.UNKNOWN,
        NOW,
        error="status.lost",
        charged=Charged.MAYBE,
    )
    twin = Store(engine)
    drops = (
        drop
        for _ in range(8)
        for drop in (store.drop_charge(lost, NOW), twin.drop_charge(lost, NOW))
    )
    await asyncio.gather(*drops)
    assert float(await total(store)) == 0


ACTION = st.sampled_from(["make", "cancel", "fail", "lose", "drop", "run"])
ASK = st.tuples(st.just("ask"), st.integers(0, 7), st.integers(1, 4))
MOVE = st.tuples(st.just("clock"), st.integers(-72, 960), st.just(0))
END = st.tuples(ACTION, st.integers(0, 40), st.integers(0, 4))
LIMIT = st.none() | st.integers(0, 12)
FIRST, LAST = datetime(2026, 1, 1), datetime(2027, 1, 1)  # noqa: DTZ001
numbers = itertools.count(100)


@hypothesis.settings(
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    history=st.lists(ASK | END | ASK | END | MOVE, max_size=30),
    limits=st.tuples(LIMIT, LIMIT, LIMIT, LIMIT, LIMIT),
    start=st.datetimes(FIRST, LAST, timezones=st.just(UTC)),
)
async def test_any_history_of_money_is_what_a_model_says(
    store: Store,
    history: list[tuple[str, int, int]],
    limits: tuple[int | None, ...],
    start: datetime,
) -> None:
    """Hold, settle, release, cancel, lose, drop, each repeated as after a crash; any clock."""
    # The operator's total is of all examples: each has a currency of its own.
    currency = str(next(numbers))
    caps: dict[str, Any] = {
        name: Money(amount=Decimal(limit), currency=currency)
        for name, limit in zip(MONEY_NAMES, limits, strict=True)
        if limit is not None
    }
    happening = History(store, Caps(waiting=5, **caps), currency, start)
    for action, which, amount in history:
        happen = getattr(happening, action)
        await happen(which, amount)
        if action not in {"ask", "clock"}:
            await happen(which, amount)
        happening.model.check_caps()
    await happening.check_usage()
