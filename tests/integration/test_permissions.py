"""What may not be posted is said before anything is queued, whichever way it was asked."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio

from bot.run import Running
from core.presses import RecentPresses
from core.types import Step, Tenant
from tests.conftest import PHOTOS
from tests.fakes.discord.driver import Discord, discord
from tests.fakes.discord.house import easel_in
from tests.fakes.discord.things import (
    ATTACH_FILES,
    ORDINARY,
    SEND_MESSAGES,
    SEND_MESSAGES_IN_THREADS,
    VIEW_CHANNEL,
    VOICE,
    Channel,
    Interaction,
    Message,
    User,
)
from tests.fakes.discord.world import World
from tests.fakes.slack import driver as slack_driver
from tests.fakes.slack import house as slack_house
from tests.fakes.slack import world as slack_world


@dataclass(kw_only=True)
class Hall:
    """A guild with a channel, a thread and the text chat of a voice channel, each with a result."""

    fake: Discord
    bot: Running
    ana: User
    mo: User
    thread: Channel
    results: dict[str, Message]
    photo: Message

    async def steps(self) -> list[Step]:
        """What was ever begun."""
        store = self.bot.easel.context.store
        tenant = Tenant(f"discord:{self.fake.guild.id}")
        made = [
            await store.recent(tenant, person.id, 50)
            for person in (self.ana, self.mo)
        ]
        return made[0] + made[1]

    def speak(self, person: User, channel: Channel) -> int:
        """Ask in words, in every way there is; how many."""
        fake, result = self.fake, self.results[channel.id]
        fake.says(person, f"{fake.mention} draw a fox", channel)
        fake.says(person, "make it night", channel, reply_to=result)
        fake.reacts(person, result, "🔁", added=False)
        fake.reacts(person, result, "🔁")
        ways = 3
        if channel.is_thread:
            fake.says(person, "make it rainy", channel)
            return ways + 1
        fake.says(
            person,
            f"{fake.mention} make it night",
            channel,
            files=[PHOTOS / "coffee.png"],
        )
        return ways + 1

    async def interact(
        self, person: User, channel: Channel
    ) -> list[Interaction]:
        """Ask by commands, buttons and menus."""
        fake, result = self.fake, self.results[channel.id]
        asked = [
            await fake.command(
                person, "draw", {"prompt": "a fox"}, channel=channel
            ),
            await fake.command(person, "draw", channel=channel),
            await fake.presses(person, result, "Again"),
            await fake.presses(person, result, "Edit"),
        ]
        if channel is self.fake.general:
            name = "Edit this image"
            asked.append(await fake.context_menu(person, name, self.photo))
        return asked


@pytest_asyncio.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    async with (
        discord(World(content_granted=True)) as fake,
        easel_in(fake, tmp_path / "data") as bot,
    ):
        ana = fake.person("Ana")
        mo = fake.person("Mo")
        voice = fake.channel("Lounge", kind=VOICE)
        results: dict[str, Message] = {}
        for channel in (fake.general, voice):
            fake.says(ana, f"{fake.mention} draw a hare", channel)
            results[channel.id] = await fake.sees(
                "a hare", channel=channel, button="Edit", files=1
            )
        thread = fake.thread(ana, results[fake.general.id])
        fake.says(ana, "make it blue", thread)
        results[thread.id] = await fake.sees(
            "make it blue", channel=thread, button="Edit", files=1
        )
        photo = fake.says(ana, "mine", files=[PHOTOS / "coffee.png"])
        yield Hall(
            fake=fake,
            bot=bot,
            ana=ana,
            mo=mo,
            thread=thread,
            results=results,
            photo=photo,
        )
    assert not fake.world.violations, fake.world.violations


async def test_where_we_may_not_post_it_is_said_before_anything_is_queued(
    hall: Hall,
) -> None:
    fake, ana = hall.fake, hall.ana
    voice = fake.world.channels[list(hall.results)[1]]
    before = len(await hall.steps())
    table = [
        (fake.general, SEND_MESSAGES, "may not send messages"),
        (fake.general, ATTACH_FILES, "may not attach files"),
        (fake.general, VIEW_CHANNEL, "can’t see this channel"),
        (voice, SEND_MESSAGES, "may not send messages"),
        (hall.thread, SEND_MESSAGES_IN_THREADS, "may not send messages"),
        (hall.thread, ATTACH_FILES, "may not attach files"),
    ]
    for channel, missing, words in table:
        parent = fake.world.channels.get(channel.parent, channel)
        fake.deny(parent, missing)
        told = _direct(fake, ana, words)
        for asked in await hall.interact(ana, channel):
            assert words in (await _answer(fake, asked)).words
        hall.bot.easel.service._presses = RecentPresses()
        if missing != VIEW_CHANNEL:
            asked_in_words = hall.speak(ana, channel)
            expected = told + asked_in_words
            await fake.until(lambda: _direct(fake, ana, words) >= expected)
        fake.deny(parent, 0)
    assert len(await hall.steps()) == before


async def test_where_a_member_may_not_post_nothing_is_queued_for_them(
    hall: Hall,
) -> None:
    fake, mo = hall.fake, hall.mo
    words = "may not post pictures"
    before = len(await hall.steps())
    table = [
        (fake.general, ATTACH_FILES),
        (fake.general, SEND_MESSAGES),
        (hall.thread, ATTACH_FILES),
        (hall.thread, SEND_MESSAGES_IN_THREADS),
    ]
    for channel, missing in table:
        fake.permit(mo, ORDINARY & ~missing)
        told = _direct(fake, mo, words)
        for asked in await hall.interact(mo, channel):
            assert words in (await _answer(fake, asked)).words
        hall.bot.easel.service._presses = RecentPresses()
        if missing == ATTACH_FILES:
            expected = told + hall.speak(mo, channel)
            await fake.until(lambda: _direct(fake, mo, words) >= expected)
    assert len(await hall.steps()) == before


async def _answer(fake: Discord, asked: Interaction) -> Message:
    """What was said to the person alone, at once or after "thinking…"."""
    if asked.ephemeral and not asked.ephemeral[0].is_loading:
        return asked.ephemeral[0]
    return await fake.reply(asked)


def _direct(fake: Discord, person: User, words: str) -> int:
    """How often a person was told so in a direct message."""
    said = fake.world.seen_by(person, fake.direct(person))
    return len([message for message in said if words in message.words])


async def test_where_we_were_not_invited_on_slack_nothing_is_queued(
    tmp_path: Path,
) -> None:
    async with (
        slack_driver.slack(slack_world.World()) as fake,
        slack_house.easel_in(fake, tmp_path / "data") as bot,
    ):
        ana = fake.person("Ana")
        closed = fake.channel("closed", invited=False)
        photo = ana.uploads(PHOTOS / "coffee.png")
        ts = await ana.says("mine", closed, files=[photo], as_events=())
        message = fake.world.find(closed, ts)
        assert message
        for ask in (
            lambda: ana.types("/draw a fox", closed),
            lambda: ana.types("/draw", closed),
            lambda: ana.types("/edit make it night", closed),
            lambda: ana.chooses_edit(message),
        ):
            await ask()
            told = await fake.until(fake.last_response)
            assert "/invite @Easel" in told
        store = bot.easel.context.store
        tenant = Tenant(f"slack:{fake.workspace.id}")
        assert await store.recent(tenant, ana.id, 20) == []
        # For herself alone it needs no channel, and once invited it is for all.
        await ana.types("/draw a hare --private", closed)
        await ana.result("a hare", ana.direct)
        members = fake.workspace.channels[closed].members
        members.add(fake.workspace.bot_user)
        await ana.types("/draw an owl", closed)
        await ana.result("an owl", closed)
