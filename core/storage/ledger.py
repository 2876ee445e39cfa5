"""The ledger: append-only entries whose sum is what has been spent or is held.

hold +price before the submit · release −price and charge +cost when it is settled.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, func, insert, select

from core.budgets import Spending, Spent, day_start, month_start
from core.storage import rows
from core.storage.tables import ledger, steps
from core.types import CURRENCY, Money, Step

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


async def hold(connection: AsyncConnection, step: Step, now: datetime) -> None:
    """Reserve the price. A model of unknown price holds nothing."""
    await _enter(connection, step, "hold", step.price, now)


async def settle(connection: AsyncConnection, step: Step, cost: Money | None, now: datetime) -> None:
    """Give the hold back and charge the true cost (None: nothing). Doing it twice changes nothing."""
    done = select(func.count()).where(ledger.c.tenant == step.tenant, ledger.c.step == step.id, ledger.c.kind != "hold")
    if (await connection.execute(done)).scalar():
        return
    if step.price:
        back = Money(amount=-step.price.amount, currency=step.price.currency)
        await _enter(connection, step, "release", back, now)
    await _enter(connection, step, "charge", cost, now)


async def spent(connection: AsyncConnection, step: Step, now: datetime) -> Spent:
    """What counts against the budgets of this step, in its currency."""
    currency = step.price.currency if step.price else CURRENCY

    async def total(since: datetime, *conditions: ColumnElement[bool]) -> Decimal:
        query = select(func.sum(ledger.c.micros)).where(
            ledger.c.tenant == step.tenant, ledger.c.currency == currency, ledger.c.at >= since, *conditions
        )
        return Decimal((await connection.execute(query)).scalar() or 0) / rows.MICRO

    month = month_start(now)
    return Spent(
        person_day=await total(day_start(now), ledger.c.person == step.person.id),
        channel_month=await total(month, ledger.c.channel == step.place.channel),
        workspace_month=await total(month),
    )


async def usage(connection: AsyncConnection, tenant: str, since: datetime) -> list[Spending]:
    """Per person, day and currency since then, oldest first."""
    query = (
        select(ledger, steps.c.person_name)
        .join(steps, and_(steps.c.tenant == ledger.c.tenant, steps.c.id == ledger.c.step))
        .where(ledger.c.tenant == tenant, ledger.c.at >= since)
        .order_by(ledger.c.at)
    )
    names: dict[str, str] = {}
    totals: dict[tuple[str, str, str], int] = {}
    made: dict[tuple[str, str, str], set[str]] = {}
    for row in (await connection.execute(query)).mappings():
        key = (row["at"].date().isoformat(), row["person"], row["currency"])
        totals[key] = totals.get(key, 0) + row["micros"]
        made.setdefault(key, set()).add(row["step"])
        names[row["person"]] = row["person_name"]
    return [
        Spending(
            person=names[person],
            day=day,
            total=Money(amount=Decimal(micros) / rows.MICRO, currency=currency),
            steps=len(made[day, person, currency]),
        )
        for (day, person, currency), micros in totals.items()
    ]


async def _enter(connection: AsyncConnection, step: Step, kind: str, money: Money | None, now: datetime) -> None:
    if money is None:
        return
    entry = {
        "tenant": step.tenant,
        "step": step.id,
        "kind": kind,
        "person": step.person.id,
        "channel": step.place.channel,
        "micros": rows.micros(money),
        "currency": money.currency,
        "at": now,
    }
    await connection.execute(insert(ledger).values(entry))
