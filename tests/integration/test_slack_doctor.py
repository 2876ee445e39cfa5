"""``easel doctor`` asks Slack: each mistake of an operator's is found, and the cure is named."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.slack import checkup
from adapters.slack.api import session, web_client
from bot import doctor
from bot.exit_codes import ExitCode
from tests.fakes.slack.driver import Slack, slack


async def report(
    fake: Slack,
    folder: Path,
    patch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    **changes: str,
) -> dict[str, Any]:
    """What it finds of Slack, by name, and its exit code."""
    patch.chdir(folder)
    for name, value in {
        "EASEL_DATA_DIR": str(folder),
        **fake.settings(socket=True),
        **changes,
    }.items():
        patch.setenv(name, value)
    code = await asyncio.to_thread(doctor.run, as_json=True)
    found = {
        one["name"]: one
        for one in json.loads(capsys.readouterr().out)["checks"]
        if "slack" in one["name"]
    }
    return {"code": code, **found}


async def test_all_is_well_and_channels_are_told_where_we_may_ask(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with slack() as fake:
        found = await report(fake, tmp_path, monkeypatch, capsys)
        assert found.pop("code") == 0
        assert set(found) == {
            "slack token",
            "slack scopes",
            "slack clock",
            "slack channels",
            "slack socket",
        }
        assert "/invite @Easel" in found["slack channels"]["detail"]
        fake.workspace.scopes += ",channels:read"
        found = await report(fake, tmp_path, monkeypatch, capsys)
        assert "#general" in found["slack channels"]["detail"]


@pytest.mark.parametrize(
    ("changes", "name", "says", "code"),
    [
        (
            {"SLACK_BOT_TOKEN": "xoxb-wrong"},
            "slack token",
            "SLACK_BOT_TOKEN",
            ExitCode.MISCONFIGURED,
        ),
        (
            {"SLACK_APP_TOKEN": "xapp-wrong"},
            "slack socket",
            "SLACK_APP_TOKEN",
            ExitCode.MISCONFIGURED,
        ),
        (
            {"EASEL_SLACK_API_URL": "http://127.0.0.1:9/api/"},
            "slack token",
            "EASEL_SLACK_API_URL",
            ExitCode.GIVEN_UP,
        ),
        (
            {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "s"},
            "slack",
            "SLACK_BOT_TOKEN",
            ExitCode.MISCONFIGURED,
        ),
    ],
)
async def test_a_setting_that_is_wrong_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str],
    name: str,
    says: str,
    code: ExitCode,
) -> None:
    async with slack() as fake:
        found = await report(fake, tmp_path, monkeypatch, capsys, **changes)
    assert found["code"] == code
    assert not found[name]["ok"]
    assert says in found[name]["detail"]


async def test_scopes_and_invitations_that_are_missing_are_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with slack() as fake:
        fake.workspace.scopes = (
            fake.workspace.scopes.replace("files:write,", "")
            + ",channels:read"
        )
        fake.workspace.channels.clear()
        found = await report(fake, tmp_path, monkeypatch, capsys)
    assert found["code"] == ExitCode.MISCONFIGURED
    assert "files:write" in found["slack scopes"]["detail"]
    assert "/invite @Easel" in found["slack channels"]["detail"]
    assert not found["slack channels"]["ok"]


@pytest.mark.parametrize(
    ("minutes", "well"), [(2, True), (7, False), (-7, False)]
)
async def test_a_clock_that_is_off_is_said(minutes: int, well: bool) -> None:
    async with slack() as fake, session() as http:
        fake.world.date = format_datetime(
            datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True
        )
        client = web_client(
            f"{fake.world.base}/api/", http, fake.workspace.token
        )
        found = {
            name: (ok, text)
            for name, ok, text in await checkup.bot(client, "en")
        }
    ok, text = found["slack clock"]
    assert ok is well
    assert ("clock" in text) is not well
