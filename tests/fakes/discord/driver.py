"""People in the Discord on loopback: they type, upload, press, react.

The bot receives their actions as Discord sends them.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.fakes.discord import payloads
from tests.fakes.discord.app_api import AppApi
from tests.fakes.discord.cdn import Cdn
from tests.fakes.discord.channels_api import ChannelsApi
from tests.fakes.discord.gateway import Gateway
from tests.fakes.discord.interacting import Interacting
from tests.fakes.discord.interactions_api import InteractionsApi
from tests.fakes.discord.posting import Posting
from tests.fakes.discord.rest import Rest
from tests.fakes.discord.things import (
    GROUP,
    ORDINARY,
    PUBLIC_THREAD,
    Channel,
    Event,
    Guild,
    Interaction,
    Json,
    Message,
    User,
    walk,
)
from tests.fakes.discord.world import World

DEFAULT_KIND, REPLY_KIND = 0, 19
PATIENCE = 60.0
"""Seconds until a wait is given up. What comes sooner is not waited for, however busy the machine.
"""


class Discord:
    """One Discord with one guild, its owner and one channel, to begin with."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.posting = Posting(world)
        self.gateway = Gateway(world)
        self.app = AppApi(world)
        self.channels = ChannelsApi(world, self.posting)
        self.interactions = InteractionsApi(world, self.posting)
        self.interacting = Interacting(world)
        self.cdn = Cdn(world)
        self.gateway.on_identify = lambda count: setattr(
            self.app, "identifies", count
        )
        self.owner = world.user("owner")
        self.guild = world.guild("Test", self.owner)
        self.general = world.channel("general", self.guild)

    def routes(self, app: web.Application) -> None:
        """All that is served."""
        templates = [
            *self.app.routes(),
            *self.channels.routes(),
            *self.interactions.routes(),
        ]
        Rest(self.world, templates).routes(app)
        self.gateway.routes(app)
        self.cdn.routes(app)

    def settings(self) -> dict[str, str]:
        """The variables that lead an Easel here."""
        return {
            "DISCORD_BOT_TOKEN": self.world.token,
            "EASEL_DISCORD_API_URL": f"{self.world.base}/api/v10",
            "EASEL_DISCORD_CDN_HOSTS": self.world.base.removeprefix("http://"),
        }

    @property
    def mention(self) -> str:
        """How the bot is mentioned."""
        return f"<@{self.world.bot.id}>"

    @property
    def duplicate_events(self) -> bool:
        """Whether every event comes twice."""
        return self.gateway.duplicates

    @duplicate_events.setter
    def duplicate_events(self, value: bool) -> None:
        self.gateway.duplicates = value

    async def down(self, seconds: float) -> None:
        """All of Discord is unreachable for a while: REST, CDN and gateway."""
        self.world.down_until = time.monotonic() + seconds
        await self.gateway.drop(seconds)

    # Places and people

    def person(
        self,
        name: str,
        *,
        guild: Guild | None = None,
        permissions: int = ORDINARY,
        **more: Any,
    ) -> User:
        """Someone new, a member of the guild."""
        user = self.world.user(name, **more)
        self.permit(user, permissions, guild)
        return user

    def permit(
        self, user: User, permissions: int, guild: Guild | None = None
    ) -> None:
        """A member has these permissions from now on; the gateway is told of their role."""
        guild = guild or self.guild
        is_known = permissions in {ORDINARY, *guild.permissions.values()}
        self.world.join(user, guild, permissions)
        if is_known:
            return
        role = payloads.member_role(guild, permissions)
        self.world.publish(
            Event(
                name="GUILD_ROLE_CREATE",
                data={"guild_id": guild.id, "role": role},
                guild=guild.id,
            )
        )

    def deny(self, channel: Channel, permissions: int) -> None:
        """The bot may no longer do this in a channel; the gateway is told."""
        channel.denied = permissions
        self.posting.publish_channel("CHANNEL_UPDATE", channel)

    def channel(
        self, name: str, *, guild: Guild | None = None, **more: Any
    ) -> Channel:
        """A new channel; the gateway is told."""
        channel = self.world.channel(name, guild or self.guild, **more)
        self.posting.publish_channel("CHANNEL_CREATE", channel)
        return channel

    def direct(self, user: User) -> Channel:
        """The direct message of a person and the bot."""
        return self.world.direct(user)

    def group(self, *users: User) -> Channel:
        """A direct message among people, where the app is only because one of them installed it."""
        return self.world.channel(
            kind=GROUP, owner=users[0].id, members={user.id for user in users}
        )

    def join(
        self, name: str = "Another", *, owner: User | None = None, **more: Any
    ) -> tuple[Guild, Channel]:
        """The bot is invited to a new guild with one channel."""
        guild = self.world.guild(name, owner or self.owner, **more)
        channel = self.world.channel("general", guild)
        if guild.installed:
            self.world.publish(
                Event(
                    name="GUILD_CREATE",
                    data=payloads.guild(self.world, guild),
                    guild=guild.id,
                )
            )
        return guild, channel

    def kick(self, guild: Guild | None = None) -> None:
        """The bot is removed from a guild."""
        guild = guild or self.guild
        guild.installed = False
        self.world.publish(
            Event(
                name="GUILD_DELETE",
                data={"id": guild.id, "unavailable": False},
                guild=guild.id,
            )
        )

    def outage(
        self, guild: Guild | None = None, *, over: bool = False
    ) -> None:
        """A guild is unavailable for a while, or back."""
        guild = guild or self.guild
        guild.unavailable = not over
        body = (
            payloads.guild(self.world, guild)
            if over
            else {"id": guild.id, "unavailable": True}
        )
        self.world.publish(
            Event(
                name="GUILD_CREATE" if over else "GUILD_DELETE",
                data=body,
                guild=guild.id,
            )
        )

    def thread(
        self, user: User, message: Message, name: str = "thread"
    ) -> Channel:
        """Someone opens a thread from a message."""
        parent = self.world.channels[message.channel]
        guild = self.world.guilds[parent.guild]
        place: Json = {
            "parent": parent.id,
            "owner": user.id,
            "members": {user.id},
        }
        channel = self.world.channel(
            name, guild, id=message.id, kind=PUBLIC_THREAD, **place
        )
        self.posting.publish_channel(
            "THREAD_CREATE", channel, newly_created=True
        )
        return channel

    def archive(self, thread: Channel, *, locked: bool = False) -> None:
        """A thread is archived, perhaps locked."""
        thread.archived, thread.locked = True, locked
        self.posting.publish_channel("THREAD_UPDATE", thread)

    def deletes_channel(self, channel: Channel) -> None:
        """A channel or thread is deleted, and all in it."""
        self.channels.removed(channel)

    def deletes(self, message: Message) -> None:
        """Someone deletes a message."""
        self.posting.remove(message)

    # Talk

    def says(
        self,
        user: User,
        text: str,
        channel: Channel | None = None,
        *,
        files: Mapping[str, Path | bytes] | Sequence[Path] = (),
        reply_to: Message | None = None,
        ping: bool = True,
        embeds: Sequence[Json] = (),
        snapshots: Sequence[Json] = (),
        components: Sequence[Json] = (),
        spoilers: bool = False,
        kind: int | None = None,
    ) -> Message:
        """A message, told to the bot as far as its intents allow.

        ``ping``: with "ping on reply"; ``kind``: of a system message (7: someone joined, 18: a
        thread was opened).
        """
        where = channel or self.general
        if channel is None and reply_to is not None:
            where = self.world.channels[reply_to.channel]
        if kind is None:
            kind = REPLY_KIND if reply_to else DEFAULT_KIND
        said = Message(
            id=self.world.number(),
            channel=where.id,
            guild=where.guild,
            author=user.id,
            created=self.world.now(),
            kind=kind,
            content=text,
            embeds=list(embeds),
            snapshots=list(snapshots),
            components=list(components),
        )
        named = (
            files
            if isinstance(files, Mapping)
            else {file.name: file for file in files}
        )
        for name, data in named.items():
            content = data if isinstance(data, bytes) else data.read_bytes()
            said.attachments.append(
                self.world.attach(name, content, where.id, spoiler=spoilers)
            )
        said.mentions = [
            user
            for user in self.world.users
            if f"<@{user}>" in text or f"<@!{user}>" in text
        ]
        said.mention_everyone = "@everyone" in text or "@here" in text
        said.mention_roles = re.findall(r"<@&(\d+)>", text)
        if reply_to is not None:
            said.reference = {
                "type": 0,
                "channel_id": reply_to.channel,
                "message_id": reply_to.id,
            }
            said.reference |= {"guild_id": where.guild} if where.guild else {}
            if ping and reply_to.author not in said.mentions:
                said.mentions.append(reply_to.author)
        where.archived = where.archived and where.locked
        self.world.messages.append(said)
        self.posting.publish_message("MESSAGE_CREATE", said)
        return said

    def forwards(
        self, user: User, message: Message, channel: Channel | None = None
    ) -> Message:
        """A message forwarded: its pictures stand in a snapshot, its author does not."""
        payload = payloads.message(self.world, message)
        fields = (
            "type",
            "content",
            "embeds",
            "attachments",
            "timestamp",
            "edited_timestamp",
            "flags",
            "mentions",
        )
        snapshot = {
            "message": {
                name: payload[name]
                for name in (*fields, "mention_roles", "components")
            }
        }
        return self.says(user, "", channel, snapshots=[snapshot])

    def edits(self, message: Message, text: str) -> None:
        """Someone changes what they said."""
        message.content, message.edited = text, self.world.now()
        self.posting.publish_message("MESSAGE_UPDATE", message)

    def unfurls(self, message: Message, embeds: Sequence[Json]) -> None:
        """Discord has looked at the links of a message, and shows what is there."""
        message.embeds = list(embeds)
        self.posting.publish_message("MESSAGE_UPDATE", message)

    def reacts(
        self, user: User, message: Message, emoji: str, *, added: bool = True
    ) -> None:
        """A reaction comes, or goes."""
        self.channels.react(message, emoji, user.id, added=added)

    # Interactions

    async def command(
        self,
        user: User,
        words: str,
        options: Mapping[str, Any] | None = None,
        *,
        channel: Channel | None = None,
        files: Mapping[str, Path | bytes] | None = None,
    ) -> Interaction:
        """A slash command ("draw", "easel undo"), as soon as it is acknowledged or has failed."""
        where = channel or self.general
        return await self._wait_for_answer(
            self.interacting.command(
                user, words, options or {}, channel=where, files=files
            )
        )

    async def autocomplete(
        self,
        user: User,
        words: str,
        options: Mapping[str, Any] | None = None,
        *,
        focused: str,
        channel: Channel | None = None,
    ) -> list[Json]:
        """What is offered while someone types."""
        filled = {focused: "", **(options or {})}
        interaction = self.interacting.command(
            user,
            words,
            filled,
            channel=channel or self.general,
            focused=focused,
        )
        offered = (await self._wait_for_answer(interaction)).choices
        assert offered is not None, "Loading options failed"
        return offered

    async def context_menu(
        self,
        user: User,
        name: str,
        target: Message | User,
        *,
        channel: Channel | None = None,
    ) -> Interaction:
        """A command from the menu of a message or a person."""
        where = channel or (
            self.general
            if isinstance(target, User)
            else self.world.channels[target.channel]
        )
        return await self._wait_for_answer(
            self.interacting.context_menu(user, name, target, where)
        )

    async def presses(
        self,
        user: User,
        message: Message,
        label: str,
        values: Sequence[Any] = (),
    ) -> Interaction:
        """A button, or an option of a menu, by label or custom_id.

        ``values`` for menus of people or channels.
        """
        if message.only_for not in {"", user.id}:
            raise AssertionError(f"{user.name} does not see this message")
        component = _component(message, label)
        if component.get("disabled"):
            raise AssertionError(f"{label} is disabled")
        chosen = (
            [component["chosen"]["value"]] if "chosen" in component else values
        )
        where = self.world.channels[message.channel]
        return await self._wait_for_answer(
            self.interacting.press(user, message, component, chosen, where)
        )

    async def submits(
        self,
        user: User,
        opened: Interaction,
        fields: Mapping[str, Any] | None = None,
    ) -> Interaction:
        """The modal an interaction opened, sent back."""
        assert opened.modal is not None, "no modal was opened"
        return await self._wait_for_answer(
            self.interacting.submit(opened, user, opened.modal, fields or {})
        )

    async def _wait_for_answer(self, made: Interaction) -> Interaction:
        """As the person sees it: answered, or failed after 3 s."""
        made.began = asyncio.get_running_loop().time()
        while (
            made.ack_type is None
            and self.world.now() - made.created < self.world.patience
        ):
            await asyncio.sleep(0.005)
        made.refused = made.ack_type is None
        return made

    # Waiting

    async def until(
        self, found: Callable[[], Any], seconds: float = PATIENCE
    ) -> Any:
        """Wait until a condition holds; else fail with what is there instead."""
        ends = time.monotonic() + seconds
        while not (answer := found()):
            if time.monotonic() > ends:
                raise AssertionError("\n".join(self._there()))
            await asyncio.sleep(0.01)
        return answer

    def _there(self) -> list[str]:
        """The last messages, refused requests and broken limits."""
        calls = [
            f"{call.status} {call.route} {call.parameters}"
            for call in self.world.calls
            if call.status >= 400
        ]
        return [
            *(self._line(message) for message in self.world.messages[-8:]),
            *calls[-5:],
            *self.world.violations,
        ]

    def _line(self, message: Message) -> str:
        names = {user.id: user.name for user in self.world.users.values()}
        seen = f" for {names[message.only_for]}" if message.only_for else ""
        said = f"{names[message.author]}{seen}: {message.words!r}"
        return f"{said} {list(message.buttons)} {len(message.files)} files"

    async def connected(self, seconds: float = PATIENCE) -> None:
        """A client is there and ready to hear; its heartbeat says so."""
        async with asyncio.timeout(seconds):
            while not self.gateway.is_heard:
                if self.gateway.is_connected:
                    await self.gateway.ask_for_heartbeat()
                await asyncio.sleep(0.02)

    async def sees(
        self,
        text: str = "",
        *,
        channel: Channel | None = None,
        user: User | None = None,
        button: str = "",
        files: int = 0,
        after: Message | None = None,
        seconds: float = PATIENCE,
    ) -> Message:
        """Wait for the bot's newest message with these words, a button and so many files."""

        def found() -> Message | None:
            for message in reversed(self.world.seen_by(user, channel)):
                is_newer = after is None or int(message.id) > int(after.id)
                is_it = (
                    message.author == self.world.bot.id
                    and is_newer
                    and text in message.words
                )
                if (
                    is_it
                    and len(message.files) >= files
                    and (
                        not button
                        or any(button in name for name in message.buttons)
                    )
                ):
                    return message
            return None

        message: Message = await self.until(found, seconds)
        return message

    async def reply(
        self, made: Interaction, seconds: float = PATIENCE
    ) -> Message:
        """What an interaction was answered with, once the app is no longer thinking."""
        message: Message = await self.until(
            lambda: (
                made.original
                if made.original and not made.original.is_loading
                else None
            ),
            seconds,
        )
        return message


def _component(message: Message, label: str) -> Json:
    for name, component in message.buttons.items():
        if label == name or label == component.get("custom_id"):
            return component
    for component in walk(message.components):
        if component.get("custom_id") == label:
            return component
    buttons = [
        button for name, button in message.buttons.items() if label in name
    ]
    if not buttons:
        raise AssertionError(f"no {label!r} among {list(message.buttons)}")
    return buttons[0]


@asynccontextmanager
async def discord(
    world: World | None = None, *, port: int = 0
) -> AsyncIterator[Discord]:
    """Everything on a free port of loopback; at the end no payload may have broken a limit."""
    fake = Discord(world or World())
    app = web.Application(client_max_size=1 << 30)
    fake.routes(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    fake.world.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await fake.gateway.close(1001)
        await runner.cleanup()
    assert not fake.world.violations, fake.world.violations
