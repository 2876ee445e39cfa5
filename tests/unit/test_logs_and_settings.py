"""No secret reaches a log, an error or a representation; settings name their mistakes."""

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy.exc import OperationalError

from bot import doctor, logs, run, settings
from bot.exit_codes import ExitCode
from core.errors import ConfigurationError, Unavailable
from core.log import log

CANARY = "sk-canary0123456789"


def test_t17_a_secret_is_starred_wherever_it_hides(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.set_up("json", "debug", ["odd secret value"])
    log = structlog.get_logger()
    try:
        raise ValueError(f"call with Bearer {CANARY} failed")
    except ValueError:
        log.exception(
            "broke",
            header={"authorization": [f"Bearer {CANARY}"]},
            other="odd secret value",
            n=5,
        )
    logging.getLogger("library").warning(
        "postgresql://ana:%s@host/db", "hunter2hunter2"
    )
    lines = capsys.readouterr().err.strip().split("\n")
    assert all(json.loads(line) for line in lines)
    for secret in (CANARY, "odd secret value", "hunter2hunter2"):
        assert secret not in "".join(lines)
    assert json.loads(lines[0])["n"] == 5


def test_a_line_break_in_a_prompt_forges_no_log_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.set_up("json", "info", [])
    structlog.get_logger().info("asked", prompt="x\nINFO admin login")
    assert capsys.readouterr().err.count("\n") == 1


def test_a_log_that_cannot_be_written_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logs.set_up("console", "info", [])
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("sys.stderr", closed)
    structlog.get_logger().info("nobody reads this")
    logging.getLogger("library").error("nor this")


@pytest.mark.parametrize("who", ["we", "a library"])
def test_a_log_set_up_late_is_set_up_by_its_first_line(
    who: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up_late("json", "error", [CANARY])
    writer: Any = log if who == "we" else logging.getLogger("library")
    writer.warning("too little to be written")
    writer.error(f"call with {CANARY} failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "call with *** failed"


def test_the_environment_goes_before_a_secret_file_and_that_before_dotenv(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(
        "EASEL_REGION=singapore\nEASEL_PUBLIC_URL=https://in.dotenv\nEASEL_LOCALE=id\n"
    )
    (tmp_path / "url").write_text("https://in.file\n")
    (tmp_path / "region").write_text("virginia\n")
    monkeypatch.setenv("EASEL_PUBLIC_URL_FILE", str(tmp_path / "url"))
    monkeypatch.setenv("EASEL_REGION_FILE", str(tmp_path / "region"))
    monkeypatch.setenv("EASEL_REGION", "beijing")
    chosen = settings.load()
    assert (chosen.region, chosen.public_url, chosen.locale) == (
        "beijing",
        "https://in.file",
        "id",
    )


def test_settings_do_not_print_their_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", CANARY)
    monkeypatch.setenv("DASHSCOPE_API_KEY_SINGAPORE", CANARY + "2")
    chosen = settings.load()
    assert CANARY not in repr(chosen) + str(chosen)
    assert settings.secrets(chosen) == [CANARY, CANARY + "2"]
    assert list(chosen.keys) == ["beijing", "singapore"]


def test_a_secret_may_stand_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(CANARY + "\n")
    monkeypatch.setenv("DASHSCOPE_API_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv(
        "DASHSCOPE_API_KEY_SINGAPORE_FILE", str(tmp_path / "key")
    )
    keys = settings.load().keys
    assert [
        keys[name].get_secret_value() for name in ("beijing", "singapore")
    ] == [
        CANARY,
        CANARY,
    ]


def test_a_dotenv_file_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(
        f"DASHSCOPE_API_KEY={CANARY}\nEASEL_LOCALE=id\nDASHSCOPE_API_KEY_TOKYO={CANARY}\n"
    )
    monkeypatch.setenv("EASEL_LOCALE", "zh-TW")
    chosen = settings.load()
    assert chosen.locale == "zh-TW"
    assert set(chosen.keys) == {"beijing", "tokyo"}


def test_defaults_lie_in_the_data_folder(tmp_path: Path) -> None:
    chosen = settings.load()
    assert chosen.database == f"sqlite:///{tmp_path / 'data' / 'easel.db'}"
    assert chosen.blobs == (tmp_path / "data" / "blobs").as_uri()
    assert chosen.result_hosts == ("*.aliyuncs.com",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EASEL_LOG_LEVEL", "loud"),
        ("EASEL_BUDGET_DAY", "much"),
        ("EASEL_BUDGET_MONTH", "-1"),
        ("EASEL_MOST_WAITING", "0"),
        ("EASEL_LOG_FORMAT", "xml"),
        ("EASEL_HTTP_PORT", "70000"),
        ("EASEL_METRICS_PORT", "eighty"),
    ],
)
def test_a_wrong_value_names_its_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        settings.load()
    assert caught.value.params["setting"] == name


def test_an_unknown_variable_is_named_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EASEL_REGIN", "beijing")
    assert settings.unknown_variables() == [("EASEL_REGIN", "EASEL_REGION")]


def test_a_wrong_port_is_told_which_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EASEL_HTTP_PORT", "abc")
    with pytest.raises(ConfigurationError) as caught:
        settings.load()
    assert caught.value.params["allowed"] == "0–65535"


def test_a_blank_variable_is_not_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(
        "EASEL_REGION=singapore\nSLACK_BOT_TOKEN=\n"
    )
    for name in (
        "DASHSCOPE_API_KEY",
        "EASEL_REGION",
        "EASEL_LOCALE",
        "EASEL_HTTP_PORT",
    ):
        monkeypatch.setenv(name, "")
    chosen = settings.load()
    assert (dict(chosen.keys), chosen.slack_bot_token) == ({}, None)
    assert (chosen.region, chosen.locale, chosen.http_port) == (
        "singapore",
        "en",
        8080,
    )


def test_dotenv_is_searched_for_unknown_names_and_for_files_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key").write_text(CANARY)
    (tmp_path / ".env").write_text(
        f"EASEL_REGIN=tokyo\nDASHSCOPE_API_KEY_FILE={tmp_path / 'key'}\n"
    )
    assert settings.unknown_variables() == [("EASEL_REGIN", "EASEL_REGION")]
    assert settings.load().keys["beijing"].get_secret_value() == CANARY


@pytest.mark.parametrize("name", ["EASEL_REGION", "DASHSCOPE_API_KEY_MARS"])
def test_doctor_says_that_there_is_no_such_region(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", CANARY)
    monkeypatch.setenv(name, "mars")
    assert doctor.run(as_json=False) == ExitCode.MISCONFIGURED
    assert (
        "✘ service: EASEL_REGION: there is no region mars"
        in capsys.readouterr().out
    )


def test_a_cut_off_start_says_why_whatever_has_cut_it_off() -> None:
    lost = OperationalError("SELECT 1", None, Exception("closed"))
    assert run._reason_of(lost) == "OperationalError"
    full = Unavailable("config.database.unusable", reason="disk full")
    assert run._reason_of(full) == "disk full"
