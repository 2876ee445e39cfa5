"""The ledger: append-only entries that sum up to what has been spent or is held.

hold +price before the submit · release −price and charge +cost when it is settled, both in the
period of the hold: what one period has allowed never makes room in the next. Triggers keep the
sums by person and day, and by channel and month (migration 0005), and of all by day (0014).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    ScalarSelect,
    Table,
    func,
    insert,
    select,
)

from core.budgets import Caps, Spending, Spent, Usage
from core.sessions import pseudonym
from core.storage import mapping
from core.storage.tables import (
    channel_spending,
    ledger,
    spending,
    steps,
    total_spending,
)
from core.types import Money, Person, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


class EntryKind(StrEnum):
    """What an entry is for. A step has at most one of each."""

    HOLD = "hold"
    CHARGE = "charge"
    RELEASE = "release"


async def hold(connection: AsyncConnection, step: Step, now: datetime) -> None:
    """Reserve the price. A model of unknown price holds nothing."""
    if step.price:
        await _enter(connection, step, EntryKind.HOLD, step.price, now)


async def settle(
    connection: AsyncConnection, step: Step, cost: Money | None, now: datetime
) -> None:
    """Give the hold back and charge the true cost, None for nothing.

    Doing it twice changes nothing.
    """
    query = select(ledger.c.kind, ledger.c.at).filter_by(
        tenant=step.tenant, step=step.id
    )
    result = await connection.execute(query)
    entered = {row.kind: row.at for row in result}
    if entered.keys() - {EntryKind.HOLD}:
        return
    at = entered.get(EntryKind.HOLD, now)
    entries = []
    if cost is not None:
        entries.append((EntryKind.CHARGE, cost))
    if step.price:
        price_back = replace(step.price, amount=-step.price.amount)
        entries.append((EntryKind.RELEASE, price_back))
    # In the currencies' order: two who add to the same sums never wait for each other.
    for kind, money in sorted(entries, key=lambda entry: entry[1].currency):
        await _enter(connection, step, kind, money, at)


async def sum_spent(
    connection: AsyncConnection, step: Step, caps: Caps, now: datetime
) -> Spent:
    """Sum up what counts against each budget of this step, in that budget's currency."""
    person_day = _sum(
        spending,
        spending.c.tenant == step.tenant,
        spending.c.day == _day(now),
        spending.c.person.in_(_names_of(step)),
        spending.c.currency == _currency(caps.person_day),
    )
    this_month = (
        channel_spending.c.tenant == step.tenant,
        channel_spending.c.month == _month(now),
    )
    channel_month = _sum(
        channel_spending,
        *this_month,
        channel_spending.c.channel == step.place.channel,
        channel_spending.c.currency == _currency(caps.channel_month),
    )
    workspace_month = _sum(
        channel_spending,
        *this_month,
        channel_spending.c.currency == _currency(caps.workspace_month),
    )
    operator_day = _sum(
        total_spending,
        total_spending.c.day == _day(now),
        total_spending.c.currency == _currency(caps.operator_day),
    )
    month = _month(now)
    operator_month = _sum(
        total_spending,
        # A range, not LIKE: SQLite finds that by the index.
        total_spending.c.day.between(f"{month}-01", f"{month}-31"),
        total_spending.c.currency == _currency(caps.operator_month),
    )
    # One statement: all are of the same moment.
    query = select(
        person_day.label("person_day"),
        channel_month.label("channel_month"),
        workspace_month.label("workspace_month"),
        operator_day.label("operator_day"),
        operator_month.label("operator_month"),
    )
    result = await connection.execute(query)
    sums = result.mappings().one()
    return Spent(
        **{
            name: Decimal(micros or 0) / mapping.MICRO
            for name, micros in sums.items()
        }
    )


async def usage(
    connection: AsyncConnection, tenant: str, since: datetime
) -> list[Spending]:
    """Per person, day and currency from that day on, oldest first."""
    query = (
        select(spending)
        .filter_by(tenant=tenant)
        .where(spending.c.day >= _day(since))
        .order_by(spending.c.day, spending.c.first)
    )
    result = await connection.execute(query)
    rows = result.mappings().all()
    # People change their names: the newest one is shown for every day.
    newest_last = sorted(rows, key=lambda row: row["last"])
    names = {row["person"]: row["person_name"] for row in newest_last}
    return [_spending(row, names[row["person"]]) for row in rows]


async def usage_by_model(
    connection: AsyncConnection, tenant: str, since: datetime
) -> list[Usage]:
    """Per day, person, model and currency from that day on, oldest first."""
    first = datetime.combine(since.astimezone(UTC).date(), time.min, UTC)
    is_of_step = (steps.c.tenant == ledger.c.tenant) & (
        steps.c.id == ledger.c.step
    )
    query = (
        select(
            func.min(ledger.c.at).label("at"),
            ledger.c.person,
            ledger.c.currency,
            func.sum(ledger.c.micros).label("micros"),
            func.max(steps.c.model).label("model"),
            func.max(steps.c.person_name).label("name"),
        )
        # A step may be gone, and with it the model; what it cost stays.
        .select_from(ledger.outerjoin(steps, is_of_step))
        .where(ledger.c.tenant == tenant, ledger.c.at >= first)
        .group_by(ledger.c.step, ledger.c.person, ledger.c.currency)
        .order_by(func.min(ledger.c.at))
    )
    result = await connection.execute(query)
    return _sum_by_model(result.mappings().all())


def _sum_by_model(rows: Sequence[RowMapping]) -> list[Usage]:
    # People change their names: the newest one is shown for every day.
    names = {row["person"]: row["name"] for row in rows if row["name"]}
    jobs: Counter[tuple[str, ...]] = Counter()
    micros: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        day = _day(row["at"])
        group = (day, row["person"], row["model"] or "", row["currency"])
        jobs[group] += 1
        micros[group] += row["micros"]
    return [
        Usage(
            day=day,
            person=Person(id=person, name=names.get(person, "")),
            model=model,
            total=Money(
                amount=Decimal(total) / mapping.MICRO, currency=currency
            ),
            jobs=jobs[day, person, model, currency],
        )
        for (day, person, model, currency), total in micros.items()
    ]


def _spending(row: RowMapping, name: str) -> Spending:
    amount = Decimal(row["micros"]) / mapping.MICRO
    return Spending(
        person_id=row["person"],
        person=name,
        day=row["day"],
        total=Money(amount=amount, currency=row["currency"]),
        steps=row["steps"],
    )


def _names_of(step: Step) -> list[str]:
    """The person, also as the one who was forgotten today."""
    person = step.person.id
    return [person, pseudonym(step.tenant, person)]


def _currency(cap: Money | None) -> str:
    """No money has the currency "": without a cap the sum is 0, and costs nothing."""
    return cap.currency if cap else ""


def _day(moment: datetime) -> str:
    """As the sums name it: 2026-11-20."""
    return moment.astimezone(UTC).date().isoformat()


def _month(moment: datetime) -> str:
    """As the sums name it: 2026-11."""
    return _day(moment)[:7]


def _sum(table: Table, *conditions: ColumnElement[bool]) -> ScalarSelect[Any]:
    return (
        select(func.sum(table.c.micros)).where(*conditions).scalar_subquery()
    )


async def _enter(
    connection: AsyncConnection,
    step: Step,
    kind: EntryKind,
    money: Money,
    now: datetime,
) -> None:
    entry = {
        "tenant": step.tenant,
        "step": step.id,
        "kind": kind,
        "person": step.person.id,
        "channel": step.place.channel,
        "micros": mapping.micros(money),
        "currency": money.currency,
        "at": now,
    }
    await connection.execute(insert(ledger).values(entry))
