"""All models as data, and what follows from them.

Which model a request goes to, its size, its price. Pure.
"""

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.errors import Rejected
from core.model_sizes import (
    is_legal,
    nearest_size,
    target_area,
)
from core.models import Model, PromptUnit, Region, read_model
from core.operations import NEEDS_WORDS, Action
from core.option_values import refuse_unknown
from core.options import OPTIONS, Options
from core.size import Size
from core.text import has_emoji, has_words
from core.types import Account, Money

DEFAULT_PROVIDER = "dashscope"
"""Provider of a model whose table names none."""


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
                regions[name] = Region(
                    name=name,
                    provider=provider,
                    url=table["url"],
                )
            for name in tables["models"]:
                _claim(name, models)
                models[name] = read_model(name, tables["models"], defaults)
        return cls(models=models, regions=regions)

    @property
    def currencies(self) -> list[str]:
        """Every currency that a model is paid in."""
        priced = [model for model in self.models.values() if model.currency]
        return sorted({model.currency for model in priced})

    def currencies_of(self, accounts: Sequence[Account]) -> list[str]:
        """Every currency that can be spent: what a model costs with one of the accounts."""
        spent = {
            model.currency
            for model in self.models.values()
            if any(_has_price(model, account) for account in accounts)
        }
        # Where no price is known, any budget refuses everything: it may be meant to.
        return sorted(spent) or self.currencies

    def models_for(self, action: Action) -> list[Model]:
        """Every model that can do an action."""
        return [
            model for model in self.models.values() if action in model.actions
        ]

    def served_models(
        self,
        action: Action,
        accounts: Sequence[Account],
    ) -> list[Model]:
        """Every model that can do an action and that an account reaches, the first choice first."""
        served = [
            model
            for model in self.models_for(action)
            if any(map(model.is_served_by, accounts))
        ]
        return sorted(served, key=lambda model: model.rank)

    def model(self, name: str, action: Action | None = None) -> Model:
        """The model of a name.

        Raises Rejected with the nearest name and all that there are, for the action if one is
        named.
        """
        if name in self.models:
            return self.models[name]
        models = self.models_for(action) if action else self.models.values()
        allowed = sorted(model.id for model in models)
        raise refuse_unknown(
            "catalog.model_unknown",
            "catalog.model_unknown_near",
            name,
            allowed,
        )

    def _named_model(self, name: str, action: Action) -> Model:
        model = self.model(name, action)
        if action not in model.actions:
            allowed = sorted(able.id for able in self.models_for(action))
            raise Rejected(
                "catalog.model_cannot",
                model=model.id,
                allowed=allowed,
            )
        return model

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
        models = self.models_for(action)
        if options.model is not None:
            models = [self._named_model(options.model, action)]
        # Each check refuses with what is allowed, so the most telling one comes first.
        models = _within_reach(models, action, accounts)
        models = _with_range(
            models,
            "catalog.pictures",
            lambda model: model.picture_range,
            pictures,
        )
        n = options.n or 1
        models = _with_range(
            models,
            "catalog.n",
            lambda model: model.n_range,
            n,
        )
        # A model that takes these options is preferred; if none does, the check of options says
        # why.
        fitting = [model for model in models if _fits(model, options)]
        best = min(
            fitting or models,
            key=lambda model: (model.rank, model.is_sync, model.id),
        )
        account = next(
            account for account in accounts if best.is_served_by(account)
        )
        return Choice(model=best, account=account)

    def check(
        self,
        model: Model,
        action: Action,
        prompt: str,
        options: Options,
    ) -> None:
        """Raises Rejected: an option that means nothing here, a prompt missing or too long.

        Nothing is ever cut.
        """
        check_options(model, action, options)
        check_prompt(model, action, prompt, options.negative)

    def size_for(
        self,
        model: Model,
        action: Action,
        options: Options,
        last_input: Size | None,
    ) -> Size | None:
        """The size to ask for, always explicit where the model takes one.

        Raises Rejected naming the nearest legal.
        """
        rule = model.size
        if not rule.takes_size:
            return None
        if options.size is not None:
            return _exact_size(model, options.size)
        area = target_area(rule, last_input)
        if options.ratio is not None:
            width, height = options.ratio
            return nearest_size(rule, width / height, area)
        if action is Action.DRAW or last_input is None:
            return rule.default
        return nearest_size(rule, last_input.ratio, area)

    def price(
        self,
        choice: Choice,
        n: int,
        _size: Size | None,
        _options: Options,
    ) -> Money | None:
        """For n pictures; None where the vendor's price is not confirmed."""
        each = choice.model.prices.get(choice.account.region)
        # An unconfirmed price is not guessed.
        if each is None:
            return None
        return Money(amount=each * n, currency=choice.model.currency)


def _has_price(model: Model, account: Account) -> bool:
    is_theirs = model.provider == account.provider
    return is_theirs and account.region in model.prices


def check_options(model: Model, action: Action, options: Options) -> None:
    """Raise Rejected for an option this action or model has no use for."""
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
    # An expansion reaches a ratio by its four sides.
    takes_ratio = model.size.takes_size or action is Action.EXPAND
    is_supported = {
        "no": model.negative_limit is not None,
        "watermark": model.watermark,
        "size": model.size.takes_size,
        "ar": takes_ratio,
    }
    for name, has_support in is_supported.items():
        if OPTIONS[name].is_chosen(options) and not has_support:
            raise Rejected(
                "catalog.option_unsupported",
                option=f"--{name}",
                model=model.id,
            )


def check_prompt(
    model: Model,
    action: Action,
    prompt: str,
    negative: str | None,
) -> None:
    """Raise Rejected for a prompt that is missing, or too long: with the count and the limit."""
    if action in NEEDS_WORDS and not is_sufficient_prompt(action, prompt):
        raise wordless(action)
    length = prompt_length(prompt, model.prompt_unit)
    if length > model.prompt_limit:
        raise Rejected(
            "catalog.prompt_long",
            length=length,
            limit=model.prompt_limit,
            model=model.id,
        )
    limit = model.negative_limit
    if negative and limit is not None and len(negative) > limit:
        raise Rejected(
            "catalog.negative_long",
            length=len(negative),
            limit=limit,
        )


def is_sufficient_prompt(action: Action, prompt: str) -> bool:
    """Words say what to do; an emoji alone says what to draw, and not how to edit."""
    if action is Action.DRAW and has_emoji(prompt):
        return True
    return has_words(prompt)


def wordless(action: Action) -> Rejected:
    """The refusal of a request that does not say what to draw, or what to change."""
    if action is Action.DRAW:
        return Rejected("catalog.prompt_empty")
    return Rejected("catalog.instruction_empty")


def prompt_length(prompt: str, unit: PromptUnit) -> int:
    """The length of a prompt in characters, or an over-estimate of it in tokens."""
    if unit is PromptUnit.CHARACTERS:
        return len(prompt)
    # A token is at least one character beyond ASCII, or three of ASCII.
    ascii_letters = sum(letter.isascii() for letter in prompt)
    return len(prompt) - ascii_letters + math.ceil(ascii_letters / 3)


def _within_reach(
    models: Sequence[Model],
    action: Action,
    accounts: Sequence[Account],
) -> list[Model]:
    reached = [
        model for model in models if any(map(model.is_served_by, accounts))
    ]
    if not reached:
        regions = sorted(
            {region for model in models for region in model.regions}
        )
        raise Rejected(
            "catalog.elsewhere",
            action=action.value,
            allowed=regions,
        )
    return reached


def _with_range(
    models: Sequence[Model],
    key: str,
    range_of: Callable[[Model], tuple[int, int]],
    count: int,
) -> list[Model]:
    """The models with a range that holds the count. Raises Rejected naming the widest range."""
    fitting: list[Model] = []
    for model in models:
        least, most = range_of(model)
        if least <= count <= most:
            fitting.append(model)
    if fitting:
        return fitting
    low = min(range_of(model)[0] for model in models)
    high = max(range_of(model)[1] for model in models)
    extent = str(high)
    if low < high:
        extent = f"{low}–{high}"
    raise Rejected(key, given=count, low=low, high=high, range=extent)


def _fits(model: Model, options: Options) -> bool:
    """Would it take these options? Used to prefer one model over another, not to refuse."""
    if options.negative is not None and model.negative_limit is None:
        return False
    if options.size is not None:
        return model.size.takes_size and is_legal(model.size, options.size)
    return options.ratio is None or model.size.takes_size


def _exact_size(model: Model, size: Size) -> Size:
    if is_legal(model.size, size):
        return size
    nearest = nearest_size(model.size, size.ratio, size.area)
    raise Rejected(
        "catalog.size",
        model=model.id,
        size=str(size),
        nearest=str(nearest),
        allowed=model.size.describe(),
    )


def _claim(name: str, taken: Mapping[str, object]) -> None:
    """Raise ValueError for a name that is used twice."""
    # Stored steps hold only the name of a model and of an account: it has to mean one thing.
    if name in taken:
        raise ValueError(f"{name} stands in the catalogue twice")
