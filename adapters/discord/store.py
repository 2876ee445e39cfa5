"""What of Discord must outlive this process.

What forms were asked for, tokens of answers still to be changed, which workspace a direct message
speaks for, how often a reaction was taken away, restricted pictures, the commands' hash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Text,
    delete,
    select,
)
from sqlalchemy import update as change
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from core.earlier import read_incoming
from core.incoming import Incoming
from core.storage.shielding import shielded
from core.types import to_json

ASKED_LIFE = timedelta(days=1)
metadata = MetaData()
asked = Table(
    "discord_asked",
    metadata,
    Column("interaction", String(20), primary_key=True),
    Column("request", JSON, nullable=False),
    Column("created", String(40), nullable=False, index=True),
)
answers = Table(
    "discord_answers",
    metadata,
    Column("interaction", String(20), primary_key=True),
    Column("app", String(20), nullable=False),
    Column("token", Text, nullable=False),
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
taken_away = Table(
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
kept = Table(
    "discord_kept",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer an interaction waits for; ``only``: we have no other voice there; ``is_open``.

    All can read it.
    """

    interaction: str
    app: str
    token: str
    only: bool = False
    is_open: bool = False

    @property
    def ids(self) -> dict[str, str]:
        """Where it is."""
        return {"webhook_id": self.app, "webhook_token": self.token}


@shielded
class DiscordStore:
    """Discord's tables in our database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._insert = (
            postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        )

    async def ask(self, interaction: str, draft: Incoming) -> None:
        """Keep what a form is asked for; forget what is old."""
        before = (datetime.now(UTC) - ASKED_LIFE).isoformat()
        async with self._engine.begin() as connection:
            for table in (asked, answers):
                await connection.execute(delete(table).where(table.c.created < before))
        await self._put(
            asked, interaction=interaction, request=to_json(draft), created=_now()
        )

    async def asked(self, interaction: str) -> Incoming | None:
        """What a form was asked for; None when it is too long ago."""
        found = await self._one(
            select(asked.c.request).where(asked.c.interaction == interaction)
        )
        return read_incoming(found) if found is not None else None

    async def keep_answer(self, answer: Answer, job: str = "") -> None:
        """An answer to be changed later.

        With a ``job``, to be taken away once that job's message is posted.
        """
        known = {
            "interaction": answer.interaction,
            "app": answer.app,
            "token": answer.token,
        }
        await self._put(answers, **known, job=job, created=_now())

    async def answer(self, interaction: str) -> Answer | None:
        """An answer that was kept."""
        return await self._answer(answers.c.interaction == interaction)

    async def unsettled(self, job: str) -> Answer | None:
        """The answer that nobody has settled since the job's message was posted."""
        return await self._answer(answers.c.job == job)

    async def settled(self, job: str) -> None:
        """Nobody thinks that we still think."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(answers).where(answers.c.job == job))

    async def sent_directly(self, channel: str, message: int, workspace: str) -> None:
        """A message of ours in a direct channel, and the workspace it belongs to."""
        await self._put(direct, channel=channel, message=message, workspace=workspace)

    async def speaks_for(self, channel: str, message: int | None) -> str | None:
        """The workspace of a message of ours in a direct channel.

        Of the newest when none is named.
        """
        query = (
            select(direct.c.workspace)
            .where(direct.c.channel == channel)
            .order_by(direct.c.message.desc())
            .limit(1)
        )
        if message is not None:
            query = query.where(direct.c.message == message)
        found: str | None = await self._one(query)
        return found

    async def spoken_by(self, person: str) -> str:
        """The language of a person, "" while we do not know."""
        return (
            await self._one(select(people.c.locale).where(people.c.person == person))
            or ""
        )

    async def speaks(self, person: str, locale: str) -> None:
        """A person uses Discord in this language."""
        await self._put(people, person=person, locale=locale)

    async def times_taken_away(self, reaction: str) -> int:
        """How often this person has taken this reaction back."""
        return (
            await self._one(
                select(taken_away.c.times).where(taken_away.c.reaction == reaction)
            )
            or 0
        )

    async def taken_away(self, reaction: str, times: int) -> None:
        """Once more than ``times``. The same again changes nothing."""
        async with self._engine.begin() as connection:
            await connection.execute(
                self._insert(taken_away)
                .values(reaction=reaction, times=0)
                .on_conflict_do_nothing()
            )
            is_it = (taken_away.c.reaction == reaction, taken_away.c.times == times)
            await connection.execute(
                change(taken_away).where(*is_it).values(times=times + 1)
            )

    async def restrict(self, tenant: str, keys: Sequence[str]) -> None:
        """Pictures first shown where only adults are."""
        async with self._engine.begin() as connection:
            for key in keys:
                values = self._insert(restricted).values(tenant=tenant, key=key)
                await connection.execute(values.on_conflict_do_nothing())

    async def restricted(self, tenant: str, keys: Sequence[str]) -> set[str]:
        """Which of these are."""
        query = select(restricted.c.key).where(
            restricted.c.tenant == tenant, restricted.c.key.in_(keys)
        )
        async with self._engine.begin() as connection:
            return set((await connection.execute(query)).scalars())

    async def value(self, name: str) -> str:
        """Something kept under a name, "" if nothing is."""
        return await self._one(select(kept.c.value).where(kept.c.name == name)) or ""

    async def keep(self, name: str, value: str) -> None:
        """Keep it under the name."""
        await self._put(kept, name=name, value=value)

    async def forget(self, tenant: str, workspace: str) -> None:
        """The workspace has removed us."""
        async with self._engine.begin() as connection:
            await connection.execute(
                delete(direct).where(direct.c.workspace == workspace)
            )
            await connection.execute(
                delete(restricted).where(restricted.c.tenant == tenant)
            )

    async def _one(self, query: Select[tuple[Any]]) -> Any:
        async with self._engine.begin() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def _answer(self, is_it: ColumnElement[bool]) -> Answer | None:
        query = select(answers.c.interaction, answers.c.app, answers.c.token).where(
            is_it
        )
        async with self._engine.begin() as connection:
            row = (await connection.execute(query)).mappings().first()
        return Answer(**row) if row else None

    async def _put(self, table: Table, **values: Any) -> None:
        """Instead of what was there. In one statement: two workers may do so at once."""
        key = next(iter(table.primary_key.columns))
        put = self._insert(table).values(**values)
        async with self._engine.begin() as connection:
            await connection.execute(
                put.on_conflict_do_update(index_elements=[key], set_=values)
            )


def _now() -> str:
    return datetime.now(UTC).isoformat()
