"""Discord's voice alone, speaking to the Discord on loopback.

For the suite that every chat must pass.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.discord.api import Api
from adapters.discord.chat import DiscordChat
from bot import settings, wiring
from bot.discord import open_discord
from core.ports import Blobs
from core.storage import database
from core.types import Attachment, Place
from tests.fakes.discord.driver import Discord, discord

_there: dict[int, Discord] = {}


@asynccontextmanager
async def discord_chat(
    folder: Path, blobs: Blobs, place: Place
) -> AsyncIterator[DiscordChat]:
    """In a guild and channel that stand for ``place``, with Ana in it."""
    async with discord() as fake:
        names = {
            place.workspace: fake.guild.id,
            place.channel: fake.general.id,
            "ana": fake.person("Ana").id,
        }
        chosen = settings.load(EASEL_DATA_DIR=folder / "discord", **fake.settings())
        chosen.data_dir.mkdir(parents=True)
        await database.migrate(chosen.database)
        async with (
            wiring.open_database(chosen) as engine,
            open_discord(chosen, engine) as there,
        ):
            chat = there.chat(blobs)
            monkey = pytest.MonkeyPatch()
            monkey.setattr(there.api, "call", _called_by_number(there.api, names))
            _there[id(chat)] = fake
            yield chat
            del _there[id(chat)]


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
        ids = {name: names.get(one, one) for name, one in (ids or {}).items()}
        if isinstance(payload, dict) and "recipient_id" in payload:
            payload = {"recipient_id": names.get(payload["recipient_id"])}
        return await call(method, path, ids, payload, *rest, **more)

    return numbered


def uploaded(chat: DiscordChat, photo: Path) -> Attachment:
    """A photo Ana has put into Discord."""
    fake = _there[id(chat)]
    file = fake.world.attach(photo.name, photo.read_bytes(), fake.general.id)
    return Attachment(ref=f"  {file.id} {fake.world.link(file)}", name=photo.name)
