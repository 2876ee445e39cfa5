"""A provider's models and regions, as data: what models.toml says. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from core.model_sizes import SizeKind, SizeRule
from core.operations import Action
from core.size import PictureLimits, Size
from core.types import Account

Table = Mapping[str, Any]
"""A table of models.toml."""

LAST_RANK = 1000
"""Rank of a model whose table states none: every other model is chosen before it."""


class PromptUnit(StrEnum):
    """What the length of a prompt is counted in."""

    CHARACTERS = "characters"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitLimit:
    """So many submits in so many seconds."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model of a provider.

    ``like`` is the model whose table it takes the rest from. ``endpoint`` is the provider's own
    word for how it is called. ``is_sync``: the call itself answers with the result, leaving no task
    to find again. ``prices`` are in ``currency``, per region. ``running_limit`` None: unlimited or
    unknown. ``prompt_extend`` None: no such parameter.
    """

    id: str
    like: str | None
    provider: str
    source: str
    actions: frozenset[Action]
    endpoint: str
    is_sync: bool
    regions: tuple[str, ...]
    picture_range: tuple[int, int]
    n_range: tuple[int, int]
    send_n: bool
    prompt_limit: int
    prompt_unit: PromptUnit
    negative_limit: int | None
    size: SizeRule
    prompt_extend: bool | None
    watermark: bool
    pictures: PictureLimits
    submit_limit: SubmitLimit | None
    running_limit: int | None
    typical_seconds: float
    currency: str
    prices: Mapping[str, Decimal]
    unconfirmed: tuple[str, ...]
    rank: int

    def is_served_by(self, account: Account) -> bool:
        """Whether it can be used through this account."""
        return (
            account.provider == self.provider
            and account.region in self.regions
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Where a provider's accounts live. ``url`` is "" where each account has its own."""

    name: str
    provider: str
    url: str


def read_model(
    name: str,
    tables: Mapping[str, Table],
    defaults: Table,
) -> Model:
    """Read a model's table among its provider's. Raises KeyError or ValueError for a mistake."""
    table = {**defaults, **_inherit(name, tables)}
    if "price" in table and not table["currency"]:
        raise ValueError(f"{name} has a price in no currency")
    return Model(
        id=name,
        like=table.get("like"),
        provider=table["provider"],
        source=table["source"],
        actions=frozenset(map(Action, table["actions"])),
        endpoint=table["endpoint"],
        is_sync=table.get("sync", False),
        regions=tuple(table["regions"]),
        picture_range=(table["pictures"][0], table["pictures"][1]),
        n_range=(table["n"][0], table["n"][1]),
        send_n=table.get("send_n", True),
        prompt_limit=table["prompt"]["limit"],
        prompt_unit=PromptUnit(table["prompt"]["unit"]),
        negative_limit=table.get("negative"),
        size=_size_rule(table["size"]),
        prompt_extend=table.get("prompt_extend"),
        watermark=table.get("watermark", False),
        pictures=_picture_limits(table.get("input", {})),
        submit_limit=SubmitLimit(**table["submit"])
        if "submit" in table
        else None,
        running_limit=table.get("running") or None,
        typical_seconds=table["seconds"],
        currency=table["currency"] or "",
        prices={
            region: Decimal(price)
            for region, price in table.get("price", {}).items()
        },
        unconfirmed=tuple(table.get("unconfirmed", ())),
        rank=table.get("rank", LAST_RANK),
    )


def _inherit(
    name: str,
    tables: Mapping[str, Table],
) -> dict[str, Any]:
    """A model's table, with what it does not say from the model it is like."""
    own = dict(tables[name])
    parent = own.get("like")
    if not parent:
        return own
    inherited = _inherit(parent, tables)
    # With the same rank, a new model would take the place of the one that people draw with.
    inherited.pop("rank", None)
    return inherited | own


def _size_rule(table: Table) -> SizeRule:
    fields = dict(table)
    fields["kind"] = SizeKind(table["kind"])
    sizes = table.get("sizes", ())
    fields["sizes"] = tuple(_size(text) for text in sizes)
    if "default" in table:
        fields["default"] = _size(table["default"])
    return SizeRule(**fields)


def _size(text: str) -> Size:
    width, _, height = text.partition("*")
    return Size(width=int(width), height=int(height))


def _picture_limits(table: Table) -> PictureLimits:
    limits = dict(table)
    if "formats" in table:
        limits["formats"] = frozenset(table["formats"])
    return PictureLimits(**limits)
