"""What may still be spent."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core import budgets
from core.budgets import Caps, Spent
from core.errors import Rejected
from core.types import Money
from tests.fakes.steps import NOW, dollars, yuan

CURRENCIES = ["CNY", "USD"]


def cap(name: str, limit: Money) -> Caps:
    return replace(Caps(), **{name: limit})  # type: ignore[arg-type]


def test_without_caps_everything_may_be_spent() -> None:
    budgets.check(Caps(), Spent(person_day=Decimal(10**6)), yuan("1"), NOW)


@pytest.mark.parametrize("name", budgets.MONEY_NAMES)
def test_each_cap_refuses_what_would_break_it_and_says_when_it_resets(
    name: str,
) -> None:
    caps, spent = cap(name, yuan("1")), Spent(**{name: Decimal("0.9")})
    budgets.check(caps, spent, yuan("0.1"), NOW)
    with pytest.raises(Rejected) as caught:
        budgets.check(caps, spent, yuan("0.11"), NOW)
    assert caught.value.key == f"budget.{name}"
    resets = (
        datetime(2026, 11, 21, tzinfo=UTC)
        if name.endswith("_day")
        else datetime(2026, 12, 1, tzinfo=UTC)
    )
    assert caught.value.params["resets"] == resets


@pytest.mark.parametrize("name", budgets.MONEY_NAMES)
def test_a_price_nobody_knows_is_refused_under_any_budget(name: str) -> None:
    budgets.check(Caps(waiting=1), Spent(), None, NOW)
    with pytest.raises(Rejected, match=r"budget\.unknown_price"):
        budgets.check(cap(name, yuan("1")), Spent(), None, NOW)


def test_a_person_may_have_only_so_many_steps_waiting() -> None:
    budgets.check_waiting(Caps(), 1000)
    budgets.check_waiting(Caps(waiting=2), 1)
    with pytest.raises(Rejected, match=r"budget\.waiting"):
        budgets.check_waiting(Caps(waiting=2), 2)


def test_the_operators_caps_stand_beside_a_workspaces() -> None:
    operator = Caps(operator_day=yuan("9"), waiting=5)
    settings = {"budgets": {"person_day": "1", "operator_day": "100"}}
    assert budgets.caps(settings, operator) == Caps(
        person_day=yuan("1"), operator_day=yuan("9"), waiting=5
    )
    assert budgets.caps({}, operator) == operator


def test_december_is_followed_by_january() -> None:
    with pytest.raises(Rejected) as caught:
        budgets.check(
            Caps(channel_month=yuan("0")),
            Spent(),
            yuan("1"),
            datetime(2026, 12, 31, 23, 59, tzinfo=UTC),
        )
    assert caught.value.params["resets"] == datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "x", "NaN", "Infinity", "-1", "1e12", "1,5"]
)
def test_an_amount_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match=r"budget\.amount"):
        budgets.amount(text)


def test_caps_are_read_from_settings_whatever_stands_there() -> None:
    assert budgets.caps({}) == Caps()
    assert budgets.caps({"budgets": "odd"}) == Caps()
    assert budgets.caps(
        {"budgets": {"person_day": "1.50", "other": "x"}}
    ) == Caps(person_day=yuan("1.50"))


@pytest.mark.parametrize(
    "name", ["person_day", "channel_month", "workspace_month"]
)
def test_a_price_in_another_currency_than_a_budget_is_refused_and_named(
    name: str,
) -> None:
    caps = cap(name, dollars("100"))
    budgets.check(caps, Spent(), dollars("0.04"), NOW)
    with pytest.raises(Rejected) as caught:
        budgets.check(caps, Spent(), yuan("0.01"), NOW)
    assert caught.value.key == "budget.currency"
    assert caught.value.params == {
        "price": yuan("0.01"),
        "limit": dollars("100"),
    }
    budgets.check(Caps(), Spent(), dollars("100"), NOW)


def test_a_budget_is_written_with_its_currency_or_in_the_usual_one() -> None:
    assert budgets.amount("12.50") == yuan("12.50")
    assert budgets.amount(" 5 usd ") == dollars("5")
    for limit in (yuan("12.50"), dollars("5"), None):
        text = budgets.write(limit)
        settings = budgets.update_caps({}, {"person_day": text}, CURRENCIES)
        assert budgets.caps(settings).person_day == limit
    for wrong in ("5 dollars", "USD", "5 USD 6", "$5"):
        with pytest.raises(Rejected, match=r"budget\.amount"):
            budgets.amount(wrong)


@pytest.mark.parametrize("text", ["5 XYZ", "5 RMB"])
def test_a_budget_in_a_currency_that_nothing_is_paid_in_is_refused(
    text: str,
) -> None:
    with pytest.raises(Rejected, match=r"budget\.unknown_currency") as caught:
        budgets.update_caps({}, {"person_day": text}, CURRENCIES)
    assert caught.value.params["allowed"] == CURRENCIES


def test_other_budgets_and_settings_stay_when_one_changes() -> None:
    settings = {
        "style": "soft",
        "budgets": {"person_day": "1", "channel_month": "2"},
    }
    changed = budgets.update_caps(
        settings, {"person_day": "-", "gallery": "x"}, CURRENCIES
    )
    assert changed == {"style": "soft", "budgets": {"channel_month": "2"}}
