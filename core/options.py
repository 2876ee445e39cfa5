"""The one table of options: how each is typed, its values, and which operations know it.

The grammar, forms, Discord's typed options, the terminal's flags, help, the checks before a request
is taken and the image service's parameters are derived from it. The text of an option is
``option.NAME`` in the locale files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from core.operations import Action
from core.size import Size

MOST_PICTURES = 6
"""The most that one request can ask for; a model may make fewer."""
MAX_SEED = 2_147_483_647
MAX_SIDE = 8192
MAX_RATIO = 8
RATIO_NAMES = {
    "square": (1, 1),
    "portrait": (3, 4),
    "landscape": (4, 3),
    "wide": (16, 9),
    "tall": (9, 16),
}
SIDES = ("top", "bottom", "left", "right")
REGIONS = ("left", "right", "top", "bottom", "center")
"""The quick regions of a mask, in the order of their buttons' index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person chose, each within the table's range; None or False if they did not say.

    ``strength`` 0–1; ``scale`` 1–4; the four sides are factors 1.0–2.0; ``ratio`` is width :
    height; ``mask`` is a quick region.
    """

    n: int | None = None
    size: Size | None = None
    ratio: tuple[int, int] | None = None
    seed: int | None = None
    negative: str | None = None
    model: str | None = None
    raw: bool = False
    watermark: bool = False
    private: bool = False
    strength: float | None = None
    scale: int | None = None
    top: float | None = None
    bottom: float | None = None
    left: float | None = None
    right: float | None = None
    sketch: bool = False
    mask: str | None = None


class OptionKind(StrEnum):
    """What an option's value is."""

    WHOLE = "whole"
    DECIMAL = "decimal"
    FLAG = "flag"
    TEXT = "text"
    CHOICE = "choice"
    MODEL = "model"
    SIZE = "size"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionSpec:
    """One option.

    * ``field``: the attribute of Options, if it is not the name. ``aliases``: other spellings.
    * ``low`` and ``high`` bound a number. ``choices`` are the values of a CHOICE, ``synonyms``
      other words for them, ``labels`` the table of the locale files that names them.
    * ``actions``: the operations that offer it. ``exclusive``: every other one refuses it; without
      this the model decides.
    * ``default``: the value where a person says none and the service's own would not do.
      ``parameter``: the service's name for the value, "" if it is not passed on as it is.
    * ``suggestions``: values that a form or completion offers. ``in_form``, ``in_terminal``: it is
      offered there.
    """

    name: str
    kind: OptionKind
    actions: frozenset[Action]
    exclusive: bool = True
    field: str = ""
    aliases: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()
    synonyms: Mapping[str, str] | None = None
    labels: str = ""
    default: float | None = None
    parameter: str = ""
    suggestions: tuple[str, ...] = ()
    in_form: bool = True
    in_terminal: bool = True

    @property
    def attribute(self) -> str:
        """The attribute of Options that holds the value."""
        return self.field or self.name

    @property
    def is_flag(self) -> bool:
        """Is naming it enough?"""
        return self.kind is OptionKind.FLAG

    @property
    def allowed(self) -> str:
        """The legal values in a few characters, "" where there is nothing to say."""
        if self.kind in {OptionKind.WHOLE, OptionKind.DECIMAL}:
            return f"{self.low}–{self.high}"
        if self.kind is OptionKind.SIZE:
            return f"W*H ≤ {MAX_SIDE}*{MAX_SIDE}"
        if self.kind is OptionKind.RATIO:
            return f"1:{MAX_RATIO}–{MAX_RATIO}:1, {', '.join(RATIO_NAMES)}"
        return ", ".join(self.choices)

    @property
    def is_of_functions(self) -> bool:
        """Do only Wanx functions know it?"""
        return all(action.is_wanx for action in self.actions)

    def is_chosen(self, options: Options) -> bool:
        """Did the person choose a value? 0 is one."""
        value = self.value(options)
        return value is not None and value is not False

    def value(self, options: Options) -> Any:
        """What the person chose."""
        return getattr(options, self.attribute)


# Who offers an option.
_WANX = frozenset(action for action in Action if action.is_wanx)
_BY_WORDS = frozenset({Action.DRAW, Action.EDIT})
_ALL = _WANX | _BY_WORDS


def _side(name: str) -> OptionSpec:
    return OptionSpec(
        name=name,
        kind=OptionKind.DECIMAL,
        low=1.0,
        high=2.0,
        suggestions=("1.0", "1.25", "1.5", "1.75", "2.0"),
        actions=frozenset({Action.EXPAND}),
        parameter=f"{name}_scale",
    )


# The order is that of Discord's typed options, menus and help: what only some operations know
# first.
_TABLE = (
    OptionSpec(
        name="strength",
        kind=OptionKind.DECIMAL,
        low=0,
        high=1,
        suggestions=("0.2", "0.4", "0.5", "0.6", "0.8", "1"),
        actions=frozenset({Action.STYLE, Action.WANX_EDIT}),
        parameter="strength",
    ),
    OptionSpec(
        name="scale",
        kind=OptionKind.WHOLE,
        low=1,
        high=4,
        # The service's own default, 1, would enlarge nothing and still be billed.
        default=2,
        suggestions=("2", "3", "4"),
        actions=frozenset({Action.UPSCALE}),
        parameter="upscale_factor",
    ),
    OptionSpec(
        name="sketch",
        kind=OptionKind.FLAG,
        actions=frozenset({Action.SKETCH}),
        parameter="is_sketch",
    ),
    OptionSpec(
        name="mask",
        # A mask picture is no option: it is attached, or painted.
        kind=OptionKind.CHOICE,
        choices=REGIONS,
        synonyms={"centre": "center", "middle": "center"},
        labels="region",
        actions=frozenset({Action.INPAINT}),
    ),
    OptionSpec(
        name="size",
        kind=OptionKind.SIZE,
        actions=_BY_WORDS,
        exclusive=False,
        in_form=False,
    ),
    OptionSpec(
        name="ar",
        field="ratio",
        aliases=("aspect", "ratio"),
        kind=OptionKind.RATIO,
        suggestions=("1:1", "4:3", "3:4", "16:9", "9:16"),
        actions=_BY_WORDS | {Action.EXPAND},
        exclusive=False,
    ),
    *map(_side, SIDES),
    OptionSpec(
        name="n",
        kind=OptionKind.WHOLE,
        low=1,
        high=MOST_PICTURES,
        actions=_ALL,
    ),
    OptionSpec(
        name="seed",
        kind=OptionKind.WHOLE,
        low=0,
        high=MAX_SEED,
        actions=_ALL,
        in_form=False,
    ),
    OptionSpec(
        name="no",
        field="negative",
        aliases=("negative",),
        kind=OptionKind.TEXT,
        actions=_BY_WORDS,
        exclusive=False,
        in_form=False,
    ),
    OptionSpec(name="model", kind=OptionKind.MODEL, actions=_ALL),
    OptionSpec(
        name="raw",
        kind=OptionKind.FLAG,
        actions=_BY_WORDS,
        exclusive=False,
        in_form=False,
    ),
    OptionSpec(
        name="watermark",
        kind=OptionKind.FLAG,
        actions=_ALL,
        in_form=False,
    ),
    # A terminal has only one person.
    OptionSpec(
        name="private",
        kind=OptionKind.FLAG,
        actions=_ALL,
        in_terminal=False,
    ),
)
OPTIONS: Mapping[str, OptionSpec] = {row.name: row for row in _TABLE}
"""Every option by the name it is typed with."""
ALIASES: Mapping[str, str] = {
    alias: row.name for row in _TABLE for alias in row.aliases
}
# A row without its field, or a field without its row, would only be noticed when it is typed.
_FIELDS = {field.name for field in fields(Options)}
assert {row.attribute for row in _TABLE} == _FIELDS  # noqa: S101


def options_of(action: Action) -> tuple[OptionSpec, ...]:
    """Return the options an operation offers, in the order of menus."""
    return tuple(row for row in _TABLE if action in row.actions)


def override(options: Options, chosen: Options) -> Options:
    """Return the options with later choices in place of earlier ones."""
    later = {
        row.attribute: row.value(chosen)
        for row in _TABLE
        if row.is_chosen(chosen)
    }
    return replace(options, **later)


def with_defaults(action: Action, options: Options) -> Options:
    """Return the options of an operation, with defaults where a person chose nothing."""
    defaults: dict[str, Any] = {
        row.attribute: row.default
        for row in options_of(action)
        if row.default is not None and not row.is_chosen(options)
    }
    return replace(options, **defaults)


def service_parameters(options: Options) -> dict[str, Any]:
    """Return the values that the image service takes as they are, by its own names."""
    return {
        row.parameter: row.value(options)
        for row in _TABLE
        if row.parameter and row.is_chosen(options)
    }
