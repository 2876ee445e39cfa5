"""What a platform asks for in fields instead of a typed command: a modal or a dialog. Pure."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from core.catalog import Catalog
from core.i18n import translate
from core.models import Model
from core.operations import NEEDS_WORDS, Action, Takes, command_words
from core.option_texts import describe_option, describe_words, label_choice
from core.option_values import write_value
from core.options import OPTIONS, OptionKind, Options, OptionSpec, options_of
from core.types import Account, StepId

FUNCTION = "function"


class FieldKind(StrEnum):
    """How a field is filled in."""

    TEXT = "text"
    LINE = "line"
    CHOICE = "choice"
    CHOICES = "choices"
    FLAG = "flag"
    PICTURES = "pictures"
    MASK = "mask"
    CHANNEL = "channel"
    PEOPLE = "people"


MENUS = frozenset({OptionKind.CHOICE, OptionKind.MODEL, OptionKind.RATIO})
"""Kinds of options that are always chosen from a menu."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a field's values, and how it reads."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a form.

    ``name``: "prompt" is the text of the request, any other an option's name. ``value`` stands in
    it at first. ``limit``: the most characters, 0 if there is no limit. Left empty, it is not sent.
    """

    name: str
    kind: FieldKind
    label: str
    value: str = ""
    required: bool = False
    limit: int = 0
    choices: tuple[Choice, ...] = ()

    @property
    def chosen(self) -> list[str]:
        """The values that stand in a field of several."""
        return split_list(self.value)


def split_list(text: str) -> list[str]:
    """The parts of a list: people separate them by commas, spaces or both."""
    return text.replace(",", " ").split()


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What to ask before ``action``.

    ``target`` and ``index`` are the step and picture it will work on, if that is settled.
    ``typed``: options that were typed before it was opened, by name.
    """

    action: Action
    title: str
    submit: str
    fields: tuple[Field, ...]
    target: StepId | None = None
    index: int | None = None
    typed: Mapping[str, str] = dataclasses.field(default_factory=dict)


def operation_form(
    action: Action,
    catalog: Catalog,
    accounts: Sequence[Account],
    locale: str,
    *,
    prompt: str = "",
    target: StepId | None = None,
    index: int | None = None,
    pictures: bool = True,
) -> Form:
    """The form of an action that makes pictures. ``pictures``: offer to attach some."""
    # A rerun is an edit of the original.
    operation = Action.EDIT if action is Action.RERUN else action
    models = catalog.served_models(operation, accounts)
    fields = [_prompt_field(action, models, locale, prompt)]
    if pictures and target is None and operation is not Action.DRAW:
        fields.append(
            _file_field("pictures", FieldKind.PICTURES, "picture", locale)
        )
    for option in _options_in_order(operation):
        if option.name == "mask":
            fields.append(_mask_field(locale))
        fields.append(_option_field(option, operation, models, locale))
    return Form(
        action=action,
        title=translate(f"action.{action.value}", locale),
        submit=translate("form.submit", locale),
        fields=tuple(filter(_asks_something, fields)),
        target=target,
        index=index,
    )


def fill(
    form: Form,
    options: Options,
    names: Collection[str],
) -> tuple[Form, Options]:
    """The form with the named options in its fields, and the options that found no field."""
    fields: list[Field] = []
    typed: dict[str, str] = {}
    others = options
    for field in form.fields:
        option = OPTIONS.get(field.name) if field.name in names else None
        value = _value(option, options) if option else ""
        if option and value and _takes(field, value):
            fields.append(replace(field, value=value))
            typed[field.name] = value
            unset = {option.attribute: option.value(Options())}
            others = replace(others, **unset)
        else:
            fields.append(field)
    return replace(form, fields=tuple(fields), typed=typed), others


def _value(option: OptionSpec, options: Options) -> str:
    """As a field holds it: a tick is "true", a text has no quotes."""
    if not option.is_chosen(options):
        return ""
    value = option.value(options)
    if option.is_flag:
        return "true"
    return value if isinstance(value, str) else write_value(option, value)


def _takes(field: Field, value: str) -> bool:
    if field.kind is FieldKind.CHOICE:
        return value in {choice.value for choice in field.choices}
    return field.kind in {FieldKind.FLAG, FieldKind.LINE, FieldKind.TEXT}


def functions_form(locale: str, allowed: Collection[Action]) -> Form:
    """Which of the allowed Wanx functions? Options that only some of them know are left out."""
    choices = tuple(
        Choice(value=word, label=translate(f"action.{action.value}", locale))
        for word, action in command_words("wanx").items()
        if action in allowed
    )
    function = Field(
        name=FUNCTION,
        kind=FieldKind.CHOICE,
        label=translate("option.function.text", locale),
        required=True,
        choices=choices,
    )
    private = Field(
        name="private",
        kind=FieldKind.FLAG,
        label=describe_option(OPTIONS["private"], locale),
    )
    return Form(
        action=Action.STYLE,
        title=translate("form.functions", locale),
        submit=translate("form.submit", locale),
        fields=(
            function,
            _prompt_of_functions(locale),
            _file_field("pictures", FieldKind.PICTURES, "picture", locale),
            _mask_field(locale),
            private,
        ),
    )


def _prompt_of_functions(locale: str) -> Field:
    label = describe_words(Takes.INSTRUCTION, locale)
    return Field(name="prompt", kind=FieldKind.TEXT, label=label)


def _options_in_order(action: Action) -> list[OptionSpec]:
    """What only this function knows stands first."""
    options = [option for option in options_of(action) if option.in_form]
    # Sorting keeps the table's order among the rest.
    return sorted(options, key=lambda option: not option.is_of_functions)


def _asks_something(field: Field) -> bool:
    """A menu without choices does not: perhaps no model here makes several pictures."""
    return field.kind is not FieldKind.CHOICE or bool(field.choices)


def _prompt_field(
    action: Action,
    models: Sequence[Model],
    locale: str,
    prompt: str,
) -> Field:
    takes = Takes.PROMPT if action is Action.DRAW else Takes.INSTRUCTION
    return Field(
        name="prompt",
        kind=FieldKind.TEXT,
        label=describe_words(takes, locale),
        value=prompt,
        required=action in NEEDS_WORDS or action is Action.RERUN,
        limit=max((model.prompt_limit for model in models), default=0),
    )


def _option_field(
    option: OptionSpec,
    action: Action,
    models: Sequence[Model],
    locale: str,
) -> Field:
    choices = tuple(
        Choice(value=value, label=label_choice(option, value, locale))
        for value in _offered_values(option, action, models)
    )
    return Field(
        name=option.name,
        kind=_field_kind(option),
        label=describe_option(option, locale),
        choices=choices,
    )


def _field_kind(option: OptionSpec) -> FieldKind:
    if option.kind is OptionKind.FLAG:
        return FieldKind.FLAG
    is_menu = option.kind in MENUS or option.suggestions
    return (
        FieldKind.CHOICE if is_menu or option.name == "n" else FieldKind.LINE
    )


def _offered_values(
    option: OptionSpec,
    action: Action,
    models: Sequence[Model],
) -> Sequence[str]:
    """The values of a menu."""
    if option.kind is OptionKind.MODEL:
        return [model.id for model in models]
    if option.name == "n":
        most = max((model.n_range[1] for model in models), default=1)
        numbers = range(1, most + 1) if most > 1 else ()
        return [str(number) for number in numbers]
    if option.kind is OptionKind.RATIO:
        # An expansion reaches a ratio by its sides, whatever sizes the model takes.
        takes_ratio = action is Action.EXPAND or _take_sizes(models)
        return option.suggestions if takes_ratio else ()
    return option.choices or option.suggestions


def _take_sizes(models: Sequence[Model]) -> bool:
    return any(model.size.takes_size for model in models)


def _mask_field(locale: str) -> Field:
    return _file_field("mask_picture", FieldKind.MASK, "mask_picture", locale)


def _file_field(name: str, kind: FieldKind, text: str, locale: str) -> Field:
    return Field(
        name=name,
        kind=kind,
        label=translate(f"option.{text}.text", locale),
    )
