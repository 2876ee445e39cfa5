"""The terminal's commands, from the tables of operations and options."""

import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from bot.cli_help import LocalizedCommand, Texts, option, say
from core.operations import (
    COMMANDS,
    STANDALONE,
    Action,
    Command,
    command_text_key,
    command_words,
)
from core.options import OPTIONS, OptionSpec, options_of

LIMITS = ("person_day", "channel_month", "workspace_month")
"""The budgets that can be set. core.budgets has them, too, but help need not load it."""
Function = Callable[..., Any]


def add_commands(group: click.Group) -> None:
    """Add draw, edit, wanx, undo and all the others."""
    _add_functions_command(group)
    for action, command in COMMANDS.items():
        if command.terminal is None or command.name == "wanx":
            continue
        if action in STANDALONE.values() and action.makes_pictures:
            _add_words_command(group, action)
        else:
            _add_answered_command(group, action, command)


def _add_words_command(group: click.Group, action: Action) -> None:
    """A command that makes pictures from words, and perhaps from other pictures."""
    command = COMMANDS[action]

    def run(words: tuple[str, ...], **options: Any) -> None:
        from bot.terminal import run_words  # noqa: PLC0415

        sys.exit(run_words(action.value, words, options))

    run = _with_options(
        run,
        options_of(action),
        continues=command.pictures > 0,
    )
    words = click.argument(
        "words", nargs=-1, required=True, shell_complete=_complete_file
    )
    run = words(run)
    _add(group, command.name, run, say(command_text_key(action)))


def _add_functions_command(group: click.Group) -> None:
    """One command for all Wanx functions: it offers every option, and the function decides."""
    words = command_words("wanx")

    def run(function: str, words: tuple[str, ...], **options: Any) -> None:
        from bot.terminal import run_words  # noqa: PLC0415

        sys.exit(run_words(f"wanx.{function}", words, options))

    run = _with_options(run, OPTIONS.values(), continues=True)
    argument = click.argument("words", nargs=-1, shell_complete=_complete_file)
    run = argument(run)
    functions = click.Choice(list(words))
    run = click.argument("function", type=functions)(run)
    _add(group, "wanx", run, say("command.wanx.text"))


def _add_answered_command(
    group: click.Group,
    action: Action,
    command: Command,
) -> None:
    """A command that is answered without words: /easel undo is ``easel undo`` here."""

    def run(argument: str | None = None, **options: Any) -> None:
        from bot.terminal import run_answered  # noqa: PLC0415

        limits = {}
        for name in LIMITS:
            # Only budget has these options, and a person need not set them all.
            limit = options.pop(name, None)
            if limit is not None:
                limits[name] = limit
        sys.exit(run_answered(action, argument or "", options, limits))

    run = _with_pictures(run)
    if action is Action.BUDGET:
        run = _with_limits(run)
    if command.terminal:
        argument = click.argument(
            "argument",
            metavar=command.terminal,
            required=command.needs_argument,
        )
        run = argument(run)
    _add(
        group,
        command.word or command.name,
        run,
        say(command_text_key(action)),
    )


def _complete_file(
    _context: click.Context,
    _parameter: click.Parameter,
    typed: str,
) -> list[CompletionItem]:
    """Have the shell offer files: pictures may stand among the words."""
    return [CompletionItem(typed, type="file")]


def _add(
    group: click.Group,
    name: str,
    run: Function,
    say_help: Texts,
) -> None:
    group.command(name, cls=LocalizedCommand, say_help=say_help)(run)


def _with_pictures(run: Function) -> Function:
    """The options of every command with pictures in its answer."""
    decorators = [
        option(
            "--out",
            type=click.Path(path_type=Path),
            default=Path(),
            say_help=say("cli.out"),
        ),
        option("--json", "as_json", is_flag=True, say_help=say("cli.json")),
        option(
            "--time-scale",
            type=click.FloatRange(min=0),
            say_help=say("cli.time_scale"),
        ),
    ]
    return _decorate(run, decorators)


def _with_options(
    run: Function,
    options: Iterable[OptionSpec],
    *,
    continues: bool,
) -> Function:
    """The options of the table, handed to the grammar as they were typed."""
    decorators = [_option(spec) for spec in options if spec.in_terminal]
    if continues:
        from_step = option(
            "--from",
            "source",
            metavar="STEP",
            say_help=say("cli.from_step"),
        )
        decorators.append(from_step)
    return _decorate(_with_pictures(run), decorators)


def _with_limits(run: Function) -> Function:
    decorators = [
        option(
            f"--{name.replace('_', '-')}",
            name,
            say_help=say(f"cli.{name}"),
        )
        for name in LIMITS
    ]
    return _decorate(run, decorators)


def _option(spec: OptionSpec) -> Callable[[Any], Any]:
    names = [f"--{name}" for name in (spec.name, *spec.aliases)]
    # As in chat, one letter may follow one dash.
    if len(spec.name) == 1:
        names.append(f"-{spec.name}")
    # "False" would be more than silence: the value of an option could then be left out.
    is_flag = spec.is_flag or None
    say_help = partial(_describe, spec)
    return option(*names, spec.name, is_flag=is_flag, say_help=say_help)


def _describe(spec: OptionSpec, language: str) -> str:
    from core.i18n import translate  # noqa: PLC0415
    from core.option_texts import describe_option  # noqa: PLC0415

    text = describe_option(spec, language)
    if spec.name != "mask":
        return text
    # Only here is a mask picture given by the same option.
    return f"{text} {translate('cli.mask', language)}"


def _decorate(
    run: Function,
    decorators: Iterable[Callable[[Any], Any]],
) -> Function:
    for decorator in reversed(list(decorators)):
        run = decorator(run)
    return run
