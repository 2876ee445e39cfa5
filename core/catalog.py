"""All models as data, and what follows from them.

Which model a request goes to, its size, its price. Pure.
"""

import difflib
import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from core.errors import Rejected
from core.operations import NEEDS_WORDS
from core.options import OPTIONS, SIDES
from core.types import Account, Action, Money, Options, PictureLimits, Size

DEFAULT_PROVIDER = "dashscope"
"""Of a model whose table names none."""
EDIT_AREA = 1024 * 1024
"""A smaller input is brought up to this area in pixels: what the service itself would
choose."""
EXPAND_FACTOR = 1.5
"""All four sides, when a person names none."""


class SizeKind(StrEnum):
    """How a model limits its sizes: it takes none, those of a list, an area, or both sides."""

    NONE = "none"
    LIST = "list"
    AREA = "area"
    SIDES = "sides"


class PromptUnit(StrEnum):
    """What the length of a prompt is counted in."""

    CHARACTERS = "characters"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRule:
    """The sizes a model makes. ``min`` and ``max`` in pixels of area or of a side, by ``kind``."""

    kind: SizeKind
    sizes: tuple[Size, ...] = ()
    min: int = 0
    max: int = 0
    max_ratio: float = math.inf
    default: Size | None = None
    multiple: int = 16


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
        """Can it be asked for through this account?"""
        return account.provider == self.provider and account.region in self.regions


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Where a provider's accounts live. ``url``: base address, "" where each account has its own."""

    name: str
    provider: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The model a request goes to, and through which account."""

    model: Model
    account: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Every model and region by name."""

    models: Mapping[str, Model]
    regions: Mapping[str, Region]

    @classmethod
    def load(cls, *texts: str) -> "Catalog":
        """Read the providers' models.toml files.

        Raises KeyError or ValueError for a mistake, such as a name that two of them use.
        """
        models: dict[str, Model] = {}
        regions: dict[str, Region] = {}
        for text in texts:
            tables = tomllib.loads(text)
            defaults = {
                "provider": tables.get("provider", DEFAULT_PROVIDER),
                "currency": tables.get("currency"),
            }
            for name, table in tables["regions"].items():
                _claim(name, regions)
                provider = table.get("provider", defaults["provider"])
                regions[name] = Region(name=name, provider=provider, url=table["url"])
            for name in tables["models"]:
                _claim(name, models)
                table = {**defaults, **_inherited(name, tables["models"])}
                models[name] = _model(name, table)
        return cls(models=models, regions=regions)

    def model(self, name: str, action: Action | None = None) -> Model:
        """Raises Rejected with the nearest name and all that there are, for the action if one is given."""
        if name not in self.models:
            allowed = sorted(
                one.id
                for one in self.models.values()
                if action is None or action in one.actions
            )
            nearest = difflib.get_close_matches(name, allowed, n=1, cutoff=0)[0]
            raise Rejected(
                "catalog.model_unknown",
                model=name[:60],
                nearest=nearest,
                allowed=allowed,
            )
        return self.models[name]

    def choose(
        self,
        action: Action,
        pictures: int,
        options: Options,
        accounts: Sequence[Account],
    ) -> Choice:
        """The model for a request, and the first of the accounts that serves it.

        Raises Rejected with what is allowed when none will do.
        """
        able = [one for one in self.models.values() if action in one.actions]
        if options.model is not None:
            named = self.model(options.model, action)
            if action not in named.actions:
                raise Rejected(
                    "catalog.model_cannot",
                    model=named.id,
                    allowed=sorted(one.id for one in able),
                )
            able = [named]
        able = _within_reach(able, action, accounts)
        able = _taking(
            able, pictures, "catalog.pictures", lambda one: one.picture_range
        )
        able = _taking(able, options.n or 1, "catalog.n", lambda one: one.n_range)
        fitting = [one for one in able if _takes(one, options)] or able
        best = min(fitting, key=lambda one: (one.rank, one.is_sync, one.id))
        return Choice(
            model=best,
            account=next(one for one in accounts if best.is_served_by(one)),
        )

    def check(
        self, model: Model, action: Action, prompt: str, options: Options
    ) -> None:
        """Raises Rejected: an option that means nothing here, a prompt missing or too long.

        Nothing is ever cut.
        """
        check_options(model, action, options)
        check_prompt(model, action, prompt, options.negative)

    def size_for(
        self, model: Model, action: Action, options: Options, last_input: Size | None
    ) -> Size | None:
        """The size to ask for, always explicit where the model takes one.

        Raises Rejected naming the nearest legal.
        """
        rule = model.size
        if rule.kind == SizeKind.NONE:
            return None
        if options.size is not None:
            return _exact(model, options.size)
        if options.ratio is not None:
            return nearest_size(
                rule, options.ratio[0] / options.ratio[1], _area(rule, last_input)
            )
        if action is Action.DRAW or last_input is None:
            return rule.default
        return nearest_size(
            rule, last_input.width / last_input.height, _area(rule, last_input)
        )

    def price(
        self, choice: Choice, n: int, _size: Size | None, _options: Options
    ) -> Money | None:
        """For n pictures; None where the vendor's price is not confirmed."""
        each = choice.model.prices.get(choice.account.region)
        if each is None:
            return None
        return Money(amount=each * n, currency=choice.model.currency)


def check_options(model: Model, action: Action, options: Options) -> None:
    """Raises Rejected for an option this action or model has no use for."""
    for option in OPTIONS.values():
        is_misplaced = option.exclusive and action not in option.actions
        if is_misplaced and option.is_chosen(options):
            raise Rejected(
                "catalog.option_for",
                option=f"--{option.name}",
                allowed=sorted(action.value for action in option.actions),
            )
    if options.size is not None and options.ratio is not None:
        raise Rejected("catalog.size_and_ratio")
    unsupported = {
        "no": options.negative is not None and model.negative_limit is None,
        "watermark": options.watermark and not model.watermark,
        "size": options.size is not None and model.size.kind == SizeKind.NONE,
        "ar": options.ratio is not None
        and model.size.kind == SizeKind.NONE
        and action is not Action.EXPAND,
    }
    for name, is_wrong in unsupported.items():
        if is_wrong:
            raise Rejected(
                "catalog.option_unsupported", option=f"--{name}", model=model.id
            )


def check_prompt(
    model: Model, action: Action, prompt: str, negative: str | None
) -> None:
    """Raises Rejected with the count and the limit."""
    if not any(letter.isalnum() for letter in prompt) and action in NEEDS_WORDS:
        raise wordless(action)
    length = prompt_length(prompt, model.prompt_unit)
    if length > model.prompt_limit:
        raise Rejected(
            "catalog.prompt_long",
            length=length,
            limit=model.prompt_limit,
            model=model.id,
        )
    if (
        negative
        and model.negative_limit is not None
        and len(negative) > model.negative_limit
    ):
        raise Rejected(
            "catalog.negative_long", length=len(negative), limit=model.negative_limit
        )


def wordless(action: Action) -> Rejected:
    """What to draw, or what to change, was not said."""
    return Rejected(
        "catalog.prompt_empty" if action is Action.DRAW else "catalog.instruction_empty"
    )


def prompt_length(prompt: str, unit: PromptUnit) -> int:
    """Characters; or tokens, over-estimated.

    One for each character beyond ASCII, one for three ASCII characters.
    """
    if unit is PromptUnit.CHARACTERS:
        return len(prompt)
    plain = sum(letter.isascii() for letter in prompt)
    return len(prompt) - plain + math.ceil(plain / 3)


def sides_for(options: Options, size: Size) -> Options:
    """The four factors of an expansion.

    As given, or those that reach the wished ratio, or 1.5 all round.

    A factor f on both opposite sides makes that length f times as long. Raises
    Rejected when 2.0 is not enough.
    """
    given: dict[str, Any] = {side: getattr(options, side) or 1.0 for side in SIDES}
    if any(getattr(options, side) is not None for side in SIDES):
        return replace(options, **given)
    if options.ratio is None:
        return replace(
            options,
            top=EXPAND_FACTOR,
            bottom=EXPAND_FACTOR,
            left=EXPAND_FACTOR,
            right=EXPAND_FACTOR,
        )
    wished, has = options.ratio[0] / options.ratio[1], size.width / size.height
    across, up = max(wished / has, 1.0), max(has / wished, 1.0)
    if max(across, up) > 2:
        raise Rejected(
            "catalog.expand_ratio",
            ratio=f"{options.ratio[0]}:{options.ratio[1]}",
            size=str(size),
        )
    return replace(options, left=across, right=across, top=up, bottom=up)


def nearest_size(rule: SizeRule, ratio: float, area: float) -> Size:
    """The legal size nearest to a ratio (width / height) and an area in pixels."""
    if rule.kind == SizeKind.LIST:
        return min(
            rule.sizes, key=lambda one: abs(math.log(one.width / one.height / ratio))
        )
    if rule.kind == SizeKind.SIDES:
        limit = rule.max / rule.min
        ratio = min(max(ratio, 1 / limit), limit)
        width = _clamp(
            math.sqrt(area * ratio),
            rule.min * max(1.0, ratio),
            rule.max * min(1.0, ratio),
        )
        return Size(width=_rounded(width, rule), height=_rounded(width / ratio, rule))
    # Rounding to multiples may move the ratio by up to a twentieth: stay that far inside the limit.
    limit = rule.max_ratio * 0.95
    ratio = min(max(ratio, 1 / limit), limit)
    return _inside_area(rule, ratio, _clamp(area, rule.min, rule.max))


def is_legal(rule: SizeRule, size: Size) -> bool:
    """Would the service take this size?"""
    if rule.kind == SizeKind.LIST:
        return size in rule.sizes
    if rule.kind == SizeKind.SIDES:
        return (
            rule.min <= min(size.width, size.height)
            and max(size.width, size.height) <= rule.max
        )
    ratio = max(size.width / size.height, size.height / size.width)
    return rule.min <= size.area <= rule.max and ratio <= rule.max_ratio


def _within_reach(
    able: Sequence[Model], action: Action, accounts: Sequence[Account]
) -> list[Model]:
    reached = [
        model for model in able if any(model.is_served_by(one) for one in accounts)
    ]
    if not reached:
        allowed = sorted({region for one in able for region in one.regions})
        raise Rejected("catalog.elsewhere", action=action.value, allowed=allowed)
    return reached


def _taking(
    able: Sequence[Model],
    count: int,
    key: str,
    range_of: Callable[[Model], tuple[int, int]],
) -> list[Model]:
    """Those whose range holds the count; none: the refusal names the widest range."""
    taking = [one for one in able if range_of(one)[0] <= count <= range_of(one)[1]]
    if not taking:
        low, high = (
            min(range_of(one)[0] for one in able),
            max(range_of(one)[1] for one in able),
        )
        extent = f"{low}–{high}" if low < high else f"{high}"
        raise Rejected(key, given=count, low=low, high=high, range=extent)
    return taking


def _takes(model: Model, options: Options) -> bool:
    """Would it take these options? Used to prefer one model over another, not to refuse."""
    size_fits = options.size is None or (
        model.size.kind != SizeKind.NONE and is_legal(model.size, options.size)
    )
    ratio_fits = options.ratio is None or model.size.kind != SizeKind.NONE
    negative_fits = options.negative is None or model.negative_limit is not None
    return size_fits and ratio_fits and negative_fits


def _exact(model: Model, size: Size) -> Size:
    if not is_legal(model.size, size):
        nearest = nearest_size(model.size, size.width / size.height, size.area)
        raise Rejected(
            "catalog.size",
            model=model.id,
            size=str(size),
            nearest=str(nearest),
            allowed=described(model.size),
        )
    return size


def described(rule: SizeRule) -> str:
    """The rule in figures, for a refusal."""
    if rule.kind == SizeKind.LIST:
        return ", ".join(str(one) for one in rule.sizes)
    if rule.kind == SizeKind.SIDES:
        return f"{rule.min}–{rule.max} px"
    return f"{rule.min}–{rule.max} px²"


def _area(rule: SizeRule, last_input: Size | None) -> float:
    if last_input is not None:
        return max(last_input.area, EDIT_AREA)
    return rule.default.area if rule.default else EDIT_AREA


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _rounded(side: float, rule: SizeRule) -> int:
    return int(_clamp(round(side / rule.multiple) * rule.multiple, rule.min, rule.max))


def _inside_area(rule: SizeRule, ratio: float, area: float) -> Size:
    """Multiples of 16 near the ratio, stepped until the area is legal."""
    step = rule.multiple
    width = max(step, round(math.sqrt(area * ratio) / step) * step)
    while True:
        size = Size(width=width, height=max(step, round(width / ratio / step) * step))
        if rule.min <= size.area <= rule.max:
            return size
        width += step if size.area < rule.min else -step


def _claim(name: str, taken: Mapping[str, object]) -> None:
    """A name stands for one model, or one region, of one provider: stored steps hold no more."""
    if name in taken:
        raise ValueError(f"{name} stands in the catalogue twice")


def _model(name: str, table: Mapping[str, Any]) -> Model:
    if "price" in table and not table["currency"]:
        raise ValueError(f"{name} has a price in no currency")
    return Model(
        id=name,
        like=table.get("like"),
        provider=table["provider"],
        source=table["source"],
        actions=frozenset(Action(one) for one in table["actions"]),
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
        submit_limit=SubmitLimit(**table["submit"]) if "submit" in table else None,
        running_limit=table.get("running") or None,
        typical_seconds=table["seconds"],
        currency=table["currency"] or "",
        prices={
            region: Decimal(price) for region, price in table.get("price", {}).items()
        },
        unconfirmed=tuple(table.get("unconfirmed", ())),
        rank=table["rank"],
    )


def _inherited(name: str, tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    own = dict(tables[name])
    parent = own.get("like")
    return {**_inherited(parent, tables), **own} if parent else own


def _size_rule(table: Mapping[str, Any]) -> SizeRule:
    fields = dict(table)
    fields["kind"] = SizeKind(table["kind"])
    fields["sizes"] = tuple(_size(text) for text in table.get("sizes", ()))
    if "default" in table:
        fields["default"] = _size(table["default"])
    return SizeRule(**fields)


def _size(text: str) -> Size:
    width, _, height = text.partition("*")
    return Size(width=int(width), height=int(height))


def _picture_limits(table: Mapping[str, Any]) -> PictureLimits:
    return PictureLimits(
        **{**table, "formats": frozenset(table.get("formats", ("jpeg", "png", "webp")))}
    )
