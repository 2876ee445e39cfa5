"""What the room remembers: people, channels, messages, marks. It plays the chat server that Slack and Discord are.

Every change to a message gives it the next number of one counter, so that a page that was away asks for what it missed.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Integer, MetaData, String, Table, Text, func, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from core.errors import NotFound, Rejected
from core.storage import database
from core.storage.whole import all_ended, whole

FIRST = 200
"""Messages a page is given at first."""
OLDER = 50
CATCH_UP = 1000
DIRECT = "dm-"
GONE = "gone"
"""The tone of a message that its only reader has dismissed."""

metadata = MetaData()
people = Table(
    "people",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("name", String(80), nullable=False),
    Column("admin", Boolean, nullable=False),
)
keys = Table("keys", metadata, Column("hash", String(64), primary_key=True), Column("person", String(80)))
channels = Table(
    "channels",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("name", String(80), nullable=False),
    Column("only_for", String(80), nullable=False),
)
messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("change", Integer, nullable=False, index=True),
    Column("key", String(200), unique=True),
    Column("channel", String(80), nullable=False),
    Column("thread", String(20), nullable=False),
    Column("author", String(80), nullable=False),
    Column("only_for", String(80), nullable=False),
    Column("job", String(60), nullable=False, index=True),
    Column("body", JSON, nullable=False),
    Column("created", String(40), nullable=False),
    sqlite_autoincrement=True,
)
marks = Table(
    "marks",
    metadata,
    Column("message", Integer, primary_key=True),
    Column("emoji", String(20), primary_key=True),
    Column("person", String(80), primary_key=True),
)
uploads = Table(
    "uploads",
    metadata,
    Column("ref", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("media_type", String(40), nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody in the room; the first who came runs it."""

    id: str
    name: str
    admin: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as it stands. ``author`` "" is Easel; ``only_for`` "" is everybody; ``marks``: emoji → people."""

    id: int
    change: int
    channel: str
    thread: str
    author: str
    only_for: str
    job: str
    body: Mapping[str, Any]
    created: str
    marks: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a page is told: where the counter stands, who and what is around, the messages that changed."""

    change: int
    channels: Sequence[Mapping[str, str]]
    members: Sequence[Member]
    messages: Sequence[Message]


@whole
class Room:
    """The room in one SQLite file. Whoever waits for changes is woken the moment one is committed."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._waiting: set[asyncio.Event] = set()
        self.closed = False

    @classmethod
    def at(cls, folder: Path) -> "Room":
        """The room of a data folder."""
        return cls(database.open_async(f"sqlite:///{folder / 'room.db'}"))

    async def prepare(self) -> bool:
        """Make what is missing: tables, one channel and a gallery. True when nobody was ever here."""
        async with self._engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        for channel in ("general", "gallery"):
            await self.add_channel(channel, channel)
        return not await self.members() and not await self.last_change()

    def let_go(self) -> None:
        """Every page's stream ends."""
        self.closed = True
        self._wake()

    async def close(self) -> None:
        """Give the file back; nobody may be asking any more."""
        self.let_go()
        await all_ended()
        await self._engine.dispose()

    # People

    async def enter(self, person: str, name: str) -> tuple[Member, str]:
        """The member and a key that stands for them in one window."""
        key = secrets.token_urlsafe(24)
        async with self._engine.begin() as connection:
            count = (await connection.execute(select(func.count()).select_from(people))).scalar_one()
            row = {"id": person, "name": name, "admin": count == 0}
            await connection.execute(upsert(people).values(row).on_conflict_do_nothing())
            await connection.execute(insert(keys).values(hash=_hash(key), person=person))
            direct = {"id": f"{DIRECT}{person}", "name": "", "only_for": person}
            await connection.execute(upsert(channels).values(direct).on_conflict_do_nothing())
            member = await _member(connection, person)
        self._wake()
        return member, key

    async def whose(self, key: str) -> Member | None:
        """Who holds this key."""
        async with self._engine.begin() as connection:
            person = (await connection.execute(select(keys.c.person).where(keys.c.hash == _hash(key)))).scalar()
            return await _member(connection, person) if person else None

    async def members(self) -> list[Member]:
        """Everybody who was ever here."""
        async with self._engine.begin() as connection:
            rows = (await connection.execute(select(people).order_by(people.c.name))).mappings()
            return [Member(id=row["id"], name=row["name"], admin=row["admin"]) for row in rows]

    # Channels

    async def add_channel(self, channel: str, name: str) -> None:
        """A channel for everybody; no matter if it is there."""
        row = {"id": channel, "name": name, "only_for": ""}
        async with self._engine.begin() as connection:
            await connection.execute(upsert(channels).values(row).on_conflict_do_nothing())
        self._wake()

    async def channels_of(self, person: str) -> list[dict[str, str]]:
        """What this person sees: the open channels, and where they speak with Easel alone."""
        query = select(channels).where(channels.c.only_for.in_(["", person])).order_by(channels.c.only_for)
        async with self._engine.begin() as connection:
            rows = (await connection.execute(query)).mappings()
            return [{"id": row["id"], "name": row["name"]} for row in rows]

    async def must_see(self, channel: str, person: str) -> None:
        """Raises NotFound for a channel that is not there, or somebody else's: the same words."""
        if channel not in {one["id"] for one in await self.channels_of(person)}:
            raise NotFound("room.no_channel")

    # Messages

    async def say(
        self,
        channel: str,
        thread: str,
        body: Mapping[str, Any],
        *,
        author: str = "",
        only_for: str = "",
        job: str = "",
        key: str | None = None,
    ) -> int:
        """A new message; with a ``key`` used before, the one of then."""
        row: dict[str, Any] = {
            "channel": channel,
            "thread": thread,
            "author": author,
            "only_for": only_for,
            "job": job,
            "key": key,
            "body": dict(body),
            "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        async with self._engine.begin() as connection:
            row["change"] = await _next_change(connection)
            said = upsert(messages).values(row).on_conflict_do_nothing(index_elements=["key"]).returning(messages.c.id)
            number = (await connection.execute(said)).scalar()
            if number is None:
                number = (await connection.execute(select(messages.c.id).where(messages.c.key == key))).scalar_one()
        self._wake()
        return int(number)

    async def was_said(self, key: str) -> bool:
        """Was something said under this key before?"""
        async with self._engine.begin() as connection:
            return (await connection.execute(select(messages.c.id).where(messages.c.key == key))).first() is not None

    async def change(self, message: int, body: Mapping[str, Any]) -> None:
        """Say something else in its place. Raises NotFound."""
        async with self._engine.begin() as connection:
            old = (await connection.execute(select(messages.c.body).where(messages.c.id == message))).scalar()
            if old is not None and old["tone"] == GONE:
                return
            number = await _next_change(connection)
            changed = update(messages).where(messages.c.id == message).values(body=dict(body), change=number)
            if not (await connection.execute(changed)).rowcount:
                raise NotFound("room.no_message")
        self._wake()

    async def dismiss(self, number: int, person: str) -> None:
        """Take away what only this person saw. Raises NotFound for anything else."""
        gone = {"tone": GONE, "title": "", "text": "", "pictures": [], "buttons": [], "menu": []}
        async with self._engine.begin() as connection:
            change = await _next_change(connection)
            theirs = (messages.c.id == number, messages.c.only_for == person)
            done = await connection.execute(update(messages).where(*theirs).values(body=gone, change=change))
            if not done.rowcount:
                raise NotFound("room.no_message")
        self._wake()

    async def mark(self, message: int, emoji: str, person: str, *, on: bool) -> bool:
        """Add or take away a reaction; False when that was so already."""
        row = {"message": message, "emoji": emoji, "person": person}
        async with self._engine.begin() as connection:
            if on:
                done = await connection.execute(upsert(marks).values(row).on_conflict_do_nothing())
            else:
                gone = marks.delete().where(*(marks.c[name] == value for name, value in row.items()))
                done = await connection.execute(gone)
            if not done.rowcount:
                return False
            number = await _next_change(connection)
            await connection.execute(update(messages).where(messages.c.id == message).values(change=number))
        self._wake()
        return True

    async def find(self, channel: str, job: str) -> int | None:
        """The message of a job of ours in a channel."""
        query = select(messages.c.id).where(messages.c.channel == channel, messages.c.job == job)
        async with self._engine.begin() as connection:
            return (await connection.execute(query.limit(1))).scalar()

    async def message(self, number: int, person: str) -> Message:
        """Raises NotFound, also for what this person may not see."""
        found = await self._read(select(messages).where(messages.c.id == number, *_seen_by(person)))
        if not found:
            raise NotFound("room.no_message")
        await self.must_see(found[0].channel, person)
        return found[0]

    async def news(self, person: str, after: int | None) -> News:
        """What changed since then; at first, what is there."""
        last = await self.last_change()
        found = await self.newest(person) if after is None else await self.since(person, min(after, last))
        start = last if after is None else min(after, last)
        return News(
            change=max([start, *(one.change for one in found)]),
            channels=await self.channels_of(person),
            members=await self.members(),
            messages=found,
        )

    async def newest(self, person: str) -> list[Message]:
        """What a page shows at first."""
        query = select(messages).where(*await self._visible(person)).order_by(messages.c.id.desc()).limit(FIRST)
        return list(reversed(await self._read(query)))

    async def older(self, person: str, channel: str, before: int) -> list[Message]:
        """What was said before."""
        query = (
            select(messages)
            .where(*await self._visible(person), messages.c.channel == channel, messages.c.id < before)
            .order_by(messages.c.id.desc())
            .limit(OLDER)
        )
        return list(reversed(await self._read(query)))

    async def since(self, person: str, change: int) -> list[Message]:
        """What changed since then, oldest change first."""
        query = (
            select(messages)
            .where(*await self._visible(person), messages.c.change > change)
            .order_by(messages.c.change)
            .limit(CATCH_UP)
        )
        return await self._read(query)

    async def last_change(self) -> int:
        """The counter."""
        async with self._engine.begin() as connection:
            return int((await connection.execute(select(func.max(messages.c.change)))).scalar() or 0)

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event set at every commit; clear it before looking, and nothing is missed."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            yield event
        finally:
            self._waiting.discard(event)

    # Uploads

    async def keep_upload(self, ref: str, name: str, width: int, height: int, media_type: str) -> None:
        """What was dropped into the room, already cleaned; ``ref`` is its blob's key."""
        row = {"ref": ref, "name": name, "width": width, "height": height, "media_type": media_type}
        async with self._engine.begin() as connection:
            await connection.execute(upsert(uploads).values(row).on_conflict_do_nothing())

    async def upload(self, ref: str) -> dict[str, Any]:
        """Raises Rejected for one we do not know."""
        async with self._engine.begin() as connection:
            row = (await connection.execute(select(uploads).where(uploads.c.ref == ref))).mappings().first()
        if row is None:
            raise Rejected("room.no_upload")
        return dict(row)

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()

    async def _visible(self, person: str) -> list[Any]:
        seen = [one["id"] for one in await self.channels_of(person)]
        return [messages.c.channel.in_(seen), *_seen_by(person)]

    async def _read(self, query: Any) -> list[Message]:
        async with self._engine.begin() as connection:
            rows = (await connection.execute(query)).mappings().all()
            marked = select(marks).where(marks.c.message.in_([row["id"] for row in rows]))
            found = (await connection.execute(marked)).mappings().all() if rows else []
        by_message: dict[int, dict[str, list[str]]] = {}
        for one in found:
            by_message.setdefault(one["message"], {}).setdefault(one["emoji"], []).append(one["person"])
        names = [name for name in Message.__dataclass_fields__ if name != "marks"]
        return [Message(**{name: row[name] for name in names}, marks=by_message.get(row["id"], {})) for row in rows]


def _seen_by(person: str) -> tuple[Any]:
    return (or_(messages.c.only_for.in_(["", person]), messages.c.author == person),)


async def _next_change(connection: AsyncConnection) -> int:
    return int((await connection.execute(select(func.max(messages.c.change)))).scalar() or 0) + 1


async def _member(connection: AsyncConnection, person: str) -> Member:
    row = (await connection.execute(select(people).where(people.c.id == person))).mappings().one()
    return Member(id=row["id"], name=row["name"], admin=row["admin"])


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
