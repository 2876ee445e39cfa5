"""Answers to those who look.

History, compare, info, usage, budgets, help, as Posts in the reader's language.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from core import budgets, sessions
from core.budgets import Caps, Spending
from core.i18n import format_month, translate
from core.post import Button, ButtonKind, Post, PostImage, Tone
from core.types import Money, Step
from core.views.steps import caption, post_image, short_title, title

MENU = 25
"""Most entries of a menu: Discord's limit."""


def newest_note(shown: int, count: int, locale: str) -> str:
    """That the tree does not show all; nothing when it does."""
    return (
        ""
        if shown == count
        else translate("history.newest", locale, shown=shown, count=count)
    )


def history_post(
    steps: Sequence[Step],
    tree: bytes,
    shown: int,
    note: str,
    url: str,
    locale: str,
) -> Post:
    """The picture of the tree, a line for each version, a menu to jump, and a link to its page.

    ``shown`` pictures stand in the tree; the note says so when there are more.
    """
    lines = [
        translate(
            "history.line",
            locale,
            version=step.number,
            name=short_title(step),
            id=step.id,
        )
        for step in steps
    ]
    alt = " · ".join(
        filter(None, [translate("history.alt", locale, count=shown), note])
    )
    drawn = PostImage(drawn=tree, name="history.png", alt=alt)
    return Post(
        tone=Tone.NOTE,
        title=" · ".join(filter(None, [translate("history.title", locale), note])),
        text="\n".join(lines),
        pictures=(drawn,),
        locale=locale,
        buttons=_opens(url, "history.open", locale),
        private=any(step.options.private for step in steps),
        menu=tuple(
            Button(
                kind=ButtonKind.PICK,
                step=step.id,
                label=f"v{step.number} · {short_title(step)}",
            )
            for step in steps[-MENU:]
        ),
    )


def _opens(url: str, key: str, locale: str, step: str = "") -> tuple[Button, ...]:
    return (
        (
            Button(
                kind=ButtonKind.LINK, step=step, label=translate(key, locale), url=url
            ),
        )
        if url
        else ()
    )


def node_labels(step: Step, *, foreign: bool, locale: str) -> tuple[str, str]:
    """Label and caption of a step in the tree."""
    if foreign:
        return translate(
            "history.foreign", locale, owner=step.person.name, version=step.number
        ), short_title(step)
    return f"v{step.number}", short_title(step)


def compare_labels(step: Step, parent: Step | None, locale: str) -> tuple[str, str]:
    """What to write over the two halves."""
    before = f"v{parent.number}" if parent else translate("compare.upload", locale)
    return before, f"v{step.number}"


def compare_post(
    step: Step, side: bytes, flicker: bytes, url: str, locale: str
) -> Post:
    """Before and after, side by side, as a two-frame animation, and a link to the slider."""
    text = translate(
        "compare.text", locale, version=step.number, name=short_title(step)
    )
    alt = translate("compare.alt", locale, name=short_title(step))
    pictures = (
        PostImage(drawn=side, name=f"compare-{step.id}.png", alt=alt),
        PostImage(drawn=flicker, name=f"compare-{step.id}.webp", alt=alt),
    )
    return Post(
        tone=Tone.NOTE,
        title=translate("compare.title", locale),
        text=text,
        job=step.id,
        private=step.options.private,
        pictures=pictures,
        locale=locale,
        buttons=_opens(url, "compare.open", locale),
    )


def info_post(step: Step, locale: str) -> Post:
    """Everything that made a step's picture."""
    facts = {
        **sessions.recipe(step, 0),
        "task": step.task_id or "",
        "request": step.request_id or "",
        "negative": step.options.negative or "",
    }
    lines = [
        translate("info.line", locale, name=name, value=value)
        for name, value in facts.items()
        if value
    ]
    return Post(
        tone=Tone.NOTE,
        title=title(step),
        text="\n".join(lines),
        job=step.id,
        private=True,
        secret=step.options.private,
    )


def recipe_post(facts: Mapping[str, str], locale: str) -> Post:
    """What a file says of itself: a stranger's word, so it is shown as such."""
    lines = [
        translate("info.line", locale, name=name, value=value)
        for name, value in facts.items()
        if value
    ]
    text = (
        "\n".join([translate("info.from_file", locale), *lines])
        if lines
        else translate("info.no_recipe", locale)
    )
    return Post(tone=Tone.NOTE, text=text, private=True)


def usual_currency(spending: Sequence[Spending]) -> str:
    """The one most steps were paid in."""
    steps_in: Counter[str] = Counter()
    for spent in spending:
        steps_in[spent.total.currency] += spent.steps
    return steps_in.most_common(1)[0][0]


def spending_by_day(
    spending: Sequence[Spending], currency: str, now: datetime
) -> list[tuple[str, float]]:
    """Each day of this month until now, and what was spent on it in one currency."""
    totals = dict.fromkeys(
        (f"{now:%Y-%m}-{day:02}" for day in range(1, now.day + 1)), 0.0
    )
    for one in spending:
        if one.day in totals and one.total.currency == currency:
            totals[one.day] += float(one.total.amount)
    return [(day[-2:], total) for day, total in totals.items()]


def plot_title(currency: str, now: datetime, locale: str) -> str:
    """What stands over the plot."""
    month = format_month(now, locale)
    return f"{translate('usage.title', locale, month=month)} · {currency}"


def usage_post(
    spending: Sequence[Spending],
    caps: Caps,
    now: datetime,
    plot: bytes | None,
    locale: str,
) -> Post:
    """What this month cost, by day and person, with a plot of it."""
    month = format_month(now, locale)
    title_line = translate("usage.title", locale, month=month)
    if not spending:
        return Post(
            tone=Tone.NOTE,
            title=title_line,
            text=translate("usage.none", locale),
            private=True,
        )
    lines = [
        translate(
            "usage.line",
            locale,
            day=one.day,
            person=one.person,
            count=one.steps,
            cost=one.total,
        )
        for one in spending
    ]
    totals: dict[str, Money] = {}
    for one in spending:
        known = totals.get(one.total.currency)
        amount = one.total.amount + (known.amount if known else 0)
        totals[one.total.currency] = Money(amount=amount, currency=one.total.currency)
    lines += [translate("usage.total", locale, cost=total) for total in totals.values()]
    alt = translate("usage.alt", locale, month=month)
    pictures = (
        (PostImage(drawn=plot, name=f"usage-{now:%Y-%m}.png", alt=alt),) if plot else ()
    )
    text = "\n".join([*lines, _caps(caps, locale)])
    return Post(
        tone=Tone.NOTE,
        title=title_line,
        text=text,
        pictures=pictures,
        private=True,
        locale=locale,
    )


def budget_post(caps: Caps, locale: str) -> Post:
    """The budgets as they stand."""
    return Post(
        tone=Tone.NOTE,
        title=translate("budget.title", locale),
        text=_caps(caps, locale),
        private=True,
    )


def _caps(caps: Caps, locale: str) -> str:
    limits = {name: getattr(caps, name) for name in budgets.NAMES}
    lines = [
        translate(f"budget.cap.{name}", locale, limit=limit)
        for name, limit in limits.items()
        if limit is not None
    ]
    return "\n".join(lines) or translate("budget.no_caps", locale)


def recent_post(step: Step, link: str, locale: str) -> Post:
    """One of a person's newest pictures, and the way to its message."""
    pictures = (post_image(step, step.chosen or 0, locale),)
    text = caption(step, locale)
    return Post(
        tone=Tone.NOTE,
        title=title(step),
        text=text,
        pictures=pictures,
        locale=locale,
        buttons=_opens(link, "home.open", locale, step.id),
    )


def help_post(locale: str) -> Post:
    """What one can do here."""
    return Post(
        tone=Tone.NOTE,
        title=translate("help.title", locale),
        text=translate("help.text", locale),
        private=True,
    )
