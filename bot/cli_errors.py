"""What was typed wrongly at the prompt, in the reader's language instead of Click's English."""

import click

from bot.cli_help import help_language
from core.i18n import translate
from core.option_values import nearest_word

Params = dict[str, object]


class WrongUsage(click.UsageError):
    """Wrong usage of our own finding: ``key`` of its message."""

    def __init__(self, key: str, **params: object) -> None:
        super().__init__(key)
        self.key = key
        self.params = params


def explain(error: click.ClickException) -> str:
    """Say what is wrong with the command line."""
    key = ""
    params: Params = {}
    match error:
        case WrongUsage():
            key = error.key
            params = error.params
        case click.NoSuchCommand():
            key = "cli.no_command"
            params = {
                "command": error.command_name,
                "nearest": _nearest_command(error),
            }
        case click.NoSuchOption():
            key = "cli.no_option"
            params = {
                "option": error.option_name,
                "allowed": _own_options(error),
            }
        case click.BadOptionUsage():
            key = _option_key(error)
            params = {"option": error.option_name}
        case click.BadParameter():
            key, params = _describe_parameter(error)
        case click.UsageError():
            # The mistake that Click has no class for: more arguments than the command takes.
            key = "cli.too_many"
    if not key:
        return error.format_message()
    return translate(key, help_language(), **params)


def hint(error: click.ClickException) -> str:
    """Where help is found."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "easel"
    return translate("cli.try", help_language(), command=f"{command} --help")


def _nearest_command(error: click.NoSuchCommand) -> str:
    names = [error.command_name]
    if isinstance(error.cmd, click.Group):
        names = list(error.cmd.commands)
    return nearest_word(error.command_name, names)


def _own_options(error: click.UsageError) -> list[str]:
    """The options of the command, each by its long name."""
    if error.cmd is None:
        return []
    return [
        max(parameter.opts, key=len)
        for parameter in error.cmd.params
        if isinstance(parameter, click.Option)
    ]


def _option_key(error: click.BadOptionUsage) -> str:
    # Click has one class for both mistakes, and only its message tells them apart.
    if "does not take" in error.message:
        return "cli.takes_no_value"
    return "cli.no_value"


def _describe_parameter(error: click.BadParameter) -> tuple[str, Params]:
    """The key of the message, and its values."""
    params: Params = {"name": _parameter_name(error)}
    if isinstance(error, click.MissingParameter):
        return "cli.missing", params
    allowed = _allowed_values(error.param)
    if not allowed:
        return "cli.bad_value", params
    return "cli.bad_value_of", {**params, "allowed": allowed}


def _allowed_values(parameter: click.Parameter | None) -> list[str]:
    """The values a parameter takes; nothing where they cannot be listed."""
    match parameter:
        case click.Parameter(type=click.Choice(choices=choices)):
            return [str(choice) for choice in choices]
        case click.Parameter(
            type=click.IntRange(min=low, max=high)
            | click.FloatRange(min=low, max=high)
        ):
            if high is None:
                return [f"≥ {low}"]
            return [f"{low}–{high}"]
    return []


def _parameter_name(error: click.BadParameter) -> str:
    """As it is typed: "--port", "STEP"."""
    if error.param is None:
        return ""
    if isinstance(error.param, click.Option):
        return max(error.param.opts, key=len)
    return error.param.human_readable_name.upper()
