"""No cap is passed, whatever happens in whatever order, on every database."""

import asyncio
import itertools
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from core.budgets import MONEY_NAMES, Caps, month_start
from core.errors import Charged, Rejected
from core.storage.store import Store
from core.types import Money, Person, Place, Step, StepState
from tests.fakes.steps import NOW, PLACE, picture, step, yuan

TENANT = PLACE.tenant
LAST_MINUTE = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
NEXT_MONTH = LAST_MINUTE + timedelta(minutes=2)


async def is_begun(
    store: Store, begun: Step, caps: Caps, now: datetime
) -> bool:
    try:
        await store.begin(begun, caps, now)
    except Rejected:
        return False
    return True


async def total(store: Store, since: datetime = month_start(NOW)) -> str:
    spending = await store.usage(TENANT, since)
    return str(sum(spent.total.amount for spent in spending))


@pytest.mark.parametrize(
    "name", ["person_day", "channel_month", "workspace_month", "operator_day"]
)
async def test_cancelling_after_midnight_makes_no_room_in_the_new_period(
    store: Store, name: str
) -> None:
    caps = Caps(**{name: yuan("0.4")})
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


class LedgerModel:
    """What the ledger must say: each step's money, in the period that allowed it."""

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self.amounts: dict[str, Decimal] = {}
        self.steps: dict[str, Step] = {}
        self.days: dict[str, str] = {}
        self.open: set[str] = set()

    def allows(self, asked: Step, now: datetime) -> bool:
        """Whether every cap has room for the step's price."""
        day = now.date().isoformat()
        mine = [name for name in self.open if self.is_by(name, asked)]
        if len(mine) >= (self.caps.waiting or 0):
            return False
        assert asked.price
        return all(
            spent + asked.price.amount <= cap.amount
            for cap, spent in self.limits(asked, day)
            if cap is not None
        )

    def limits(
        self, asked: Step, day: str
    ) -> list[tuple[Money | None, Decimal]]:
        """Each cap with what counts against it on that day."""
        month = day[:7]
        own_month = [
            name
            for name in self.in_period(month)
            if self.steps[name].tenant == asked.tenant
        ]
        own_channel = [
            name
            for name in own_month
            if self.steps[name].place.channel == asked.place.channel
        ]
        own_day = [
            name for name in self.in_period(day) if self.is_by(name, asked)
        ]
        return [
            (self.caps.person_day, self.sum_of(own_day)),
            (self.caps.channel_month, self.sum_of(own_channel)),
            (self.caps.workspace_month, self.sum_of(own_month)),
            (self.caps.operator_day, self.sum_of(self.in_period(day))),
            (self.caps.operator_month, self.sum_of(self.in_period(month))),
        ]

    def in_period(self, period: str) -> list[str]:
        """Steps that were held on that day or in that month."""
        return [
            name for name, day in self.days.items() if day.startswith(period)
        ]

    def sum_of(self, names: list[str]) -> Decimal:
        return sum((self.amounts[name] for name in names), Decimal(0))

    def is_by(self, name: str, asked: Step) -> bool:
        step = self.steps[name]
        return (step.tenant, step.person) == (asked.tenant, asked.person)

    def check_caps(self) -> None:
        """Never over, in any period."""
        for name, day in self.days.items():
            for cap, spent in self.limits(self.steps[name], day):
                assert spent >= 0
                assert cap is None or spent <= cap.amount

    def by_person_and_day(self, tenant: str) -> dict[tuple[str, str], Decimal]:
        sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for name, step in self.steps.items():
            if step.tenant == tenant:
                key = (step.person.name, self.days[name])
                sums[key] += self.amounts[name]
        return sums


AMOUNTS = st.integers(0, 4)
STEP = st.integers(0, 40)
ASK = st.tuples(
    st.just("ask"), st.integers(0, 1), st.integers(0, 3), st.integers(1, 4)
)
MOVE = st.tuples(st.just("clock"), st.integers(-3 * 24, 40 * 24))
END = st.tuples(
    st.sampled_from(["make", "cancel", "fail", "lose", "drop", "run"]),
    STEP,
    AMOUNTS,
)
CAP = st.none() | st.integers(0, 12)
HISTORY = st.lists(ASK | END | ASK | END | MOVE, max_size=30)
numbers = itertools.count()


@hypothesis.settings(
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    history=HISTORY,
    limits=st.tuples(CAP, CAP, CAP, CAP, CAP),
    start=st.datetimes(
        datetime(2026, 1, 1),  # noqa: DTZ001
        datetime(2027, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
)
async def test_any_history_of_money_is_what_a_model_says(
    store: Store,
    history: list[tuple[Any, ...]],
    limits: tuple[int | None, ...],
    start: datetime,
) -> None:
    """Hold, settle, release, cancel, lose, drop, each repeated as after a crash; any clock."""
    number = next(numbers)
    # The operator's total is of all examples: each has a currency of its own.
    currency = f"{number % 1000:03}"

    def money(amount: int | None) -> Any:
        if amount is None:
            return None
        return Money(amount=Decimal(amount), currency=currency)

    caps = Caps(
        waiting=5,
        **dict(zip(MONEY_NAMES, map(money, limits), strict=True)),
    )
    model = LedgerModel(caps)
    now = start
    for kind, first, *rest in history:
        if kind == "clock":
            now += timedelta(hours=first)
        elif kind == "ask":
            who, price = rest
            asked = step(
                f"s{len(model.steps)}",
                place=Place(
                    platform="test",
                    workspace=f"w{number}-{first}",
                    channel=f"c{who % 2}",
                ),
                person=Person(id=f"p{who // 2}", name=f"P{who // 2}"),
                price=money(price),
            )
            may = model.allows(asked, now)
            assert await is_begun(store, asked, caps, now) is may
            if may:
                model.steps[asked.id] = asked
                model.days[asked.id] = now.date().isoformat()
                model.amounts[asked.id] = Decimal(price)
                model.open.add(asked.id)
                # Delivered again after a crash: the same step, whatever the clock.
                await store.begin(asked, caps, now + timedelta(days=1))
        elif model.steps:
            name = f"s{first % len(model.steps)}"
            cost = min(Decimal(rest[0]), asked_price(model.steps[name]))
            for _ in range(2):
                await end(store, model, name, kind, money(int(cost)), now)
        model.check_caps()
    for tenant in {step.tenant for step in model.steps.values()}:
        usage = await store.usage(tenant, start - timedelta(days=10_000))
        charged = {
            (spent.person, spent.day): spent.total.amount for spent in usage
        }
        assert charged == model.by_person_and_day(tenant)


def asked_price(asked: Step) -> Decimal:
    assert asked.price
    return asked.price.amount


async def end(
    store: Store,
    model: LedgerModel,
    name: str,
    kind: str,
    cost: Money,
    now: datetime,
) -> None:
    """One thing that may happen to a step, on the store and on the model."""
    tenant = model.steps[name].tenant
    current = await store.step(tenant, name)
    is_open = name in model.open
    if kind == "cancel":
        cancelled = await store.request_cancel(tenant, name, now)
        if is_open and cancelled.state is StepState.CANCELLED:
            model.amounts[name] = Decimal(0)
            model.open.discard(name)
    elif kind in {"run", "make"}:
        await store.intend(tenant, name, now)
        await store.record_task(tenant, name, "t", "r", None, now)
        if kind == "make":
            made = await store.record_results(
                current, [picture()], cost, 1.0, now
            )
            if made is not None:
                model.amounts[name] = cost.amount
            # Made, it is still to be delivered.
            await store.finish(tenant, name)
            if made is not None:
                model.open.discard(name)
    elif kind == "fail":
        charged = Charged.YES if cost.amount else Charged.NO
        ended = await store.end(
            current,
            StepState.FAILED,
            now,
            error="x",
            charged=charged,
            cost=cost,
        )
        if ended is not None:
            model.amounts[name] = cost.amount
            model.open.discard(name)
    elif kind == "lose":
        await store.end(
            current, StepState.UNKNOWN, now, error="x", charged=Charged.MAYBE
        )
        model.open.discard(name)
    elif kind == "drop" and current.state is StepState.UNKNOWN:
        await store.drop_charge(current, now)
        model.amounts[name] = Decimal(0)
