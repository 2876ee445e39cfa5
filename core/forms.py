"""Forms.

What a platform asks for in fields instead of a typed command (a modal, a dialog), described once.
Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.catalog import ONLY_FOR, Catalog, Model
from core.i18n import translate
from core.operations import NEEDS_WORDS
from core.types import Account, Action

FUNCTION = "function"
RATIOS = ("1:1", "4:3", "3:4", "16:9", "9:16")
REGIONS = ("left", "right", "top", "bottom", "center")
SIDES = ("1.0", "1.25", "1.5", "1.75", "2.0")
STRENGTHS = ("0.2", "0.4", "0.5", "0.6", "0.8", "1")


class FieldKind(StrEnum):
    """How a field is filled in."""

    TEXT = "text"
    LINE = "line"
    CHOICE = "choice"
    FLAG = "flag"
    PICTURES = "pictures"
    MASK = "mask"
    CHANNEL = "channel"
    PEOPLE = "people"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a field's values, and how it reads."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """``name`` "prompt" is the text of the request, any other an option given by name.

    "" is never sent.
    """

    name: str
    kind: FieldKind
    label: str
    value: str = ""
    required: bool = False
    limit: int = 0
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What to ask before ``action``.

    ``target`` and ``index`` are the picture it will work on, if it is settled.
    """

    action: Action
    title: str
    submit: str
    fields: tuple[Field, ...]
    target: str | None = None
    index: int | None = None


def form(
    action: Action,
    catalog: Catalog,
    accounts: Sequence[Account],
    locale: str,
    *,
    prompt: str = "",
    target: str | None = None,
    index: int | None = None,
    pictures: bool = True,
) -> Form:
    """The form of an action that makes pictures. ``pictures``: offer to attach some."""
    edited = Action.EDIT if action is Action.RERUN else action
    models = [
        one
        for one in catalog.models.values()
        if edited in one.actions and any(map(one.is_served_by, accounts))
    ]
    wanted = edited is not Action.DRAW and pictures and target is None
    fields = [
        _prompt(action, models, locale, prompt),
        *(
            [_plain("pictures", FieldKind.PICTURES, "option.picture.text", locale)]
            if wanted
            else []
        ),
        *_own(edited, locale),
        *_shape(edited, models, locale),
        _number(models, locale),
        _choice(
            "model",
            [one.id for one in sorted(models, key=lambda one: one.rank)],
            locale,
        ),
        _flag("private", locale),
    ]
    return Form(
        action=action,
        title=translate(f"action.{action.value}", locale),
        submit=translate("form.submit", locale),
        fields=tuple(
            one for one in fields if one.kind is not FieldKind.CHOICE or one.choices
        ),
        target=target,
        index=index,
    )


def functions(locale: str) -> Form:
    """Which of the ten Wanx functions? What each alone knows stays at its default."""
    names = [action.value.removeprefix("wanx.") for action in Action if action.is_wanx]
    choices = tuple(
        Choice(value=name, label=translate(f"action.wanx.{name}", locale))
        for name in names
    )
    which = Field(
        name=FUNCTION,
        kind=FieldKind.CHOICE,
        label=translate("option.function.text", locale),
        required=True,
        choices=choices,
    )
    fields = (
        which,
        _plain("prompt", FieldKind.TEXT, "option.instruction.text", locale),
        _plain("pictures", FieldKind.PICTURES, "option.picture.text", locale),
        _plain("mask_picture", FieldKind.MASK, "option.mask_picture.text", locale),
        _flag("private", locale),
    )
    return Form(
        action=Action.STYLE,
        title=translate("form.functions", locale),
        submit=translate("form.submit", locale),
        fields=fields,
    )


def _prompt(action: Action, models: Sequence[Model], locale: str, prompt: str) -> Field:
    return Field(
        name="prompt",
        kind=FieldKind.TEXT,
        label=translate(
            "option.prompt.text"
            if action is Action.DRAW
            else "option.instruction.text",
            locale,
        ),
        value=prompt,
        required=action in {*NEEDS_WORDS, Action.AGAIN, Action.RERUN},
        limit=max((one.prompt_limit for one in models), default=0),
    )


def _own(action: Action, locale: str) -> list[Field]:
    """What only this function knows."""
    known = [name for name, actions in ONLY_FOR.items() if action in actions]
    fields: list[Field] = []
    if "mask" in known:
        fields.append(
            _plain("mask_picture", FieldKind.MASK, "option.mask_picture.text", locale)
        )
    values = {
        "mask": REGIONS,
        "strength": STRENGTHS,
        "scale": ("2", "3", "4"),
        **dict.fromkeys(SIDE_NAMES, SIDES),
    }
    fields += [
        _flag(name, locale) if name == "sketch" else _choice(name, values[name], locale)
        for name in known
    ]
    return fields


SIDE_NAMES = ("top", "bottom", "left", "right")


def _shape(action: Action, models: Sequence[Model], locale: str) -> list[Field]:
    has_shape = action is Action.EXPAND or any(
        one.size.kind != "none" for one in models
    )
    return [_choice("ar", RATIOS, locale)] if has_shape else []


def _number(models: Sequence[Model], locale: str) -> Field:
    most = max((one.n_range[1] for one in models), default=1)
    return _choice(
        "n", [str(n) for n in range(1, most + 1)] if most > 1 else [], locale
    )


def _choice(name: str, values: Sequence[str], locale: str) -> Field:
    def label(value: str) -> str:
        return translate(f"region.{value}", locale) if name == "mask" else value

    choices = tuple(Choice(value=value, label=label(value)) for value in values)
    return Field(
        name=name,
        kind=FieldKind.CHOICE,
        label=translate(f"option.{name}.text", locale),
        choices=choices,
    )


def _flag(name: str, locale: str) -> Field:
    return Field(
        name=name, kind=FieldKind.FLAG, label=translate(f"option.{name}.text", locale)
    )


def _plain(name: str, kind: FieldKind, key: str, locale: str) -> Field:
    return Field(name=name, kind=kind, label=translate(key, locale))
