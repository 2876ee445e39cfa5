"""The people of the room, inside a transaction: who comes back, who is new, and their windows."""

from sqlalchemy import (
    ColumnElement,
    Delete,
    delete,
    func,
    insert,
    literal_column,
    select,
)
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.web.names import are_alike, are_spelled_alike
from adapters.web.records import Member, read_member, read_members
from adapters.web.tables import channels, keys, people
from core.errors import Rejected

DIRECT = "dm-"
"""What the id of a channel begins with where a person and Easel are alone."""
MOST_PEOPLE = 500
MOST_WINDOWS = 20
"""Windows of one person: in older ones they enter again."""


async def find_alike(
    connection: AsyncConnection, person: str, name: str
) -> Member | None:
    """The member of that id, else the one whose name looks like this one.

    None also where accents were left out and it may be any of several.
    """
    members = await read_members(connection)
    for member in members:
        if member.id == person:
            return member
    for member in members:
        if are_spelled_alike(member.name, name):
            return member
    alike = [member for member in members if are_alike(member.name, name)]
    return alike[0] if len(alike) == 1 else None


async def add_member(
    connection: AsyncConnection, person: str, name: str
) -> Member:
    """Let someone in for the first time. Raises Rejected when the room is full."""
    count = select(func.count()).select_from(people)
    members = (await connection.execute(count)).scalar_one()
    if members >= MOST_PEOPLE:
        raise Rejected("room.too_many_people")
    # The first who comes runs the room.
    row = {"id": person, "name": name, "admin": members == 0}
    direct = {"id": f"{DIRECT}{person}", "name": "", "only_for": person}
    await connection.execute(insert(people).values(row))
    new = upsert(channels).values(direct)
    await connection.execute(new.on_conflict_do_nothing())
    return await read_member(connection, person)


def older_keys(person: str) -> Delete:
    """Delete the keys of windows beyond a person's newest."""
    # Rows have no time of their own; SQLite numbers them in the order they came.
    number: ColumnElement[int] = literal_column("rowid")
    newest = (
        select(number)
        .select_from(keys)
        .where(keys.c.person == person)
        .order_by(number.desc())
        .limit(MOST_WINDOWS)
    )
    is_older = number.not_in(newest)
    return delete(keys).where(keys.c.person == person, is_older)
