"""The command line offers what the tables hold, and says so in the reader's language."""

import pytest
from click.testing import CliRunner

from bot.cli import cli
from bot.cli_operations import LIMITS
from bot.models import listing
from core import budgets
from core.i18n import translate
from core.languages import languages
from core.operations import COMMANDS, Action, command_text_key
from core.option_texts import describe_option
from core.options import OPTIONS


def help_of(*words: str, language: str = "en") -> str:
    """What --help prints, in one line."""
    run = CliRunner(env={"EASEL_LOCALE": language, "COLUMNS": "400"}).invoke(
        cli, [*words, "--help"], max_content_width=400
    )
    assert run.exit_code == 0, run.output
    return " ".join(run.output.split())


@pytest.mark.parametrize("language", languages())
def test_help_is_in_the_readers_language(language: str) -> None:
    assert translate("cli.easel", language) in help_of(language=language)
    assert translate("command.draw.text", language) in help_of(
        "draw", language=language
    )
    functions = help_of("wanx", language=language)
    for option in OPTIONS.values():
        is_described = describe_option(option, language) in functions
        assert is_described is option.in_terminal


def test_help_in_a_language_we_lack_is_in_english() -> None:
    assert help_of(language="xx") == help_of()


def test_every_command_of_the_table_is_at_the_prompt_unless_it_says_otherwise() -> (
    None
):
    listed = help_of()
    for action, command in COMMANDS.items():
        if command.name == "easel":
            text = translate(command_text_key(action), "en")[:30]
            assert (f"{command.word} {text}" in listed) is (
                command.terminal is not None
            )
    assert "NUMBER" in help_of("pick")
    assert COMMANDS[Action.PICK].needs_argument
    assert not COMMANDS[Action.CANCEL].needs_argument


def test_the_budgets_that_can_be_set_are_those_there_are() -> None:
    assert LIMITS == budgets.NAMES
    for name in LIMITS:
        assert f"--{name.replace('_', '-')}" in help_of("budget")


def test_a_model_that_makes_one_picture_is_listed_with_one_number() -> None:
    lines = listing(as_json=False).splitlines()
    (plus,) = [line for line in lines if line.startswith("qwen-image-plus ")]
    assert " n 1 · ¥0.20" in plus
    (edit,) = [
        line for line in lines if line.startswith("qwen-image-edit-plus ")
    ]
    assert " n 1–6 · ¥0.20" in edit
