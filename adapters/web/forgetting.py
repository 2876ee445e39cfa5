"""Forget a person of the room: their words, marks, uploads and keys.

What only they could see is deleted. What others saw becomes an empty message that pages take away.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    String,
    cast,
    delete,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.web.members import DIRECT
from adapters.web.records import read_last_change
from adapters.web.store import GONE_BODY, remove_messages
from adapters.web.tables import (
    channels,
    keys,
    marks,
    messages,
    people,
    uploads,
)
from core.post import Tone
from core.storage.blob_sweep import KEY_IN_TEXT

NOTES = {Tone.NOTE.value, Tone.REFUSAL.value}
Body = Mapping[str, Any]


async def forget_person(
    connection: AsyncConnection, person: str
) -> frozenset[str]:
    """Delete all of a person; return the blobs that the room needs no more."""
    query = select(people.c.name).filter_by(id=person)
    name = (await connection.execute(query)).scalar() or ""
    in_private = or_(
        messages.c.only_for == person,
        messages.c.channel == f"{DIRECT}{person}",
    )
    freed = await _keys_in(
        connection, uploads.c.key, uploads.c.person == person
    )
    is_theirs = or_(in_private, messages.c.author == person)
    freed |= await _keys_in(connection, messages.c.body, is_theirs)
    await remove_messages(connection, in_private)
    await _empty_messages(connection, person, name)
    await _forget_marks(connection, person)
    await connection.execute(delete(uploads).filter_by(person=person))
    await connection.execute(delete(keys).filter_by(person=person))
    await connection.execute(delete(channels).filter_by(only_for=person))
    await _forget_member(connection, person)
    # The same picture may have come from another person, too.
    freed -= await _keys_in(connection, uploads.c.key)
    return frozenset(freed - await _keys_in(connection, messages.c.body))


async def _keys_in(
    connection: AsyncConnection,
    column: ColumnElement[Any],
    *conditions: ColumnElement[bool],
) -> set[str]:
    """The keys of blobs that stand in a column."""
    query = select(cast(column, String)).where(*conditions)
    blob_keys: set[str] = set()
    for text in (await connection.execute(query)).scalars():
        blob_keys.update(KEY_IN_TEXT.findall(text))
    return blob_keys


async def _empty_messages(
    connection: AsyncConnection, person: str, name: str
) -> None:
    """Empty what they said, Easel's notes that name them, and quotations of them."""
    query = select(messages.c.id, messages.c.author, messages.c.body)
    said = set()
    # All of them before anything is emptied: a quotation may stand before or after its original.
    for row in (await connection.execute(query)).all():
        if row.author == person:
            said.add(row.id)
    for row in (await connection.execute(query)).all():
        if row.id in said or (not row.author and _names(row.body, name)):
            await _change(connection, row.id, GONE_BODY)
        elif _quotes(row.body, person, said):
            await _change(connection, row.id, {**row.body, "quoted": None})


def _names(body: Body, name: str) -> bool:
    """Whether it is one of Easel's notes and names the person."""
    if not name or body["tone"] not in NOTES:
        return False
    words = rf"(?<!\w){re.escape(name)}(?!\w)"
    text = f"{body['title']}\n{body['text']}"
    return re.search(words, text) is not None


def _quotes(body: Body, person: str, said: Collection[int]) -> bool:
    quoted = body.get("quoted")
    if not quoted:
        return False
    return quoted["author"] == person or quoted["id"] in said


async def _change(
    connection: AsyncConnection, message: int, body: Body
) -> None:
    columns: dict[str, Any] = {"body": dict(body)}
    if body is GONE_BODY:
        columns |= {"author": "", "key": None}
    number = await read_last_change(connection) + 1
    change = update(messages).filter_by(id=message)
    await connection.execute(change.values(change=number, **columns))


async def _forget_marks(connection: AsyncConnection, person: str) -> None:
    query = select(marks.c.message).distinct().filter_by(person=person)
    marked = (await connection.execute(query)).scalars().all()
    await connection.execute(delete(marks).filter_by(person=person))
    # A new change number makes open pages read the message again.
    for message in marked:
        number = await read_last_change(connection) + 1
        change = update(messages).filter_by(id=message)
        await connection.execute(change.values(change=number))


async def _forget_member(connection: AsyncConnection, person: str) -> None:
    """Take the person off the list; if they ran the room, the next one does."""
    query = select(people.c.admin).filter_by(id=person)
    ran_room = (await connection.execute(query)).scalar()
    await connection.execute(delete(people).filter_by(id=person))
    if not ran_room:
        return
    in_order: ColumnElement[int] = literal_column("rowid")  # as they came
    first = select(people.c.id).order_by(in_order).limit(1).scalar_subquery()
    heir = update(people).where(people.c.id == first)
    await connection.execute(heir.values(admin=True))
