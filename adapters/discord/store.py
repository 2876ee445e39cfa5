"""Discord's data that must outlive this process.

Requests behind forms, responses still to be changed, the workspace of each direct message,
people's languages, reactions taken away, restricted pictures, and the digest of the commands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    cast,
    delete,
    select,
    update,
)

from core.earlier import read_incoming
from core.incoming import Incoming
from core.storage.sealing import SealedJson, SealedText
from core.storage.shielding import shielded
from core.storage.transactions import Transactions
from core.types import to_json

RECORD_LIFE = timedelta(days=1)
"""How long a form may be filled in, and a response be changed; Discord itself is stricter."""

GUILD = "guild:"
"""The names of values that note our memberships."""

# Made by core/storage/migrations; this is what queries need. Their names in the database are older
# than those here.
metadata = MetaData()
forms = Table(
    "discord_asked",
    metadata,
    Column("interaction", String(20), primary_key=True),
    Column("request", SealedJson("reply"), nullable=False),
    Column("created", String(40), nullable=False, index=True),
)
responses = Table(
    "discord_answers",
    metadata,
    Column("interaction", String(20), primary_key=True),
    Column("app", String(20), nullable=False),
    Column("token", SealedText, nullable=False),
    # "" for a response that no job waits for.
    Column("job", String(64), nullable=False, index=True),
    Column("created", String(40), nullable=False, index=True),
)
direct = Table(
    "discord_direct",
    metadata,
    Column("message", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", String(30), nullable=False),
    Column("workspace", String(30), nullable=False),
    Index(None, "channel", "message"),
)
people = Table(
    "discord_people",
    metadata,
    Column("person", String(20), primary_key=True),
    Column("locale", String(10), nullable=False),
)
removals = Table(
    "discord_taken_away",
    metadata,
    Column("reaction", String(200), primary_key=True),
    Column("times", Integer, nullable=False),
)
restricted = Table(
    "discord_restricted",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("key", String(64), primary_key=True),
)
named_values = Table(
    "discord_kept",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingResponse:
    """A response that its interaction still waits for.

    ``only``: there is no other way to post in that channel. ``is_open``: all can read it.
    """

    interaction: str
    app: str
    token: str
    only: bool = False
    is_open: bool = False

    @property
    def ids(self) -> dict[str, str]:
        """The path of its endpoints."""
        return {"webhook_id": self.app, "webhook_token": self.token}


@shielded
class DiscordStore(Transactions):
    """Discord's tables. Each method is one transaction."""

    async def save_form(self, interaction: str, draft: Incoming) -> None:
        """Save what a form will complete; delete what is old."""
        await self.prune(datetime.now(UTC))
        await self._put(
            forms,
            interaction=interaction,
            request=to_json(draft),
            created=_now(),
        )

    async def prune(self, now: datetime) -> None:
        """Delete forms and responses that are too old to be used."""
        before = (now - RECORD_LIFE).isoformat()
        async with self._writing.begin() as connection:
            for table in (forms, responses):
                await connection.execute(
                    delete(table).where(table.c.created < before)
                )

    async def form_draft(self, interaction: str) -> Incoming | None:
        """What a form completes; None when it is too long ago."""
        query = select(forms.c.request).filter_by(interaction=interaction)
        draft = await self._fetch_scalar(query)
        return None if draft is None else read_incoming(draft)

    async def save_response(
        self,
        response: PendingResponse,
        job: str = "",
    ) -> None:
        """Save a response to be changed later.

        One with a ``job`` is settled once that job's message is posted.
        """
        await self._put(
            responses,
            interaction=response.interaction,
            app=response.app,
            token=response.token,
            job=job,
            created=_now(),
        )

    async def response(self, interaction: str) -> PendingResponse | None:
        """The response of an interaction."""
        return await self._response(responses.c.interaction == interaction)

    async def response_of_job(self, job: str) -> PendingResponse | None:
        """The response to be taken away, if that has not happened yet."""
        return await self._response(responses.c.job == job)

    async def forget_response(self, job: str) -> None:
        """Forget the response of a job: it has its final form."""
        await self._write(delete(responses).filter_by(job=job))

    async def save_direct_message(
        self,
        channel: str,
        message: int,
        workspace: str,
    ) -> None:
        """Record the workspace of one of the bot's direct messages."""
        await self._put(
            direct,
            channel=channel,
            message=message,
            workspace=workspace,
        )

    async def workspace_of_direct(
        self,
        channel: str,
        message: int | None,
    ) -> str | None:
        """The workspace of a message in a direct channel; with None, of the newest one."""
        query = select(direct.c.workspace).filter_by(channel=channel)
        if message is not None:
            query = query.where(direct.c.message == message)
        newest_first = query.order_by(direct.c.message.desc())
        workspace: str | None = await self._fetch_scalar(newest_first.limit(1))
        return workspace

    async def locale_of(self, person: str) -> str:
        """The language of a person, "" while it is unknown."""
        query = select(people.c.locale).filter_by(person=person)
        return await self._fetch_scalar(query) or ""

    async def save_locale(self, person: str, locale: str) -> None:
        """Record the language a person uses Discord in."""
        await self._put(people, person=person, locale=locale)

    async def removals_of(self, reaction: str) -> int:
        """How often this person has taken this reaction back."""
        query = select(removals.c.times).filter_by(reaction=reaction)
        return await self._fetch_scalar(query) or 0

    async def count_removal(self, reaction: str, times: int) -> None:
        """Count one more than ``times``. The same again changes nothing."""
        new = self._insert(removals).values(reaction=reaction, times=0)
        change = update(removals).filter_by(reaction=reaction, times=times)
        async with self._writing.begin() as connection:
            await connection.execute(new.on_conflict_do_nothing())
            await connection.execute(change.values(times=times + 1))

    async def restrict(self, tenant: str, keys: Sequence[str]) -> None:
        """Mark pictures first posted in an age-restricted channel."""
        async with self._writing.begin() as connection:
            for key in keys:
                new = self._insert(restricted).values(tenant=tenant, key=key)
                await connection.execute(new.on_conflict_do_nothing())

    async def restricted_among(
        self,
        tenant: str,
        keys: Sequence[str],
    ) -> set[str]:
        """Which of these pictures are restricted."""
        query = (
            select(restricted.c.key)
            .filter_by(tenant=tenant)
            .where(restricted.c.key.in_(keys))
        )
        return {row["key"] for row in await self._fetch_all(query)}

    async def value(self, name: str) -> str:
        """The value saved under a name, "" without one."""
        query = select(named_values.c.value).filter_by(name=name)
        return await self._fetch_scalar(query) or ""

    async def save_value(self, name: str, value: str) -> None:
        """Replace the value saved under a name."""
        await self._put(named_values, name=name, value=value)

    async def guilds(self) -> set[str]:
        """The guilds that we know to be members of."""
        query = select(named_values.c.name).where(
            named_values.c.name.startswith(GUILD, autoescape=True)
        )
        rows = await self._fetch_all(query)
        return {row["name"].removeprefix(GUILD) for row in rows}

    async def note_guilds(self, guilds: Iterable[str]) -> None:
        """Note guilds that we are members of."""
        async with self._writing.begin() as connection:
            for guild in guilds:
                row = {"name": f"{GUILD}{guild}", "value": ""}
                new = self._insert(named_values).values(row)
                await connection.execute(new.on_conflict_do_nothing())

    async def forget(self, tenant: str, workspace: str) -> None:
        """Delete what is left of a workspace that removed the bot."""
        messages = delete(direct).filter_by(workspace=workspace)
        pictures = delete(restricted).filter_by(tenant=tenant)
        membership = delete(named_values).filter_by(name=f"{GUILD}{workspace}")
        draft = cast(forms.c.request, String)
        is_from_there = draft.contains(f'"{workspace}"', autoescape=True)
        drafts = delete(forms).where(is_from_there)
        async with self._writing.begin() as connection:
            for rows in (messages, pictures, membership, drafts):
                await connection.execute(rows)

    async def forget_person(self, person: str) -> None:
        """Delete a person's language, forms, and what was noted of their reactions."""
        reaction = removals.c.reaction.contains(f":{person}:", autoescape=True)
        draft = cast(forms.c.request, String)
        is_theirs = draft.contains(f'"{person}"', autoescape=True)
        async with self._writing.begin() as connection:
            await connection.execute(delete(people).filter_by(person=person))
            await connection.execute(delete(removals).where(reaction))
            await connection.execute(delete(forms).where(is_theirs))

    async def _response(
        self, is_it: ColumnElement[bool]
    ) -> PendingResponse | None:
        columns = (responses.c.interaction, responses.c.app, responses.c.token)
        row = await self._fetch_first(select(*columns).where(is_it))
        return PendingResponse(**row) if row else None

    async def _put(self, table: Table, **columns: Any) -> None:
        """Insert or replace a row, in one statement: two workers may do so at once."""
        new = self._insert(table).values(**columns)
        await self._write(
            new.on_conflict_do_update(
                index_elements=list(table.primary_key.columns),
                set_=columns,
            )
        )


def _now() -> str:
    return datetime.now(UTC).isoformat()
