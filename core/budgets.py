"""Money rules: what may still be spent by a person a day, a channel a month, a workspace a month.

Amounts are Decimals in the budget's currency; days and months are UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from core.errors import Rejected
from core.types import CURRENCY, Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The most that may be spent; None means no limit."""

    person_day: Decimal | None = None
    channel_month: Decimal | None = None
    workspace_month: Decimal | None = None


NAMES = tuple(one.name for one in fields(Caps))
NONE = frozenset({"", "-"})
"""What takes a limit away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What has been spent or is held, in the currency of the request at hand."""

    person_day: Decimal = Decimal(0)
    channel_month: Decimal = Decimal(0)
    workspace_month: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What one person (by name) spent on one day (ISO date), holds included, and on how many steps."""

    person: str
    day: str
    total: Money
    steps: int


def caps(settings: Mapping[str, object]) -> Caps:
    """The caps in a workspace's settings (``budgets``: amounts as text)."""
    given = settings.get("budgets")
    if not isinstance(given, Mapping):
        return Caps()
    return Caps(
        **{
            name: amount(str(given[name]))
            for name in Caps.__dataclass_fields__
            if given.get(name)
        }
    )


def changed(settings: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """The settings with the limits given, by the names of Caps; an empty one or "-" is taken away.

    Raises Rejected.
    """
    wanted = {name: value.strip() for name, value in given.items() if name in NAMES}
    for value in wanted.values():
        if value not in NONE:
            amount(value)
    kept = {**settings.get("budgets", {}), **wanted}
    return {
        **settings,
        "budgets": {name: value for name, value in kept.items() if value not in NONE},
    }


def amount(text: str) -> Decimal:
    """A budget as a person writes it: ``12.50``.

    Raises Rejected for anything but a plain amount ≥ 0.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise Rejected("budget.amount", value=text) from None
    if not value.is_finite() or not 0 <= value < 10**9:
        raise Rejected("budget.amount", value=text)
    return value


def day_start(now: datetime) -> datetime:
    """Midnight before ``now``."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def month_start(now: datetime) -> datetime:
    """The first of the month, midnight."""
    return day_start(now).replace(day=1)


def check(limits: Caps, spent: Spent, price: Money | None, now: datetime) -> None:
    """Raise Rejected naming the first limit this price would break and when it resets."""
    wanted = price.amount if price else Decimal(0)
    resets = {
        "person_day": day_start(now) + timedelta(days=1),
        "channel_month": month_start(month_start(now) + timedelta(days=32)),
        "workspace_month": month_start(month_start(now) + timedelta(days=32)),
    }
    for name, reset in resets.items():
        limit, already = getattr(limits, name), getattr(spent, name)
        if limit is not None and already + wanted > limit:
            currency = price.currency if price else CURRENCY
            raise Rejected(
                f"budget.{name}",
                spent=Money(amount=already, currency=currency),
                limit=Money(amount=limit, currency=currency),
                price=Money(amount=wanted, currency=currency),
                resets=reset,
            )
