"""The gateway: HELLO, IDENTIFY, heartbeats, RESUME with replay, and every way it can go wrong."""

import asyncio
import json
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web

from tests.fakes.discord import limits, payloads
from tests.fakes.discord.things import DM, VIEW_CHANNEL, Event, Json
from tests.fakes.discord.world import World

GUILDS, CONTENT = 1 << 0, 1 << 15
PRIVILEGED = 1 << 1 | 1 << 8 | CONTENT
INTENTS: dict[str, tuple[int, int]] = {
    "MESSAGE_CREATE": (1 << 9, 1 << 12),
    "MESSAGE_UPDATE": (1 << 9, 1 << 12),
    "MESSAGE_DELETE": (1 << 9, 1 << 12),
    "MESSAGE_REACTION_ADD": (1 << 10, 1 << 13),
    "MESSAGE_REACTION_REMOVE": (1 << 10, 1 << 13),
    "GUILD_CREATE": (GUILDS, 0),
    "GUILD_UPDATE": (GUILDS, 0),
    "GUILD_DELETE": (GUILDS, 0),
    "CHANNEL_CREATE": (GUILDS, 0),
    "CHANNEL_UPDATE": (GUILDS, 0),
    "CHANNEL_DELETE": (GUILDS, 0),
    "THREAD_CREATE": (GUILDS, 0),
    "THREAD_UPDATE": (GUILDS, 0),
    "THREAD_DELETE": (GUILDS, 0),
}
"""The intent each event needs, in guilds and in direct messages; others need none."""
ENDS_SESSION = frozenset({4003, 4004, 4007, 4009})
"""Codes after which a client must identify anew."""
ALWAYS = frozenset(
    {"GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE", "INTERACTION_CREATE"}
)
"""Events that are sent wherever the bot may look."""


@dataclass(kw_only=True)
class Session:
    """An identified client; ``events`` are kept for RESUME."""

    id: str
    intents: int
    shard: tuple[int, int]
    events: list[Json] = field(default_factory=list)
    resumable: bool = True
    news: asyncio.Event = field(default_factory=asyncio.Event)
    held: Json | None = None

    def add(self, name: str, data: Any) -> None:
        """Something to tell, with the next number."""
        self.events.append(
            {"op": 0, "s": len(self.events) + 1, "t": name, "d": data}
        )
        self.news.set()


@dataclass(kw_only=True, eq=False)
class Connection:
    """A WebSocket, compressed as a whole when the client asked for it.

    ``sent`` and ``heard``: how many of the session's events were sent, and how many the client's
    last heartbeat said it has read.
    """

    socket: web.WebSocketResponse
    deflate: Any = None
    session: Session | None = None
    sent: int = 0
    heard: int = 0
    writer: asyncio.Task[None] | None = None
    closed_by_us: bool = False

    async def close(self, code: int) -> None:
        """Discord closes; a session outlives that."""
        self.closed_by_us = True
        await self.socket.close(code=code)

    async def send(self, payload: Json) -> None:
        text = json.dumps(payload)
        if self.deflate is None:
            await self.socket.send_str(text)
        else:
            packed = self.deflate.compress(text.encode()) + self.deflate.flush(
                zlib.Z_SYNC_FLUSH
            )
            await self.socket.send_bytes(packed)


class Gateway:
    """All sessions of one app.

    ``duplicates``: events come twice. ``reorders``: every other event waits for the next.
    ``delay``: seconds before an event is sent. ``acknowledges``: heartbeats are answered.
    ``identify_gap``: seconds between two IDENTIFYs (5 in the real Discord); ``ready_after``: those
    between IDENTIFY and READY.
    """

    def __init__(self, world: World, *, heartbeat: float = 41.25) -> None:
        self.world = world
        self.heartbeat = heartbeat
        self.connections: list[Connection] = []
        self.sessions: dict[str, Session] = {}
        self.identifies = 0
        self.resumes = 0
        self.heartbeats = 0
        self.duplicates = False
        self.reorders = False
        self.acknowledges = True
        self.identify_gap = 0.0
        self.ready_after = 0.0
        self.on_identify: Callable[[int], None] = lambda _: None
        self._identified = float("-inf")
        self.delay = 0.0
        self._refusing_until = 0.0
        self._refusal = 0
        self._numbers = count(1)
        world.publish = self.publish

    def routes(self, app: web.Application) -> None:
        """Where clients connect, and where they resume."""
        app.router.add_get("/gateway", self._connect)
        app.router.add_get("/gateway/", self._connect)
        app.router.add_get("/gateway/resume", self._connect)
        app.router.add_get("/gateway/resume/", self._connect)

    # What tests do to it

    async def drop(self, seconds: float = 0.0, *, status: int = 0) -> None:
        """Cut every connection, and refuse new ones for a while.

        They end without a word, or with an HTTP status.
        """
        self._refusing_until = asyncio.get_running_loop().time() + seconds
        self._refusal = status
        for connection in list(self.connections):
            transport = (
                connection.socket._req.transport
                if connection.socket._req
                else None
            )
            if transport is not None:
                transport.abort()

    async def close(self, code: int) -> None:
        """Close every connection with a code; some of them end the session too."""
        for connection in list(self.connections):
            if connection.session is not None and code in ENDS_SESSION:
                connection.session.resumable = False
            await connection.close(code)

    async def reconnect(self) -> None:
        """Ask every client to reconnect (op 7)."""
        for connection in list(self.connections):
            await connection.send({"op": 7, "d": None})

    async def invalidate(self, *, resumable: bool = False) -> None:
        """Tell every client that its session is invalid (op 9)."""
        for connection in list(self.connections):
            if connection.session is not None:
                connection.session.resumable = resumable
            await connection.send({"op": 9, "d": resumable})

    def forget(self) -> None:
        """No session can be resumed: what happens until the next IDENTIFY is lost."""
        for session in self.sessions.values():
            session.resumable = False

    async def ask_for_heartbeat(self) -> None:
        """Op 1 to every client."""
        for connection in list(self.connections):
            await connection.send({"op": 1, "d": None})

    async def raw(self, name: str, data: Any) -> None:
        """Any dispatch at all to every session, for payloads a client does not expect."""
        for session in self.sessions.values():
            session.add(name, data)

    @property
    def is_connected(self) -> bool:
        """A client is there and identified."""
        return any(
            connection.session is not None and not connection.socket.closed
            for connection in self.connections
        )

    @property
    def is_heard(self) -> bool:
        """A client has read READY: only then could it resume its session."""
        return any(connection.heard for connection in self.connections)

    # Telling

    def publish(self, event: Event) -> None:
        """To every session it concerns, as each may read it."""
        for session in self.sessions.values():
            if session.resumable and self._concerns(session, event):
                if self.delay:
                    asyncio.get_running_loop().call_later(
                        self.delay, self._tell, session, event
                    )
                else:
                    self._tell(session, event)

    def _tell(self, session: Session, event: Event) -> None:
        payload = event.data
        if event.message is not None:
            payload = payloads.readable(
                self.world,
                event.message,
                payload,
                intent=bool(session.intents & CONTENT),
            )
        for _ in range(
            2 if self.duplicates and event.name != "GUILD_CREATE" else 1
        ):
            self._queue(session, event.name, payload)

    def _queue(self, session: Session, name: str, data: Json) -> None:
        """Send in order, unless events are swapped in pairs.

        A single one is released after a while.
        """
        if not self.reorders:
            session.add(name, data)
            return
        if session.held is None:
            session.held = {"t": name, "d": data}
            asyncio.get_running_loop().call_later(
                0.3, self._release, session, session.held
            )
            return
        session.add(name, data)
        self._release(session, session.held)

    def _release(self, session: Session, held: Json) -> None:
        if session.held is held:
            session.held = None
            session.add(held["t"], held["d"])

    def _concerns(self, session: Session, event: Event) -> bool:
        in_guild, in_direct = INTENTS.get(event.name, (0, 0))
        needed = in_guild if event.guild else in_direct
        if needed and not session.intents & needed:
            return False
        shard, shards = session.shard
        if (int(event.guild or 0) >> 22) % shards != shard:
            return False
        channel = self.world.channels.get(event.channel)
        if channel is None or event.name in ALWAYS:
            return True
        return (
            bool(self.world.bot_permissions(channel) & VIEW_CHANNEL)
            or channel.kind == DM
        )

    # Listening

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        if asyncio.get_running_loop().time() < self._refusing_until:
            if self._refusal:
                return web.Response(
                    status=self._refusal,
                    text="<html>bad gateway</html>",
                    content_type="text/html",
                )
            assert request.transport
            request.transport.abort()
            return web.Response()
        socket = web.WebSocketResponse(heartbeat=None, compress=False)
        await socket.prepare(request)
        packed = request.query.get("compress") == "zlib-stream"
        connection = Connection(
            socket=socket, deflate=zlib.compressobj() if packed else None
        )
        self.connections.append(connection)
        try:
            await connection.send(
                {
                    "op": 10,
                    "d": {
                        "heartbeat_interval": int(self.heartbeat * 1000),
                        "_trace": [],
                    },
                }
            )
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._read_text(connection, message.data)
        except (ConnectionError, RuntimeError):
            pass
        finally:
            self.connections.remove(connection)
            if connection.writer is not None:
                connection.writer.cancel()
                with suppress(asyncio.CancelledError):
                    await connection.writer
            self._forget_session(connection)
        return socket

    def _forget_session(self, connection: Connection) -> None:
        """A session the client closed with 1000 or 1001 is over."""
        if (
            connection.session is not None
            and not connection.closed_by_us
            and connection.socket.close_code in {1000, 1001}
        ):
            connection.session.resumable = False
            self.sessions.pop(connection.session.id, None)

    async def _read_text(self, connection: Connection, text: str) -> None:
        try:
            limits.gateway(text)
        except limits.Wrong as wrong:
            self.world.violations.append(str(wrong))
            await connection.close(4002)
            return
        said = json.loads(text)
        if said["op"] == 1:
            self.heartbeats += 1
            connection.heard = said["d"] or 0
            if self.acknowledges:
                await connection.send({"op": 11, "d": None})
        elif said["op"] == 2:
            await self._identify(connection, said["d"])
        elif said["op"] == 6:
            await self._resume(connection, said["d"])

    async def _identify(self, connection: Connection, data: Json) -> None:
        self.identifies += 1
        self.on_identify(self.identifies)
        now = asyncio.get_running_loop().time()
        if now - self._identified < self.identify_gap:
            await connection.send({"op": 9, "d": False})
            return
        self._identified = now
        intents = int(data["intents"])
        allowed = CONTENT if self.world.content_granted else 0
        wrong = {
            4005: connection.session is not None,
            4004: data["token"] != self.world.token,
            4014: bool(intents & PRIVILEGED & ~allowed),
            4010: not 0
            <= data.get("shard", [0, 1])[0]
            < data.get("shard", [0, 1])[1],
        }
        for code, is_so in wrong.items():
            if is_so:
                await connection.close(code)
                return
        if self.ready_after:
            await asyncio.sleep(self.ready_after)
        # Nothing is told before READY: the session begins with it.
        shard: list[int] = data.get("shard", [0, 1])
        session = Session(
            id=f"session-{next(self._numbers)}",
            intents=intents,
            shard=(shard[0], shard[1]),
        )
        self.sessions[session.id] = session
        mine = [
            guild
            for guild in self.world.guilds.values()
            if guild.installed and self._is_of(session, guild.id)
        ]
        session.add(
            "READY", self._ready(session, [guild.id for guild in mine], data)
        )
        for guild in mine:
            if not guild.unavailable and intents & GUILDS:
                session.add("GUILD_CREATE", payloads.guild(self.world, guild))
        self._begin(connection, session, 0)

    def _is_of(self, session: Session, guild: str) -> bool:
        return (int(guild) >> 22) % session.shard[1] == session.shard[0]

    def _ready(
        self, session: Session, guilds: Iterable[str], data: Json
    ) -> Json:
        payload: Json = {
            "v": 10,
            "user": {
                **payloads.user(self.world.bot),
                "verified": True,
                "mfa_enabled": False,
                "email": None,
            },
            "guilds": [{"id": guild, "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": f"{self.world.gateway_address}/gateway/resume",
            "application": {"id": self.world.app, "flags": 0},
            "private_channels": [],
            "user_settings": {},
            "relationships": [],
            "presences": [],
            "geo_ordered_rtc_regions": [],
            "_trace": [],
        }
        return (
            {**payload, "shard": data["shard"]} if "shard" in data else payload
        )

    async def _resume(self, connection: Connection, data: Json) -> None:
        session = self.sessions.get(str(data["session_id"]))
        if data["token"] != self.world.token:
            await connection.close(4004)
            return
        if session is None or not session.resumable:
            await connection.send({"op": 9, "d": False})
            return
        if not 0 <= (data["seq"] or 0) <= len(session.events):
            await connection.close(4007)
            return
        self.resumes += 1
        self._begin(connection, session, data["seq"] or 0)
        session.add("RESUMED", {"_trace": []})

    def _begin(
        self, connection: Connection, session: Session, after: int
    ) -> None:
        """Tell this connection all that comes after an event, and go on."""
        for other in self.connections:
            if other.session is session and other.writer is not None:
                other.writer.cancel()
        connection.session, connection.sent = session, after
        connection.writer = asyncio.get_running_loop().create_task(
            self._write(connection, session)
        )

    async def _write(self, connection: Connection, session: Session) -> None:
        with suppress(ConnectionError, RuntimeError):
            while not connection.socket.closed:
                while connection.sent < len(session.events):
                    connection.sent += 1
                    await connection.send(session.events[connection.sent - 1])
                session.news.clear()
                await session.news.wait()
