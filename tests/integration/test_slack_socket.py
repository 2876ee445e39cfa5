"""Socket Mode on loopback: the SDK's client, disconnects, redelivery, the watchdog."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.slack import socket as sockets
from bot import run, settings
from core.errors import ConfigurationError
from core.types import Tenant
from tests.conftest import PHOTOS
from tests.fakes.slack.driver import slack
from tests.fakes.slack.house import easel_in
from tests.fakes.slack.world import Fault


async def test_everything_works_without_a_public_address(
    tmp_path: Path,
) -> None:
    async with slack() as fake, easel_in(fake, tmp_path / "data", socket=True):
        ana = fake.person("Ana")
        assert await ana.types("/draw a fox") == {}
        caption, pictures = await ana.result("a fox")
        await ana.says("make it night", thread=caption.ts)
        night, _ = await ana.result("make it night")
        await ana.presses(night, "Undo")
        await ana.reads("Now at v1")
        await ana.types("/edit")
        view = await ana.view()
        refused = await ana.fills(view, prompt="…")
        assert refused["response_action"] == "errors"
        await ana.reacts(pictures, "star")
        await fake.until(lambda: "⭐ 1" in caption.words)


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_a_disconnect_is_followed_by_one_new_connection_and_nothing_is_lost(
    tmp_path: Path, reason: str
) -> None:
    async with slack() as fake, easel_in(fake, tmp_path / "data", socket=True):
        fake.socket.patience = 0.5
        ana = fake.person("Ana")
        await fake.until(lambda: fake.socket.opened == 1)
        await fake.socket.disconnect(reason)
        photo = ana.uploads(PHOTOS / "coffee.png")
        await ana.says(f"{ana.easel} make it night", files=[photo])
        await ana.result("make it night")
        assert fake.socket.opened == 2


async def test_a_connection_cut_without_a_word_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "PING_SECONDS", 0.3)
    monkeypatch.setattr(sockets, "SILENCE", 60.0)
    async with slack() as fake, easel_in(fake, tmp_path / "data", socket=True):
        await fake.until(lambda: fake.socket.opened == 1)
        await fake.socket.cut()
        await fake.until(lambda: fake.socket.opened >= 2)
        ana = fake.person("Ana")
        await ana.types("/draw a fox")
        await ana.result("a fox")


async def test_an_envelope_delivered_again_is_done_once(
    tmp_path: Path,
) -> None:
    async with (
        slack() as fake,
        easel_in(fake, tmp_path / "data", socket=True) as bot,
    ):
        fake.event_copies = 4
        ana = fake.person("Ana")
        await ana.says("draw a pond", ana.direct)
        await ana.result("a pond", ana.direct)
        made = await bot.easel.context.store.recent(
            Tenant("slack:T00000001"), ana.id, 9
        )
        assert len(made) == 1


async def test_an_outage_after_which_an_address_has_ended_is_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "PING_SECONDS", 0.1)
    monkeypatch.setattr(sockets, "SILENCE", 0.5)
    async with (
        slack() as fake,
        easel_in(fake, tmp_path / "data", socket=True) as bot,
    ):
        await fake.until(lambda: fake.socket.opened == 1)
        fake.socket.refuses = True
        await fake.socket.cut()
        await asyncio.sleep(1.5)
        fake.socket.refuses = False
        await fake.until(lambda: fake.socket.opened == 2)
        assert not bot.lost.is_set()
        ana = fake.person("Ana")
        await ana.types("/draw a fox")
        await ana.result("a fox")


async def test_a_token_taken_back_ends_the_bot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "PING_SECONDS", 0.1)
    monkeypatch.setattr(sockets, "SILENCE", 0.5)
    async with (
        slack() as fake,
        easel_in(fake, tmp_path / "data", socket=True) as bot,
    ):
        await fake.until(lambda: fake.socket.opened == 1)
        fake.api.app_token = "xapp-gone"
        await fake.socket.cut()
        async with asyncio.timeout(60):
            await bot.lost.wait()


async def test_readiness_tells_whether_slack_is_connected(
    tmp_path: Path,
) -> None:
    async with (
        slack() as fake,
        easel_in(fake, tmp_path / "data", socket=True) as bot,
    ):
        await fake.until(lambda: fake.socket.opened == 1)
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"http://127.0.0.1:{bot.port}/readyz")
        assert answer.status_code == 200
        assert answer.json()["slack"] == "ok"


async def started(given: dict[str, Any]) -> None:
    async with run.running(settings.load(**given)):
        pass


MANY = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "s"}


@pytest.mark.parametrize(
    ("given", "setting"),
    [
        ({"SLACK_APP_TOKEN": "xapp-wrong"}, "SLACK_APP_TOKEN"),
        ({"SLACK_BOT_TOKEN": "xoxb-wrong"}, "SLACK_BOT_TOKEN"),
        ({"SLACK_APP_TOKEN": None}, "SLACK_BOT_TOKEN"),
        ({"SLACK_BOT_TOKEN": None}, "SLACK_APP_TOKEN"),
        (
            {"SLACK_BOT_TOKEN": None, "SLACK_CLIENT_ID": "1.2"},
            "SLACK_CLIENT_SECRET",
        ),
        ({"SLACK_BOT_TOKEN": None, **MANY}, "EASEL_PUBLIC_URL"),
        ({"SLACK_BOT_TOKEN": "xapp-swapped"}, "SLACK_BOT_TOKEN"),
        ({"SLACK_APP_TOKEN": "xapp-…"}, "SLACK_APP_TOKEN"),
        ({"DASHSCOPE_API_KEY": "sk-…"}, "DASHSCOPE_API_KEY"),
        (
            {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "s"},
            "SLACK_BOT_TOKEN",
        ),
    ],
)
async def test_an_operators_mistake_is_one_line_that_names_the_setting(
    tmp_path: Path, given: dict[str, str | None], setting: str
) -> None:
    async with slack() as fake:
        wanted = {
            "EASEL_DATA_DIR": tmp_path / "d",
            "EASEL_HTTP_PORT": 0,
            **fake.settings(socket=True),
            **given,
        }
        with pytest.raises(ConfigurationError) as refused:
            await started(
                {
                    name: value
                    for name, value in wanted.items()
                    if value is not None
                }
            )
        assert refused.value.params["setting"] == setting


async def test_a_slack_that_cannot_be_reached_at_the_start_is_waited_for(
    tmp_path: Path,
) -> None:
    async with slack() as fake:
        fake.world.faults["auth.test"].extend(
            [Fault(status=503), Fault(drop=True, error="x")]
        )
        async with easel_in(fake, tmp_path / "data", socket=True):
            ana = fake.person("Ana")
            await ana.types("/draw a fox")
            await ana.result("a fox")
