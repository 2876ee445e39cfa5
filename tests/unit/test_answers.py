"""The posts about money that was spent."""

from core.budgets import Caps, Spending
from core.types import Money
from core.views import usage
from tests.fakes.steps import NOW, dollars, yuan


def spending(total: Money, steps: int = 1) -> Spending:
    return Spending(
        person_id="x", person="Ana", day="2026-11-20", total=total, steps=steps
    )


def test_a_plot_shows_one_currency_and_the_words_show_all() -> None:
    month = [
        spending(yuan("0.2"), steps=2),
        spending(dollars("0.04")),
        spending(yuan("0.3")),
    ]
    currency = usage.usual_currency(month)
    assert currency == "CNY"
    assert dict(usage.spending_by_day(month, currency, NOW))["20"] == 0.5
    assert dict(usage.spending_by_day(month, "USD", NOW))["20"] == 0.04
    assert usage.plot_title("USD", NOW, "en").endswith("USD")
    text = usage.usage_post(
        month, Caps(workspace_month=dollars("5")), NOW, None, "en"
    ).text
    assert "¥0.50" in text
    assert "$0.04" in text
    assert "$5.00" in text
