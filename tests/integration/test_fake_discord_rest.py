"""The real discord.py posts, edits and is refused by the Discord on loopback."""

import asyncio
import io
from typing import Any

import aiohttp
import discord
import pytest
from discord.http import Route

from tests.fakes.discord import driver
from tests.fakes.discord.client import connected, fox, png, text_channel
from tests.fakes.discord.things import SEND_MESSAGES, V2, Fault, User
from tests.fakes.discord.world import World


async def test_faults_are_as_discord_makes_them() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        channel = text_channel(bot, fake)
        faults = fake.world.faults["create_message"]
        faults.append(Fault(status=429, retry_after=0.2))
        await channel.send("after a wait")
        faults.append(Fault(status=429, retry_after=0.2, via=False))
        with pytest.raises(discord.HTTPException, match="429"):
            await channel.send("never")
        faults.append(Fault(reset=True))
        with pytest.raises(aiohttp.ClientOSError):
            await channel.send("never")
        faults.append(Fault(drop=True, effect=True))
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await channel.send("once", nonce="n1")
        again = await channel.send("once", nonce="n1")
        assert [
            one.id
            for one in fake.world.seen_by(None, None)
            if one.content == "once"
        ] == [str(again.id)]
        fake.world.forward(301)
        assert (await channel.send("once", nonce="n1")).id != again.id
        assert fake.world.invalid_requests == ["429 create_message"] * 2


async def test_permissions_are_kept() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        channel = text_channel(bot, fake)
        fake.general.denied = SEND_MESSAGES
        with pytest.raises(discord.Forbidden) as refused:
            await channel.send("no")
        assert refused.value.code == 50013
        fake.general.denied = 0
        thread = await (await channel.send("start")).create_thread(
            name="thread"
        )
        inside = await thread.send("inside")
        fake.archive(fake.world.channels[str(thread.id)])
        with pytest.raises(discord.HTTPException) as archived:
            await inside.edit(content="changed")
        assert archived.value.code == 50083
        fake.archive(fake.world.channels[str(thread.id)], locked=True)
        with pytest.raises(discord.HTTPException) as locked:
            await thread.send("no")
        assert locked.value.code == 160005
        with pytest.raises(discord.HTTPException) as long:
            await channel.send("x" * 2001)
        assert long.value.code == 50035
        assert len(fake.world.violations) == 1
        fake.world.violations.clear()


async def test_links_end_and_a_fresh_one_comes_with_the_message() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        ana: User = fake.person("Ana")
        fake.says(ana, fake.mention, files={"photo.png": png()})
        await fake.until(lambda: bot.heard)
        fake.world.forward(86_401)
        with pytest.raises(discord.NotFound):
            await bot.heard[0].attachments[0].read()
        fresh = await bot.heard[0].fetch()
        assert await fresh.attachments[0].read() == png()


class Gallery(discord.ui.LayoutView):
    """A picture shown by a component."""

    shown: discord.ui.MediaGallery[Any] = discord.ui.MediaGallery(
        discord.MediaGalleryItem("attachment://fox.png")
    )
    text: discord.ui.TextDisplay[Any] = discord.ui.TextDisplay(
        "a fox in a gallery"
    )


async def test_pictures_shown_by_embeds_and_galleries_are_no_attachments() -> (
    None
):
    async with driver.discord() as fake, connected(fake) as bot:
        channel = text_channel(bot, fake)
        embed = discord.Embed(title="a fox in an embed").set_image(
            url="attachment://fox.png"
        )
        embedded = await channel.send(embed=embed, file=fox())
        assert not embedded.attachments
        assert (embedded.embeds[0].image.url or "").startswith(fake.world.base)
        await channel.send(view=Gallery(timeout=None), file=fox())
        shown = await fake.sees("in a gallery", files=1)
        assert shown.flags & V2
        plain = await channel.send("plain")
        with pytest.raises(
            discord.HTTPException, match="unfurled media attachment not found"
        ):
            await plain.edit(
                content=None, view=Gallery(timeout=None), attachments=[fox()]
            )


async def test_an_edit_keeps_only_the_attachments_it_names() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        sent = await text_channel(bot, fake).send("two", files=[fox(), fox()])
        await sent.edit(
            attachments=[
                sent.attachments[1],
                discord.File(io.BytesIO(b"new"), "new.png"),
            ]
        )
        assert [
            one.filename for one in fake.world.messages[-1].attachments
        ] == [
            "fox.png",
            "new.png",
        ]
        await sent.edit(content="still two")
        assert len(fake.world.messages[-1].files) == 2


async def test_mentions_ping_unless_they_are_switched_off() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        ana, channel = fake.person("Ana"), text_channel(bot, fake)
        await channel.send(f"@everyone <@{ana.id}>")
        assert not fake.world.pings
        await channel.send(
            f"@everyone <@{ana.id}>",
            allowed_mentions=discord.AllowedMentions.all(),
        )
        assert [one[:2] for one in fake.world.pings] == [
            ("user", ana.id),
            ("everyone", ""),
        ]


async def test_rate_limits_hold_when_asked_for() -> None:
    async with (
        driver.discord(World(strict_rates=True)) as fake,
        connected(fake) as bot,
    ):
        fake.world.rate_window = 0.6
        began = asyncio.get_running_loop().time()
        await asyncio.gather(
            *(text_channel(bot, fake).send(str(number)) for number in range(7))
        )
        assert asyncio.get_running_loop().time() - began > 0.5
        assert len(fake.world.messages) == 7


async def test_large_files_and_closed_doors_are_refused() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        ana, channel = fake.person("Ana", closed=True), text_channel(bot, fake)
        huge = discord.File(
            io.BytesIO(bytes(10 * 1024 * 1024 + 1)), "huge.png"
        )
        with pytest.raises(discord.HTTPException) as large:
            await channel.send(file=huge)
        with pytest.raises(discord.Forbidden) as closed:
            await (await (await bot.fetch_user(int(ana.id))).create_dm()).send(
                "hello"
            )
        assert [large.value.code, closed.value.code] == [40005, 50007]


async def test_the_rest_of_a_channel_s_life() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        ana, channel = fake.person("Ana"), text_channel(bot, fake)
        sent = [await channel.send(str(number)) for number in range(5)]
        assert [one.content async for one in channel.history(limit=2)] == [
            "4",
            "3",
        ]
        assert [
            one.content
            async for one in channel.history(after=sent[2], oldest_first=True)
        ] == [
            "3",
            "4",
        ]
        assert [
            one.content async for one in channel.history(before=sent[1])
        ] == ["0"]
        assert (
            len(
                [one async for one in channel.history(around=sent[2], limit=3)]
            )
            == 3
        )
        async with channel.typing():
            await sent[0].add_reaction("↩️")
        fake.reacts(
            ana, fake.world.find(fake.general.id, str(sent[0].id)), "↩️"
        )
        again = await channel.fetch_message(sent[0].id)
        assert (again.reactions[0].count, again.reactions[0].me) == (2, True)
        assert {one.name async for one in again.reactions[0].users()} == {
            "easel",
            "Ana",
        }
        await again.remove_reaction(
            "↩️", bot.get_user(int(fake.world.bot.id)) or discord.Object(0)
        )
        with pytest.raises(discord.HTTPException, match="10014"):
            await again.add_reaction("smile")
        await sent[4].delete()
        with pytest.raises(discord.NotFound, match="10008"):
            await channel.fetch_message(sent[4].id)
        late = await channel.send(
            "late", reference=sent[4].to_reference(fail_if_not_exists=False)
        )
        assert late.reference is None
        with pytest.raises(discord.HTTPException, match="Unknown message"):
            await channel.send("late", reference=sent[4])
        member = await channel.guild.fetch_member(int(ana.id))
        assert member.name == "Ana"
        assert (await bot.fetch_guild(channel.guild.id)).name == "Test"
        with pytest.raises(discord.NotFound, match="10003"):
            await bot.fetch_channel(1)


async def test_threads_are_opened_once_joined_renamed_and_found_in_forums() -> (
    None
):
    async with driver.discord() as fake, connected(fake) as bot:
        sent = await text_channel(bot, fake).send("start")
        thread = await sent.create_thread(
            name="a fox", auto_archive_duration=60
        )
        assert thread.id == sent.id
        with pytest.raises(discord.HTTPException, match="160004"):
            await sent.create_thread(name="again")
        await thread.join()
        await thread.edit(name="a bluer fox", archived=True)
        assert fake.world.channels[str(thread.id)].archived
        await thread.send("back again")
        assert not fake.world.channels[str(thread.id)].archived
        forum = fake.channel("forum", kind=15)
        await fake.until(lambda: bot.get_channel(int(forum.id)))
        there = bot.get_channel(int(forum.id))
        assert isinstance(there, discord.ForumChannel)
        post = await there.create_thread(
            name="post", content="a fox", file=fox()
        )
        assert post.thread.id == post.message.id
        fake.deletes_channel(fake.world.channels[str(thread.id)])
        with pytest.raises(discord.NotFound, match="10003"):
            await thread.send("gone")


async def test_what_discord_s_own_schema_forbids_is_found() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        where = Route(
            "POST",
            "/channels/{channel_id}/messages",
            channel_id=fake.general.id,
        )
        with pytest.raises(discord.HTTPException, match="50035"):
            await bot.http.request(where, json={"content": 5})
        assert fake.world.violations
        fake.world.violations.clear()


async def test_server_errors_are_tried_again_by_the_library() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        fake.world.faults["*"].append(Fault(status=502))
        await text_channel(bot, fake).send("second try")
        fake.world.faults["create_message"].append(
            Fault(status=403, code=200000, message="AutoMod")
        )
        with pytest.raises(discord.Forbidden, match="200000"):
            await text_channel(bot, fake).send("blocked")
