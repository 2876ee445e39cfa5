"""A start waits for what is away, alive but not ready, and hears SIGTERM all the time.

``easel run`` is a separate process here.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from bot import run
from bot.exit_codes import ExitCode
from bot.folder import lock_folder
from bot.lifecycle import Lost
from bot.settings import load
from core.errors import ConfigurationError
from tests.contract.conftest import fresh_database
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414  # the fixture
from tests.fakes.proxy import Outage, proxy_to, proxy_to_postgres
from tests.fakes.slack.driver import slack

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
HOLD = """
import fcntl, sys
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
"""A program that holds the lock on a file until its input ends."""


class Bot:
    """An ``easel run`` and its web server."""

    def __init__(
        self, process: asyncio.subprocess.Process, address: str
    ) -> None:
        self.process = process
        self._address = address

    async def status(self, path: str) -> int:
        """What the server answers; 0 while nothing listens."""
        try:
            async with httpx.AsyncClient(trust_env=False) as http:
                return (await http.get(f"{self._address}{path}")).status_code
        except httpx.TransportError:
            return 0

    async def until(self, path: str, status: int) -> None:
        ends = time.monotonic() + PATIENCE
        while (seen := await self.status(path)) != status:
            assert self.process.returncode is None, "the process ended"
            assert time.monotonic() < ends, f"{path} answers {seen}"
            await asyncio.sleep(0.05)

    async def ends(self) -> tuple[int, float]:
        """Its exit code after SIGTERM, and the seconds that took."""
        began = time.monotonic()
        self.process.terminate()
        async with asyncio.timeout(PATIENCE):
            code = await self.process.wait()
        return code, time.monotonic() - began


@asynccontextmanager
async def easel_run(
    folder: Path, port: int, role: str = "all", **settings: str
) -> AsyncIterator[Bot]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "EASEL_DATA_DIR": str(folder / "data"),
        "EASEL_HTTP_PORT": str(port),
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", "from bot.cli import main; main()", "run", "--role", role),
        cwd=folder,
        env=environment,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield Bot(process, f"http://127.0.0.1:{port}")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_data_folder_is_for_one_process(tmp_path: Path) -> None:
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-S", "-c", HOLD, str(tmp_path / "easel.lock")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert holder.stdout
    assert await holder.stdout.readline() == b"held\n"
    chosen = load(EASEL_DATA_DIR=tmp_path)
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigurationError, match=r"config\.locked"):
            await lock_folder(stack, chosen, None)
        await holder.communicate(b"")
        await lock_folder(stack, chosen, None)


@pytest.mark.parametrize("outage", [Outage.CUT, Outage.HANGING])
async def test_a_start_waits_for_slack_and_hears_sigterm(
    tmp_path: Path, unused_tcp_port: int, outage: Outage
) -> None:
    async with slack() as fake, proxy_to(fake.world.base) as wire:
        wire.fail(outage)
        settings = {
            **fake.settings(),
            "EASEL_SLACK_API_URL": f"http://{wire.host}/api/",
        }
        async with easel_run(tmp_path, unused_tcp_port, **settings) as bot:
            await bot.until("/healthz", 200)
            assert await bot.status("/readyz") == 503
            assert await bot.status("/slack/events") == 503
            code, seconds = await bot.ends()
            assert code == 0
            assert seconds < 15  # a second where the machine is quiet
        async with easel_run(tmp_path, unused_tcp_port, **settings) as bot:
            await bot.until("/readyz", 503)
            wire.recover()
            await bot.until("/readyz", 200)
            fake.url = f"http://127.0.0.1:{unused_tcp_port}"
            ana = fake.person("Ana")
            await ana.types("/easel help")
            code, _ = await bot.ends()
            assert code == 0


@pytest.mark.parametrize("outage", [Outage.CUT, Outage.HANGING])
async def test_a_start_waits_for_the_database_and_hears_sigterm(
    postgres: str, tmp_path: Path, unused_tcp_port: int, outage: Outage
) -> None:
    url = fresh_database(postgres, f"start {outage}")
    async with slack() as fake, proxy_to_postgres(url) as (wire, address):
        wire.fail(outage)
        settings = {**fake.settings(), "EASEL_DATABASE_URL": address}
        async with easel_run(tmp_path, unused_tcp_port, **settings) as bot:
            await bot.until("/healthz", 200)
            assert await bot.status("/readyz") == 503
            code, seconds = await bot.ends()
            assert code == 0
            assert seconds < 15  # a second where the machine is quiet
        async with easel_run(tmp_path, unused_tcp_port, **settings) as bot:
            await bot.until("/readyz", 503)
            wire.recover()
            await bot.until("/readyz", 200)
            assert (await bot.ends())[0] == 0


async def test_a_mistake_in_the_address_of_the_database_is_told_at_once(
    postgres: str, tmp_path: Path, unused_tcp_port: int
) -> None:
    url = fresh_database(postgres, "mistake")
    wrong = sa.make_url(url).set(database="nowhere")
    async with slack() as fake:
        settings = {
            **fake.settings(),
            "EASEL_DATABASE_URL": wrong.render_as_string(hide_password=False),
        }
        async with easel_run(tmp_path, unused_tcp_port, **settings) as bot:
            async with asyncio.timeout(PATIENCE):
                assert await bot.process.wait() == 78


async def test_a_process_that_cannot_go_on_ends_though_its_database_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(
        _config: object,
        _stop: object,
        started: asyncio.Event,
        lost: Lost,
        _role: object,
    ) -> int:
        started.set()
        lost.give_up()
        return await asyncio.Event().wait()

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(run, "_work", work)
    monkeypatch.setattr(run, "LOST_SECONDS", 0.01)
    monkeypatch.setattr(os, "_exit", leave)
    config = load(EASEL_DATA_DIR=tmp_path)
    with pytest.raises(SystemExit) as left:
        await run._run(config, run.Role.ALL)
    assert left.value.code == ExitCode.GIVEN_UP
