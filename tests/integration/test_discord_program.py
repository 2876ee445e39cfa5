"""The program around Discord: doctor, the invitation, readiness, a wrong token."""

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from adapters.web import health
from bot import doctor, manifests, run, settings
from core.errors import ConfigurationError
from tests.fakes.discord.driver import discord
from tests.fakes.discord.house import easel_in
from tests.fakes.discord.things import ATTACH_FILES, MINIMAL
from tests.fakes.discord.world import World

LEAST = 274878008320
"""View channel, send messages (in threads too), attach files, read message history."""


async def examined(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> dict[str, tuple[bool, str]]:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    checks = await doctor._examine(settings.load())
    return {
        one.name: (one.ok, one.detail)
        for one in checks
        if one.name.startswith("discord")
    }


@pytest.mark.parametrize("content", [True, False])
async def test_doctor_says_who_we_are_where_and_what_is_missing(
    content: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with discord(World(content_granted=content)) as fake:
        found = await examined(monkeypatch, fake.settings())
        assert all(ok for ok, _ in found.values()), found
        assert "easel" in found["discord token"][1]
        assert "Test" in found["discord servers"][1]
        assert (
            "Message Content Intent" in found["discord messages"][1]
        ) is not content
        fake.guild.bot_permissions = MINIMAL & ~ATTACH_FILES
        ok, detail = (await examined(monkeypatch, fake.settings()))[
            "discord permissions"
        ]
        assert not ok
        assert "Test: Attach Files." in detail
        assert f"permissions={LEAST}" in detail
        fake.guild.installed = False
        ok, detail = (await examined(monkeypatch, fake.settings()))[
            "discord servers"
        ]
        assert not ok
        assert "https://discord.com/oauth2/authorize" in detail


async def test_doctor_names_a_wrong_token_and_a_discord_out_of_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with discord() as fake:
        wrong = {**fake.settings(), "DISCORD_BOT_TOKEN": "not.the.token"}
        found = await examined(monkeypatch, wrong)
        assert found == {"discord token": (False, found["discord token"][1])}
        assert "Reset Token" in found["discord token"][1]
        gone = fake.settings()
    found = await examined(monkeypatch, gone)
    assert "EASEL_DISCORD_API_URL" in found["discord token"][1]


def test_the_invitation_asks_for_the_least_and_wants_a_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(
        "DISCORD_BOT_TOKEN", "MTIzNDU2Nzg5MDEyMzQ1Njc4.secret.part"
    )
    link = manifests.discord()
    assert "client_id=123456789012345678" in link
    assert link.endswith(f"permissions={LEAST}")
    assert "secret" not in link
    monkeypatch.setenv("DISCORD_BOT_TOKEN", "changeme")
    with pytest.raises(ConfigurationError) as refused:
        manifests.discord()
    assert "changeme" not in str(refused.value)
    assert refused.value.key == "config.discord_strange_token"
    monkeypatch.delenv("DISCORD_BOT_TOKEN")
    with pytest.raises(ConfigurationError, match=r"config\.discord_no_token"):
        manifests.discord()


async def test_a_token_discord_refuses_ends_the_start_with_the_setting(
    tmp_path: Path,
) -> None:
    async with discord() as fake:
        given = {
            **fake.settings(),
            "DISCORD_BOT_TOKEN": "not.the.token",
            "EASEL_DATA_DIR": tmp_path,
        }
        with pytest.raises(ConfigurationError) as refused:
            async with run.running(settings.load(**given)):
                pass
        assert refused.value.params["setting"] == "DISCORD_BOT_TOKEN"
        assert "not.the.token" not in str(refused.value)


async def test_readiness_tells_whether_the_gateway_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "FRESH", 0.0)
    async with discord() as fake, easel_in(fake, tmp_path / "data") as bot:

        def ready() -> dict[str, str]:
            try:
                url = f"{bot.address}/readyz"
                with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
                    body: dict[str, str] = json.load(answer)
            except urllib.error.HTTPError as error:
                body = json.load(error)
            return body

        for _ in range(100):
            if (await asyncio.to_thread(ready))["discord"] == "ok":
                break
            await asyncio.sleep(0.05)
        assert (await asyncio.to_thread(ready))["discord"] == "ok"
        down = asyncio.create_task(fake.down(3))
        await asyncio.sleep(0.5)
        assert (await asyncio.to_thread(ready))["discord"] != "ok"
        await down
