"""What of Discord must outlive this process: what forms were asked for, tokens of answers still to be changed, which
workspace a direct message speaks for, how often a reaction was taken away, restricted pictures, the commands' hash."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, MetaData, String, Table, Text, delete, insert, select
from sqlalchemy import update as change
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from core.storage.whole import whole
from core.types import Request, from_json, to_json

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
    Column("created", String(40), nullable=False, index=True),
)
thinking = Table(
    "discord_thinking",
    metadata,
    Column("job", String(64), primary_key=True),
    Column("interaction", String(20), nullable=False),
    Column("app", String(20), nullable=False),
    Column("token", Text, nullable=False),
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


@whole
class DiscordStore:
    """Discord's tables in our database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert

    async def prepare(self) -> None:
        """Make what is missing."""
        async with self._engine.begin() as connection:
            await connection.run_sync(metadata.create_all)

    async def close(self) -> None:
        """Let go of the database."""
        await self._engine.dispose()

    async def ask(self, interaction: str, request: Request) -> None:
        """Keep what a form is asked for; forget what is old."""
        before = (datetime.now(UTC) - ASKED_LIFE).isoformat()
        async with self._engine.begin() as connection:
            for table in (asked, answers, thinking):
                await connection.execute(delete(table).where(table.c.created < before))
        await self._put(asked, interaction=interaction, request=to_json(request), created=_now())

    async def asked(self, interaction: str) -> Request | None:
        """What a form was asked for; None when it is too long ago."""
        query = select(asked.c.request).where(asked.c.interaction == interaction)
        async with self._engine.begin() as connection:
            found = (await connection.execute(query)).scalar_one_or_none()
        return from_json(Request, found) if found is not None else None

    async def keep_answer(self, interaction: str, app: str, token: str) -> None:
        """An answer that will be changed: a place where we have no other voice."""
        await self._put(answers, interaction=interaction, app=app, token=token, created=_now())

    async def answer(self, interaction: str) -> tuple[str, str] | None:
        """App and token."""
        query = select(answers.c.app, answers.c.token).where(answers.c.interaction == interaction)
        async with self._engine.begin() as connection:
            row = (await connection.execute(query)).first()
        return (row.app, row.token) if row else None

    async def thinks(self, job: str, interaction: str, app: str, token: str) -> None:
        """A message of the job is about to be posted, and the answer must be settled then."""
        await self._put(thinking, job=job, interaction=interaction, app=app, token=token, created=_now())

    async def thinking(self, job: str) -> tuple[str, str, str] | None:
        """Interaction, app and token of the answer that nobody has settled yet."""
        query = select(thinking.c.interaction, thinking.c.app, thinking.c.token).where(thinking.c.job == job)
        async with self._engine.begin() as connection:
            row = (await connection.execute(query)).first()
        return (row.interaction, row.app, row.token) if row else None

    async def settled(self, job: str) -> None:
        """Nobody thinks that we still think."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(thinking).where(thinking.c.job == job))

    async def sent_directly(self, channel: str, message: int, workspace: str) -> None:
        """A message of ours in a direct channel, and the workspace it belongs to."""
        await self._put(direct, channel=channel, message=message, workspace=workspace)

    async def speaks_for(self, channel: str, message: int | None) -> str | None:
        """The workspace of a message of ours in a direct channel; of the newest when none is named."""
        query = select(direct.c.workspace).where(direct.c.channel == channel).order_by(direct.c.message.desc()).limit(1)
        if message is not None:
            query = query.where(direct.c.message == message)
        async with self._engine.begin() as connection:
            found: str | None = (await connection.execute(query)).scalar_one_or_none()
        return found

    async def spoken_by(self, person: str) -> str:
        """The language of a person, "" while we do not know."""
        query = select(people.c.locale).where(people.c.person == person)
        async with self._engine.begin() as connection:
            return (await connection.execute(query)).scalar_one_or_none() or ""

    async def speaks(self, person: str, locale: str) -> None:
        """A person uses Discord in this language."""
        await self._put(people, person=person, locale=locale)

    async def times_taken_away(self, reaction: str) -> int:
        """How often this person has taken this reaction back."""
        query = select(taken_away.c.times).where(taken_away.c.reaction == reaction)
        async with self._engine.begin() as connection:
            return (await connection.execute(query)).scalar_one_or_none() or 0

    async def taken_away(self, reaction: str, times: int) -> None:
        """Once more than ``times``. The same again changes nothing."""
        async with self._engine.begin() as connection:
            await connection.execute(
                self._insert(taken_away).values(reaction=reaction, times=0).on_conflict_do_nothing()
            )
            is_it = (taken_away.c.reaction == reaction, taken_away.c.times == times)
            await connection.execute(change(taken_away).where(*is_it).values(times=times + 1))

    async def restrict(self, tenant: str, keys: Sequence[str]) -> None:
        """Pictures first shown where only adults are."""
        async with self._engine.begin() as connection:
            for key in keys:
                values = self._insert(restricted).values(tenant=tenant, key=key)
                await connection.execute(values.on_conflict_do_nothing())

    async def restricted(self, tenant: str, keys: Sequence[str]) -> set[str]:
        """Which of these are."""
        query = select(restricted.c.key).where(restricted.c.tenant == tenant, restricted.c.key.in_(keys))
        async with self._engine.begin() as connection:
            return set((await connection.execute(query)).scalars())

    async def value(self, name: str) -> str:
        """Something kept under a name, "" if nothing is."""
        query = select(kept.c.value).where(kept.c.name == name)
        async with self._engine.begin() as connection:
            return (await connection.execute(query)).scalar_one_or_none() or ""

    async def keep(self, name: str, value: str) -> None:
        """Keep it under the name."""
        await self._put(kept, name=name, value=value)

    async def forget(self, tenant: str, workspace: str) -> None:
        """The workspace has removed us."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(direct).where(direct.c.workspace == workspace))
            await connection.execute(delete(restricted).where(restricted.c.tenant == tenant))

    async def _put(self, table: Table, **values: Any) -> None:
        key = next(iter(table.primary_key.columns))
        async with self._engine.begin() as connection:
            await connection.execute(delete(table).where(key == values[key.name]))
            await connection.execute(insert(table).values(**values))


def _now() -> str:
    return datetime.now(UTC).isoformat()
