"""The real discord.py speaks to the Discord on loopback."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import discord
import pytest
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route
from PIL import Image

from tests.fakes.discord import driver
from tests.fakes.discord.things import EPHEMERAL, SEND_MESSAGES, Fault, User

Handler = Callable[[Any], Any]
MINIMAL = discord.Intents(guilds=True, guild_messages=True, dm_messages=True, guild_reactions=True, dm_reactions=True)


class Bot(discord.AutoShardedClient):
    """A client with one command, whose behaviour each test hangs in."""

    def __init__(self) -> None:
        super().__init__(
            intents=MINIMAL,
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self.heard: list[discord.Message] = []
        self.reactions: list[discord.RawReactionActionEvent] = []
        self.acts: Handler | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.tree = app_commands.CommandTree(self)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Without the five seconds discord.py waits."""

    async def on_message(self, message: discord.Message) -> None:
        self.heard.append(message)

    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        self.reactions.append(payload)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        if self.acts:
            await self.acts(interaction)


@pytest.fixture(autouse=True)
def _routes() -> Iterator[None]:
    """discord.py keeps its addresses in classes."""
    base, gateway = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    yield
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = base, gateway


@asynccontextmanager
async def connected(fake: driver.Discord) -> AsyncIterator[Bot]:
    """A client that has logged in."""
    Route.BASE = fake.settings()["EASEL_DISCORD_API_URL"]
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(fake.app.gateway_url)
    bot = Bot()
    bot._connection.guild_ready_timeout = 0.05
    running = asyncio.create_task(bot.start(fake.world.token))
    try:
        await asyncio.wait({running, asyncio.create_task(fake.connected())}, return_when=asyncio.FIRST_COMPLETED)
        await bot.wait_until_ready()
        yield bot
    finally:
        await bot.close()
        with suppress(discord.DiscordException):
            await running


def png() -> bytes:
    """A small picture."""
    made = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(made, "PNG")
    return made.getvalue()


def view(*labels: str) -> discord.ui.View:
    """Some buttons."""
    made = discord.ui.View(timeout=None)
    for label in labels:
        made.add_item(discord.ui.Button(label=label, custom_id=label.lower()))
    return made


def text_channel(bot: Bot, fake: driver.Discord) -> discord.TextChannel:
    """The channel as the client knows it."""
    found = bot.get_channel(int(fake.general.id))
    assert isinstance(found, discord.TextChannel)
    return found


async def test_a_message_is_answered_with_a_file_and_buttons_and_a_press_is_deferred() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        ana = fake.person("Ana")
        fake.says(ana, "nothing for you", files={"secret.png": png()})
        said = fake.says(ana, f"{fake.mention} a fox", files={"photo.png": png()})
        await fake.until(lambda: len(bot.heard) == 2)
        assert bot.heard[0].content == ""
        assert not bot.heard[0].attachments
        assert bot.heard[1].content == said.content
        assert await bot.heard[1].attachments[0].read() == said.files[0]

        file = discord.File(io.BytesIO(png()), "fox.png", description="a fox")
        sent = await text_channel(bot, fake).send("a fox", file=file, view=view("Redo"), reference=bot.heard[1])
        shown = await fake.sees("a fox", button="Redo", files=1)
        assert shown.attachments[0].description == "a fox"
        assert sent.id == int(shown.id)
        assert not fake.world.pings

        async def act(interaction: discord.Interaction) -> None:
            await interaction.response.defer()
            await interaction.edit_original_response(content="again", attachments=[])

        bot.acts = act
        pressed = await fake.presses(ana, shown, "Redo")
        assert pressed.ack_type == 6
        await fake.until(lambda: shown.content == "again" and not shown.files)


async def test_replies_are_read_only_when_they_ping_a_regular_message() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        ana = fake.person("Ana")
        await text_channel(bot, fake).send("result")
        result = await fake.sees("result")
        fake.says(ana, "bluer", reply_to=result)
        fake.says(ana, "redder", reply_to=result, ping=False)
        direct = fake.direct(ana)
        fake.says(ana, "in private", direct)
        await fake.until(lambda: len(bot.heard) == 4)
        assert [one.content for one in bot.heard[1:]] == ["bluer", "", "in private"]
        fake.reacts(ana, result, "🔁")
        await fake.until(lambda: bot.reactions)
        assert bot.reactions[0].message_author_id == int(fake.world.bot.id)


async def test_a_command_opens_a_modal_and_its_fields_come_back() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        ana = fake.person("Ana", locale="zh-CN")
        form = discord.ui.Modal(title="Edit", custom_id="edit")
        form.add_item(
            discord.ui.Label(text="Prompt", component=discord.ui.TextInput(custom_id="prompt", default="a fox"))
        )
        form.add_item(discord.ui.Label(text="Size", component=_radio()))
        form.add_item(discord.ui.Label(text="Picture", component=discord.ui.FileUpload(custom_id="pictures")))
        form.add_item(discord.ui.Label(text="Who", component=discord.ui.UserSelect(custom_id="who", required=False)))
        submitted: list[Any] = []

        async def act(interaction: discord.Interaction) -> None:
            if interaction.type is discord.InteractionType.modal_submit:
                submitted.append(interaction.data)
                await interaction.response.send_message("thank you", ephemeral=True)
            else:
                assert interaction.locale is discord.Locale.chinese
                await interaction.response.send_modal(form)

        bot.acts = act
        opened = await fake.command(ana, "draw", {"prompt": "x", "strange": 1}, files={"picture1": png()})
        assert opened.ack_type == 9
        sent = await fake.submits(ana, opened, {"size": "Large", "pictures": png(), "who": ana})
        assert [one.content for one in sent.ephemeral] == ["thank you"]
        assert fake.world.messages[-1].flags & EPHEMERAL
        fields = [one["component"] for one in submitted[0]["components"]]
        assert [fields[0]["value"], fields[1]["value"]] == ["a fox", "l"]
        assert fields[2]["values"] == list(submitted[0]["resolved"]["attachments"])
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

        async def models(_: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
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
        assert await fake.autocomplete(ana, "draw", {"model": "wan"}, focused="model") == [
            {"name": "wan-model", "value": "m"}
        ]
        made = await fake.command(ana, "draw", {"prompt": "a fox", "n": 2}, files={"photo": png()})
        assert (await fake.reply(made)).content == "done"
        assert made.ephemeral
        assert got == [("a fox", 2, png())]


async def test_what_happened_while_it_was_away_is_told_after_resuming() -> None:
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


async def test_sharded_clients_lose_what_happens_after_a_refused_connection() -> None:
    """discord.py's own: AutoShardedClient identifies anew instead of resuming."""
    async with driver.discord() as fake, connected(fake) as bot:
        ana = fake.person("Ana")
        await fake.gateway.drop(0.1)
        fake.says(ana, f"{fake.mention} lost")
        await fake.until(lambda: fake.gateway.identifies == 2 and fake.gateway.is_connected)
        fake.says(ana, f"{fake.mention} heard")
        await fake.until(lambda: bot.heard)
        assert [one.content for one in bot.heard] == [f"{fake.mention} heard"]


async def test_an_invalid_session_is_identified_anew() -> None:
    async with driver.discord() as fake, connected(fake) as bot:
        ana = fake.person("Ana")
        await fake.gateway.invalidate()
        await fake.until(lambda: fake.gateway.identifies == 2 and fake.gateway.is_connected)
        fake.duplicate_events = True
        fake.says(ana, f"{fake.mention} hello")
        await fake.until(lambda: len(bot.heard) == 2)
        assert bot.heard[0].id == bot.heard[1].id


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
        assert [one.id for one in fake.world.seen_by(None, None) if one.content == "once"] == [str(again.id)]
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
        thread = await (await channel.send("start")).create_thread(name="thread")
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
                    Route("POST", f"/interactions/{interaction.id}/{interaction.token}/callback"), json={"type": 5}
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
        assert fake.world.invalid_requests[-1] == "401 update_original_webhook_message"


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


async def test_a_wrong_token_is_refused() -> None:
    async with driver.discord() as fake:
        Route.BASE = fake.settings()["EASEL_DISCORD_API_URL"]
        async with Bot() as bot:
            with pytest.raises(discord.LoginFailure):
                await bot.start("wrong")


async def test_intents_that_were_not_granted_end_the_session() -> None:
    async with driver.discord() as fake:
        Route.BASE = fake.settings()["EASEL_DISCORD_API_URL"]
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(fake.app.gateway_url)
        async with discord.Client(intents=discord.Intents.all()) as bot:
            with pytest.raises(discord.PrivilegedIntentsRequired):
                await bot.start(fake.world.token)
