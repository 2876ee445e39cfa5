"""The room's rows as values, and how they are read inside a transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.web.tables import channels, marks, messages, people

CHUNK = 200
"""Messages that changed and are read together: a page that was away long gets them in portions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person in the room; the first who came runs it."""

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


MESSAGE_COLUMNS = [
    name for name in Message.__dataclass_fields__ if name != "marks"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One channel; ``only_for`` "" is everybody's."""

    id: str
    name: str
    only_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """The channels and people of the room."""

    channels: Sequence[Channel]
    members: Sequence[Member]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageBatch:
    """Messages that changed, and where the counter of changes stands after them."""

    change: int
    messages: Sequence[Message]


def addressed_to(person: str) -> ColumnElement[bool]:
    """Messages for everybody or for this person, and their own."""
    is_for_them = messages.c.only_for.in_(["", person])
    is_their_own = messages.c.author == person
    return or_(is_for_them, is_their_own)


def channels_of(person: str) -> Select[Any]:
    """The open channels, and the one where this person and Easel are alone."""
    is_open = channels.c.only_for.in_(["", person])
    return select(channels.c.id).where(is_open)


def visible_to(person: str) -> tuple[ColumnElement[bool], ...]:
    """The condition under which this person sees a message."""
    return messages.c.channel.in_(channels_of(person)), addressed_to(person)


async def read_batch(
    connection: AsyncConnection,
    after: int,
    *conditions: ColumnElement[bool],
) -> MessageBatch:
    """The oldest changes after that one; all of them, unless there are more than a chunk."""
    last = await read_last_change(connection)
    query = (
        select(messages)
        # A page may know of changes from before the room was emptied.
        .where(messages.c.change > min(after, last), *conditions)
        .order_by(messages.c.change)
        .limit(CHUNK)
    )
    changed = await read_messages(connection, query)
    # There may be more: the next look continues after the last of these.
    if len(changed) == CHUNK:
        last = changed[-1].change
    return MessageBatch(change=last, messages=changed)


async def read_messages(
    connection: AsyncConnection,
    query: Select[Any],
) -> list[Message]:
    """The messages with their marks."""
    result = await connection.execute(query)
    rows = result.mappings().all()
    numbers = [row["id"] for row in rows]
    marks_by_message = await _read_marks(connection, numbers)
    found: list[Message] = []
    for row in rows:
        fields = {name: row[name] for name in MESSAGE_COLUMNS}
        message_marks = marks_by_message[row["id"]]
        found.append(Message(**fields, marks=message_marks))
    return found


async def _read_marks(
    connection: AsyncConnection,
    numbers: Sequence[int],
) -> Mapping[int, Mapping[str, Sequence[str]]]:
    """Emoji → people, by the number of the message."""
    by_message: dict[int, dict[str, list[str]]] = {}
    for number in numbers:
        by_message[number] = {}
    if not numbers:
        return by_message
    query = select(marks).where(marks.c.message.in_(numbers))
    result = await connection.execute(query)
    for mark in result:
        by_emoji = by_message[mark.message]
        by_emoji.setdefault(mark.emoji, []).append(mark.person)
    return by_message


async def read_last_change(connection: AsyncConnection) -> int:
    """The counter of changes; 0 in an empty room."""
    newest = select(func.max(messages.c.change))
    result = await connection.execute(newest)
    return int(result.scalar() or 0)


async def read_members(connection: AsyncConnection) -> list[Member]:
    """Every person who was ever here, by name."""
    query = select(people).order_by(people.c.name)
    result = await connection.execute(query)
    return [Member(**row) for row in result.mappings()]


async def read_member(connection: AsyncConnection, person: str) -> Member:
    """One of them."""
    query = select(people).filter_by(id=person)
    result = await connection.execute(query)
    return Member(**result.mappings().one())


async def read_channels(connection: AsyncConnection) -> list[Channel]:
    """Every channel, the open ones first."""
    query = select(channels).order_by(channels.c.only_for)
    result = await connection.execute(query)
    return [Channel(**row) for row in result.mappings()]
