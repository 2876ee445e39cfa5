"""The ledger: append-only entries whose sum is what has been spent or is held.

hold +price before the submit · release −price and charge +cost when it is settled. The sums by
person and day, and by channel and month, are kept by the database itself, entry by entry (migration
0005).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, ScalarSelect, Table, func, insert, select

from core.budgets import Caps, Spending, Spent
from core.storage import mapping
from core.storage.tables import channel_spending, ledger, spending
from core.types import Money, Step

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


async def hold(connection: AsyncConnection, step: Step, now: datetime) -> None:
    """Reserve the price. A model of unknown price holds nothing."""
    if step.price:
        await _enter(connection, step, "hold", step.price, now)


async def settle(
    connection: AsyncConnection, step: Step, cost: Money | None, now: datetime
) -> None:
    """Give the hold back and charge the true cost (None: nothing).

    Doing it twice changes nothing.
    """
    done = select(func.count()).where(
        ledger.c.tenant == step.tenant,
        ledger.c.step == step.id,
        ledger.c.kind != "hold",
    )
    if (await connection.execute(done)).scalar():
        return
    entries = [] if cost is None else [("charge", cost)]
    if step.price:
        entries.append(("release", replace(step.price, amount=-step.price.amount)))
    # In the currencies' order: two who add to the same sums never wait for each other.
    for kind, money in sorted(entries, key=lambda entry: entry[1].currency):
        await _enter(connection, step, kind, money, now)


async def sum_spent(
    connection: AsyncConnection, step: Step, caps: Caps, now: datetime
) -> Spent:
    """What counts against each budget of this step, in that budget's currency."""
    today = (spending.c.tenant == step.tenant, spending.c.day == _day(now))
    month = (
        channel_spending.c.tenant == step.tenant,
        channel_spending.c.month == _month(now),
    )
    query = select(
        _sum(
            spending,
            *today,
            spending.c.person == step.person.id,
            spending.c.currency == _currency(caps.person_day),
        ),
        _sum(
            channel_spending,
            *month,
            channel_spending.c.channel == step.place.channel,
            channel_spending.c.currency == _currency(caps.channel_month),
        ),
        _sum(
            channel_spending,
            *month,
            channel_spending.c.currency == _currency(caps.workspace_month),
        ),
    )
    sums = (await connection.execute(query)).one()
    person_day, channel_month, workspace_month = (
        Decimal(micros or 0) / mapping.MICRO for micros in sums
    )
    return Spent(
        person_day=person_day,
        channel_month=channel_month,
        workspace_month=workspace_month,
    )


async def usage(
    connection: AsyncConnection, tenant: str, since: datetime
) -> list[Spending]:
    """Per person, day and currency from that day on, oldest first."""
    query = (
        select(spending)
        .where(spending.c.tenant == tenant, spending.c.day >= _day(since))
        .order_by(spending.c.day, spending.c.first)
    )
    totals = (await connection.execute(query)).mappings().all()
    newest_last = sorted(totals, key=lambda row: row["last"])
    names = {row["person"]: row["person_name"] for row in newest_last}
    return [
        Spending(
            person=names[row["person"]],
            day=row["day"],
            total=Money(
                amount=Decimal(row["micros"]) / mapping.MICRO, currency=row["currency"]
            ),
            steps=row["steps"],
        )
        for row in totals
    ]


def _currency(cap: Money | None) -> str:
    """Nothing is spent in "": what has no cap need not be summed."""
    return cap.currency if cap else ""


def _day(moment: datetime) -> str:
    """As the sums name it: 2026-11-20."""
    return moment.astimezone(UTC).date().isoformat()


def _month(moment: datetime) -> str:
    """As the sums name it: 2026-11."""
    return _day(moment)[:7]


def _sum(table: Table, *conditions: ColumnElement[bool]) -> ScalarSelect[Any]:
    return select(func.sum(table.c.micros)).where(*conditions).scalar_subquery()


async def _enter(
    connection: AsyncConnection, step: Step, kind: str, money: Money, now: datetime
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
