"""The sums of money of a person who is forgotten: they stay, without a name.

What was spent today stays with a pseudonym until the day is over: being forgotten
would otherwise make room under the person's own cap.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import RowMapping, Table, case, delete, select, update

from core.sessions import PSEUDONYM, pseudonym
from core.storage.tables import channel_spending, ledger, spending
from core.types import Leaver

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

NOBODY = ""
"""The person of what was spent by people who were forgotten."""
Insert = Callable[[Table], Any]


async def forget_person(
    connection: AsyncConnection,
    leaver: Leaver,
    channels: Collection[str],
    insert: Insert,
    now: datetime,
) -> None:
    """Take the person out of the ledger and its sums; what it sums up to stays."""
    tenant = leaver.tenant
    entries = update(ledger).filter_by(tenant=tenant, person=leaver.person)
    await connection.execute(entries.values(person=NOBODY))
    in_channels = ledger.c.channel.in_(channels)
    entries = update(ledger).filter_by(tenant=tenant).where(in_channels)
    await connection.execute(entries.values(channel=""))
    today = now.astimezone(UTC).date().isoformat()
    is_own = spending.c.person == leaver.person
    query = select(spending).filter_by(tenant=tenant).where(is_own)
    for row in (await connection.execute(query)).mappings().all():
        person = NOBODY
        if row["day"] >= today:
            person = pseudonym(tenant, leaver.person)
        await _add(connection, insert, row, person)
    await connection.execute(
        delete(spending).filter_by(tenant=tenant).where(is_own)
    )
    await _forget_channels(connection, tenant, channels, insert)


async def forget_pseudonyms(
    connection: AsyncConnection, insert: Insert, now: datetime
) -> None:
    """Once their day is over, forget also the pseudonyms."""
    today = now.astimezone(UTC).date().isoformat()
    are_old = (
        spending.c.person.startswith(PSEUDONYM, autoescape=True),
        spending.c.day < today,
    )
    query = select(spending).where(*are_old)
    for row in (await connection.execute(query)).mappings().all():
        await _add(connection, insert, row, NOBODY)
    await connection.execute(delete(spending).where(*are_old))


async def forget_names(
    connection: AsyncConnection, insert: Insert, day: str
) -> None:
    """Add up what was spent before a day without names."""
    are_old = (spending.c.person != NOBODY, spending.c.day < day)
    query = select(spending).where(*are_old)
    for row in (await connection.execute(query)).mappings().all():
        await _add(connection, insert, row, NOBODY)
    await connection.execute(delete(spending).where(*are_old))


async def _add(
    connection: AsyncConnection, insert: Insert, row: RowMapping, person: str
) -> None:
    """Add a row's sums to those of ``person`` on that day."""
    columns = {**row, "person": person, "person_name": ""}
    new = insert(spending).values(columns)
    added = new.excluded
    first, last = spending.c.first, spending.c.last
    sums: Mapping[str, Any] = {
        "micros": spending.c.micros + added.micros,
        "steps": spending.c.steps + added.steps,
        "first": case((added.first < first, added.first), else_=first),
        "last": case((added.last > last, added.last), else_=last),
    }
    await connection.execute(
        new.on_conflict_do_update(
            index_elements=list(spending.primary_key.columns), set_=sums
        )
    )


async def _forget_channels(
    connection: AsyncConnection,
    tenant: str,
    channels: Collection[str],
    insert: Insert,
) -> None:
    """Add up what was spent in channels named after the person in one without a name."""
    is_own = channel_spending.c.channel.in_(channels)
    query = select(channel_spending).filter_by(tenant=tenant).where(is_own)
    for row in (await connection.execute(query)).mappings().all():
        new = insert(channel_spending).values({**row, "channel": ""})
        total = channel_spending.c.micros + new.excluded.micros
        await connection.execute(
            new.on_conflict_do_update(
                index_elements=list(channel_spending.primary_key.columns),
                set_={"micros": total},
            )
        )
    await connection.execute(
        delete(channel_spending).filter_by(tenant=tenant).where(is_own)
    )
