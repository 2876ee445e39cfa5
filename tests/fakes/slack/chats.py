"""Slack's voice alone, speaking to the Slack on loopback.

For the suite that every chat must pass.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.slack.chat import SlackChat
from bot import settings, wiring
from bot.slack import open_slack
from core.ports import Blobs
from core.storage import database
from core.types import Attachment, Place
from tests.fakes.slack.driver import Slack, slack
from tests.fakes.slack.world import Channel, File, User

_there: dict[int, Slack] = {}


@asynccontextmanager
async def slack_chat(
    folder: Path, blobs: Blobs, place: Place
) -> AsyncIterator[SlackChat]:
    """In a workspace and channel that bear the names of ``place``, with Ana in it."""
    async with slack() as fake:
        workspace = fake.workspace
        fake.world.workspaces = {place.workspace: workspace}
        workspace.id = place.workspace
        workspace.users["ana"] = User(id="ana", name="Ana")
        members = {"ana", workspace.bot_user}
        workspace.channels[place.channel] = Channel(
            id=place.channel, name="general", members=members
        )
        chosen = settings.load(EASEL_DATA_DIR=folder / "slack", **fake.settings())
        chosen.data_dir.mkdir(parents=True)
        await database.migrate(chosen.database)
        async with (
            wiring.open_database(chosen) as engine,
            open_slack(chosen, engine) as there,
        ):
            chat = there.chat(blobs)
            _there[id(chat)] = fake
            yield chat
            del _there[id(chat)]


def uploaded(chat: SlackChat, photo: Path) -> Attachment:
    """A photo Ana has put into Slack."""
    fake = _there[id(chat)]
    file = File(
        id=fake.world.number("F"), name=photo.name, data=photo.read_bytes(), owner="ana"
    )
    fake.world.files[file.id] = file
    told = fake.world.file_json(file, full=True)
    return Attachment(
        ref=f"{fake.workspace.id} {file.id} {told['url_private']}", name=photo.name
    )
