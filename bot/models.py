"""``easel models``: the catalogue for people and for programs."""

import dataclasses
import json
from decimal import Decimal
from typing import Any

from bot.providers import load_catalog
from core.catalog import Catalog, Model, described
from core.i18n import format_money
from core.types import Money, Size


def listing(*, as_json: bool) -> str:
    """Every model: one line each, or all that is known as one JSON object."""
    catalog = load_catalog()
    if as_json:
        models = {
            name: _plain(dataclasses.asdict(model))
            for name, model in catalog.models.items()
        }
        return json.dumps(
            {"models": models, "regions": _plain(_regions(catalog))},
            ensure_ascii=False,
            indent=1,
        )
    ordered = sorted(catalog.models.values(), key=lambda model: (model.rank, model.id))
    return "\n".join(_line(model) for model in ordered)


def _regions(catalog: Catalog) -> dict[str, Any]:
    return {
        name: dataclasses.asdict(region) for name, region in catalog.regions.items()
    }


def _line(model: Model) -> str:
    actions = ", ".join(
        sorted({"wanx" if action.is_wanx else action.value for action in model.actions})
    )
    price = next(iter(model.prices.values()), None)
    cost = "price unconfirmed"
    if price is not None:
        cost = format_money(Money(amount=price, currency=model.currency), "en")
    size = "" if model.size.kind == "none" else f" · {described(model.size)}"
    return f"{model.id:32} {actions:10} n {model.n_range[0]}–{model.n_range[1]} · {cost}{size}"


def _plain(value: Any) -> Any:
    """JSON values; no limit (inf) is null."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(_plain(one) for one in value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Decimal | Size):
        return str(value)
    return None if value == float("inf") else value
