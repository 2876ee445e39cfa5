"""Budgets: what a person may spend a day, a channel a month, a workspace a month.

The operator's own caps stand over all workspaces together, a day and a month. A budget is in one
currency and nothing is converted: under a budget only its own currency can be spent, and a price
in another one, or an unknown price, is refused. What was spent in another currency before the
budget was set does not count. Days and months are UTC.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from core.errors import Rejected
from core.types import Money, Person

DEFAULT_CURRENCY = "CNY"
"""Currency of a budget written without one, as all were while everything was paid in it."""
WRITTEN = re.compile(r"\s*(?P<amount>\S+)(?:\s+(?P<currency>[A-Za-z]{3}))?\s*")
MOST = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The most that may be spent; None means no limit.

    The first three are a workspace's, the others the operator's. ``waiting``: steps a person may
    have open at a time.
    """

    person_day: Money | None = None
    channel_month: Money | None = None
    workspace_month: Money | None = None
    operator_day: Money | None = None
    operator_month: Money | None = None
    waiting: int | None = None


NAMES = ("person_day", "channel_month", "workspace_month")
"""The caps that a workspace sets."""
MONEY_NAMES = (*NAMES, "operator_day", "operator_month")
MOST_WAITING = 20
"""Steps a person may have open, unless the operator has set another number."""
NO_LIMIT = frozenset({"", "-"})
"""Words that remove a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What has been spent or is held, each in the currency of the cap it counts against."""

    person_day: Decimal = Decimal(0)
    channel_month: Decimal = Decimal(0)
    workspace_month: Decimal = Decimal(0)
    operator_day: Decimal = Decimal(0)
    operator_month: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What one person spent on one day, holds included, and on how many steps.

    ``person`` is a name, ``day`` an ISO date.
    """

    person_id: str
    person: str
    day: str
    total: Money
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one person spent on one day with one model, and on how many jobs."""

    day: str
    person: Person
    model: str
    total: Money
    jobs: int


NO_CAPS = Caps()


def caps(settings: Mapping[str, object], operator: Caps = NO_CAPS) -> Caps:
    """The operator's caps with those in a workspace's settings (``budgets``: amounts as text)."""
    budgets = settings.get("budgets")
    if not isinstance(budgets, Mapping):
        return operator
    own: dict[str, Any] = {
        name: amount(str(budgets[name])) for name in NAMES if budgets.get(name)
    }
    return replace(operator, **own)


def update_caps(
    settings: Mapping[str, Any],
    changes: Mapping[str, str],
    currencies: Sequence[str],
) -> dict[str, Any]:
    """The settings with these limits, by the names of Caps; "" or "-" takes one away.

    ``currencies``: those that models are paid in. Raises Rejected.
    """
    budgets: dict[str, str] = dict(settings.get("budgets", {}))
    for name in NAMES:
        if name not in changes:
            continue
        text = changes[name].strip()
        if text in NO_LIMIT:
            budgets.pop(name, None)
        else:
            _check_currency(amount(text), currencies)
            budgets[name] = text
    return {**settings, "budgets": budgets}


def _check_currency(limit: Money, currencies: Sequence[str]) -> None:
    # No price could ever be held against such a budget: it would refuse everything.
    if limit.currency not in currencies:
        raise Rejected(
            "budget.unknown_currency",
            currency=limit.currency,
            allowed=currencies,
        )


def amount(text: str) -> Money:
    """A budget as a person writes it: ``12.50``, or ``5 USD`` with its currency.

    Raises Rejected for anything but a plain amount ≥ 0.
    """
    written = WRITTEN.fullmatch(text)
    if written is None:
        raise Rejected("budget.amount", value=text)
    try:
        number = Decimal(written["amount"])
    except InvalidOperation:
        raise Rejected("budget.amount", value=text) from None
    if not number.is_finite() or not 0 <= number < MOST:
        raise Rejected("budget.amount", value=text)
    currency = written["currency"] or DEFAULT_CURRENCY
    return Money(amount=number, currency=currency.upper())


def write(limit: Money | None) -> str:
    """A limit as ``amount`` reads it; "" for none."""
    if limit is None:
        return ""
    if limit.currency == DEFAULT_CURRENCY:
        return str(limit.amount)
    return f"{limit.amount} {limit.currency}"


def day_start(now: datetime) -> datetime:
    """Midnight before ``now``."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def month_start(now: datetime) -> datetime:
    """The first of the month, midnight."""
    return day_start(now).replace(day=1)


def check(
    limits: Caps, spent: Spent, price: Money | None, now: datetime
) -> None:
    """Raise Rejected naming the first limit this price would break and when it resets.

    A price that is unknown, or in another currency than a limit, cannot be held against it, so it
    is refused as well.
    """
    for name in MONEY_NAMES:
        limit: Money | None = getattr(limits, name)
        if limit is None:
            continue
        if price is None:
            raise Rejected("budget.unknown_price")
        # Without an exchange rate it cannot be said whether it fits.
        if price.currency != limit.currency:
            raise Rejected("budget.currency", price=price, limit=limit)
        already: Decimal = getattr(spent, name)
        if already + price.amount > limit.amount:
            raise Rejected(
                f"budget.{name}",
                spent=Money(amount=already, currency=limit.currency),
                limit=limit,
                price=price,
                resets=_reset(name, now),
            )


def check_waiting(limits: Caps, waiting: int) -> None:
    """Raise Rejected when a person has as many steps open as one may have."""
    if limits.waiting is not None and waiting >= limits.waiting:
        raise Rejected("budget.waiting", allowed=limits.waiting)


def _reset(name: str, now: datetime) -> datetime:
    """When a limit of that name begins again."""
    if name.endswith("_day"):
        return day_start(now) + timedelta(days=1)
    return month_start(month_start(now) + timedelta(days=32))
