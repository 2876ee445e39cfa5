"""Usage as a table in CSV that spreadsheets open as it is meant."""

import csv
import io
from collections.abc import Iterable, Sequence

from core.budgets import Usage

COLUMNS = ("day", "person", "person_id", "model", "jobs", "amount", "currency")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula: a name could run one."""
ENCODING = "utf-8-sig"
"""With a mark by which Excel knows that it is UTF-8."""


def usage_csv(usage: Sequence[Usage]) -> bytes:
    """A row for each day, person, model and currency."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(COLUMNS)
    table.writerows(map(_row, usage))
    return text.getvalue().encode(ENCODING, "replace")


def _row(usage: Usage) -> Iterable[object]:
    return (
        usage.day,
        _as_text(usage.person.name),
        _as_text(usage.person.id),
        _as_text(usage.model),
        usage.jobs,
        f"{usage.total.amount.normalize():f}",
        usage.total.currency,
    )


def _as_text(cell: str) -> str:
    """The cell so that no spreadsheet reads a formula in it."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
