"""Commands and options of the command line, with their help from the locale files.

The texts are read when help is shown and not before: other commands need not wait for them.
"""

import os
from collections.abc import Callable
from typing import Any

import click

from core.languages import DEFAULT, languages, sentences

Texts = Callable[[str], str]
"""Language → text."""


def say(key: str) -> Texts:
    """The text of a message key, without parameters."""
    # Not core.i18n: with what it imports, --help would take three times as long.
    return lambda language: str(sentences(language)[key])


def help_language() -> str:
    """The language of help: EASEL_LOCALE, of the environment only."""
    language = os.environ.get("EASEL_LOCALE", DEFAULT)
    if language not in languages():
        return DEFAULT
    return language


class LocalizedCommand(click.Command):
    """A command with help in the reader's language."""

    def __init__(
        self,
        *arguments: Any,
        say_help: Texts,
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self._say_help = say_help

    def get_short_help_str(self, limit: int = 45) -> str:
        """For the list of commands."""
        self.help = self._say_help(help_language())
        return super().get_short_help_str(limit)

    def format_help_text(
        self,
        ctx: click.Context,
        formatter: click.HelpFormatter,
    ) -> None:
        """For the command's own help."""
        self.help = self._say_help(help_language())
        super().format_help_text(ctx, formatter)

    def format_epilog(
        self,
        ctx: click.Context,  # noqa: ARG002  # click hands it over
        formatter: click.HelpFormatter,
    ) -> None:
        """The command's examples, if it has any."""
        texts = sentences(help_language())
        examples = texts.get(f"example.{self.name}")
        if examples is None:
            return
        with formatter.section(str(texts["cli.examples"])):
            for line in str(examples).splitlines():
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")


class LocalizedGroup(LocalizedCommand, click.Group):
    """A group of commands with help in the reader's language."""


class LocalizedOption(click.Option):
    """An option with help in the reader's language."""

    def __init__(
        self,
        *arguments: Any,
        say_help: Texts,
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self._say_help = say_help

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """For the list of a command's options."""
        self.help = self._say_help(help_language())
        return super().get_help_record(ctx)


def option(
    *names: str,
    say_help: Texts,
    **settings: Any,
) -> Callable[[Any], Any]:
    """Add an option to a command."""
    return click.option(
        *names,
        cls=LocalizedOption,
        say_help=say_help,
        **settings,
    )
