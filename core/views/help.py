"""The help: what can be typed and reacted with, from the tables of operations and options."""

from itertools import groupby

from core.i18n import translate
from core.operations import (
    COMMANDS,
    OPERATIONS,
    STANDALONE,
    Command,
    ReactionSpec,
    Takes,
    command_text_key,
    command_words,
)
from core.option_texts import list_functions
from core.option_values import EXAMPLE_RATIO
from core.options import MOST_PICTURES, OPTIONS, OptionKind, OptionSpec


def help_lines(locale: str) -> str:
    """Everything one can ask for, in some ten lines."""
    return translate(
        "help.text",
        locale,
        commands="\n".join(_standalone_lines(locale)),
        functions=list(command_words("wanx")),
        words=_easel_words(locale),
        reactions=" · ".join(_reactions(locale)),
        options=" · ".join(_shared_options(locale)),
        function_options=" · ".join(_function_options(locale)),
    )


def _standalone_lines(locale: str) -> list[str]:
    return [
        translate(
            "help.command",
            locale,
            written=_written(COMMANDS[action], locale),
            text=translate(command_text_key(action), locale),
        )
        for action in STANDALONE.values()
    ]


def _written(command: Command, locale: str) -> str:
    if command.takes is Takes.NOTHING:
        return f"/{command.name}"
    argument = _metavar(command.takes.value, locale)
    return f"/{command.name} {argument}"


def _metavar(word: str, locale: str) -> str:
    """The placeholder of a value: PROMPT, ID …"""
    return translate(f"metavar.{word}", locale)


def _easel_words(locale: str) -> list[str]:
    commands = COMMANDS.values()
    return [
        _word(command, locale)
        for command in commands
        if command.name == "easel"
    ]


def _word(command: Command, locale: str) -> str:
    if not command.needs_argument:
        return command.word
    if command.takes is Takes.NUMBER:
        return f"{command.word} 1–{MOST_PICTURES}"
    argument = _metavar(command.takes.value, locale)
    return f"{command.word} {argument}"


def _reactions(locale: str) -> list[str]:
    specs = [row.reaction for row in OPERATIONS.values() if row.reaction]
    lines: list[str] = []
    for spec in specs:
        meaning = translate(f"reaction.{spec.word}", locale)
        lines.append(f"{_emoji(spec)} {meaning}")
    return lines


def _emoji(spec: ReactionSpec) -> str:
    """The first of a reaction's emoji; of a row of numbers the first and the last."""
    emoji = [spelling.split()[0] for spelling in spec.emoji]
    first = emoji[0]
    last = emoji[-1]
    return f"{first}–{last}" if len(emoji) > 2 else first


def _shared_options(locale: str) -> list[str]:
    """The options that are not for Wanx functions only."""
    options = [
        option for option in OPTIONS.values() if not option.is_of_functions
    ]
    return [f"--{option.name}{_values(option, locale)}" for option in options]


def _function_options(locale: str) -> list[str]:
    """The options that only some Wanx functions know, alike ones together."""
    # The four sides stand next to each other in the table, and so become one usage.
    options = [option for option in OPTIONS.values() if option.is_of_functions]

    def usage(option: OptionSpec) -> tuple[str, list[str]]:
        return _values(option, locale), list_functions(option)

    usages = []
    for (values, functions), alike in groupby(options, key=usage):
        params = {
            "names": [f"--{option.name}" for option in alike],
            "values": values,
            "functions": functions,
        }
        usages.append(translate("help.option", locale, **params))
    return usages


def _values(option: OptionSpec, locale: str) -> str:
    """What follows an option's name, with a space before it; nothing for a flag."""
    if option.is_flag:
        return ""
    if option.kind in {OptionKind.WHOLE, OptionKind.DECIMAL}:
        return f" {option.allowed}"
    if option.kind is OptionKind.RATIO:
        return f" {EXAMPLE_RATIO}"
    if option.kind is OptionKind.CHOICE and not option.labels:
        choices = "|".join(option.choices)
        return f" {choices}"
    argument = _metavar(option.labels or option.kind.value, locale)
    return f" {argument}"
