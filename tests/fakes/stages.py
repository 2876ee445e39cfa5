"""One Easel reached by Slack, Discord and the room.

What a person does and reads is written once for the three.
"""

import asyncio
import re
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path
from typing import Any

import httpx

import bot.discord
import bot.slack
from adapters.web.chat import WebChat
from adapters.web.store import Room
from bot import settings, web, wiring
from bot.lifecycle import Lost
from bot.simulator.rules import ImageRequest
from bot.simulator.server import SimulatorConfig, serve
from bot.simulator.tasks import Account, Task
from core.ports import Blobs, Chat
from tests.fakes.discord import things
from tests.fakes.discord.driver import Discord, discord
from tests.fakes.discord.world import World as DiscordWorld
from tests.fakes.house import House, Visitor
from tests.fakes.pages import discord as discord_page
from tests.fakes.pages import slack as slack_page
from tests.fakes.pages.seen import Framed, Read, Seen, read
from tests.fakes.slack.driver import Slack, Somebody, slack
from tests.fakes.slack.world import Message, World

PATIENCE = 60.0
NAME = "Ana"
OF_A_STEP = re.compile(r"v\d+-")
"""How files of results are named; those drawn for an answer are not."""


class Stage(ABC):
    """A platform with Ana on it. Messages are of the type its fake server uses."""

    name: str

    @abstractmethod
    async def types(self, text: str) -> None:
        """A slash command."""

    @abstractmethod
    async def answers(self, message: Any, text: str) -> None:
        """What a person of this platform does to say something about a picture."""

    @abstractmethod
    async def gives(self, photo: Path, text: str) -> Any:
        """Say something with a picture of one's own; the message said."""

    @abstractmethod
    async def presses(self, message: Any, label: str) -> None:
        """A button."""

    @abstractmethod
    async def ours(self) -> list[Any]:
        """Everything of Easel's that Ana sees, oldest first."""

    @abstractmethod
    async def reads(self, message: Any) -> Read:
        """What she reads in it."""

    @abstractmethod
    def shows(self, message: Any) -> Any:
        """It as it looks now: to be drawn later, or its number where a page draws it."""

    @abstractmethod
    def words(self, message: Any) -> tuple[str, list[str]]:
        """Its words and the labels of its buttons and menus."""

    async def refused(self, text: str) -> tuple[Any, Read]:
        """A command that is not taken, and what is said."""
        before = len(await self.ours())
        await self.types(text)
        refusal = await self.until(
            lambda all_: next(iter(all_[before:]), None)
        )
        return refusal, await self.reads(refusal)

    async def finds(self, *words: str, button: str = "") -> Any:
        """The newest message that holds the words and a button, when it is there."""

        def holds(message: Any) -> bool:
            text, labels = self.words(message)
            return all(word in text for word in words) and (
                not button or any(button in label for label in labels)
            )

        return await self.until(
            lambda all_: next(
                (
                    candidate
                    for candidate in reversed(all_)
                    if holds(candidate)
                ),
                None,
            )
        )

    async def until(self, choose: Callable[[list[Any]], Any]) -> Any:
        """Wait for a message; else say what there is instead."""
        ends = time.monotonic() + PATIENCE
        while (chosen := choose(visible := await self.ours())) is None:
            assert time.monotonic() < ends, (
                f"{self.name}: {[self.words(message) for message in visible[-6:]]}"
            )
            await asyncio.sleep(0.2)
        return chosen


@dataclass(kw_only=True)
class AtSlack(Stage):
    """In the channel general; private results stand in the direct message."""

    fake: Slack
    ana: Somebody
    name: str = "slack"

    async def types(self, text: str) -> None:
        await self.ana.types(_escape_typed(text))

    async def answers(self, message: Message, text: str) -> None:
        await self.ana.says(
            _escape_typed(text), thread=message.thread_ts or message.ts
        )

    async def gives(self, photo: Path, text: str) -> Message:
        ts = await self.ana.says(
            f"{self.ana.easel} {_escape_typed(text)}",
            files=[self.ana.uploads(photo)],
        )
        return next(
            message for message in self.fake.world.messages if message.ts == ts
        )

    async def presses(self, message: Message, label: str) -> None:
        await self.ana.presses(message, label)

    async def ours(self) -> list[Message]:
        visible = [*self.ana.sees(), *self.ana.sees(self.ana.direct)]
        mine = [
            message
            for message in visible
            if message.user == self.fake.workspace.bot_user and message.blocks
        ]
        return sorted(mine, key=lambda message: message.ts)

    def words(self, message: Message) -> tuple[str, list[str]]:
        return message.words, list(message.buttons)

    def _in_thread(self, message: Message) -> list[Message]:
        """The messages that the pictures of a job became."""
        job = (
            message.metadata["event_payload"]["job"]
            if message.metadata
            else ""
        )
        thread = message.thread_ts or message.ts
        files = self.fake.world.files
        replies = [
            see
            for see in self.ana.sees(message.channel)
            if see.thread_ts == thread and see.files
        ]
        return [
            reply
            for reply in replies
            if job and any(job in files[name].name for name in reply.files)
        ]

    def _before(self, message: Message) -> list[Message]:
        """Find the message of a drawn picture: right before its words, as it stands apart."""
        visible = sorted(
            self.ana.sees(message.channel), key=lambda see: see.ts
        )
        beside = [
            earlier
            for earlier in visible
            if earlier.thread_ts == message.thread_ts
            and earlier.ts < message.ts
        ]
        names = {
            earlier.ts: self.fake.world.files[earlier.files[0]].name
            for earlier in beside
            if earlier.files
        }
        return [
            earlier
            for earlier in beside[-1:]
            if earlier.ts in names and not OF_A_STEP.match(names[earlier.ts])
        ]

    def shows(self, message: Message) -> Seen:
        world = self.fake.world
        return replace(
            slack_page.read_message(world, message),
            before=tuple(
                slack_page.read_message(world, neighbour)
                for neighbour in self._before(message)
            ),
            thread=tuple(
                slack_page.read_message(world, neighbour)
                for neighbour in self._in_thread(message)
            ),
        )

    async def reads(self, message: Message) -> Read:
        seen = self.shows(message)
        beside = [
            picture
            for drawn in (*seen.before, *seen.thread)
            for picture in drawn.pictures
        ]
        whole = replace(seen, pictures=(*seen.pictures, *beside))
        pressables = read(
            whole,
            private=seen.only_you
            or self.fake.workspace.channels[message.channel].is_im,
        )
        # What phones and screen readers say of it.
        assert unescape(message.text).split("\n") == list(
            filter(None, (pressables.title, *pressables.lines))
        )
        return pressables


@dataclass(kw_only=True)
class AtDiscord(Stage):
    """In the channel general; private results stand in the direct message."""

    fake: Discord
    ana: things.User
    name: str = "discord"

    async def types(self, text: str) -> None:
        name, _, rest = text.removeprefix("/").partition(" ")
        if name == "easel":
            await self.fake.command(self.ana, f"easel {rest}")
        else:
            await self.fake.command(self.ana, name, {"prompt": rest})

    async def answers(self, message: things.Message, text: str) -> None:
        # Words that call everyone are for the bot only when they name it.
        named = f"{self.fake.mention} {text}" if "@everyone" in text else text
        self.fake.says(self.ana, named, reply_to=message)

    async def gives(self, photo: Path, text: str) -> things.Message:
        return self.fake.says(
            self.ana, f"{self.fake.mention} {text}", files=[photo]
        )

    async def presses(self, message: things.Message, label: str) -> None:
        await self.fake.presses(self.ana, message, label)

    async def ours(self) -> list[things.Message]:
        visible = self.fake.world.seen_by(self.ana, None)
        return [
            message
            for message in visible
            if message.author == self.fake.world.bot.id
            and not message.is_loading
        ]

    def words(self, message: things.Message) -> tuple[str, list[str]]:
        return "".join(
            span.text for span in discord_page.spans(message.content)
        ), list(message.buttons)

    def shows(self, message: things.Message) -> Seen:
        """As it stands."""
        return discord_page.read_message(self.fake.world, message)

    async def reads(self, message: things.Message) -> Read:
        is_direct = self.fake.world.channels[message.channel].kind == things.DM
        assert bool(message.only_for) == bool(message.flags & things.EPHEMERAL)
        return read(
            self.shows(message), private=bool(message.only_for) or is_direct
        )


@dataclass(kw_only=True)
class InRoom(Stage):
    """The room's server, asked as its page asks."""

    house: House
    ana: Visitor
    locale: str
    name: str = "room"

    async def types(self, text: str) -> None:
        await self.ana.says(text, locale=self.locale)

    async def answers(self, message: Mapping[str, Any], text: str) -> None:
        await self.ana.says(text, locale=self.locale, reply_to=message["id"])

    async def gives(self, photo: Path, text: str) -> Mapping[str, Any]:
        ref = await self.ana.gives(photo)
        await self.ana.says(
            f"/edit {text}", locale=self.locale, pictures=[ref]
        )
        return next(
            message
            for message in reversed(await self._all())
            if message["author"]
        )

    async def presses(self, message: Mapping[str, Any], label: str) -> None:
        button = next(
            button for button in message["buttons"] if label in button["label"]
        )
        body = {
            "button": button["id"],
            "channel": message["channel"],
            "thread": message["thread"],
        }
        answer = await self.ana.asks("/room/press", locale=self.locale, **body)
        assert answer.status_code == 200, answer.text

    async def refused(self, text: str) -> tuple[Any, Read]:
        # As the page names its language: in a header, too.
        key = {
            "Authorization": f"Bearer {self.ana.key}",
            "Easel-Locale": self.locale,
        }
        sent = {
            "key": f"refused-{time.monotonic_ns()}",
            "channel": "general",
            "locale": self.locale,
            "text": text,
        }
        answer = await self.house.http.post(
            "/room/say", json=sent, headers=key
        )
        assert answer.status_code == 422
        # The page shows it below what was typed, to nobody else.
        line = answer.json()["error"]
        nothing: Any = ()
        return None, Read(
            "", (line,), "", nothing, nothing, nothing, nothing, private=True
        )

    async def ours(self) -> list[dict[str, Any]]:
        return [
            message
            for message in await self._all()
            if not message["author"] and message["tone"] != "gone"
        ]

    async def _all(self) -> list[dict[str, Any]]:
        async with aclosing(self.ana.sees()) as events:
            async for event in events:
                if event["kind"] == "messages":
                    return list(event["messages"])
        raise AssertionError("the stream ended")

    def shows(self, message: Mapping[str, Any] | None) -> int:
        return message["id"] if message else 0

    def words(self, message: Mapping[str, Any]) -> tuple[str, list[str]]:
        labels = [
            button["label"]
            for button in [*message["buttons"], *message["menu"]]
        ]
        return f"{message['title']}\n{message['text']}", labels

    async def reads(self, message: Mapping[str, Any]) -> Read:
        """What she reads, as adapters/web/static/message.js shows it.

        The test in a browser holds the page itself to this.
        """
        drawn = [
            Framed(
                data=await self._picture(picture["src"]), alt=picture["alt"]
            )
            for picture in message["pictures"]
        ]
        return Read(
            title=message["title"],
            lines=tuple(message["text"].split("\n")),
            progress=""
            if message["progress"] is None
            else f"{message['progress']:.0%}",
            buttons=tuple(button["label"] for button in message["buttons"]),
            dangerous=tuple(
                button["label"]
                for button in message["buttons"]
                if button["kind"] == "delete"
            ),
            menu=tuple(entry["label"] for entry in message["menu"]),
            pictures=tuple((entry.pixels, entry.alt) for entry in drawn),
            private=message["private"],
        )

    async def _picture(self, src: str) -> bytes:
        answer = await self.house.http.get(src)
        assert answer.status_code == 200
        return answer.content


def _escape_typed(text: str) -> str:
    """Slack escapes what a person types."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@dataclass(kw_only=True)
class Stages:
    """The three, and the account of the service behind them."""

    slack: AtSlack
    discord: AtDiscord
    room: InRoom
    account: Account

    def __iter__(self) -> "Any":
        return iter((self.slack, self.discord, self.room))

    async def fill_the_line(self, model: str, most: int) -> None:
        """Keep the model busy for long with another person's jobs, as many as the service takes.

        Later jobs wait.
        """
        accept, busy = self.account.accept, []

        def for_long(
            request: ImageRequest,
            inputs: tuple[bytes, ...],
            mask: bytes | None,
            *,
            is_sync: bool,
        ) -> Task:
            task = accept(request, inputs, mask, is_sync=is_sync)
            if request.model == model:
                task.duration = 300.0
                busy.append(task)
            return task

        self.account.accept = for_long  # type: ignore[method-assign]
        bo = self.slack.fake.person("Bo")
        for at in range(most):
            await bo.types(f"/draw {at} --model {model}")
        await self.slack.until(
            lambda told: (len(busy) == most and len(told) == most) or None
        )


@asynccontextmanager
async def stages(folder: Path, locale: str) -> AsyncIterator[Stages]:
    """One Easel at work on all three, and Ana on each, who reads ``locale``."""
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(
            serve(SimulatorConfig(time_scale=0.01, seed=7))
        )
        in_slack = await stack.enter_async_context(
            slack(World(ready_after=0.05, share_after=0.05))
        )
        in_discord = await stack.enter_async_context(
            discord(DiscordWorld(content_granted=True))
        )
        folder.mkdir(parents=True, exist_ok=True)
        chosen = settings.load(
            EASEL_DATA_DIR=folder,
            EASEL_DASHSCOPE_URL=service.url,
            DASHSCOPE_API_KEY=service.account.config.api_key,
            EASEL_RESULT_HOSTS=service.host,
            **in_slack.settings(),
            **in_discord.settings(),
        )
        house = await _at_work(stack, chosen, in_slack)
        await in_discord.connected()
        yield Stages(
            slack=AtSlack(
                fake=in_slack, ana=in_slack.person(NAME, locale=locale)
            ),
            discord=AtDiscord(
                fake=in_discord, ana=in_discord.person(NAME, locale=locale)
            ),
            room=InRoom(
                house=house, ana=await house.enters(NAME), locale=locale
            ),
            account=service.account,
        )


async def _at_work(
    stack: AsyncExitStack, chosen: settings.Settings, in_slack: Slack
) -> House:
    listening = web.listen(chosen, 0)
    address = web.address_of(chosen, listening)
    chosen = chosen.model_copy(update={"public_url": address})
    room, lost = Room.at(chosen.data_dir), Lost()
    stack.push_async_callback(room.close)
    engine = await stack.enter_async_context(wiring.open_database(chosen))
    to_slack = await stack.enter_async_context(
        bot.slack.open_slack(chosen, engine)
    )
    to_discord = await stack.enter_async_context(
        bot.discord.open_discord(chosen, engine)
    )

    def chats(blobs: Blobs) -> dict[str, Chat]:
        return {
            "web": WebChat(room, blobs, address),
            "slack": to_slack.chat(blobs),
            "discord": to_discord.chat(blobs),
        }

    opened = wiring.open_easel(
        chosen, chats, simulator=SimulatorConfig(), engine=engine
    )
    easel = await stack.enter_async_context(opened)
    await room.prepare()
    ears = await stack.enter_async_context(
        bot.slack.listening(to_slack, easel, lost)
    )
    await stack.enter_async_context(
        bot.discord.listening(to_discord, easel, lost)
    )
    await stack.enter_async_context(
        web.open_web(chosen, easel, listening, room, platforms=ears.routes)
    )
    in_slack.url = address
    http = await stack.enter_async_context(
        httpx.AsyncClient(base_url=address, timeout=30)
    )
    return House(easel=easel, room=room, http=http, address=address)
