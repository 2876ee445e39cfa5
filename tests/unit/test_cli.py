"""The command line offers what the tables hold, and says so in the reader's language."""

import errno

import click
import pytest
from click.testing import CliRunner

from adapters.terminal.decode import Line
from bot import cli_errors, terminal
from bot.cli import cli, main
from bot.cli_operations import LIMITS, _complete_file
from bot.exit_codes import ExitCode
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


def test_easel_alone_prints_its_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["easel"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == ExitCode.USAGE
    said = capsys.readouterr().err
    assert said.startswith("Usage: ")
    assert translate("cli.too_many", "en") not in said


WRONG = [
    (["drawx"], "cli.no_command", {"command": "drawx", "nearest": "draw"}),
    (["undo", "--nope"], "cli.no_option", {"option": "--nope"}),
    (["show"], "cli.missing", {"name": "STEP"}),
    (["draw"], "cli.missing", {"name": "WORDS"}),
    (["demo", "--port"], "cli.no_value", {"option": "--port"}),
    (["undo", "--json=1"], "cli.takes_no_value", {"option": "--json"}),
    (["undo", "it", "all"], "cli.too_many", {}),
    (["demo", "--port", "x"], "cli.bad_value_of", {"name": "--port"}),
    (["run", "--role", "x"], "cli.bad_value_of", {"name": "--role"}),
    (["simulate", "--seed", "x"], "cli.bad_value", {"name": "--seed"}),
    (["slack-manifest", "--socket", "--http", "u"], "cli.socket_or_http", {}),
    (["slack-manifest", "--http", "u"], "cli.http_address", {"address": "u"}),
    (["slack-manifest", "--many"], "cli.many_without_http", {}),
    (["pick", "9"], "refuse.no_such_picture", {"allowed": "6"}),
]


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize(("words", "key", "params"), WRONG)
def test_what_is_typed_wrongly_is_said_in_the_readers_language(
    words: list[str],
    key: str,
    params: dict[str, str],
    language: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EASEL_LOCALE", language)
    with pytest.raises(click.ClickException) as caught:
        cli.main(words, standalone_mode=False)
    said = cli_errors.explain(caught.value)
    sentence = translate(key, language, **{"allowed": "…", **params})
    before, _, after = sentence.partition("…")
    assert said.startswith(before)
    assert said.endswith(after)
    assert "--help" in cli_errors.hint(caught.value)


def test_an_unknown_option_is_answered_with_those_of_its_command() -> None:
    with pytest.raises(click.ClickException) as caught:
        cli.main(["undo", "--nope"], standalone_mode=False)
    said = cli_errors.explain(caught.value)
    assert "--out, --json, --time-scale" in said
    assert "--strength" not in said


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


@pytest.mark.parametrize("language", languages())
def test_help_shows_examples(language: str) -> None:
    for name in ("draw", "edit", "wanx"):
        examples = translate(f"example.{name}", language)
        assert " ".join(examples.split()) in help_of(name, language=language)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_one_command_teaches_a_shell_to_complete(shell: str) -> None:
    run = CliRunner().invoke(cli, ["completion", shell])
    assert run.exit_code == 0
    assert "_EASEL_COMPLETE" in run.output


def test_commands_options_and_files_are_completed() -> None:
    words = {"easel ed": "edit", "easel edit --se": "--seed"}
    for typed, completed in words.items():
        variables = {
            "_EASEL_COMPLETE": "bash_complete",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(len(typed.split()) - 1),
        }
        run = CliRunner(env=variables).invoke(cli, prog_name="easel")
        assert f"plain,{completed}" in run.output
    assert _complete_file(None, None, "ph")[0].type == "file"  # type: ignore[arg-type]


def test_a_full_disk_is_one_sentence_and_the_code_for_trying_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def is_full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(terminal, "_run", is_full)
    line = Line(action=Action.UNDO)
    assert terminal.run(line, {}) == ExitCode.GIVEN_UP
    assert capsys.readouterr().err.startswith("Storage is full")
