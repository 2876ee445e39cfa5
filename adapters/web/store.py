"""What the room remembers: people, channels, messages, marks.

It plays the chat server that Slack and Discord are.

Every change to a message gives it the next number of one counter, so that a page that was away asks
for what it missed.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Select, func, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.web.tables import (
    channels,
    keys,
    marks,
    messages,
    people,
    uploads,
)
from core.errors import NotFound, Rejected
from core.storage import database
from core.storage.shielding import shielded, wait_for_transactions

FIRST = 200
"""Messages a page is given at first."""
OLDER = 50
AT_A_TIME = 200
"""Messages that changed and are read together: a page that was away long is told in portions."""
DIRECT = "dm-"
GONE = "gone"
"""The tone of a message that its only reader has dismissed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody in the room; the first who came runs it."""

    id: str
    name: str
    admin: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as it stands.

    ``author`` "" is Easel; ``only_for`` "" is everybody; ``marks``: emoji → people.
    """

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
class Channel:
    """One channel; ``only_for`` "" is everybody's."""

    id: str
    name: str
    only_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """Who and what is in the room."""

    channels: Sequence[Channel]
    members: Sequence[Member]


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """The messages that changed, and where the counter stands with them."""

    change: int
    messages: Sequence[Message]


def room_url(folder: Path) -> str:
    """The room's database in a data folder: SQLite, whatever holds the rest."""
    return f"sqlite:///{folder / 'room.db'}"


@shielded
class Room:
    """The room in one SQLite file, asked in one thread.

    ``changed`` is set the moment something is committed.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reads = database.reading(engine)
        self.changed = asyncio.Event()
        self.commits = 0
        self.closed = False

    @classmethod
    def at(cls, folder: Path) -> "Room":
        """The room of a data folder."""
        return cls(database.open_async(room_url(folder), pool=1))

    async def prepare(self) -> bool:
        """Make what is missing: tables, one channel and a gallery.

        True when nobody was ever here.
        """
        url = self._engine.url.render_as_string()
        await database.migrate(url, database.TableSet.ROOM)
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
        await wait_for_transactions()
        await self._engine.dispose()

    # People

    async def enter(self, person: str, name: str) -> tuple[Member, str]:
        """The member and a key that stands for them in one window."""
        key = secrets.token_urlsafe(24)
        async with self._engine.begin() as connection:
            count = (
                await connection.execute(select(func.count()).select_from(people))
            ).scalar_one()
            row = {"id": person, "name": name, "admin": count == 0}
            await connection.execute(
                upsert(people).values(row).on_conflict_do_nothing()
            )
            await connection.execute(
                insert(keys).values(hash=_hash(key), person=person)
            )
            direct = {"id": f"{DIRECT}{person}", "name": "", "only_for": person}
            await connection.execute(
                upsert(channels).values(direct).on_conflict_do_nothing()
            )
            member = await _member(connection, person)
        self._wake()
        return member, key

    async def whose(self, key: str) -> Member | None:
        """Who holds this key."""
        async with self._reads.begin() as connection:
            person = (
                await connection.execute(
                    select(keys.c.person).where(keys.c.hash == _hash(key))
                )
            ).scalar()
            return await _member(connection, person) if person else None

    async def members(self) -> list[Member]:
        """Everybody who was ever here."""
        async with self._reads.begin() as connection:
            return await _members(connection)

    # Channels

    async def add_channel(self, channel: str, name: str) -> None:
        """A channel for everybody; no matter if it is there."""
        row = {"id": channel, "name": name, "only_for": ""}
        async with self._engine.begin() as connection:
            await connection.execute(
                upsert(channels).values(row).on_conflict_do_nothing()
            )
        self._wake()

    async def must_see(self, channel: str, person: str) -> None:
        """Raises NotFound for a channel that is not there, or somebody else's: the same words."""
        query = _channels_of(person).where(channels.c.id == channel)
        async with self._reads.begin() as connection:
            if (await connection.execute(query)).first() is None:
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
            said = (
                upsert(messages)
                .values(row)
                .on_conflict_do_nothing(index_elements=["key"])
                .returning(messages.c.id)
            )
            number = (await connection.execute(said)).scalar()
            if number is None:
                number = (
                    await connection.execute(
                        select(messages.c.id).where(messages.c.key == key)
                    )
                ).scalar_one()
        self._wake()
        return int(number)

    async def was_said(self, key: str) -> bool:
        """Was something said under this key before?"""
        async with self._reads.begin() as connection:
            return (
                await connection.execute(
                    select(messages.c.id).where(messages.c.key == key)
                )
            ).first() is not None

    async def change(self, message: int, body: Mapping[str, Any]) -> None:
        """Say something else in its place. Raises NotFound."""
        async with self._engine.begin() as connection:
            old = (
                await connection.execute(
                    select(messages.c.body).where(messages.c.id == message)
                )
            ).scalar()
            if old is not None and old["tone"] == GONE:
                return
            number = await _next_change(connection)
            changed = (
                update(messages)
                .where(messages.c.id == message)
                .values(body=dict(body), change=number)
            )
            if not (await connection.execute(changed)).rowcount:
                raise NotFound("room.no_message")
        self._wake()

    async def dismiss(self, number: int, person: str) -> None:
        """Take away what only this person saw. Raises NotFound for anything else."""
        gone = {
            "tone": GONE,
            "title": "",
            "text": "",
            "pictures": [],
            "buttons": [],
            "menu": [],
        }
        async with self._engine.begin() as connection:
            change = await _next_change(connection)
            theirs = (messages.c.id == number, messages.c.only_for == person)
            done = await connection.execute(
                update(messages).where(*theirs).values(body=gone, change=change)
            )
            if not done.rowcount:
                raise NotFound("room.no_message")
        self._wake()

    async def mark(self, message: int, emoji: str, person: str, *, on: bool) -> bool:
        """Add or take away a reaction; False when that was so already."""
        row = {"message": message, "emoji": emoji, "person": person}
        async with self._engine.begin() as connection:
            if on:
                done = await connection.execute(
                    upsert(marks).values(row).on_conflict_do_nothing()
                )
            else:
                gone = marks.delete().where(
                    *(marks.c[name] == value for name, value in row.items())
                )
                done = await connection.execute(gone)
            if not done.rowcount:
                return False
            number = await _next_change(connection)
            await connection.execute(
                update(messages).where(messages.c.id == message).values(change=number)
            )
        self._wake()
        return True

    async def find(self, channel: str, job: str) -> int | None:
        """The message of a job of ours in a channel."""
        query = select(messages.c.id).where(
            messages.c.channel == channel, messages.c.job == job
        )
        async with self._reads.begin() as connection:
            return (await connection.execute(query.limit(1))).scalar()

    async def message(self, number: int, person: str) -> Message:
        """Raises NotFound, also for what this person may not see."""
        query = select(messages).where(messages.c.id == number, _seen_by(person))
        async with self._reads.begin() as connection:
            seen = await _messages(connection, query)
        if not seen:
            raise NotFound("room.no_message")
        await self.must_see(seen[0].channel, person)
        return seen[0]

    async def news(self, person: str, after: int | None) -> News:
        """What changed since then, as much as goes at a time; at first, what is there."""
        async with self._reads.begin() as connection:
            last = await _last_change(connection)
            if after is None:
                query = (
                    select(messages)
                    .where(*_visible(person))
                    .order_by(messages.c.id.desc())
                    .limit(FIRST)
                )
                return News(
                    change=last, messages=(await _messages(connection, query))[::-1]
                )
            start = min(after, last)
            return await _since(connection, start, last, *_visible(person))

    async def look(self, after: int) -> tuple[News, Around]:
        """What changed since then, whoever may see it, as much as goes at a time.

        Everybody and every channel.
        """
        async with self._reads.begin() as connection:
            news = await _since(connection, after, await _last_change(connection))
            rows = (
                await connection.execute(select(channels).order_by(channels.c.only_for))
            ).mappings()
            around = Around(
                channels=[Channel(**row) for row in rows],
                members=await _members(connection),
            )
            return news, around

    async def newest(self, person: str) -> list[Message]:
        """What a page shows at first."""
        return list((await self.news(person, None)).messages)

    async def older(self, person: str, channel: str, before: int) -> list[Message]:
        """What was said before."""
        query = (
            select(messages)
            .where(
                *_visible(person), messages.c.channel == channel, messages.c.id < before
            )
            .order_by(messages.c.id.desc())
            .limit(OLDER)
        )
        async with self._reads.begin() as connection:
            return (await _messages(connection, query))[::-1]

    async def last_change(self) -> int:
        """The counter."""
        async with self._reads.begin() as connection:
            return await _last_change(connection)

    # Uploads

    async def keep_upload(
        self, ref: str, name: str, width: int, height: int, media_type: str
    ) -> None:
        """What was dropped into the room, already cleaned; ``ref`` is its blob's key."""
        row = {
            "ref": ref,
            "name": name,
            "width": width,
            "height": height,
            "media_type": media_type,
        }
        async with self._engine.begin() as connection:
            await connection.execute(
                upsert(uploads).values(row).on_conflict_do_nothing()
            )

    async def upload(self, ref: str) -> dict[str, Any]:
        """Raises Rejected for one we do not know."""
        async with self._reads.begin() as connection:
            row = (
                (await connection.execute(select(uploads).where(uploads.c.ref == ref)))
                .mappings()
                .first()
            )
        if row is None:
            raise Rejected("room.no_upload")
        return dict(row)

    def _wake(self) -> None:
        self.commits += 1
        self.changed.set()


def _seen_by(person: str) -> ColumnElement[bool]:
    return or_(messages.c.only_for.in_(["", person]), messages.c.author == person)


def _channels_of(person: str) -> Select[Any]:
    """The open channels, and where they speak with Easel alone."""
    return select(channels.c.id).where(channels.c.only_for.in_(["", person]))


def _visible(person: str) -> tuple[ColumnElement[bool], ...]:
    return messages.c.channel.in_(_channels_of(person)), _seen_by(person)


async def _since(
    connection: AsyncConnection, after: int, last: int, *conditions: ColumnElement[bool]
) -> News:
    """What changed since then, oldest change first; all up to ``last`` when it goes at a time."""
    query = (
        select(messages)
        .where(messages.c.change > after, *conditions)
        .order_by(messages.c.change)
    )
    changed = await _messages(connection, query.limit(AT_A_TIME))
    return News(
        change=changed[-1].change if len(changed) == AT_A_TIME else last,
        messages=changed,
    )


async def _messages(connection: AsyncConnection, query: Select[Any]) -> list[Message]:
    """The messages with their marks."""
    rows = (await connection.execute(query)).mappings().all()
    numbers = [row["id"] for row in rows]
    marked = select(marks).where(marks.c.message.in_(numbers))
    signs = (await connection.execute(marked)).mappings().all() if rows else []
    by_message: dict[int, dict[str, list[str]]] = {number: {} for number in numbers}
    for sign in signs:
        by_message[sign["message"]].setdefault(sign["emoji"], []).append(sign["person"])
    names = [name for name in Message.__dataclass_fields__ if name != "marks"]
    return [
        Message(**{name: row[name] for name in names}, marks=by_message[row["id"]])
        for row in rows
    ]


async def _last_change(connection: AsyncConnection) -> int:
    return int(
        (await connection.execute(select(func.max(messages.c.change)))).scalar() or 0
    )


async def _next_change(connection: AsyncConnection) -> int:
    return await _last_change(connection) + 1


async def _members(connection: AsyncConnection) -> list[Member]:
    rows = (await connection.execute(select(people).order_by(people.c.name))).mappings()
    return [Member(id=row["id"], name=row["name"], admin=row["admin"]) for row in rows]


async def _member(connection: AsyncConnection, person: str) -> Member:
    row = (
        (await connection.execute(select(people).where(people.c.id == person)))
        .mappings()
        .one()
    )
    return Member(id=row["id"], name=row["name"], admin=row["admin"])


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
