"""Slack's chat alone, on the Slack on loopback, for the suite that every chat must pass."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from slack_sdk.oauth.installation_store import Installation
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.slack.chat import SlackChat
from adapters.slack.store import SlackStore, files
from bot import settings, wiring
from bot.slack import open_slack
from core.ports import Blobs
from core.post import PostedMessage
from core.storage import database
from core.types import Attachment, Person, Place
from tests.fakes.slack.driver import Slack, slack
from tests.fakes.slack.world import Channel, File, Message, User
from tests.fakes.views import Visible


class SlackView:
    """What is seen in the workspace of ``place``."""

    reply: Mapping[str, str] = {}
    can_edit = True
    has_privacy = True

    def __init__(
        self, chat: SlackChat, fake: Slack, place: Place, engine: AsyncEngine
    ) -> None:
        self.chat = chat
        self.tenant = place.tenant
        self._fake = fake
        self._engine = engine

    async def visible(self, sent: PostedMessage) -> Visible | None:
        world, channel = self._fake.world, sent.place.channel
        message = world.find(channel, sent.message)
        if message is None:
            return None
        own = {sent.message, *(picture.message for picture in sent.pictures)}
        around = [
            other
            for other in world.seen_by("ana", channel)
            if other.ts in own or other.thread_ts == sent.message
        ]
        return Visible(
            words=message.words,
            pictures=[
                picture
                for other in around
                for picture in self._pictures(other)
            ],
            buttons=list(message.buttons),
        )

    def _pictures(self, message: Message) -> list[bytes]:
        files = [self._fake.world.files[file] for file in message.files]
        return [file.data for file in files if not file.deleted]

    async def words_seen_by(self, person: str, place: Place) -> str:
        if person not in self._fake.workspace.channels[place.channel].members:
            return ""
        seen = self._fake.world.seen_by(person, place.channel)
        return "\n".join(message.words for message in seen)

    async def upload(self, photo: Path) -> Attachment:
        world = self._fake.world
        file = File(
            id=world.number("F"),
            name=photo.name,
            data=photo.read_bytes(),
            owner="ana",
        )
        world.files[file.id] = file
        address = world.file_json(file, full=True)["url_private"]
        workspace = self._fake.workspace.id
        return Attachment(
            ref=f"{workspace} {file.id} {address}", name=photo.name
        )

    def follow(self, link: str) -> str:
        stamp = link.rpartition("/p")[2]
        return f"{stamp[:-6]}.{stamp[-6:]}"

    async def rights_to_ask(self) -> Mapping[str, str] | None:
        return {"trigger": self._fake.world.trigger()}

    async def forms_seen(self) -> int:
        return len(self._fake.world.views)

    async def note(self, person: Person) -> None:
        installation = Installation(
            app_id="A1",
            team_id="T1",
            user_id=person.id,
            bot_token=f"xoxb-{person.id}",
            bot_id="B1",
            bot_user_id="U1",
        )
        installations = SlackStore(self._engine).installations
        await installations.async_save(installation)

    async def waiting(self) -> int:
        return 0

    async def knows(self, person: Person) -> int:
        table = SlackStore(self._engine).installations.installations
        is_theirs = table.c.user_id == person.id
        async with self._engine.connect() as connection:
            rows = select(func.count()).select_from(table).where(is_theirs)
            return int((await connection.execute(rows)).scalar_one())

    async def remembered(self) -> int:
        async with self._engine.connect() as connection:
            rows = select(func.count()).where(files.c.tenant == self.tenant)
            return int((await connection.execute(rows)).scalar_one())


@asynccontextmanager
async def slack_view(
    folder: Path, blobs: Blobs, place: Place
) -> AsyncIterator[SlackView]:
    """In a workspace and channel that bear the names of ``place``, with Ana and Bo in it."""
    async with slack() as fake:
        workspace = fake.workspace
        fake.world.workspaces = {place.workspace: workspace}
        workspace.id = place.workspace
        for person in ("ana", "bo"):
            workspace.users[person] = User(id=person, name=person.title())
        members = {"ana", "bo", workspace.bot_user}
        workspace.channels[place.channel] = Channel(
            id=place.channel, name="general", members=members
        )
        chosen = settings.load(
            EASEL_DATA_DIR=folder / "slack", **fake.settings()
        )
        chosen.data_dir.mkdir(parents=True)
        await database.migrate(chosen.database)
        async with (
            wiring.open_database(chosen) as engine,
            open_slack(chosen, engine) as opened,
        ):
            yield SlackView(opened.chat(blobs), fake, place, engine)
