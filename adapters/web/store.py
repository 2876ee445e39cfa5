"""The room's data: people, channels, messages, marks.

The room has no chat server such as Slack or Discord; this store plays that part. Every change to a
message gives it the next number of one counter, so that a page that was away asks for what it
missed.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    String,
    cast,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.web.members import add_member, find_alike, older_keys
from adapters.web.records import (
    Directory,
    Member,
    Message,
    MessageBatch,
    addressed_to,
    channels_of,
    read_batch,
    read_channels,
    read_last_change,
    read_member,
    read_members,
    read_messages,
    visible_to,
)
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
from core.storage.blob_sweep import KEY_IN_TEXT
from core.storage.shielding import shielded, wait_for_transactions
from core.types import Picture

GONE = "gone"
"""The tone of a message that its only reader has dismissed."""
GONE_BODY: Mapping[str, Any] = {
    "tone": GONE,
    "title": "",
    "text": "",
    "pictures": [],
    "buttons": [],
    "menu": [],
}
GONE_ROW: Mapping[str, Any] = {
    "channel": "",
    "thread": "",
    "author": "",
    "only_for": "",
    "job": "",
    "key": None,
    "body": GONE_BODY,
}
"""What nobody sees, and says nothing."""

T = TypeVar("T")
FIRST = 200
"""Messages a page is given at first."""
OLDER = 50
MOST_CHANNELS = 100
MOST_EMOJI = 20
"""Different reactions of one person to one message."""
MOST_UPLOADS = 200
"""Pictures one person may upload in 24 hours."""
MOST_UPLOADED = 1 << 30
"""Bytes of one person's uploads in 24 hours."""


def room_url(folder: Path) -> str:
    """The room's database in a data folder: SQLite, wherever the rest is."""
    return f"sqlite:///{folder / 'room.db'}"


@shielded
class Room:
    """The room in one SQLite file, used by one thread.

    ``changed`` is set the moment something is committed.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = database.reading(engine)
        self.changed = asyncio.Event()
        self.commits = 0
        self.closed = False

    @classmethod
    def at(cls, folder: Path) -> "Room":
        """Open the room of a data folder."""
        return cls(database.open_async(room_url(folder), pool=1))

    async def prepare(self) -> bool:
        """Make what is missing: tables, one channel and a gallery. True in a new room."""
        url = self._engine.url.render_as_string()
        await database.migrate(url, database.TableSet.ROOM)
        for channel in ("general", "gallery"):
            await self.add_channel(channel, channel)
        return not await self.members() and not await self.last_change()

    def stop_streams(self) -> None:
        """End the stream of every page."""
        self.closed = True
        self._wake()

    async def close(self) -> None:
        """Close the file; no method may be called any more."""
        self.stop_streams()
        await wait_for_transactions()
        await self._engine.dispose()

    # People

    async def enter(self, person: str, name: str) -> tuple[Member, str]:
        """Return the member, and a key that identifies one browser window.

        Names that look alike are one member's. Raises Rejected for one person too many.
        """
        # Only its hash is stored: reading the file lets one into no window.
        key = secrets.token_urlsafe(24)
        async with self._engine.begin() as connection:
            member = await find_alike(connection, person, name)
            if member is None:
                member = await add_member(connection, person, name)
            await connection.execute(
                insert(keys).values(hash=_hash(key), person=member.id)
            )
            await connection.execute(older_keys(member.id))
        self._wake()
        return member, key

    async def member_of_key(self, key: str) -> Member | None:
        """Return the member who entered with this key."""
        query = select(keys.c.person).filter_by(hash=_hash(key))
        async with self._reading.begin() as connection:
            result = await connection.execute(query)
            person = result.scalar()
            if person is None:
                return None
            return await read_member(connection, person)

    async def members(self) -> list[Member]:
        """Every person who was ever here."""
        async with self._reading.begin() as connection:
            return await read_members(connection)

    # Channels

    async def add_channel(self, channel: str, name: str) -> None:
        """A channel for everybody; no matter if it is there. Raises Rejected for one too many."""
        row = {"id": channel, "name": name, "only_for": ""}
        async with self._engine.begin() as connection:
            others = await read_channels(connection)
            ids = {other.id for other in others if not other.only_for}
            if channel not in ids and len(ids) >= MOST_CHANNELS:
                raise Rejected("room.too_many_channels")
            new = upsert(channels).values(row)
            await connection.execute(new.on_conflict_do_nothing())
        self._wake()

    async def require_access(self, channel: str, person: str) -> None:
        """Raises NotFound for a missing channel and, in the same words, for another's."""
        query = channels_of(person).where(channels.c.id == channel)
        async with self._reading.begin() as connection:
            result = await connection.execute(query)
            if result.first() is None:
                raise NotFound("room.no_channel")

    # Messages

    async def add_message(
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
        with_key = select(messages.c.id).filter_by(key=key)
        async with self._engine.begin() as connection:
            row["change"] = await _next_change(connection)
            new = (
                upsert(messages)
                .values(row)
                .on_conflict_do_nothing(index_elements=["key"])
                .returning(messages.c.id)
            )
            result = await connection.execute(new)
            number = result.scalar()
            if number is None:
                result = await connection.execute(with_key)
                number = result.scalar_one()
        self._wake()
        return int(number)

    async def has_message(self, key: str) -> bool:
        """Whether a message was added under this key before."""
        query = select(messages.c.id).filter_by(key=key)
        async with self._reading.begin() as connection:
            result = await connection.execute(query)
            return result.first() is not None

    async def edit_message(
        self,
        message: int,
        body: Mapping[str, Any],
    ) -> Mapping[str, Any]:
        """Replace its body, unless its reader has dismissed it; return the old one.

        Raises NotFound.
        """
        is_message = messages.c.id == message
        async with self._engine.begin() as connection:
            result = await connection.execute(
                select(messages.c.body).where(is_message)
            )
            old: Mapping[str, Any] | None = result.scalar()
            if old is None:
                raise NotFound("room.no_message")
            if old["tone"] == GONE:
                return old
            number = await _next_change(connection)
            change = update(messages).where(is_message)
            await connection.execute(
                change.values(body=dict(body), change=number)
            )
        self._wake()
        return old

    async def requote(self, message: int, quote: str) -> None:
        """Repeat, wherever a message is quoted, what it says now."""
        is_quoted = cast(messages.c.body, String).contains(
            f'"quoted": {{"id": {message},'
        )
        query = select(messages.c.id, messages.c.body).where(is_quoted)
        async with self._engine.begin() as connection:
            for row in (await connection.execute(query)).all():
                number = await _next_change(connection)
                quoted = {**row.body["quoted"], "text": quote}
                columns = {"body": {**row.body, "quoted": quoted}}
                change = update(messages).filter_by(id=row.id)
                await connection.execute(
                    change.values(change=number, **columns)
                )
        self._wake()

    async def dismiss(self, message: int, person: str) -> None:
        """Delete a message that only this person saw. Raises NotFound for any other."""
        change = update(messages).filter_by(id=message, only_for=person)
        async with self._engine.begin() as connection:
            number = await _next_change(connection)
            change = change.values(body=GONE_BODY, change=number)
            result = await connection.execute(change)
            if not result.rowcount:
                raise NotFound("room.no_message")
        self._wake()

    async def set_mark(
        self,
        message: int,
        emoji: str,
        person: str,
        *,
        on: bool,
    ) -> bool:
        """Add or take away a reaction; False when that was so already."""
        row = {"message": message, "emoji": emoji, "person": person}
        add = upsert(marks).values(row).on_conflict_do_nothing()
        remove = delete(marks).filter_by(
            message=message,
            emoji=emoji,
            person=person,
        )
        count = (
            select(func.count())
            .select_from(marks)
            .filter_by(message=message, person=person)
        )
        async with self._engine.begin() as connection:
            own_marks = (await connection.execute(count)).scalar_one()
            if on and own_marks >= MOST_EMOJI:
                raise Rejected("room.too_many_emoji", allowed=MOST_EMOJI)
            result = await connection.execute(add if on else remove)
            if not result.rowcount:
                return False
            number = await _next_change(connection)
            change = update(messages).filter_by(id=message)
            await connection.execute(change.values(change=number))
        self._wake()
        return True

    async def find_message(self, channel: str, job: str) -> int | None:
        """The message of a job in a channel."""
        query = select(messages.c.id).filter_by(channel=channel, job=job)
        async with self._reading.begin() as connection:
            result = await connection.execute(query.limit(1))
            return result.scalar()

    async def message(self, number: int, person: str) -> Message:
        """Raises NotFound, also for what this person may not see."""
        query = (
            select(messages).filter_by(id=number).where(addressed_to(person))
        )
        async with self._reading.begin() as connection:
            matches = await read_messages(connection, query)
        if not matches:
            raise NotFound("room.no_message")
        await self.require_access(matches[0].channel, person)
        return matches[0]

    async def changes_for(
        self,
        person: str,
        after: int | None,
    ) -> MessageBatch:
        """What changed since then, one chunk at most; with None, the newest messages."""
        is_visible = visible_to(person)
        async with self._reading.begin() as connection:
            if after is not None:
                return await read_batch(connection, after, *is_visible)
            newest_first = select(messages).order_by(messages.c.id.desc())
            query = newest_first.where(*is_visible).limit(FIRST)
            return MessageBatch(
                change=await read_last_change(connection),
                messages=(await read_messages(connection, query))[::-1],
            )

    async def all_changes(self, after: int) -> tuple[MessageBatch, Directory]:
        """What changed since then for any reader, one chunk at most; everybody, every channel."""
        async with self._reading.begin() as connection:
            batch = await read_batch(connection, after)
            directory = Directory(
                channels=await read_channels(connection),
                members=await read_members(connection),
            )
            return batch, directory

    async def newest(self, person: str) -> list[Message]:
        """Return the messages that a page shows at first."""
        batch = await self.changes_for(person, None)
        return list(batch.messages)

    async def older(
        self,
        person: str,
        channel: str,
        before: int,
    ) -> list[Message]:
        """The messages of a channel before that one, oldest first."""
        query = (
            select(messages)
            .filter_by(channel=channel)
            .where(*visible_to(person), messages.c.id < before)
            .order_by(messages.c.id.desc())
            .limit(OLDER)
        )
        async with self._reading.begin() as connection:
            newest_first = await read_messages(connection, query)
        return newest_first[::-1]

    async def last_change(self) -> int:
        """The counter of changes."""
        async with self._reading.begin() as connection:
            return await read_last_change(connection)

    # Uploads

    async def add_upload(
        self, person: str, name: str, picture: Picture
    ) -> str:
        """Note what a person dropped into the room, already cleaned; return its ref.

        Each upload is its person's own: others may have the same picture by another name.

        Raises Rejected for too many a day.
        """
        now = datetime.now(UTC)
        row = {
            "ref": secrets.token_hex(16),
            "name": name,
            "width": picture.width,
            "height": picture.height,
            "media_type": picture.media_type,
            "key": picture.key,
            "person": person,
            "added": now.isoformat(),
            "length": picture.length,
        }
        yesterday = (now - timedelta(days=1)).isoformat()
        newest = (
            select(func.count(), func.coalesce(func.sum(uploads.c.length), 0))
            .select_from(uploads)
            .filter_by(person=person)
            .where(uploads.c.added > yesterday)
        )
        async with self._engine.begin() as connection:
            result = await connection.execute(newest)
            count, size = result.one()
            _check_quota(count, size + picture.length)
            await connection.execute(upsert(uploads).values(row))
        return str(row["ref"])

    async def upload(self, ref: str) -> dict[str, Any]:
        """Raises Rejected for an unknown one."""
        query = select(uploads).filter_by(ref=ref)
        async with self._reading.begin() as connection:
            result = await connection.execute(query)
            row = result.mappings().first()
        if row is None:
            raise Rejected("room.no_upload")
        return dict(row)

    async def upload_keys(self) -> set[str]:
        """Every blob that somebody dropped here."""
        async with self._reading.begin() as connection:
            result = await connection.execute(select(uploads.c.key))
            return set(result.scalars())

    async def blob_keys(self) -> set[str]:
        """Every blob that an upload or a message refers to."""
        bodies = select(cast(messages.c.body, String))
        keys: set[str] = set()
        async with self._reading.begin() as connection:
            for query in (select(uploads.c.key), bodies):
                result = await connection.execute(query)
                for text in result.scalars():
                    keys.update(KEY_IN_TEXT.findall(text))
        return keys

    async def prune(self, before: datetime) -> None:
        """Delete messages and uploads of before then."""
        moment = before.isoformat(timespec="milliseconds")
        old = select(messages.c.id).where(messages.c.created < moment)
        async with self._engine.begin() as connection:
            await connection.execute(
                delete(marks).where(marks.c.message.in_(old))
            )
            await remove_messages(connection, messages.c.created < moment)
            await connection.execute(
                # Earlier versions did not note when one was added.
                delete(uploads).where(uploads.c.added.between("1", moment))
            )

    async def recall(self, person: str) -> dict[str, Any]:
        """What the room keeps of a person, for themselves."""
        said = select(messages.c.channel, messages.c.created, messages.c.body)
        dropped = select(uploads.c.name, uploads.c.key, uploads.c.added)
        named = select(people.c.name).filter_by(id=person)
        async with self._reading.begin() as connection:
            name = (await connection.execute(named)).scalar()
            words = await connection.execute(said.filter_by(author=person))
            files = await connection.execute(dropped.filter_by(person=person))
            return {
                "name": name,
                "messages": [
                    {**row, "body": row["body"]["text"]}
                    for row in words.mappings()
                ],
                "uploads": [dict(row) for row in files.mappings()],
            }

    async def erase(
        self,
        change: Callable[[AsyncConnection, str], Awaitable[T]],
        person: str,
    ) -> T:
        """Erase something of a person in one transaction, and from the file."""
        async with self._engine.begin() as connection:
            outcome = await change(connection, person)
        async with self._engine.connect() as connection:
            await connection.run_sync(database.empty_log)
        self._wake()
        return outcome

    def _wake(self) -> None:
        self.commits += 1
        self.changed.set()


async def remove_messages(
    connection: AsyncConnection, are_removed: ColumnElement[bool]
) -> None:
    """Delete messages.

    In place of the one that changed last an empty row stays: pages would miss what comes if the
    counter of changes fell.
    """
    last = await read_last_change(connection)
    are_older = messages.c.change < last
    await connection.execute(delete(messages).where(are_removed, are_older))
    await connection.execute(
        update(messages).where(are_removed).values(GONE_ROW)
    )


async def _next_change(connection: AsyncConnection) -> int:
    return await read_last_change(connection) + 1


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _check_quota(count: int, size: int) -> None:
    """Raise Rejected for one upload more than ``count`` that makes ``size`` bytes of all."""
    if count >= MOST_UPLOADS:
        raise Rejected("room.too_many_uploads", allowed=MOST_UPLOADS)
    if size > MOST_UPLOADED:
        raise Rejected("room.too_much_uploaded", allowed=MOST_UPLOADED >> 20)
