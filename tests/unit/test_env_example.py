"""``easel settings`` shows every setting there is, and what it shows can be filled in."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot import egress, settings
from bot.cli import cli
from bot.env_example import Entry, entries
from bot.setting_sources import REGION_KEY

CONTRACT = (Path(__file__).parents[3] / "shared" / "contract").with_suffix(
    ".md"
)
ENTRIES = entries()


def printed() -> str:
    run = CliRunner().invoke(cli, ["settings"])
    assert run.exit_code == 0, run.output
    return run.output


def names_in(text: str) -> list[str]:
    return re.findall(r"^#([A-Z_]+)=", text, re.MULTILINE)


def test_each_setting_is_printed_once_with_its_meaning_and_an_example() -> (
    None
):
    names = names_in(printed())
    assert len(names) == len(set(names))
    of_region = f"{REGION_KEY}SINGAPORE"
    declared = {*settings.declared()} - {"REGION_KEYS"} | {of_region}
    network = {*egress.PROXIES, "NO_PROXY", "SSL_CERT_FILE"}
    assert set(names) == declared | network
    assert all(entry.meaning.endswith(".") for entry in ENTRIES)
    assert all(entry.example for entry in ENTRIES)
    assert "# Default: beijing\n#EASEL_REGION=singapore\n" in printed()


@pytest.mark.skipif(not CONTRACT.exists(), reason="the contract is elsewhere")
def test_each_setting_that_is_promised_is_printed() -> None:
    _, _, table = CONTRACT.read_text().partition("\n## Settings")
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    promised = set(re.findall(r"`([A-Z][A-Z_]+)`", " ".join(rows)))
    assert "DASHSCOPE_API_KEY" in promised
    assert promised <= set(names_in(printed()))


def test_every_line_is_a_comment_so_that_nothing_is_set_by_copying_it(
    tmp_path: Path,
) -> None:
    (tmp_path / ".env").write_text(printed())
    assert settings.load().model_fields_set <= {"data_dir", "region_keys"}


@pytest.mark.parametrize(
    "entry",
    [entry for entry in ENTRIES if not entry.example.endswith("…")],
    ids=lambda entry: entry.name,
)
def test_what_it_shows_is_accepted(
    entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EASEL_DATA_DIR")
    for value in (entry.example, entry.default):
        (tmp_path / ".env").write_text(f"{entry.name}={value}\n")
        settings.load()
        assert not settings.unknown_variables()


def test_a_default_that_is_shown_is_what_holds_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EASEL_DATA_DIR")
    untouched = settings.load()
    lines = [f"{entry.name}={entry.default}\n" for entry in ENTRIES]
    (tmp_path / ".env").write_text("".join(lines))
    assert settings.load() == untouched


def test_what_is_secret_is_marked_so() -> None:
    marked = {entry.name for entry in ENTRIES if entry.is_secret}
    for name in ("DASHSCOPE_API_KEY", "EASEL_DATABASE_URL", "SLACK_BOT_TOKEN"):
        assert name in marked
    assert "SLACK_CLIENT_ID" not in marked
    assert "may name a file" in printed()
