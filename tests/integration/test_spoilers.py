"""What is behind a spoiler stays behind one; what is for adults stays among them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio

from bot.run import Running
from core.types import Step, Tenant
from tests.conftest import PHOTOS
from tests.fakes.discord.driver import Discord, discord
from tests.fakes.discord.house import easel_in
from tests.fakes.discord.things import (
    MANAGE_GUILD,
    ORDINARY,
    Channel,
    Fault,
    Message,
    User,
)
from tests.fakes.discord.world import World

SPOILER = "SPOILER_"
PICTURE = PHOTOS / "coffee.png"


@dataclass(kw_only=True)
class House:
    """A guild with a channel for all and one for adults."""

    fake: Discord
    bot: Running
    ana: User
    adults: Channel

    async def steps(self) -> list[Step]:
        """What was made, oldest first."""
        store = self.bot.easel.context.store
        tenant = Tenant(f"discord:{self.fake.guild.id}")
        return (await store.recent(tenant, self.ana.id, 50))[::-1]

    async def shows(
        self, words: str, channel: Channel | None = None
    ) -> Message:
        """The result with these words."""
        return await self.fake.sees(
            words, channel=channel, button="Edit", files=1
        )


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with (
        discord(World(content_granted=True)) as fake,
        easel_in(fake, tmp_path / "data") as bot,
    ):
        yield House(
            fake=fake,
            bot=bot,
            ana=fake.person("Ana", permissions=ORDINARY | MANAGE_GUILD),
            adults=fake.channel("adults", nsfw=True),
        )


def is_hidden(message: Message) -> bool:
    """Whether all its files are behind spoilers."""
    names = [file.filename for file in message.attachments]
    return all(name.startswith(SPOILER) for name in names)


async def test_a_picture_from_behind_a_spoiler_stays_hidden_wherever_it_is_shown(
    house: House,
) -> None:
    fake, ana = house.fake, house.ana
    fake.says(
        ana,
        f"{fake.mention} make it night",
        files=[PICTURE],
        spoilers=True,
    )
    night = await house.shows("make it night")
    assert is_hidden(night)
    assert "spoiler" in night.words
    fake.says(ana, "make it rainy", reply_to=night)
    rainy = await house.shows("make it rainy")
    assert is_hidden(rainy)
    await fake.command(ana, "easel compare")
    compared = await fake.sees("", files=2, after=rainy)
    assert is_hidden(compared)
    await fake.command(ana, "easel history")
    assert is_hidden(await fake.sees("v1", files=1, after=compared))
    await fake.presses(ana, rainy, "Again")
    again = await fake.sees("make it rainy", files=1, after=compared)
    assert is_hidden(again)
    fake.reacts(ana, night, "✉️")
    copy = await fake.sees("", channel=fake.direct(ana), files=1)
    assert is_hidden(copy)
    step = (await house.steps())[0]
    await fake.command(ana, "easel show", {"id": step.id})
    assert is_hidden(await fake.sees("make it night", files=1, after=again))
    fake.reacts(ana, night, "⬆️")
    assert is_hidden(await fake.sees("Upscaled", files=1, after=again))


async def test_a_spoiler_is_seen_in_every_shape_of_a_message(
    house: House,
) -> None:
    fake, ana = house.fake, house.ana
    hidden = fake.says(ana, "mine", files=[PICTURE], spoilers=True)
    link = fake.world.link(hidden.attachments[0])
    gallery = {
        "type": 12,
        "items": [
            {"media": {"url": link, "proxy_url": link}, "spoiler": True}
        ],
    }
    shown = fake.says(ana, "", components=[gallery])
    fake.says(ana, f"{fake.mention} make it night", reply_to=shown)
    assert is_hidden(await house.shows("make it night"))
    fake.says(ana, f"{fake.mention} make it red ||{link}||")
    assert is_hidden(await house.shows("make it red"))
    opened = await fake.context_menu(ana, "Edit this image", hidden)
    await fake.submits(ana, opened, {"prompt": "make it blue"})
    assert is_hidden(await house.shows("make it blue"))
    assert [step.is_hidden for step in await house.steps()] == [True] * 3


async def test_what_was_made_for_adults_is_shown_in_no_other_channel(
    house: House,
) -> None:
    fake, ana, adults = house.fake, house.ana, house.adults
    await fake.command(ana, "draw", {"prompt": "a statue"}, channel=adults)
    statue = await house.shows("a statue", adults)
    step = (await house.steps())[0]
    link = fake.world.link(statue.attachments[0])
    asked = [
        await fake.command(ana, "easel show", {"id": step.id}),
        await fake.command(ana, "easel info", {"id": step.id}),
    ]
    for one in asked:
        assert "statue" not in (await fake.reply(one)).words
    fake.says(ana, f"{fake.mention} make it night {link}")
    forwarded = fake.forwards(ana, statue)
    fake.says(ana, f"{fake.mention} make it rainy", reply_to=forwarded)
    direct = fake.direct(ana)
    await fake.until(
        lambda: (
            len(
                [
                    message
                    for message in fake.world.seen_by(ana, direct)
                    if "for adults" in message.words
                ]
            )
            == 2
        )
    )
    # Where adults are, and to their person alone, all of it goes on.
    other = fake.channel("other adults", nsfw=True)
    fake.says(ana, f"{fake.mention} make it green {link}", other)
    assert is_hidden(await house.shows("make it green", other))
    fake.reacts(ana, statue, "✉️")
    assert is_hidden(await fake.sees("a statue", channel=direct, files=1))
    assert len(await house.steps()) == 2
    assert not [
        message
        for message in fake.world.messages
        if message.channel == fake.general.id
        and message.author == fake.world.bot.id
        and message.files
    ]


async def test_the_gallery_takes_nothing_for_adults_unless_it_is_for_them(
    house: House,
) -> None:
    fake, ana, adults = house.fake, house.ana, house.adults
    gallery = fake.channel("gallery")
    opened = await fake.command(ana, "easel settings", channel=adults)
    page = next(
        name for name in opened.ephemeral[0].buttons if "Gallery" in name
    )
    opened = await fake.presses(ana, opened.ephemeral[0], page)
    await fake.submits(ana, opened, {"gallery": gallery})
    # Discord does not say whether this is a channel for adults: it is taken for one.
    fake.world.faults["get_channel"] += [Fault(status=503)] * 9
    await fake.command(ana, "draw", {"prompt": "a statue"}, channel=adults)
    statue = await house.shows("a statue", adults)
    fake.world.faults["get_channel"].clear()
    for name in ("Bo", "Cy", "Di"):
        fake.reacts(fake.person(name), statue, "⭐")
    await fake.until(lambda: "3" in statue.words.rpartition("\n")[2])
    fake.says(ana, f"{fake.mention} help", adults)
    await fake.sees("What Easel can do", channel=fake.direct(ana))
    assert not [
        message
        for message in fake.world.messages
        if message.channel == gallery.id
    ]


async def test_a_picture_that_discords_filter_holds_back_is_told(
    house: House,
) -> None:
    fake, ana = house.fake, house.ana
    fake.world.filters_files = True
    await fake.command(ana, "draw", {"prompt": "a statue"})
    told = await fake.sees("filter for explicit pictures", button="Again")
    assert not told.files
    fake.world.filters_files = False
    step = (await house.steps())[0]
    await fake.command(ana, "easel show", {"id": step.id})
    await fake.sees("a statue", files=1, after=told)
