"""Behind a company's proxy, with certificates of its own: everything goes through it, or nothing.

``easel run`` is a separate process here: libraries read certificates when they are loaded.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from obstore.store import S3Store

from bot import egress
from bot.simulator.server import SimulatorConfig, serve
from core.errors import ConfigurationError
from tests.contract.conftest import bucket as bucket  # noqa: PLC0414  # the fixture
from tests.fakes.discord.driver import Discord, discord
from tests.fakes.egress import Company, company
from tests.fakes.slack.driver import Slack, slack
from tests.integration.test_start import ROOT, easel_run

PHOTOS = ROOT / "bot" / "photos"
SERVICE = "service.test:8123"


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def move(fakes: tuple[Slack, Discord]) -> dict[str, int]:
    """Give the servers names that only the proxy knows; return their ports."""
    chat, guild = fakes
    ports = {
        "slack.test": port_of(chat.world.base),
        "discord.test": port_of(guild.world.base),
    }
    chat.world.base = "https://slack.test"
    guild.world.base = "https://discord.test"
    return ports


def settings(chat: Slack, guild: Discord, proxy: Company) -> dict[str, str]:
    return {
        **chat.settings(socket=True),
        **guild.settings(),
        "EASEL_SLACK_FILE_HOSTS": "slack.test",
        "EASEL_DISCORD_CDN_HOSTS": "discord.test",
        "EASEL_DASHSCOPE_URL": f"http://{SERVICE}/api/v1",
        "EASEL_RESULT_HOSTS": SERVICE,
        "DASHSCOPE_API_KEY": "sk-simulator",
        "EASEL_BLOB_URL": "s3://easel/company",
        "AWS_ENDPOINT_URL": "https://storage",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "SSL_CERT_FILE": str(proxy.certificates),
        "HTTPS_PROXY": proxy.address,
        # Some write it in small letters, and without its scheme.
        "http_proxy": proxy.address.removeprefix("http://"),
    }


async def test_everything_goes_through_the_proxy(
    bucket: S3Store, tmp_path: Path, unused_tcp_port: int
) -> None:
    simulator = SimulatorConfig(time_scale=0.01, seed=7)
    async with (
        slack() as chat,
        discord() as guild,
        serve(simulator) as service,
    ):
        servers = {
            **move((chat, guild)),
            "service.test": port_of(service.host),
            "storage": port_of(str(bucket.config["endpoint"])),
        }
        async with company(servers, tmp_path) as proxy:
            variables = settings(chat, guild, proxy)
            async with easel_run(
                tmp_path, unused_tcp_port, **variables
            ) as bot:
                await bot.until("/readyz", 200)
                await draw_on_both(chat, guild)
                report = await doctor(
                    tmp_path,
                    {
                        **variables,
                        "EASEL_DASHSCOPE_URL": "https://service.test/api/v1",
                    },
                )
    names = ("slack.test", "discord.test", "service.test", "storage")
    assert set(proxy.tunnels) == {f"{name}:443" for name in names}
    assert set(proxy.requests) == {SERVICE}
    network = next(check for check in report if check["name"] == "network")
    assert f"Slack through 127.0.0.1:{proxy.port}" in network["detail"]
    assert "let-me-out" not in json.dumps(report)
    assert all(check["ok"] for check in report), report


async def draw_on_both(chat: Slack, guild: Discord) -> None:
    """Edit a photo on each: their files travel both ways."""
    ana = chat.person("Ana")
    photo = ana.uploads(PHOTOS / "coffee.png")
    await ana.says(f"{ana.easel} make it night", files=[photo])
    await ana.result("make it night")
    bo = guild.person("Bo")
    words = f"{guild.mention} make it night"
    guild.says(bo, words, files=[PHOTOS / "coffee.png"])
    await guild.sees("make it night", button="Edit", files=1)


async def doctor(
    folder: Path, variables: dict[str, str]
) -> list[dict[str, Any]]:
    """Return what ``easel doctor --json`` finds in the same surroundings."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "EASEL_DATA_DIR": str(folder / "doctor"),
        **variables,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", "from bot.cli import main; main()", "doctor", "--json"),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    checks: list[dict[str, Any]] = json.loads(output)["checks"]
    return checks


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start without any variable of the kind, and leave none behind."""
    monkeypatch.chdir(tmp_path)
    for name in (*egress.PROXIES, "NO_PROXY", "SSL_CERT_FILE"):
        for variable in (name, name.lower(), f"{name}_FILE"):
            # Set first, so that what the test leaves is taken away again.
            monkeypatch.setenv(variable, "")
            monkeypatch.delenv(variable)


@pytest.mark.usefixtures("no_proxies")
def test_a_proxy_stands_before_all_but_what_is_near_or_excepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    egress.set_up()
    assert egress.proxy_for("https://slack.com/api/") is None
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    monkeypatch.setenv("no_proxy", "discord.com,.corp.example")
    egress.set_up()
    proxy = "http://proxy.example:3128"
    assert egress.proxy_for("https://slack.com/api/") == proxy
    assert egress.proxy_for("wss://wss-primary.slack.com/link") == proxy
    assert egress.proxy_for("http://slack.com/api/") is None
    for near in ("discord.com", "s3.corp.example", "127.0.0.1:1", "localhost"):
        assert egress.proxy_for(f"https://{near}/") is None


@pytest.mark.usefixtures("no_proxies")
def test_the_file_of_settings_and_secrets_in_files_hold_too(
    tmp_path: Path,
) -> None:
    (tmp_path / "proxy").write_text("http://me:secret@proxy.example:3128\n")
    (tmp_path / ".env").write_text("HTTPS_PROXY_FILE=proxy\n")
    egress.set_up()
    url = "https://slack.com/api/"
    assert egress.proxy_for(url) == "http://me:secret@proxy.example:3128"
    assert egress.describe(url) == "proxy.example:3128"


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("HTTPS_PROXY", "socks5://proxy.example:1080"),
        ("HTTP_PROXY", "http://:3128"),
        ("HTTPS_PROXY", "http://proxy.example:many"),
        ("SSL_CERT_FILE", "nowhere.pem"),
    ],
)
def test_what_cannot_be_used_is_named(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(ConfigurationError) as refused:
        egress.set_up()
    assert refused.value.params["setting"] == name
