"""A ledger as simple as can be, and histories of money on it and on the real one."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from core.errors import Charged, Rejected
from core.types import Money, Person, Place, Step, StepState
from tests.fakes.steps import picture, step

if TYPE_CHECKING:
    from core.budgets import Caps
    from core.storage.store import Store


async def is_begun(
    store: Store, begun: Step, caps: Caps, now: datetime
) -> bool:
    """Whether no cap has refused it."""
    try:
        await store.begin(begun, caps, now)
    except Rejected:
        return False
    return True


class LedgerModel:
    """What the ledger must say: each step's money, in the period that allowed it."""

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self.amounts: dict[str, Decimal] = {}
        self.steps: dict[str, Step] = {}
        self.days: dict[str, str] = {}
        self.open: set[str] = set()

    def hold(self, asked: Step, now: datetime) -> None:
        """A step that was accepted."""
        assert asked.price
        self.steps[asked.id] = asked
        self.days[asked.id] = now.date().isoformat()
        self.amounts[asked.id] = asked.price.amount
        self.open.add(asked.id)

    def settle(self, name: str, amount: Decimal) -> None:
        """A step that has ended, and what it cost."""
        self.amounts[name] = amount
        self.open.discard(name)

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
        held = self.steps[name]
        return (held.tenant, held.person) == (asked.tenant, asked.person)

    def check_caps(self) -> None:
        """Never over, in any period."""
        for name, day in self.days.items():
            for cap, spent in self.limits(self.steps[name], day):
                assert spent >= 0
                assert cap is None or spent <= cap.amount

    def by_person_and_day(self, tenant: str) -> dict[tuple[str, str], Decimal]:
        """What ``usage`` must say of a workspace."""
        sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for name, held in self.steps.items():
            if held.tenant == tenant:
                key = (held.person.name, self.days[name])
                sums[key] += self.amounts[name]
        return sums


class History:
    """Things that happen to the store and to the model; each method may be repeated.

    ``currency`` keeps the sums of histories on one database apart.
    """

    def __init__(
        self, store: Store, caps: Caps, currency: str, start: datetime
    ) -> None:
        self.store = store
        self.caps = caps
        self.model = LedgerModel(caps)
        self.currency = currency
        self.now = start

    async def clock(self, hours: int, _amount: int) -> None:
        """The clock goes on, or back."""
        self.now += timedelta(hours=hours)

    async def ask(self, who: int, price: int) -> None:
        """One of four people in two workspaces and two channels each asks for a step."""
        asked = step(
            f"s{len(self.model.steps)}",
            place=Place(
                platform="test",
                workspace=f"{self.currency}{who % 2}",
                channel=f"c{who // 2 % 2}",
            ),
            person=Person(id=f"p{who // 4}", name=f"P{who // 4}"),
            price=self._money(price),
        )
        is_allowed = self.model.allows(asked, self.now)
        begun = await is_begun(self.store, asked, self.caps, self.now)
        assert begun is is_allowed
        if begun:
            self.model.hold(asked, self.now)
            # Delivered again after a crash, it is the same step, whatever the clock.
            tomorrow = self.now + timedelta(days=1)
            await self.store.begin(asked, self.caps, tomorrow)

    async def run(self, place: int, _cost: int) -> None:
        """The service has taken it."""
        if held := self._held(place):
            await self.store.intend(held.tenant, held.id, self.now)
            await self.store.record_task(
                held.tenant, held.id, "t", "r", None, self.now
            )

    async def make(self, place: int, cost: int) -> None:
        """Its pictures are there and shown, for this cost."""
        await self.run(place, cost)
        if held := self._held(place):
            charge = self._cost(held, cost)
            settled = await self.store.record_results(
                held, [picture()], charge, 1.0, self.now
            )
            await self.store.finish(held.tenant, held.id)
            if settled is not None:
                self.model.settle(held.id, charge.amount)

    async def cancel(self, place: int, _cost: int) -> None:
        """Free while it waits, else only noted."""
        if held := self._held(place):
            cancelled = await self.store.request_cancel(
                held.tenant, held.id, self.now
            )
            if cancelled.state is StepState.CANCELLED:
                self._settle_once(held, Decimal(0))

    async def fail(self, place: int, cost: int) -> None:
        """It has failed, charged or not."""
        if held := self._held(place):
            charge = self._cost(held, cost)
            charged = Charged.YES if charge.amount else Charged.NO
            ended = await self.store.end(
                held,
                StepState.FAILED,
                self.now,
                error="x",
                charged=charged,
                cost=charge,
            )
            if ended is not None:
                self.model.settle(held.id, charge.amount)

    async def lose(self, place: int, _cost: int) -> None:
        """How it ended is unknown: the hold stays."""
        if held := self._held(place):
            await self.store.end(
                held,
                StepState.UNKNOWN,
                self.now,
                error="x",
                charged=Charged.MAYBE,
            )
            self.model.open.discard(held.id)

    async def drop(self, place: int, _cost: int) -> None:
        """Its person gives a lost step up."""
        held = self._held(place)
        if held is None:
            return
        current = await self.store.step(held.tenant, held.id)
        if current.state is StepState.UNKNOWN:
            await self.store.drop_charge(held, self.now)
            self.model.settle(held.id, Decimal(0))

    async def check_usage(self) -> None:
        """Whether the store says what was charged, to each person on each day."""
        for tenant in {held.tenant for held in self.model.steps.values()}:
            ever = self.now - timedelta(days=10_000)
            usage = await self.store.usage(tenant, ever)
            charged = {
                (spent.person, spent.day): spent.total.amount
                for spent in usage
            }
            assert charged == self.model.by_person_and_day(tenant)

    def _held(self, place: int) -> Step | None:
        held = list(self.model.steps.values())
        return held[place % len(held)] if held else None

    def _settle_once(self, held: Step, amount: Decimal) -> None:
        if held.id in self.model.open:
            self.model.settle(held.id, amount)

    def _cost(self, held: Step, amount: int) -> Money:
        assert held.price
        return self._money(min(amount, int(held.price.amount)))

    def _money(self, amount: int) -> Money:
        return Money(amount=Decimal(amount), currency=self.currency)
