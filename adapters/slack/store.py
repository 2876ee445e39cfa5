"""What of Slack must outlive this process.

Installations, one-time states, and which file shows which picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from slack_sdk.oauth.installation_store.sqlalchemy import (
    AsyncSQLAlchemyInstallationStore,
)
from slack_sdk.oauth.state_store.sqlalchemy import AsyncSQLAlchemyOAuthStateStore
from sqlalchemy import (
    Column,
    Index,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from core.storage.shielding import shielded

STATE_SECONDS = 600
metadata = MetaData()
files = Table(
    "slack_files",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("job", String(60), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("file", String(40), nullable=False),
    Column("key", String(64), nullable=False),
    Column("channel", String(40), nullable=False),
    Column("ts", String(40), nullable=False),
    Index(None, "tenant", "channel", "ts"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of ours at Slack: ``ts`` is the message it stands in, "" while that is not known."""

    job: str
    name: str
    file: str
    key: str
    channel: str
    ts: str = ""


class States(AsyncSQLAlchemyOAuthStateStore):
    """The SDK's, but of two that bring one state at once only one is let in, and what has run out is forgotten."""

    async def async_issue(self, *_: object, **__: object) -> str:
        """A new one."""
        async with self.engine.begin() as connection:
            await connection.execute(
                delete(self.oauth_states).where(self.oauth_states.c.expire_at <= _now())
            )
        return await super().async_issue()

    async def async_consume(self, state: str) -> bool:
        """Was it one of ours, alive, and not used yet?"""
        one = self.oauth_states.c
        async with self.engine.begin() as connection:
            used = await connection.execute(
                delete(self.oauth_states).where(
                    one.state == state, one.expire_at > _now()
                )
            )
            return used.rowcount == 1


def _now() -> datetime:
    """As the SDK writes it down."""
    return datetime.now(UTC).replace(tzinfo=None)


@shielded
class SlackStore:
    """Slack's tables in our database. ``installations`` is the SDK's own store."""

    def __init__(self, engine: AsyncEngine, client_id: str = "") -> None:
        self._engine = engine
        self.installations = AsyncSQLAlchemyInstallationStore(client_id, engine)
        self.states = States(expiration_seconds=STATE_SECONDS, engine=engine)

    async def uploaded(self, tenant: str, found: Sequence[File]) -> None:
        """Files that Slack has and will show; instead of earlier ones of the same names."""
        async with self._engine.begin() as connection:
            for one in found:
                is_it = (
                    files.c.tenant == tenant,
                    files.c.job == one.job,
                    files.c.name == one.name,
                )
                await connection.execute(delete(files).where(*is_it))
                row = {name: getattr(one, name) for name in File.__dataclass_fields__}
                await connection.execute(insert(files).values(tenant=tenant, **row))

    async def shown(self, tenant: str, job: str, channel: str, ts: str) -> None:
        """The message that shows a job's files."""
        is_it = (
            files.c.tenant == tenant,
            files.c.job == job,
            files.c.channel == channel,
        )
        async with self._engine.begin() as connection:
            await connection.execute(update(files).where(*is_it).values(ts=ts))

    async def files_of(self, tenant: str, job: str) -> Mapping[str, File]:
        """A job's files by name."""
        found = await self._files(files.c.tenant == tenant, files.c.job == job)
        return {one.name: one for one in found}

    async def files_in(self, tenant: str, channel: str, ts: str) -> Sequence[File]:
        """The files a message shows."""
        return await self._files(
            files.c.tenant == tenant, files.c.channel == channel, files.c.ts == ts
        )

    async def file_of(self, tenant: str, key: str, channel: str = "") -> File | None:
        """A file that shows the picture of that key, in the channel if one is named."""
        there = files.c.channel == channel if channel else files.c.channel != ""
        found = await self._files(
            files.c.tenant == tenant, files.c.key == key, files.c.ts != "", there
        )
        return found[-1] if found else None

    async def forget(
        self, tenant: str, enterprise: str | None, team: str | None
    ) -> None:
        """The workspace has removed us."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(files).where(files.c.tenant == tenant))
        await self.installations.async_delete_all(
            enterprise_id=enterprise, team_id=team
        )

    async def _files(self, *which: object) -> list[File]:
        async with self._engine.begin() as connection:
            rows = (await connection.execute(select(files).where(*which))).mappings()  # type: ignore[arg-type]
            return [
                File(**{name: row[name] for name in File.__dataclass_fields__})
                for row in rows
            ]
