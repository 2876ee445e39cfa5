"""``easel doctor`` changes nothing, names what is wrong, and ends with what a supervisor knows."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.web.app import bind, serving
from bot import doctor, settings, wiring
from bot.exit_codes import ExitCode
from core.storage import database
from core.storage.inspection import open_read_only
from tests.contract.conftest import fresh_database
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414  # the fixture

pytestmark = pytest.mark.usefixtures("tmp_path")  # its data folder is new
OLD = "0012"
KINDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.nightly),
]


async def examine(
    capsys: pytest.CaptureFixture[str],
) -> tuple[int, dict[str, dict[str, Any]]]:
    """How it ends, and what it found by name."""
    code = await asyncio.to_thread(doctor.run, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["code"] == code
    assert report["ok"] is (code == ExitCode.OK)
    return code, {check["name"]: check for check in report["checks"]}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


async def make_older(url: str) -> None:
    await database.migrate(url, to=OLD)


async def set_newer(url: str) -> None:
    await database.migrate(url)
    engine = database.open_async(url)
    async with engine.begin() as connection:
        newer = text("UPDATE alembic_version SET version_num = '9999'")
        await connection.execute(newer)
    await engine.dispose()


async def test_before_the_first_start_all_is_well_and_nothing_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, checks = await examine(capsys)
    assert code == ExitCode.OK, checks
    assert "first start" in checks["database"]["detail"]
    assert not list(tmp_path.iterdir())


async def test_a_folder_in_use_is_left_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = settings.load()
    config.data_dir.mkdir()
    await wiring.migrate(config)
    before = contents(tmp_path)
    code, checks = await examine(capsys)
    assert (code, contents(tmp_path)) == (ExitCode.OK, before)
    assert "up to date" in checks["database"]["detail"]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_older_database_is_left_to_the_next_start(
    kind: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = given_database(kind, "doctor_older", request, monkeypatch)
    await make_older(url)
    code, checks = await examine(capsys)
    assert code == ExitCode.OK, checks
    detail = checks["database"]["detail"]
    assert f"will be upgraded from {OLD} to {database.HEAD}" in detail
    assert await revision(url) == OLD


@pytest.mark.parametrize("kind", KINDS)
async def test_a_newer_database_needs_a_newer_easel(
    kind: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = given_database(kind, "doctor_newer", request, monkeypatch)
    await set_newer(url)
    code, checks = await examine(capsys)
    assert code == ExitCode.MISCONFIGURED
    assert "9999" in checks["database"]["detail"]
    assert await revision(url) == "9999"


def given_database(
    kind: str,
    name: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    monkeypatch.setenv("EASEL_LINK_KEYS", "k" * 40)
    config = settings.load()
    config.data_dir.mkdir()
    if kind == "postgresql":
        server = request.getfixturevalue("postgres")
        monkeypatch.setenv("EASEL_DATABASE_URL", fresh_database(server, name))
        config = settings.load()
    return config.database


async def revision(url: str) -> str:
    engine = open_read_only(url)
    async with engine.connect() as connection:
        query = text("SELECT version_num FROM alembic_version")
        answer = str(await connection.scalar(query))
    await engine.dispose()
    return answer


@asynccontextmanager
async def answering(status: int) -> AsyncIterator[str]:
    """A service that answers everything alike; its address."""

    async def answer(_request: Request) -> Response:
        return JSONResponse({}, status)

    app = Starlette(routes=[Route("/{path:path}", answer)])
    listening = bind("127.0.0.1", 0)
    async with serving(app, listening):
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, ExitCode.OK),
        (401, ExitCode.MISCONFIGURED),
        (503, ExitCode.GIVEN_UP),
    ],
)
async def test_the_exit_code_says_who_can_mend_what_the_service_answers(
    status: int,
    code: ExitCode,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-doctor")
    async with answering(status) as url:
        monkeypatch.setenv("EASEL_DASHSCOPE_URL", f"{url}/api/v1")
        ended, checks = await examine(capsys)
    assert ended == code, checks
    assert checks["service"]["ok"] is (code is ExitCode.OK)


async def test_a_service_that_is_away_may_come_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-doctor")
    monkeypatch.setenv("EASEL_DASHSCOPE_URL", "http://127.0.0.1:9/api/v1")
    code, _ = await examine(capsys)
    assert code == ExitCode.GIVEN_UP


async def test_a_database_that_is_away_may_come_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EASEL_LINK_KEYS", "k" * 40)
    url = "postgresql://easel:secret@127.0.0.1:9/easel"
    monkeypatch.setenv("EASEL_DATABASE_URL", url)
    code, checks = await examine(capsys)
    assert code == ExitCode.GIVEN_UP
    assert "secret" not in json.dumps(checks)


async def test_little_room_on_the_disk_is_said_and_is_no_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = shutil.disk_usage("/")._replace(free=5_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    code, checks = await examine(capsys)
    assert code == ExitCode.FAILED
    assert "5 MB" in checks["disk"]["detail"]


async def test_workers_need_a_key_that_all_of_them_know(
    postgres: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = fresh_database(postgres, "doctor_keys")
    monkeypatch.setenv("EASEL_DATABASE_URL", url)
    code, checks = await examine(capsys)
    assert code == ExitCode.MISCONFIGURED
    assert "EASEL_LINK_KEYS" in checks["links"]["detail"]


async def test_the_public_address_is_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with answering(200) as url:
        monkeypatch.setenv("EASEL_PUBLIC_URL", url)
        code, checks = await examine(capsys)
    assert (code, checks["links"]["detail"]) == (0, f"{url} leads here")
    code, checks = await examine(capsys)
    assert "does not answer" in checks["links"]["detail"]
    assert code == ExitCode.OK
    monkeypatch.setenv("EASEL_PUBLIC_URL", "not-a-url")
    code, checks = await examine(capsys)
    assert code == ExitCode.MISCONFIGURED


async def test_a_mistyped_setting_is_named_with_the_nearest_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "EASEL_REGIN=beijing\nSLACK_BOT_TOKN=x\n"
    (tmp_path / ".env").write_text(lines)
    _, checks = await examine(capsys)
    for name in ("EASEL_REGION", "SLACK_BOT_TOKEN"):
        assert f"Did you mean {name}?" in checks["settings"]["detail"]
