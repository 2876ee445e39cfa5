"""The gateway comes and goes, sends nonsense, refuses us; our own database does not answer."""

import asyncio
import itertools
import random
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import discord as discord_py
import pytest

from adapters.discord import channels, gateway
from adapters.discord.api import Api, DiscordError
from adapters.discord.gateway import Gateway, SingleClient
from core.providers.dashscope.client import DashScope
from core.service import Service
from core.types import Tenant
from tests.conftest import PHOTOS
from tests.fakes.discord.driver import Discord, discord
from tests.fakes.discord.house import easel_in
from tests.fakes.discord.things import Channel, Fault, Message, User
from tests.fakes.discord.world import World
from tests.integration.test_trouble import HEAVY


class Log(list[str]):
    """What the gateway says, by name."""

    def __getattr__(self, _level: str) -> Any:
        return lambda name, **_more: self.append(name)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Log:
    """Without discord.py's seconds before it connects or identifies again; what is logged."""

    async def at_once(
        self: SingleClient, shard_id: int | None, *, initial: bool = False
    ) -> None:
        pass

    monkeypatch.setattr(SingleClient, "before_identify_hook", at_once)
    monkeypatch.setitem(Gateway.__init__.__kwdefaults__ or {}, "pause", 0.2)
    monkeypatch.setattr(gateway, "LONGEST_RECONNECT_EXPONENT", -3)
    log = Log()
    monkeypatch.setattr(gateway, "log", log)
    return log


@pytest.fixture
async def fake() -> AsyncIterator[Discord]:
    async with discord(World(content_granted=True)) as opened:
        yield opened


async def draws(
    fake: Discord, person: User, words: str, between: Any = None
) -> None:
    """Ask by words, whatever happens between, and see the result."""
    if between is not None:
        await between
    fake.says(person, f"{fake.mention} draw {words}")
    await fake.sees(words, button="Edit", files=1)


async def test_a_session_that_is_cut_goes_on_and_loses_nothing(
    fake: Discord, quick: Log, tmp_path: Path
) -> None:
    async with easel_in(fake, tmp_path / "data"):
        ana = fake.person("Ana")
        await draws(fake, ana, "the first")
        for code in (1000, 1001, 4000, 4008):
            await draws(fake, ana, f"fox {code}", fake.gateway.close(code))
        await draws(fake, ana, "after op 7", fake.gateway.reconnect())
        await draws(
            fake,
            ana,
            "after op 9 true",
            fake.gateway.invalidate(resumable=True),
        )
        assert fake.gateway.identifies == 1
        assert fake.gateway.resumes >= 5
        assert len([one for one in fake.world.messages if one.files]) == 7
    assert quick == []


async def test_a_session_that_is_over_begins_again_once(
    fake: Discord, quick: Log, tmp_path: Path
) -> None:
    async with easel_in(fake, tmp_path / "data"):
        ana = fake.person("Ana")
        for count, over in enumerate(
            (
                fake.gateway.close(4009),
                fake.gateway.invalidate(),
                _forgotten(fake),
            ),
            2,
        ):
            await over
            await fake.until(lambda: fake.gateway.identifies == count)
            await fake.until(
                lambda: any(
                    one.session and one.sent > 1
                    for one in fake.gateway.connections
                )
            )
            await draws(fake, ana, f"fox {count}")
        assert fake.gateway.identifies == 4


async def _forgotten(fake: Discord) -> None:
    fake.gateway.forget()
    await fake.gateway.drop()


@pytest.mark.parametrize("status", [0, 503])
async def test_a_gateway_away_for_a_while_is_waited_for(
    fake: Discord, quick: Log, tmp_path: Path, status: int
) -> None:
    async with easel_in(fake, tmp_path / "data"):
        ana = fake.person("Ana")
        await draws(fake, ana, "the first")
        await fake.gateway.drop(1.0, status=status)
        fake.says(ana, f"{fake.mention} draw a fox")
        made = fake.interacting.command(
            ana, "draw", {"prompt": "a heron"}, channel=fake.general
        )
        await fake.sees("a fox", button="Edit", files=1)
        await fake.until(lambda: fake.gateway.resumes == 1)
        assert fake.gateway.identifies == 1
        await fake.until(lambda: made.ack_type or made.refused)


async def test_after_many_outages_a_client_comes_back_as_soon_as_after_the_first(
    fake: Discord, quick: Log, tmp_path: Path
) -> None:
    loop = asyncio.get_running_loop()
    async with easel_in(fake, tmp_path / "data"):
        # A session can be resumed once the client has read READY.
        await draws(fake, fake.person("Ana"), "the first")
        for count in range(1, 4):
            await fake.gateway.drop(0.6, status=503)
            back = loop.time() + 0.6
            await fake.until(lambda: fake.gateway.resumes == count)
            assert loop.time() - back < 10.0
        assert fake.gateway.identifies == 1


def test_every_client_pauses_for_seconds_only() -> None:
    for module in (discord_py.client, discord_py.shard):
        backoff = module.ExponentialBackoff()
        assert max(backoff.delay() for _ in range(200)) <= 8


async def test_many_identifies_a_day_are_sent_slowly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gateway, "QUICK_STARTS", 3)
    monkeypatch.setattr(gateway, "SLOW_START_GAP", 1.0)
    starts = gateway.Starts()
    began = time.monotonic()
    for _ in range(3):
        await starts.take_turn()
    assert time.monotonic() - began < 1.0
    await starts.take_turn()
    assert time.monotonic() - began >= 0.9


async def test_a_silence_while_discord_is_away_is_waited_out(
    fake: Discord, quick: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "SILENCE", 0.4)

    async def no_answer(*_: Any, **_named: Any) -> None:
        raise DiscordError(0)

    async with easel_in(fake, tmp_path / "data"):
        await draws(fake, fake.person("Ana"), "the first")
        with monkeypatch.context() as patch:
            patch.setattr(Api, "call", no_answer)
            await fake.gateway.drop(1.5, status=503)
            await fake.until(lambda: fake.gateway.resumes == 1)
            assert "discord_silent" not in quick


@pytest.mark.parametrize("code", [4004, 4014])
async def test_a_gateway_that_will_not_have_us_ends_the_process_with_one_line(
    quick: Log, tmp_path: Path, code: int
) -> None:
    async with (
        discord(World()) as fake,
        easel_in(fake, tmp_path / "data") as bot,
    ):
        await fake.gateway.close(code)
        async with asyncio.timeout(60):
            await bot.lost.wait()
        await asyncio.sleep(0.5)
        assert fake.gateway.identifies == 1
        assert quick == ["discord_refuses"]


async def test_what_breaks_again_and_again_is_begun_more_and_more_seldom(
    quick: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []

    async def broken(self: Gateway) -> SingleClient:
        tries.append(asyncio.get_running_loop().time())
        raise OSError

    monkeypatch.setattr(Gateway, "_make_client", broken)
    never: Any = None
    opened = Gateway(never, never, "token", lambda: None, pause=0.1)
    opened.open()
    async with asyncio.timeout(60):
        while len(tries) < 5:
            await asyncio.sleep(0.02)
    await opened.close()
    gaps = [later - sooner for sooner, later in itertools.pairwise(tries)]
    # A busy machine makes them longer, but never shorter.
    for gap, pause in zip(gaps, (0.1, 0.2, 0.4, 0.8), strict=True):
        assert gap > 0.9 * pause


async def test_a_client_that_stays_silent_is_made_anew(
    fake: Discord, quick: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "SILENCE", 0.4)
    async with easel_in(fake, tmp_path / "data"):
        await fake.gateway.drop(1.5, status=503)
        await fake.until(lambda: "discord_silent" in quick)
        await fake.connected()
        await draws(fake, fake.person("Ana"), "a fox")
        assert fake.gateway.identifies <= 3


async def test_a_ready_that_takes_minutes_is_waited_for(
    fake: Discord, quick: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.gateway.ready_after = 1.0
    async with easel_in(fake, tmp_path / "data"):
        await draws(fake, fake.person("Ana"), "a fox")
    assert fake.gateway.identifies == 1
    assert "discord_silent" not in quick

    # A client whose connection stands is left alone for longer than one that has none.
    async def answers(_: Gateway) -> bool:
        return False

    monkeypatch.setattr(gateway, "SILENCE", 0.05)
    monkeypatch.setattr(Gateway, "_is_away", answers)
    closed = asyncio.Event()

    async def close() -> None:
        closed.set()

    never: Any = None
    watched = Gateway(never, never, "token", lambda: None)
    client: Any = SimpleNamespace(
        is_alive=False, is_greeting=True, close=close
    )
    watched._client = client
    watch = asyncio.create_task(watched._watch())
    await asyncio.sleep(0.5)
    assert not closed.is_set()
    client.is_greeting = False
    async with asyncio.timeout(60):
        await closed.wait()
    watch.cancel()


async def test_the_content_intent_switched_off_leaves_everything_else_at_work(
    fake: Discord, quick: Log, tmp_path: Path
) -> None:
    async with easel_in(fake, tmp_path / "data") as bot:
        fake.world.content_granted = False
        await fake.gateway.close(4014)
        await fake.until(lambda: fake.gateway.identifies == 2)
        await fake.connected()
        await draws(fake, fake.person("Ana"), "a fox")
        assert not bot.lost.is_set()
    assert quick == ["discord_content_off"]


async def test_events_nobody_can_read_end_nothing(
    fake: Discord, quick: Log, tmp_path: Path
) -> None:
    nonsense: list[tuple[str, Any]] = [
        ("MESSAGE_CREATE", {}),
        ("MESSAGE_CREATE", {"id": "x", "channel_id": None}),
        ("INTERACTION_CREATE", {"id": "1"}),
        ("MESSAGE_REACTION_ADD", []),
        ("GUILD_CREATE", {"id": "x"}),
        ("THREAD_CREATE", None),
        ("CHANNEL_UPDATE", "x"),
        ("SOMETHING_NEW", {"a": 1}),
    ]
    async with easel_in(fake, tmp_path / "data"):
        for name, data in nonsense:
            await fake.gateway.raw(name, data)
        await draws(fake, fake.person("Ana"), "a fox")
        assert (fake.gateway.identifies, fake.gateway.resumes) == (1, 0)
    assert set(quick) <= {"event_unreadable", "exception"}
    assert len(quick) >= 5


async def test_what_discord_would_not_take_is_tried_again_when_it_is_back(
    fake: Discord, quick: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "WATCH_SECONDS", 0.05)
    backs: list[str] = []
    monkeypatch.setattr(
        Service, "platform_is_back", lambda _, name: backs.append(name)
    )
    async with easel_in(fake, tmp_path / "data"):
        await fake.until(lambda: backs == ["discord"])
        await fake.gateway.drop(0.4, status=503)
        await fake.until(lambda: backs == ["discord"] * 2)


# Our own database


@asynccontextmanager
async def held(path: Path) -> AsyncIterator[None]:
    """Let another process have the database to itself.

    The loop runs while we wait for the lock: Easel may hold it, and needs the loop to let go of it.
    """
    with closing(
        sqlite3.connect(path, isolation_level=None, timeout=0)
    ) as other:
        async with asyncio.timeout(60):
            while not _takes_lock(other):
                await asyncio.sleep(0.001)
        yield
        other.execute("ROLLBACK")


def _takes_lock(other: sqlite3.Connection) -> bool:
    try:
        other.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


async def test_while_the_database_does_not_answer_people_hear_busy_in_time(
    fake: Discord, tmp_path: Path
) -> None:
    async with easel_in(fake, tmp_path / "data"):
        ana, bo = fake.person("Ana"), fake.person("Bo", locale="id")
        await draws(fake, ana, "a fox")
        async with held(tmp_path / "data" / "inbox.db"):
            fake.says(ana, f"{fake.mention} draw a heron")
            asked = await fake.command(ana, "draw", {"prompt": "a crane"})
            assert "busy" in asked.ephemeral[0].words
        await fake.sees("a heron", button="Edit", files=1)
        async with held(tmp_path / "data" / "easel.db"):
            opened = await fake.command(bo, "draw")
            assert not opened.refused
            assert opened.modal is None
            assert "sibuk" in opened.ephemeral[0].words
        assert (await fake.command(bo, "draw")).modal


# Pages of our own


async def test_a_picture_shown_smaller_has_a_link_to_the_whole_that_a_vote_does_not_take_away(
    fake: Discord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "SMALLEST_LIMIT", 60_000)
    async with easel_in(
        fake, tmp_path / "data", EASEL_PUBLIC_URL="https://easel.example"
    ):
        ana = fake.person("Ana")
        await draws(fake, ana, "a fox")
        result = await fake.sees("a fox", files=1)
        assert len(result.files[0]) <= 60_000
        assert "Full size" in result.buttons
        assert result.buttons["Full size"]["url"].startswith(
            "https://easel.example/"
        )
        fake.reacts(fake.person("Bo"), result, "⭐")
        await fake.until(lambda: "⭐ 1" in result.words)
        assert "Full size" in result.buttons


async def test_a_picture_that_cannot_be_made_smaller_is_shown_by_the_link_to_it(
    fake: Discord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def download(*_: object) -> bytes:
        return HEAVY

    monkeypatch.setattr(DashScope, "download", download)
    monkeypatch.setattr(channels, "SMALLEST_LIMIT", len(HEAVY) - 1)
    async with easel_in(fake, tmp_path / "data"):
        fake.says(fake.person("Ana"), f"{fake.mention} draw a fox")
        result = await fake.sees("as the image service made it")
        assert not result.files
        assert result.buttons["Full size"]["url"].startswith("http")


# Everything at once


async def test_progress_and_results_keep_within_what_discord_allows(
    tmp_path: Path,
) -> None:
    async with (
        discord(World(strict_rates=True)) as fake,
        easel_in(fake, tmp_path / "data"),
    ):
        fake.world.rate_window = 1.0
        ana = fake.person("Ana")
        for at in range(6):
            await fake.command(ana, "draw", {"prompt": f"fox {at}"})
        for at in range(6):
            await fake.sees(f"fox {at}", button="Edit", files=1)
        assert fake.world.limited["global"] == 0
        assert (
            len(
                [
                    one
                    for one in fake.world.invalid_requests
                    if one.startswith("429")
                ]
            )
            <= 3
        )


async def test_no_secret_of_discords_is_ever_logged(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from bot import logs, settings  # noqa: PLC0415

    async with discord() as fake:
        chosen = settings.load(**fake.settings())
        logs.set_up("json", "debug", settings.secrets(chosen))
        async with easel_in(fake, tmp_path / "data"):
            ana = fake.person("Ana")
            fake.world.faults["create_interaction_response"].append(
                Fault(drop=True)
            )
            fake.world.faults["delete_original_webhook_message"].append(
                Fault(status=401, code=50027)
            )
            fake.world.faults["create_message"].append(Fault(reset=True))
            await fake.command(ana, "draw", {"prompt": "a fox"})
            await fake.sees("a fox", button="Edit", files=1)
            await fake.gateway.raw(
                "INTERACTION_CREATE",
                {"id": "1", "token": "interaction-token-1"},
            )
            await fake.gateway.drop()
            await draws(fake, ana, "a heron")
    written = "".join(capfd.readouterr())
    assert "delivered" in written
    for secret in (fake.world.token, "interaction-token", "hm="):
        assert secret not in written


@pytest.mark.timeout(1800)
async def test_after_a_day_of_faults_everybody_has_their_picture_once(
    tmp_path: Path, is_nightly: bool
) -> None:
    """Every kind of fault comes at random moments.

    Meanwhile people work in channels, threads and direct messages.
    """
    names, lives = (
        (("Ana", "Bo", "Cy"), 4) if is_nightly else (("Ana", "Bo"), 2)
    )
    luck = random.Random(20261121)
    kinds = [
        Fault(retry_after=0.3),
        Fault(retry_after=0.3, via=False),
        Fault(status=503),
        Fault(status=502, effect=True),
        Fault(effect=True, drop=True),
        Fault(effect=True, reset=True),
        Fault(drop=True),
        Fault(seconds=0.5),
    ]
    routes = [
        "create_message",
        "update_message",
        "get_message",
        "create_interaction_response",
        "get_channel",
        "create_dm",
    ]
    async with discord(World(content_granted=True)) as fake:
        fake.duplicate_events = True
        people = [fake.person(name) for name in names]
        for life in range(lives):
            async with easel_in(fake, tmp_path / "data") as bot:
                for route in routes * 2:
                    fake.world.faults[route].append(luck.choice(kinds))
                for at, person in enumerate(people):
                    who = f"{life} of {person.name}"
                    await fake.command(
                        person, "draw", {"prompt": f"fox {who}"}
                    )
                    fake.says(
                        person,
                        f"{fake.mention} moon {who}",
                        files=[PHOTOS / "rocket.jpg"],
                    )
                    fake.says(person, f"draw heron {who}", fake.direct(person))
                    if at == 1:
                        await (
                            fake.gateway.drop(0.3)
                            if life % 2
                            else fake.gateway.close(4000)
                        )
                for person in people:
                    who = f"{life} of {person.name}"
                    for words, where in (
                        (f"fox {who}", None),
                        (f"moon {who}", None),
                        (f"heron {who}", fake.direct(person)),
                    ):
                        await _shown_once(fake, person, words, where)
                async with asyncio.timeout(60):
                    while await bot.easel.context.store.open_steps():
                        await asyncio.sleep(0.1)
                store, guild = bot.easel.context.store, fake.guild.id
                made = [
                    await store.recent(
                        Tenant(f"discord:{guild}"), person.id, 20
                    )
                    for person in people
                ]
                assert [len(one) for one in made] == [2 + 2 * life] * len(
                    people
                )
                fake.world.faults.clear()
        assert len(fake.world.invalid_requests) <= 6 * lives
        assert fake.gateway.identifies == lives


async def _shown_once(
    fake: Discord, person: User, words: str, where: Channel | None
) -> None:
    """One message with its picture, wherever the faults have driven it."""

    def found() -> list[Message]:
        places = {(where or fake.general).id, fake.direct(person).id}
        seen = [
            one
            for one in fake.world.seen_by(person, None)
            if one.channel in places
        ]
        return [
            one
            for one in seen
            if words in one.words
            and one.files
            and one.author == fake.world.bot.id
        ]

    await fake.until(found, 60)
    assert len(found()) == 1, words


def memberships(folder: Path) -> set[str]:
    """The guilds that are noted as ours."""
    with closing(sqlite3.connect(folder / "easel.db")) as database:
        names = database.execute("SELECT name FROM discord_kept").fetchall()
    return {name for (name,) in names if name.startswith("guild:")}


async def test_a_guild_that_removed_us_while_we_were_down_is_forgotten_at_the_start(
    fake: Discord, tmp_path: Path
) -> None:
    ana, folder = fake.person("Ana"), tmp_path / "data"
    tenant = f"discord:{fake.guild.id}"
    async with easel_in(fake, folder) as bot:
        await draws(fake, ana, "a fox")
        other, _ = fake.join()
        ours = {f"guild:{fake.guild.id}", f"guild:{other.id}"}
        await fake.until(lambda: memberships(folder) == ours)
        assert await bot.easel.context.blobs.keys(tenant)
    fake.guild.installed = False
    other.unavailable = True
    async with easel_in(fake, folder) as bot:
        blobs = bot.easel.context.blobs
        async with asyncio.timeout(60):
            while await blobs.keys(tenant):
                await asyncio.sleep(0.05)
        # A guild that is only unavailable stays.
        await fake.until(lambda: memberships(folder) == {f"guild:{other.id}"})
