"""What the database keeps about a person, and how it is erased."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    cast,
    delete,
    exists,
    func,
    null,
    or_,
    select,
    union,
    update,
)

from core import channel_settings
from core.sessions import pseudonym
from core.storage import forgotten_spending
from core.storage.database import empty_log
from core.storage.removal import remove_empty_steps, remove_rows_of
from core.storage.shielding import shielded
from core.storage.step_writer import StepWriter
from core.storage.tables import (
    audit,
    drafts,
    drawings,
    forgetting,
    in_work,
    ledger,
    messages,
    pictures,
    reactions,
    sessions,
    spending,
    steps,
    workspaces,
)
from core.types import KnownPerson, Leaver, Step, StepId, Tenant

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

REMOVED = "removed"
"""The session of the empty rows that stay in place of steps."""
IS_AT_WORK = in_work(steps)
EMPTY: dict[str, Any] = {
    "person": "",
    "person_name": "",
    "prompt": "",
    "reply": {},
    "notes": [],
    "error_params": {},
    "error": None,
    "text": None,
    "outcome": null(),
    "task_id": None,
    "request_id": None,
    "parent": None,
    "depth": 0,
}
"""What is erased of a step that others have continued."""


@shielded
class PeopleStore(StepWriter):
    """People in one database. Each method is one transaction."""

    async def ask_to_forget(
        self, tenant: str, person: str, now: datetime
    ) -> None:
        """Note durably that a person is to be forgotten, with all that is from before ``now``."""
        row = {"tenant": tenant, "person": person, "asked": now}
        new = self._insert(forgetting).values(row)
        await self._write(
            new.on_conflict_do_update(
                index_elements=["tenant", "person"], set_={"asked": now}
            )
        )

    async def leavers(self) -> list[Leaver]:
        """Who is still to be forgotten, the first who asked first."""
        query = select(forgetting).order_by(forgetting.c.asked)
        return [Leaver(**row) for row in await self._fetch_all(query)]

    async def tenants_of(self, platform: str, person: str) -> list[Tenant]:
        """The workspaces of a platform, or with "" of all, that know a person."""
        tables = (steps, reactions, ledger, spending, audit, forgetting)
        prefix = f"{platform}:" if platform else ""
        queries = [
            select(table.c.tenant)
            .filter_by(person=person)
            .where(table.c.tenant.startswith(prefix, autoescape=True))
            for table in tables
        ]
        rows = await self._fetch_all(union(*queries))  # type: ignore[arg-type]
        return sorted(row["tenant"] for row in rows)

    async def known_as(self, word: str) -> list[KnownPerson]:
        """The people with this id or name, one for each workspace that knows them."""
        is_it = (steps.c.person == word, steps.c.person_name == word)
        query = (
            select(
                steps.c.tenant, steps.c.person, func.max(steps.c.person_name)
            )
            .where(or_(*is_it), steps.c.person != "")
            .group_by(steps.c.tenant, steps.c.person)
            .order_by(steps.c.tenant, steps.c.person)
        )
        async with self._reading.begin() as connection:
            rows = (await connection.execute(query)).all()
        named = [
            KnownPerson(tenant=tenant, id=person, name=name)
            for tenant, person, name in rows
        ]
        names = {(person.tenant, person.id) for person in named}
        # Who has only voted has no name here.
        nameless = [
            KnownPerson(tenant=tenant, id=word, name="")
            for tenant in await self.tenants_of("", word)
            if (tenant, word) not in names
        ]
        return named + nameless

    async def steps_of(
        self, tenant: str, person: str, limit: int, after: int = 0
    ) -> list[Step]:
        """Their steps, the newest first, without the first ``after``."""
        query = select(steps).filter_by(tenant=tenant, person=person)
        newest_first = query.order_by(steps.c.created.desc(), steps.c.id)
        page = newest_first.limit(limit).offset(after)
        return await self._fetch_steps(page)

    async def spent_by(self, tenant: str, person: str) -> list[dict[str, Any]]:
        """What they spent, by day and currency."""
        query = select(
            spending.c.day,
            spending.c.currency,
            spending.c.micros,
            spending.c.steps,
        ).filter_by(tenant=tenant, person=person)
        rows = await self._fetch_all(query.order_by(spending.c.day))
        return [dict(row) for row in rows]

    async def reactions_of(
        self, tenant: str, person: str
    ) -> list[dict[str, Any]]:
        """Their votes and favourites."""
        query = select(
            reactions.c.step, reactions.c.kind, reactions.c.position
        ).filter_by(tenant=tenant, person=person)
        rows = await self._fetch_all(query.order_by(reactions.c.step))
        return [dict(row) for row in rows]

    async def open_steps_of(self, leaver: Leaver) -> list[Step]:
        """Their steps that are not at their end, or with an end that is not shown yet."""
        return await self._fetch_steps(_steps_of(leaver).where(IS_AT_WORK))

    async def ended_steps_of(self, leaver: Leaver, limit: int) -> list[Step]:
        """Some of their steps that have ended, the newest first."""
        ended = _steps_of(leaver).where(~IS_AT_WORK)
        newest_first = ended.order_by(steps.c.created.desc())
        return await self._fetch_steps(newest_first.limit(limit))

    async def remove_steps(
        self, leaver: Leaver, removed: Collection[StepId]
    ) -> None:
        """Remove steps that were erased.

        Of one that others have continued an empty row stays, so that its place is known.
        """
        tenant = leaver.tenant
        async with self._writing.begin() as connection:
            await self._lock(connection, tenant)
            await remove_rows_of(connection, tenant, removed)
            continued = await _continued_by_others(connection, leaver, removed)
            await self._empty(connection, tenant, continued)
            gone = set(removed) - set(continued)
            await remove_empty_steps(connection, tenant, gone)

    async def take_reactions(self, leaver: Leaver) -> list[StepId]:
        """Remove their votes and favourites; return the steps that had them."""
        owner = {"tenant": leaver.tenant, "person": leaver.person}
        query = select(reactions.c.step).distinct().filter_by(**owner)
        async with self._writing.begin() as connection:
            result = await connection.execute(query)
            touched = [StepId(step) for step in result.scalars()]
            await connection.execute(delete(reactions).filter_by(**owner))
        return touched

    async def erase(
        self, leaver: Leaver, channels: Collection[str], now: datetime
    ) -> None:
        """Remove what is left of them but steps; the sums of money stay, without a name.

        ``channels`` are those named after them.
        """
        tenant = leaver.tenant
        async with self._writing.begin() as connection:
            await self._lock(connection, tenant)
            await forgotten_spending.forget_person(
                connection, leaver, channels, self._insert, now
            )
            # The id of such a channel names the person.
            for table in (drawings, messages):
                rows = delete(table).filter_by(tenant=tenant)
                await connection.execute(
                    rows.where(table.c.channel.in_(channels))
                )
            await connection.execute(
                delete(drafts)
                .filter_by(tenant=tenant)
                .where(_names(drafts.c.request, leaver.person))
            )
            await _forget_in_settings(connection, leaver)
            await _forget_in_audit(connection, leaver, channels)
            await _forget_sessions(connection, leaver, channels)

    async def held_among(self, tenant: str, keys: Collection[str]) -> set[str]:
        """Which of these blobs any row still refers to."""
        query = (
            select(pictures.c.key, pictures.c.thumbnail)
            .filter_by(tenant=tenant)
            .where(
                or_(pictures.c.key.in_(keys), pictures.c.thumbnail.in_(keys))
            )
        )
        held: set[str] = set()
        for row in await self._fetch_all(query):
            held |= {row["key"], row["thumbnail"]}
        return held & set(keys)

    async def end_forgetting(self, leaver: Leaver) -> None:
        """Delete the request to be forgotten, unless the person has asked again meanwhile."""
        await self._write(
            delete(forgetting).filter_by(
                tenant=leaver.tenant, person=leaver.person, asked=leaver.asked
            )
        )
        # SQLite's log still holds the deleted rows.
        async with self._writing.connect() as connection:
            await connection.run_sync(empty_log)

    async def forget_pseudonyms(self, now: datetime) -> None:
        """Forget what today's caps needed of people who were forgotten on an earlier day."""
        async with self._writing.begin() as connection:
            await forgotten_spending.forget_pseudonyms(
                connection, self._insert, now
            )

    async def _empty(
        self,
        connection: AsyncConnection,
        tenant: str,
        continued: Collection[str],
    ) -> None:
        """Leave an empty row in place of each of these steps."""
        if not continued:
            return
        await self._ensure_session(connection, tenant, REMOVED)
        newest = select(func.max(steps.c.number)).filter_by(
            tenant=tenant, session=REMOVED
        )
        number = (await connection.execute(newest)).scalar() or 0
        for step in sorted(continued):
            number += 1
            row = update(steps).filter_by(tenant=tenant, id=step)
            await connection.execute(
                row.values(session=REMOVED, number=number, **EMPTY)
            )


def _steps_of(leaver: Leaver) -> Select[Any]:
    query = select(steps)
    return query.filter_by(tenant=leaver.tenant, person=leaver.person).where(
        steps.c.created <= leaver.asked
    )


async def _continued_by_others(
    connection: AsyncConnection, leaver: Leaver, removed: Collection[str]
) -> list[str]:
    """The steps from which another person has made something."""
    child = steps.alias("child")
    is_continued = exists().where(
        child.c.tenant == steps.c.tenant,
        child.c.parent == steps.c.id,
        child.c.person != leaver.person,
    )
    query = (
        select(steps.c.id)
        .filter_by(tenant=leaver.tenant)
        .where(steps.c.id.in_(removed), is_continued)
    )
    return list((await connection.execute(query)).scalars())


def _names(column: ColumnElement[object], person: str) -> ColumnElement[bool]:
    """Whether a request, kept as JSON, is the person's."""
    id = f'"id": {json.dumps(person)}'
    return cast(column, String).contains(id, autoescape=True)


async def _forget_in_settings(
    connection: AsyncConnection, leaver: Leaver
) -> None:
    query = select(workspaces.c.settings).filter_by(tenant=leaver.tenant)
    settings = (await connection.execute(query)).scalar()
    if settings is None:
        return
    word = pseudonym(leaver.tenant, leaver.person)
    changed = channel_settings.without_person(settings, leaver.person, word)
    if changed != settings:
        row = update(workspaces).filter_by(tenant=leaver.tenant)
        await connection.execute(row.values(settings=changed))


async def _forget_in_audit(
    connection: AsyncConnection, leaver: Leaver, channels: Collection[str]
) -> None:
    """Leave what was done in the log, and take out who did it."""
    rows = update(audit).filter_by(tenant=leaver.tenant)
    own_rows = rows.where(audit.c.person == leaver.person)
    await connection.execute(own_rows.values(person="", person_name=""))
    private = rows.where(audit.c.channel.in_(channels))
    await connection.execute(private.values(channel=""))
    await _forget_in_lists(connection, leaver)


async def _forget_in_lists(
    connection: AsyncConnection, leaver: Leaver
) -> None:
    """Take the person out of the lists of people that the log says were changed."""
    person = leaver.person
    columns = (audit.c.before, audit.c.after)
    query = (
        select(audit.c.id, *columns)
        .filter_by(tenant=leaver.tenant)
        .where(
            audit.c.subject.in_(channel_settings.PEOPLE),
            or_(
                *(
                    column.contains(person, autoescape=True)
                    for column in columns
                )
            ),
        )
    )
    for row in (await connection.execute(query)).mappings().all():
        # Of other words an id may be a part.
        lists = {
            column.name: channel_settings.replace_person(
                person, row[column.name], channel_settings.NO_PERSON
            )
            for column in columns
        }
        change = update(audit).filter_by(tenant=leaver.tenant, id=row["id"])
        await connection.execute(change.values(lists))


async def _forget_sessions(
    connection: AsyncConnection, leaver: Leaver, channels: Collection[str]
) -> None:
    """Delete the person's own sessions, and all in channels named after them.

    A session with steps younger than the request to be forgotten stays.
    """
    has_steps = exists().where(
        steps.c.tenant == sessions.c.tenant, steps.c.session == sessions.c.id
    )
    query = select(sessions.c.id).filter_by(tenant=leaver.tenant)
    result = await connection.execute(query.where(~has_steps))
    own = [f"/@{leaver.person}", f"/~{leaver.person}"]
    starts = [f"{channel}/" for channel in channels]
    own_sessions = [
        session
        for session in result.scalars()
        if session.endswith(tuple(own)) or session.startswith(tuple(starts))
    ]
    rows = delete(sessions).filter_by(tenant=leaver.tenant)
    await connection.execute(rows.where(sessions.c.id.in_(own_sessions)))
