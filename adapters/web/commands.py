"""The commands and their options as the page offers them, in its reader's language."""

from typing import Any

from core.flow.context import Context
from core.i18n import translate
from core.operations import COMMANDS, Action, command_text_key
from core.option_texts import describe_option
from core.options import OptionKind, OptionSpec, options_of


def list_commands(context: Context, locale: str) -> list[dict[str, Any]]:
    """For completion and help."""
    return [_command(context, action, locale) for action in COMMANDS]


def _command(context: Context, action: Action, locale: str) -> dict[str, Any]:
    command = COMMANDS[action]
    options = options_of(action)
    return {
        "written": f"/{command.written}",
        "text": translate(command_text_key(action), locale),
        "takes": command.takes.value,
        "options": [
            _option(context, option, action, locale) for option in options
        ],
    }


def _option(
    context: Context,
    option: OptionSpec,
    action: Action,
    locale: str,
) -> dict[str, Any]:
    choices: list[str] = []
    if option.kind is OptionKind.MODEL:
        models = context.catalog.served_models(action, context.accounts)
        choices = [model.id for model in models]
    return {
        "name": option.name,
        "text": describe_option(option, locale),
        "allowed": option.allowed,
        "flag": option.is_flag,
        "choices": choices,
    }
