"""Usage in CSV: no cell runs a formula, and every cell is read back."""

import csv
import io
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from core.budgets import Usage
from core.types import Money, Person
from core.views.usage_table import COLUMNS, usage_csv


@given(st.text().filter(lambda name: "\x00" not in name))
def test_no_name_is_a_formula_and_each_is_one_cell(name: str) -> None:
    usage = Usage(
        day="2026-12-01",
        person=Person(id="1", name=name),
        model="m",
        total=Money(amount=Decimal("0.20"), currency="CNY"),
        jobs=2,
    )
    text = usage_csv([usage]).decode("utf-8-sig")
    head, row = csv.reader(io.StringIO(text, newline=""))
    assert tuple(head) == COLUMNS
    shown = row[1]
    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert shown in {name, f"'{name}"}
    assert row[3:] == ["m", "2", "0.2", "CNY"]
