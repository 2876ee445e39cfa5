"""The texts of an option, in the reader's language."""

from core.i18n import translate
from core.operations import Action, Takes
from core.options import OPTIONS, OptionSpec


def describe_option(option: OptionSpec, locale: str) -> str:
    """What it is for, with its legal values and the functions that know it."""
    return translate(
        f"option.{option.name}.text",
        locale,
        allowed=option.choices or option.allowed,
        functions=list_functions(option),
    )


def describe_words(takes: Takes, locale: str) -> str:
    """What the words behind a command are for."""
    # Only the number of a picture has a range.
    allowed = OPTIONS["n"].allowed
    return translate(f"option.{takes.value}.text", locale, allowed=allowed)


def label_choice(option: OptionSpec, value: str, locale: str) -> str:
    """How one of an option's values reads in a menu."""
    return (
        translate(f"{option.labels}.{value}", locale)
        if option.labels
        else value
    )


def list_functions(option: OptionSpec) -> list[str]:
    """The Wanx functions that know it, as they are typed."""
    return [
        action.value.removeprefix("wanx.")
        for action in Action
        if action in option.actions
    ]
