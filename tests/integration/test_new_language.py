"""A language is a file in a ``locales`` folder and nothing else: Easel learns one here."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.discord.commands import registry
from adapters.web.pages import page
from bot import settings
from core import languages
from core.errors import ConfigurationError
from core.i18n import negotiate, translate

ROOT = Path(__file__).parents[2]
POLISH = """
[meta]
name = "Polski"
discord = ["pl"]

[status]
saved = "Zapisano."

[history.alt]
one = "Historia jako drzewo z {count} obrazem"
few = "Historia jako drzewo z {count} obrazami, parę"
many = "Historia jako drzewo z {count} obrazami, wiele"
other = "Historia jako drzewo z {count} obrazu"

[command.draw]
name = "rysuj"
text = "Narysuj obraz"

[room]
title = "Easel – pokój"
[room.unread]
one = "{count} nowa"
few = "{count} nowe"
many = "{count} nowych"
other = "{count} nowej"
"""


@pytest.fixture
def polish(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "locales"
    folder.mkdir()
    (folder / "pl.toml").write_text(POLISH, encoding="utf-8")
    languages.add_folder(folder)
    yield folder
    languages.remove_folder(folder)


def test_without_the_file_there_is_no_such_language() -> None:
    assert "pl" not in languages.languages()
    assert negotiate("pl-PL") == "en"
    with pytest.raises(ConfigurationError):
        settings.load(EASEL_LOCALE="pl")


@pytest.mark.usefixtures("polish")
def test_it_is_spoken_and_what_it_leaves_out_is_said_in_english() -> None:
    assert (
        negotiate("pl")
        == negotiate("pl_PL")
        == negotiate("de", "pl-PL")
        == "pl"
    )
    assert translate("status.saved", "pl-PL") == "Zapisano."
    assert translate("status.cancelled", "pl-PL") == translate(
        "status.cancelled", "en"
    )


@pytest.mark.usefixtures("polish")
@pytest.mark.parametrize(
    ("count", "end"),
    [
        (1, "z 1 obrazem"),
        (2, "z 2 obrazami, parę"),
        (5, "z 5 obrazami, wiele"),
        (12, "z 12 obrazami, wiele"),
        (22, "z 22 obrazami, parę"),
        (1.5, "z 1,5 obrazu"),
    ],
)
def test_a_number_chooses_among_the_forms_of_its_own_rules(
    count: float, end: str
) -> None:
    assert translate("history.alt", "pl", count=count).endswith(end)


@pytest.mark.usefixtures("polish")
def test_discord_is_told_its_commands() -> None:
    commands = {command["name"]: command for command in registry()}
    assert commands["draw"]["name_localizations"]["pl"] == "rysuj"
    assert (
        commands["draw"]["description_localizations"]["pl"] == "Narysuj obraz"
    )


@pytest.mark.usefixtures("polish")
def test_an_operator_can_choose_it() -> None:
    assert settings.load(EASEL_LOCALE="pl").locale == "pl"


@pytest.mark.usefixtures("polish")
def test_the_room_offers_and_speaks_it() -> None:
    text = page("room", "pl-PL", "Easel")
    assert '<html lang="pl">' in text
    assert '<option value="pl" lang="pl">Polski</option>' in text
    assert '"few": "{count} nowe"' in text
    assert '"reply": "Reply"' in text


def test_the_command_line_offers_it(polish: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from core.languages import add_folder; "
        "add_folder(Path(sys.argv.pop(1))); from bot.cli import main; main()"
    )
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            program,
            polish,
            "slack-manifest",
            "--locale",
            "pl",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert "Narysuj obraz" in process.stdout


def test_an_installed_easel_has_every_file_of_texts(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d"]
    subprocess.run(
        [*build, str(tmp_path)], cwd=ROOT, capture_output=True, check=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    installed = {name for name in names if "/locales/" in name}
    folders = [
        path
        for top in ("bot", "adapters", "core")
        for path in (ROOT / top).rglob("locales/*.toml")
    ]
    assert installed == {path.relative_to(ROOT).as_posix() for path in folders}
