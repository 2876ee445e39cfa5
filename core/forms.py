"""Forms.

What a platform asks for in fields instead of a typed command (a modal, a dialog), described once.
Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.catalog import Catalog, Model
from core.i18n import translate
from core.operations import NEEDS_WORDS
from core.option_texts import describe_option, label_choice
from core.options import OPTIONS, OptionKind, OptionSpec, options_of
from core.types import Account, Action

FUNCTION = "function"


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


FIELD_KINDS = {
    OptionKind.FLAG: FieldKind.FLAG,
    OptionKind.TEXT: FieldKind.LINE,
    OptionKind.SIZE: FieldKind.LINE,
}
"""How an option is filled in, if not by choosing from a menu."""


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
    # A rerun is an edit of the original.
    worked = Action.EDIT if action is Action.RERUN else action
    models = [
        model
        for model in catalog.models.values()
        if worked in model.actions and any(map(model.is_served_by, accounts))
    ]
    fields = [_prompt(action, models, locale, prompt)]
    if worked is not Action.DRAW and pictures and target is None:
        fields.append(_plain("pictures", FieldKind.PICTURES, "picture", locale))
    options = [option for option in options_of(worked) if option.in_form]
    # What only this function knows stands first.
    for option in sorted(options, key=lambda option: not option.is_of_functions):
        if option.name == "mask":
            fields.append(
                _plain("mask_picture", FieldKind.MASK, "mask_picture", locale)
            )
        fields.append(_option_field(option, worked, models, locale))
    return Form(
        action=action,
        title=translate(f"action.{action.value}", locale),
        submit=translate("form.submit", locale),
        fields=tuple(
            field
            for field in fields
            if field.kind is not FieldKind.CHOICE or field.choices
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
        _plain("prompt", FieldKind.TEXT, "instruction", locale),
        _plain("pictures", FieldKind.PICTURES, "picture", locale),
        _plain("mask_picture", FieldKind.MASK, "mask_picture", locale),
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
        required=action in NEEDS_WORDS or action is Action.RERUN,
        limit=max((one.prompt_limit for one in models), default=0),
    )


def _option_field(
    option: OptionSpec, action: Action, models: Sequence[Model], locale: str
) -> Field:
    choices = tuple(
        Choice(value=value, label=label_choice(option, value, locale))
        for value in _offered_values(option, action, models)
    )
    is_number = option.kind in {OptionKind.WHOLE, OptionKind.DECIMAL}
    if is_number and not option.suggestions and option.name != "n":
        kind = FieldKind.LINE
    else:
        kind = FIELD_KINDS.get(option.kind, FieldKind.CHOICE)
    return Field(
        name=option.name,
        kind=kind,
        label=describe_option(option, locale),
        choices=choices,
    )


def _offered_values(
    option: OptionSpec, action: Action, models: Sequence[Model]
) -> Sequence[str]:
    """The values of a menu. With none the field is left out."""
    if option.kind is OptionKind.MODEL:
        return [model.id for model in sorted(models, key=lambda model: model.rank)]
    if option.kind is OptionKind.RATIO:
        has_shape = any(model.size.takes_size for model in models)
        return option.suggestions if has_shape or action is Action.EXPAND else ()
    if option.name == "n":
        most = max((model.n_range[1] for model in models), default=1)
        return [str(n) for n in range(1, most + 1)] if most > 1 else ()
    return option.choices or option.suggestions


def _flag(name: str, locale: str) -> Field:
    label = describe_option(OPTIONS[name], locale)
    return Field(name=name, kind=FieldKind.FLAG, label=label)


def _plain(name: str, kind: FieldKind, text: str, locale: str) -> Field:
    return Field(name=name, kind=kind, label=translate(f"option.{text}.text", locale))
