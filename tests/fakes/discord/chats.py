"""Discord's chat alone, on the Discord on loopback, for the suite that every chat must pass."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.discord.api import Api
from adapters.discord.chat import DiscordChat
from adapters.discord.store import DiscordStore, direct, forms
from bot import settings, wiring
from bot.discord import open_discord
from core.ports import Blobs
from core.post import PostedMessage
from core.storage import database
from core.types import Attachment, Person, Place
from tests.fakes.discord.driver import Discord, discord
from tests.fakes.discord.things import Interaction, Message, User
from tests.fakes.views import Visible


class DiscordView:
    """What is seen in the guild that represents ``place``."""

    reply: Mapping[str, str] = {}
    can_edit = True
    has_privacy = True

    def __init__(
        self,
        chat: DiscordChat,
        fake: Discord,
        place: Place,
        people: Mapping[str, User],
        engine: AsyncEngine,
    ) -> None:
        self.chat = chat
        self.tenant = place.tenant
        self._fake = fake
        self._place = place
        self._people = people
        self._engine = engine
        self._asked: list[Interaction] = []

    async def visible(self, sent: PostedMessage) -> Visible | None:
        for message in self._seen_by("ana"):
            if message.id == sent.message:
                return Visible(
                    words=message.words,
                    pictures=message.files,
                    buttons=list(message.buttons),
                )
        return None

    def _seen_by(self, person: str) -> list[Message]:
        return self._fake.world.seen_by(self._people[person], None)

    async def words_seen_by(self, person: str, place: Place) -> str:
        channel = self._fake.general.id
        if place.channel != self._place.channel:
            channel = self._fake.direct(self._people["ana"]).id
            if person != "ana":
                return ""
        return "\n".join(
            message.words
            for message in self._seen_by(person)
            if message.channel == channel
        )

    async def upload(self, photo: Path) -> Attachment:
        world = self._fake.world
        file = world.attach(
            photo.name, photo.read_bytes(), self._fake.general.id
        )
        return Attachment(
            ref=f"  {file.id} {world.link(file)}", name=photo.name
        )

    def follow(self, link: str) -> str:
        return link.rpartition("/")[2]

    async def rights_to_ask(self) -> Mapping[str, str] | None:
        interaction = self._fake.interacting.command(
            self._people["ana"], "draw", {}, channel=self._fake.general
        )
        self._asked.append(interaction)
        return {
            "interaction": interaction.id,
            "app": self._fake.world.app,
            "token": interaction.token,
            "first": "yes",
        }

    async def forms_seen(self) -> int:
        return len(
            [interaction for interaction in self._asked if interaction.modal]
        )

    async def note(self, person: Person) -> None:
        await DiscordStore(self._engine).save_locale(person.id, "id")

    async def waiting(self) -> int:
        async with self._engine.connect() as connection:
            rows = select(func.count()).select_from(forms)
            return int((await connection.execute(rows)).scalar_one())

    async def knows(self, person: Person) -> int:
        locale = await DiscordStore(self._engine).locale_of(person.id)
        return len(locale)

    async def remembered(self) -> int:
        async with self._engine.connect() as connection:
            rows = select(func.count()).where(
                direct.c.workspace == self._place.workspace
            )
            return int((await connection.execute(rows)).scalar_one())


@asynccontextmanager
async def discord_view(
    folder: Path, blobs: Blobs, place: Place
) -> AsyncIterator[DiscordView]:
    """In a guild and channel that represent ``place``, with Ana and Bo in it."""
    async with discord() as fake:
        people = {name: fake.person(name.title()) for name in ("ana", "bo")}
        names = {
            place.workspace: fake.guild.id,
            place.channel: fake.general.id,
            **{name: user.id for name, user in people.items()},
        }
        chosen = settings.load(
            EASEL_DATA_DIR=folder / "discord", **fake.settings()
        )
        chosen.data_dir.mkdir(parents=True)
        await database.migrate(chosen.database)
        async with (
            wiring.open_database(chosen) as engine,
            open_discord(chosen, engine) as opened,
        ):
            chat = opened.chat(blobs)
            monkey = pytest.MonkeyPatch()
            monkey.setattr(
                opened.api, "call", _called_by_number(opened.api, names)
            )
            yield DiscordView(chat, fake, place, people, engine)


def _called_by_number(
    api: Api, names: Mapping[str, str]
) -> Callable[..., Awaitable[Any]]:
    """Discord's ids are numbers; the suite's are names."""
    call = api.call

    async def numbered(
        method: str,
        path: str,
        ids: Mapping[str, str] | None = None,
        payload: Any = None,
        *rest: Any,
        **more: Any,
    ) -> Any:
        ids = {
            name: names.get(number, number)
            for name, number in (ids or {}).items()
        }
        if isinstance(payload, dict) and "recipient_id" in payload:
            payload = {"recipient_id": names.get(payload["recipient_id"])}
        return await call(method, path, ids, payload, *rest, **more)

    return numbered
