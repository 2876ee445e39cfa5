"""Posts about money: what a month cost, and the budgets."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from core import budgets
from core.budgets import Caps, Spending, Usage
from core.i18n import format_month, translate
from core.post import Post, PostImage, Tone
from core.types import Money
from core.views.usage_table import usage_csv


def usual_currency(spending: Sequence[Spending]) -> str:
    """The currency most steps were paid in."""
    steps_in: Counter[str] = Counter()
    for spent in spending:
        steps_in[spent.total.currency] += spent.steps
    return steps_in.most_common(1)[0][0]


def spending_by_day(
    spending: Sequence[Spending],
    currency: str,
    now: datetime,
) -> list[tuple[str, float]]:
    """Each day of this month until now, and what was spent on it in one currency."""
    days = range(1, now.day + 1)
    totals = {f"{now:%Y-%m}-{day:02}": 0.0 for day in days}
    for spent in spending:
        # A clock that was put back leaves days that are not of this month yet.
        if spent.day in totals and spent.total.currency == currency:
            totals[spent.day] += float(spent.total.amount)
    return [(date[-2:], total) for date, total in totals.items()]


def plot_title(currency: str, now: datetime, locale: str) -> str:
    """What stands over the plot: a plot has one currency."""
    return f"{_month_title(now, locale)} · {currency}"


def _month_title(now: datetime, locale: str) -> str:
    return translate("usage.title", locale, month=format_month(now, locale))


def usage_post(
    spending: Sequence[Spending],
    caps: Caps,
    now: datetime,
    plot: bytes | None,
    locale: str,
) -> Post:
    """What this month cost, by day and person, with a plot of it."""
    title = _month_title(now, locale)
    if not spending:
        text = translate("usage.none", locale)
        return Post(tone=Tone.NOTE, title=title, text=text, private=True)
    lines = [_spending_line(spent, locale) for spent in spending]
    totals = _totals(spending)
    lines += [translate("usage.total", locale, cost=total) for total in totals]
    lines.append(_describe_caps(caps, locale))
    pictures: tuple[PostImage, ...] = ()
    if plot:
        alt = translate("usage.alt", locale, month=format_month(now, locale))
        name = f"usage-{now:%Y-%m}.png"
        pictures = (PostImage(drawn=plot, name=name, alt=alt),)
    return Post(
        tone=Tone.NOTE,
        title=title,
        text="\n".join(lines),
        pictures=pictures,
        private=True,
        locale=locale,
    )


def with_table(
    post: Post, usage: Sequence[Usage], now: datetime, locale: str
) -> Post:
    """The post with a table for administrators, if there is anything in it."""
    if not usage:
        return post
    table = PostImage(
        drawn=usage_csv(usage),
        name=f"usage-{now:%Y-%m-%d}.csv",
        alt=translate("usage.table", locale),
    )
    return replace(post, pictures=(*post.pictures, table))


def _spending_line(spent: Spending, locale: str) -> str:
    return translate(
        "usage.line",
        locale,
        day=spent.day,
        person=spent.person,
        count=spent.steps,
        cost=spent.total,
    )


def _totals(spending: Sequence[Spending]) -> list[Money]:
    """One total for each currency: nothing is converted."""
    amounts: dict[str, Decimal] = {}
    for spent in spending:
        currency = spent.total.currency
        amounts[currency] = (
            amounts.get(currency, Decimal(0)) + spent.total.amount
        )
    return [
        Money(amount=amount, currency=currency)
        for currency, amount in amounts.items()
    ]


def budget_post(caps: Caps, locale: str) -> Post:
    """The budgets as they stand."""
    return Post(
        tone=Tone.NOTE,
        title=translate("budget.title", locale),
        text=_describe_caps(caps, locale),
        private=True,
    )


def _describe_caps(caps: Caps, locale: str) -> str:
    lines = []
    for name in budgets.NAMES:
        limit: Money | None = getattr(caps, name)
        if limit is not None:
            lines.append(translate(f"budget.cap.{name}", locale, limit=limit))
    if not lines:
        return translate("budget.no_caps", locale)
    return "\n".join(lines)
