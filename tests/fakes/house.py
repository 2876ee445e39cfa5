"""The web server with everything behind it, in this loop: a simulator, a room, a painter.

Members ask over HTTP.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from adapters.web.app import bind
from adapters.web.chat import WebChat
from adapters.web.store import Room
from bot import settings, web, wiring
from bot.simulator.server import SimulatorConfig

numbers = count(1)


@dataclass(kw_only=True)
class Visitor:
    """Someone in the room, as the page would ask for them."""

    http: httpx.AsyncClient
    key: str
    id: str

    async def asks(self, path: str, **body: Any) -> httpx.Response:
        """POST, with a new key unless one is given."""
        sent = {
            "key": f"test-key-{next(numbers)}",
            "channel": "general",
            "thread": "",
            "locale": "en",
            **body,
        }
        return await self.http.post(
            path, json=sent, headers={"Authorization": f"Bearer {self.key}"}
        )

    async def says(self, text: str, **body: Any) -> dict[str, Any]:
        """Say it; it must be taken."""
        answer = await self.asks("/room/say", text=text, **body)
        assert answer.status_code == 200, answer.text
        answered: dict[str, Any] = answer.json()
        return answered

    async def gives(self, photo: Path) -> str:
        """Drop a picture into the room; its ref."""
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Easel-Name": photo.name,
        }
        answer = await self.http.post(
            "/room/upload", content=photo.read_bytes(), headers=headers
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["ref"])

    async def sees(
        self, since: int | None = None
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Events of the stream, one after another."""
        path = (
            "/room/stream" if since is None else f"/room/stream?since={since}"
        )
        async with self.http.stream(
            "GET", path, headers={"Authorization": f"Bearer {self.key}"}
        ) as answer:
            assert answer.status_code == 200
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

    async def waits_for(self, tone: str, text: str = "") -> dict[str, Any]:
        """The newest message of that tone holding the text."""
        async with asyncio.timeout(30), aclosing(self.sees()) as events:
            async for event in events:
                for message in reversed(event.get("messages", [])):
                    if (
                        message["tone"] == tone
                        and text in f"{message['title']} {message['text']}"
                    ):
                        matching: dict[str, Any] = message
                        return matching
        raise AssertionError("the stream ended")


@dataclass(kw_only=True)
class House:
    """The running server."""

    easel: wiring.Easel
    room: Room
    http: httpx.AsyncClient
    address: str

    async def enters(self, name: str) -> Visitor:
        """Come in."""
        answer = await self.http.post("/room/enter", json={"name": name})
        assert answer.status_code == 200, answer.text
        return Visitor(
            http=self.http,
            key=answer.json()["key"],
            id=answer.json()["me"]["id"],
        )


@asynccontextmanager
async def open_house(
    folder: Path, config: SimulatorConfig, **changes: Any
) -> AsyncIterator[House]:
    """Everything started on a free port of loopback."""
    chosen = settings.load(EASEL_DATA_DIR=folder, **changes)
    listening = bind(chosen.http_host, 0)
    address = web.address_of(chosen, listening)
    chosen = chosen.model_copy(update={"public_url": address})
    folder.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        room = Room.at(folder)
        stack.push_async_callback(room.close)
        opening = wiring.open_easel(
            chosen,
            lambda blobs: {"web": WebChat(room, blobs, address)},
            simulator=config,
        )
        easel = await stack.enter_async_context(opening)
        await room.prepare()
        await stack.enter_async_context(
            web.open_web(chosen, easel, listening, room)
        )
        http = httpx.AsyncClient(base_url=address, timeout=30)
        await stack.enter_async_context(http)
        yield House(easel=easel, room=room, http=http, address=address)
