"""``easel models``: the catalogue for people and for programs."""

import dataclasses
import json
from decimal import Decimal
from typing import Any

from bot.providers import load_catalog
from core.catalog import Catalog
from core.i18n import format_money
from core.models import Model
from core.size import Size
from core.types import Money


def listing(*, as_json: bool) -> str:
    """List every model: a line each, or everything the catalogue knows as a JSON object."""
    catalog = load_catalog()
    if as_json:
        return json.dumps(
            _catalog_to_json(catalog),
            ensure_ascii=False,
            indent=1,
        )
    ordered = sorted(
        catalog.models.values(), key=lambda model: (model.rank, model.id)
    )
    return "\n".join(_line(model) for model in ordered)


def _catalog_to_json(catalog: Catalog) -> dict[str, Any]:
    models = {
        name: _to_json(dataclasses.asdict(model))
        for name, model in catalog.models.items()
    }
    regions = {
        name: _to_json(dataclasses.asdict(region))
        for name, region in catalog.regions.items()
    }
    return {"models": models, "regions": regions}


def _line(model: Model) -> str:
    words = {
        "wanx" if action.is_wanx else action.value for action in model.actions
    }
    actions = ", ".join(sorted(words))
    price = next(iter(model.prices.values()), None)
    cost = "price unconfirmed"
    if price is not None:
        money = Money(amount=price, currency=model.currency)
        cost = format_money(money, "en")
    least, most = model.n_range
    count = f"{least}–{most}"
    if least == most:
        count = str(most)
    facts = [f"{model.id:32} {actions:10} n {count}", cost]
    if model.size.takes_size:
        facts.append(model.size.describe())
    return " · ".join(facts)


def _to_json(value: Any) -> Any:
    """JSON has no sets, decimals or infinity: those become lists, text and null."""
    if isinstance(value, dict):
        return {str(name): _to_json(entry) for name, entry in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(_to_json(entry) for entry in value)
    if isinstance(value, list | tuple):
        return [_to_json(entry) for entry in value]
    if isinstance(value, Decimal | Size):
        return str(value)
    if value == float("inf"):
        return None
    return value
