"""The real discord.py speaks to the Discord on loopback: commands, presses, modals."""

import asyncio
import io
from typing import Any

import discord
import pytest
from discord import app_commands
from discord.http import Route

from tests.fakes.discord import driver
from tests.fakes.discord.client import connected, fox, png, text_channel, view
from tests.fakes.discord.things import EPHEMERAL


async def test_a_message_is_answered_with_a_file_and_buttons_and_a_press_is_deferred() -> (
    None
):
    async with driver.discord() as fake, connected(fake) as bot:
        ana = fake.person("Ana")
        fake.says(ana, "nothing for you", files={"secret.png": png()})
        said = fake.says(
            ana, f"{fake.mention} a fox", files={"photo.png": png()}
        )
        await fake.until(lambda: len(bot.heard) == 2)
        assert bot.heard[0].content == ""
        assert not bot.heard[0].attachments
        assert bot.heard[1].content == said.content
        assert await bot.heard[1].attachments[0].read() == said.files[0]

        file = discord.File(io.BytesIO(png()), "fox.png", description="a fox")
        sent = await text_channel(bot, fake).send(
            "a fox", file=file, view=view("Redo"), reference=bot.heard[1]
        )
        shown = await fake.sees("a fox", button="Redo", files=1)
        assert shown.attachments[0].description == "a fox"
        assert sent.id == int(shown.id)
        assert not fake.world.pings

        async def act(interaction: discord.Interaction) -> None:
            await interaction.response.defer()
            await interaction.edit_original_response(
                content="again", attachments=[]
            )

        bot.acts = act
        pressed = await fake.presses(ana, shown, "Redo")
        assert pressed.ack_type == 6
        await fake.until(lambda: shown.content == "again" and not shown.files)


async def test_a_command_opens_a_modal_and_its_fields_come_back() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        ana = fake.person("Ana", locale="zh-CN")
        form = discord.ui.Modal(title="Edit", custom_id="edit")
        form.add_item(
            discord.ui.Label(
                text="Prompt",
                component=discord.ui.TextInput(
                    custom_id="prompt", default="a fox"
                ),
            )
        )
        form.add_item(discord.ui.Label(text="Size", component=_radio()))
        form.add_item(
            discord.ui.Label(
                text="Picture",
                component=discord.ui.FileUpload(custom_id="pictures"),
            )
        )
        form.add_item(
            discord.ui.Label(
                text="Who",
                component=discord.ui.UserSelect(
                    custom_id="who", required=False
                ),
            )
        )
        submitted: list[Any] = []

        async def act(interaction: discord.Interaction) -> None:
            if interaction.type is discord.InteractionType.modal_submit:
                submitted.append(interaction.data)
                await interaction.response.send_message(
                    "thank you", ephemeral=True
                )
            else:
                assert interaction.locale is discord.Locale.chinese
                await interaction.response.send_modal(form)

        bot.acts = act
        opened = await fake.command(
            ana,
            "draw",
            {"prompt": "x", "strange": 1},
            files={"picture1": png()},
        )
        assert opened.ack_type == 9
        sent = await fake.submits(
            ana, opened, {"size": "Large", "pictures": png(), "who": ana}
        )
        assert [one.content for one in sent.ephemeral] == ["thank you"]
        assert fake.world.messages[-1].flags & EPHEMERAL
        fields = [one["component"] for one in submitted[0]["components"]]
        assert [fields[0]["value"], fields[1]["value"]] == ["a fox", "l"]
        assert fields[2]["values"] == list(
            submitted[0]["resolved"]["attachments"]
        )
        assert fields[3]["values"] == [ana.id]


def _radio() -> discord.ui.RadioGroup[Any]:
    made: discord.ui.RadioGroup[Any] = discord.ui.RadioGroup(custom_id="size")
    made.add_option(label="Small", value="s")
    made.add_option(label="Large", value="l")
    return made


async def test_commands_are_synced_and_complete_themselves() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        ana = fake.person("Ana")
        got: list[tuple[str, int, bytes]] = []

        async def models(
            _: discord.Interaction, current: str
        ) -> list[app_commands.Choice[str]]:
            return [app_commands.Choice(name=f"{current}-model", value="m")]

        @bot.tree.command(name="draw", description="Draw a picture")
        @app_commands.autocomplete(model=models)
        async def draw(
            interaction: discord.Interaction,
            prompt: str,
            n: int = 1,
            model: str = "",
            photo: discord.Attachment | None = None,
        ) -> None:
            await interaction.response.defer(ephemeral=True)
            got.append((prompt, n, await photo.read() if photo else b""))
            await interaction.edit_original_response(content="done")

        await bot.tree.sync()
        assert fake.world.syncs[""] == 1
        assert await fake.autocomplete(
            ana, "draw", {"model": "wan"}, focused="model"
        ) == [{"name": "wan-model", "value": "m"}]
        made = await fake.command(
            ana, "draw", {"prompt": "a fox", "n": 2}, files={"photo": png()}
        )
        assert (await fake.reply(made)).content == "done"
        assert made.ephemeral
        assert got == [("a fox", 2, png())]


async def test_interactions_are_acknowledged_once_and_in_time() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        ana = fake.person("Ana")
        codes: list[int] = []
        held: list[discord.Interaction] = []

        async def act(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("first")
            held.append(interaction)
            with pytest.raises(discord.HTTPException) as twice:
                await interaction.client.http.request(
                    Route(
                        "POST",
                        f"/interactions/{interaction.id}/{interaction.token}/callback",
                    ),
                    json={"type": 5},
                )
            codes.append(twice.value.code)

        bot.acts = act
        assert (await fake.command(ana, "draw")).ack_type == 4
        await fake.until(lambda: codes)

        async def late(interaction: discord.Interaction) -> None:
            await asyncio.sleep(0.3)
            with pytest.raises(discord.NotFound) as unknown:
                await interaction.response.send_message("late")
            codes.append(unknown.value.code)

        bot.acts, fake.world.patience = late, 0.1
        assert (await fake.command(ana, "draw")).error
        await fake.until(lambda: len(codes) == 2)
        fake.world.forward(901)
        with pytest.raises(discord.HTTPException) as expired:
            await held[0].edit_original_response(content="too late")
        assert [*codes, expired.value.code] == [40060, 10062, 50027]
        assert (
            fake.world.invalid_requests[-1]
            == "401 update_original_webhook_message"
        )


async def test_where_only_a_person_installed_the_app_five_followups_are_all() -> (
    None
):
    async with driver.discord() as fake, connected(fake) as bot:
        ana = fake.person("Ana")
        guild, channel = fake.join("Elsewhere", installed=False)
        fake.world.join(ana, guild)
        codes: list[int] = []

        async def act(interaction: discord.Interaction) -> None:
            assert interaction.is_user_integration()
            assert not interaction.is_guild_integration()
            await interaction.response.send_message("first")
            for _ in range(5):
                await interaction.followup.send("more")
            with pytest.raises(discord.HTTPException) as over:
                await interaction.followup.send("too much")
            codes.append(over.value.code)

        bot.acts = act
        made = await fake.command(ana, "draw", channel=channel)
        await fake.until(lambda: codes)
        assert codes == [40094]
        assert len(made.messages) == 6


async def test_menus_archives_guilds_and_context_menus_are_told() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        ana = fake.person("Ana")
        said = fake.says(ana, "look", files={"photo.png": png()})
        targets: list[Any] = []

        async def act(interaction: discord.Interaction) -> None:
            targets.append(interaction.data)
            await interaction.response.send_message("chosen", ephemeral=True)

        bot.acts = act
        await fake.context_menu(ana, "Edit this image", said)
        resolved = targets[0]["resolved"]["messages"][said.id]
        assert resolved["attachments"][0]["filename"] == "photo.png"
        menu = discord.ui.View(timeout=None)
        options = [discord.SelectOption(label="Blue", value="b")]
        menu.add_item(discord.ui.Select(custom_id="colour", options=options))
        await text_channel(bot, fake).send("choose", view=menu)
        await fake.presses(ana, await fake.sees("choose"), "Blue")
        assert targets[1]["values"] == ["b"]
        guild, _ = fake.join("New")
        await fake.until(lambda: bot.get_guild(int(guild.id)))
        fake.kick(guild)
        await fake.until(lambda: bot.get_guild(int(guild.id)) is None)
        fake.archive(fake.thread(ana, said))
        await fake.until(lambda: not fake.general.archived)


async def test_an_ephemeral_answer_is_followed_edited_and_deleted() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        ana, bob = fake.person("Ana"), fake.person("Bob")
        steps: list[str] = []

        async def act(interaction: discord.Interaction) -> None:
            await interaction.response.defer(ephemeral=True, thinking=True)
            await interaction.edit_original_response(
                content="first", view=view("Keep")
            )
            more = await interaction.followup.send(
                "second", ephemeral=True, wait=True, file=fox()
            )
            await more.edit(content="second, changed")
            assert (await interaction.original_response()).content == "first"
            await interaction.delete_original_response()
            with pytest.raises(discord.NotFound, match="10008"):
                await interaction.edit_original_response(content="gone")
            steps.append("done")

        bot.acts = act
        made = await fake.command(ana, "easel help", channel=fake.direct(ana))
        await fake.until(lambda: steps)
        assert [one.content for one in made.ephemeral] == ["second, changed"]
        assert made.ephemeral[0].attachments[0].is_ephemeral
        assert not fake.world.seen_by(bob, None)
        assert not fake.world.deprecated


async def test_a_group_of_people_is_a_context_of_its_own() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        ana, bob = fake.person("Ana"), fake.person("Bob")
        contexts: list[bool] = []

        async def act(interaction: discord.Interaction) -> None:
            contexts.append(interaction.context.private_channel)
            await interaction.response.send_message("here")

        bot.acts = act
        made = await fake.command(
            ana, "draw", {"prompt": "a fox"}, channel=fake.group(ana, bob)
        )
        assert contexts == [True]
        assert made.messages[0].content == "here"
