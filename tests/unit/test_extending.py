"""One row in a table is all a new operation or option needs: here is one of each.

The sources are copied and changed as CONTRIBUTING.md says; what comes of it is asked of a process
that runs the copy.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LANGUAGES = ("en", "zh-CN", "zh-TW", "id")


@dataclass(frozen=True)
class Sources:
    """A copy of the sources."""

    folder: Path

    def insert(self, path: str, before: str, text: str) -> None:
        """Put lines before a line that stands there once."""
        source = (self.folder / path).read_text()
        assert source.count(before) == 1, (path, before)
        (self.folder / path).write_text(source.replace(before, text + before))

    def translate(self, area: str, line: str) -> None:
        """Add a text to every language."""
        for language in LANGUAGES:
            path = f"core/locales/{language}.toml"
            self.insert(path, f"\n[{area}]\n", "")
            source = (self.folder / path).read_text()
            source = source.replace(f"\n[{area}]\n", f"\n[{area}]\n{line}\n")
            (self.folder / path).write_text(source)

    def run(self, program: str) -> subprocess.CompletedProcess[str]:
        """Run a program on the copy."""
        return subprocess.run(
            [sys.executable, "-c", program],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def ask(self, *programs: str) -> list[Any]:
        """What each program prints on the copy, as JSON; all run in one process."""
        process = self.run("".join(programs))
        assert process.returncode == 0, process.stderr
        return [json.loads(line) for line in process.stdout.splitlines()]


def copy_sources(folder: Path) -> Sources:
    for name in ("core", "adapters", "bot"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    return Sources(folder)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a copy with both kinds of new rows says of itself."""
    sources = copy_sources(tmp_path_factory.mktemp("extended"))
    add_operation(sources)
    add_answers(sources)
    add_option(sources)
    operation, option = sources.ask(OPERATION_REPORT, OPTION_REPORT)
    return {"operation": operation, "option": option}


ACTIONS = """    PRAISE = "praise"
    TOUR = "tour"
"""
ROWS = """    Operation(
        action=Action.PRAISE,
        command=_easel("praise"),
        buttons=(ButtonSpec(kind=ButtonKind.PRAISE, more=105),),
        reaction=ReactionSpec(word="praise", emoji=("👏 clap",)),
        reads_only=True,
    ),
    Operation(action=Action.TOUR, command=Command(name="tour"), reads_only=True),
"""
ANSWER = '''async def praise(_context: Context, request: Request) -> Post:
    """Say something kind."""
    return steps.note_post("command.praise.text", request.locale)


'''
HANDLERS = (
    "    Action.PRAISE: queries.praise,\n    Action.TOUR: queries.praise,\n"
)
OPERATION_REPORT = """
import asyncio, json
import click
from adapters.discord.commands import registry
from adapters.slack.manifest import manifest
from bot.cli import cli
from core import button_ids, emoji, grammar
from core.answers.dispatch import HANDLERS
from core.operations import Action, ButtonKind, more_menu
from core.types import Person, Place, Request
from core.views.help import help_lines

place = Place(platform="web", workspace="w", channel="c")
request = Request(
    key="k", place=place, person=Person(id="ana", name="Ana"), locale="id",
    action=Action.PRAISE,
)
discord = {command["name"]: command for command in registry()}
words = {option["name"]: option for option in discord["easel"]["options"]}
slack = manifest("en")["features"]["slash_commands"]
print(json.dumps({
    "grammar": grammar.command("easel", "praise")[0],
    "alone": grammar.command("tour", "")[0],
    "button": button_ids.decode_button("e1:praise:abc:0")[0],
    "more": [*more_menu()],
    "reaction": emoji.reaction(":clap:").action,
    "discord": words["praise"]["description"],
    "discord alone": discord["tour"]["description"],
    "slack": [command["command"] for command in slack],
    "terminal": cli.list_commands(click.Context(cli)),
    "help": help_lines("zh-TW"),
    "answer": asyncio.run(HANDLERS[request.action](None, request)).text,
}))
"""


def add_operation(sources: Sources) -> None:
    """The table, with an operation behind a button, and another one with its own command."""
    table = "core/operations.py"
    sources.insert(table, '    AS_DRAWING = "as_drawing"\n', ACTIONS)
    sources.insert(table, '    LINK = "link"\n', '    PRAISE = "praise"\n')
    sources.insert(table, "    Operation(action=Action.USAGE", ROWS)
    for area, line in (
        ("action", 'praise = "Praise"\ntour = "Tour"'),
        ("button", 'praise = "👏 Praise"'),
        ("reaction", 'praise = "applaud"'),
        (
            "command",
            'praise = { name = "praise", text = "Hear something kind" }',
        ),
        ("command", 'tour = { name = "tour", text = "Be shown around" }'),
    ):
        sources.translate(area, line)


def add_answers(sources: Sources) -> None:
    """What the new operations answer."""
    sources.insert("core/answers/queries.py", "async def show(", ANSWER)
    dispatch = "core/answers/dispatch.py"
    sources.insert(dispatch, "    Action.USAGE: queries.usage,\n", HANDLERS)


def test_a_button_answered_at_once_is_a_row_an_answer_and_its_texts(
    reports: dict[str, Any],
) -> None:
    report = reports["operation"]
    assert (
        report["grammar"] == report["button"] == report["reaction"] == "praise"
    )
    assert report["alone"] == "tour"
    assert report["more"][-3:] == ["sendme", "praise", "rerun"]
    assert report["discord"] == "Hear something kind"
    assert report["discord alone"] == "Be shown around"
    assert report["slack"] == ["/draw", "/edit", "/wanx", "/easel", "/tour"]
    assert {"praise", "tour"} <= set(report["terminal"])
    assert "praise" in report["help"]
    assert "/tour：Be shown around" in report["help"]
    assert "👏 applaud" in report["help"]
    assert report["answer"] == "Hear something kind"


def test_an_operation_without_its_answer_is_noticed_at_the_start(
    tmp_path: Path,
) -> None:
    sources = copy_sources(tmp_path)
    add_operation(sources)
    process = sources.run("import core.answers.dispatch")
    assert "AssertionError" in process.stderr
    assert "Action.PRAISE" in process.stderr


OPTION = """    OptionSpec(
        name="guidance",
        kind=OptionKind.DECIMAL,
        low=1,
        high=20,
        actions=_BY_WORDS,
        parameter="guidance_scale",
    ),
"""
OPTION_REPORT = """
import json
from click.testing import CliRunner
from adapters.discord.commands import registry
from bot.cli import cli
from core import grammar
from core.catalog import Catalog, check_options
from core.errors import Rejected
from core.forms import operation_form
from core.operations import Action
from core.options import Options, service_parameters
from core.providers.dashscope import catalog_text
from core.types import Account, from_json, to_json
from core.views.help import help_lines

def refusal(do):
    try:
        do()
    except Rejected as error:
        return {"key": error.key, **error.params}

catalog = Catalog.load(catalog_text())
accounts = (Account(name="beijing", provider="dashscope", region="beijing"),)
parsed = grammar.parse("a fox --guidance 7.5 in the snow")
asked = operation_form(Action.DRAW, catalog, accounts, "zh-CN")
draw = registry()[0]
wanx = catalog.model("wanx2.1-imageedit")
print(json.dumps({
    "parsed": parsed.options.guidance,
    "written": grammar.write(parsed),
    "too much": refusal(lambda: grammar.parse("a fox --guidance 21")),
    "elsewhere": refusal(lambda: check_options(wanx, Action.STYLE, parsed.options)),
    "stored": from_json(Options, to_json(parsed.options)).guidance,
    "stored before": from_json(Options, {"n": 2}).guidance,
    "sent": service_parameters(parsed.options),
    "fields": {field.name: [field.kind, field.label] for field in asked.fields},
    "discord": {option["name"]: option for option in draw["options"]},
    "terminal": CliRunner().invoke(cli, ["draw", "--help"]).output,
    "help": help_lines("en"),
}))
"""


def add_option(sources: Sources) -> None:
    """The table, with an option of the drawing models."""
    table = "core/options.py"
    sources.insert(
        table,
        "    sketch: bool = False\n",
        "    guidance: float | None = None\n",
    )
    sources.insert(table, '    OptionSpec(\n        name="size",\n', OPTION)
    text = "How closely to follow the words, {allowed}"
    sources.translate(
        "option", f'guidance = {{ name = "guidance", text = "{text}" }}'
    )


def test_an_option_is_a_row_a_field_and_its_text(
    reports: dict[str, Any],
) -> None:
    report = reports["option"]
    described = "How closely to follow the words, 1–20"
    assert report["parsed"] == report["stored"] == 7.5
    assert report["stored before"] is None
    assert report["written"] == "a fox in the snow --guidance 7.5"
    assert report["too much"]["nearest"] == "20"
    assert report["elsewhere"]["key"] == "catalog.option_for"
    assert report["sent"] == {"guidance_scale": 7.5}
    assert report["fields"]["guidance"] == ["line", described]
    option = report["discord"]["guidance"]
    assert (option["min_value"], option["max_value"]) == (1, 20)
    assert option["description"] == described
    assert "--guidance" in report["terminal"]
    assert "--guidance 1–20" in report["help"]
