"""The real discord.py at the gateway of the Discord on loopback."""

from collections.abc import Awaitable, Callable

import aiohttp
import discord
import pytest

from tests.fakes.discord import driver
from tests.fakes.discord.client import Bot, connected, led_to, text_channel


async def test_replies_are_read_only_when_they_ping_a_regular_message() -> (
    None
):
    async with driver.discord() as fake, connected(fake) as bot:
        ana = fake.person("Ana")
        await text_channel(bot, fake).send("result")
        result = await fake.sees("result")
        fake.says(ana, "bluer", reply_to=result)
        fake.says(ana, "redder", reply_to=result, ping=False)
        direct = fake.direct(ana)
        fake.says(ana, "in private", direct)
        await fake.until(lambda: len(bot.heard) == 4)
        assert [one.content for one in bot.heard[1:]] == [
            "bluer",
            "",
            "in private",
        ]
        fake.reacts(ana, result, "🔁")
        await fake.until(lambda: bot.reactions)
        assert bot.reactions[0].message_author_id == int(fake.world.bot.id)


async def test_what_happened_while_it_was_away_is_told_after_resuming() -> (
    None
):
    async with driver.discord() as fake, connected(fake) as bot:
        ana = fake.person("Ana")
        cuts: list[Callable[[], Awaitable[None]]] = [
            fake.gateway.drop,
            fake.gateway.reconnect,
            lambda: fake.gateway.close(4000),
        ]
        for cut in cuts:
            bot.heard.clear()
            fake.gateway.resumes = 0
            await cut()
            fake.says(ana, f"{fake.mention} hello")
            await fake.until(lambda: bot.heard and fake.gateway.resumes == 1)
        assert fake.gateway.identifies == 1


async def test_sharded_clients_lose_what_happens_after_a_refused_connection() -> (
    None
):
    """discord.py's own: AutoShardedClient identifies anew instead of resuming."""
    async with driver.discord() as fake, connected(fake) as bot:
        ana = fake.person("Ana")
        await fake.gateway.drop(0.1)
        fake.says(ana, f"{fake.mention} lost")
        await fake.until(
            lambda: fake.gateway.identifies == 2 and fake.gateway.is_connected
        )
        fake.says(ana, f"{fake.mention} heard")
        await fake.until(lambda: bot.heard)
        assert [one.content for one in bot.heard] == [f"{fake.mention} heard"]


async def test_an_invalid_session_is_identified_anew() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        ana = fake.person("Ana")
        await fake.gateway.invalidate()
        await fake.until(
            lambda: fake.gateway.identifies == 2 and fake.gateway.is_connected
        )
        await fake.gateway.close(4009)
        await fake.until(
            lambda: fake.gateway.identifies == 3 and fake.gateway.is_connected
        )
        fake.duplicate_events = True
        fake.says(ana, f"{fake.mention} hello")
        await fake.until(lambda: len(bot.heard) == 2)
        assert bot.heard[0].id == bot.heard[1].id


async def test_a_wrong_token_is_refused() -> None:
    async with driver.discord() as fake, Bot() as bot:
        with led_to(fake), pytest.raises(discord.LoginFailure):
            await bot.start("wrong")


async def test_intents_that_were_not_granted_end_the_session() -> None:
    async with (
        driver.discord() as fake,
        discord.Client(intents=discord.Intents.all()) as bot,
    ):
        with led_to(fake), pytest.raises(discord.PrivilegedIntentsRequired):
            await bot.start(fake.world.token)


async def test_two_shards_each_hear_their_guilds() -> None:
    async with driver.discord() as fake:
        fake.app.shards = 2
        for number in range(6):
            fake.join(f"guild {number}")
        async with connected(fake) as bot:
            assert bot.shard_count == 2
            assert len(bot.guilds) == 7
            assert fake.gateway.identifies == 2


async def test_all_of_discord_can_be_down_for_a_while() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        await fake.down(0.2)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await text_channel(bot, fake).send("never")
        await fake.until(lambda: fake.gateway.is_connected)
        await text_channel(bot, fake).send("again")


async def test_events_may_come_in_another_order() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        ana = fake.person("Ana")
        fake.gateway.reorders = True
        for text in ("one", "two", "three"):
            fake.says(ana, f"{fake.mention} {text}")
        await fake.until(lambda: len(bot.heard) == 3)
        assert [one.content.split()[1] for one in bot.heard] == [
            "two",
            "one",
            "three",
        ]
