"""Slack's data that must outlive this process.

Installations, one-time states of the installation pages, and which file shows which picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from slack_sdk.oauth.installation_store.sqlalchemy import (
    AsyncSQLAlchemyInstallationStore,
)
from slack_sdk.oauth.state_store.sqlalchemy import (
    AsyncSQLAlchemyOAuthStateStore,
)
from sqlalchemy import (
    Column,
    ColumnElement,
    Index,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)

from core.storage.sealing import SealedText
from core.storage.shielding import shielded
from core.storage.transactions import Transactions

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

STATE_SECONDS = 600
TOKENS = (
    "bot_token",
    "bot_refresh_token",
    "user_token",
    "user_refresh_token",
    "incoming_webhook_url",
)
"""Columns of the SDK's tables that let their reader act for a workspace."""
# Made by core/storage/migrations; this is what queries need.
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
    """A file the bot has at Slack: ``ts`` is the message it is in, "" while that is unknown."""

    job: str
    name: str
    file: str
    key: str
    channel: str
    ts: str = ""


FILE_COLUMNS = [files.c[field.name] for field in fields(File)]


class Installations(AsyncSQLAlchemyInstallationStore):
    """The SDK's store, with its tokens encrypted."""

    @classmethod
    def build_installations_table(
        cls, metadata: MetaData, table_name: str
    ) -> Table:
        """Describe the table of installations."""
        table = super().build_installations_table(metadata, table_name)
        return _seal_tokens(table)

    @classmethod
    def build_bots_table(cls, metadata: MetaData, table_name: str) -> Table:
        """Describe the table of bots."""
        table = super().build_bots_table(metadata, table_name)
        return _seal_tokens(table)


def token_tables() -> list[Table]:
    """Describe the tables that hold tokens."""
    tables = MetaData()
    return [
        Installations.build_bots_table(
            tables, Installations.default_bots_table_name
        ),
        Installations.build_installations_table(
            tables, Installations.default_installations_table_name
        ),
    ]


def _seal_tokens(table: Table) -> Table:
    for name in TOKENS:
        if name in table.columns:
            table.columns[name].type = SealedText()
    return table


class States(AsyncSQLAlchemyOAuthStateStore):
    """The SDK's store, made safer.

    Of two requests with one state only one is let in, and expired states are deleted.
    """

    async def async_issue(self, *_: object, **__: object) -> str:
        """Issue a new state."""
        expired = self.oauth_states.c.expire_at <= _now()
        async with self.engine.begin() as connection:
            await connection.execute(delete(self.oauth_states).where(expired))
        return await super().async_issue()

    async def async_consume(self, state: str) -> bool:
        """Whether it was issued, has not expired, and is used for the first time."""
        # The SDK reads it and then deletes it: two could read before either deletes.
        columns = self.oauth_states.c
        use = delete(self.oauth_states).where(
            columns.state == state, columns.expire_at > _now()
        )
        async with self.engine.begin() as connection:
            result = await connection.execute(use)
            return result.rowcount == 1


def _now() -> datetime:
    """As the SDK writes it down."""
    return datetime.now(UTC).replace(tzinfo=None)


@shielded
class SlackStore(Transactions):
    """Slack's tables. Each method is one transaction. ``installations`` is the SDK's own store."""

    def __init__(self, engine: AsyncEngine, client_id: str = "") -> None:
        super().__init__(engine)
        self.installations = Installations(client_id, engine)
        self.states = States(expiration_seconds=STATE_SECONDS, engine=engine)

    async def save_files(self, tenant: str, uploaded: Sequence[File]) -> None:
        """Save files that Slack will show, instead of earlier ones of the same names."""
        async with self._writing.begin() as connection:
            for file in uploaded:
                same_name = (
                    files.c.tenant == tenant,
                    files.c.job == file.job,
                    files.c.name == file.name,
                )
                new = insert(files).values(tenant=tenant, **asdict(file))
                await connection.execute(delete(files).where(*same_name))
                await connection.execute(new)

    async def set_message(
        self,
        tenant: str,
        job: str,
        channel: str,
        ts: str,
    ) -> None:
        """Record the message that shows a job's files."""
        change = update(files).filter_by(
            tenant=tenant,
            job=job,
            channel=channel,
        )
        await self._write(change.values(ts=ts))

    async def files_of(self, tenant: str, job: str) -> Mapping[str, File]:
        """A job's files by name."""
        files_of_job = await self._files(
            files.c.tenant == tenant, files.c.job == job
        )
        return {file.name: file for file in files_of_job}

    async def has_files_of(self, tenant: str) -> bool:
        """Whether anything was ever shown there."""
        query = select(files.c.file).filter_by(tenant=tenant).limit(1)
        return bool(await self._fetch_scalar(query))

    async def files_in(
        self,
        tenant: str,
        channel: str,
        ts: str,
    ) -> Sequence[File]:
        """The files a message shows."""
        return await self._files(
            files.c.tenant == tenant,
            files.c.channel == channel,
            files.c.ts == ts,
        )

    async def file_of(
        self,
        tenant: str,
        key: str,
        channel: str = "",
    ) -> File | None:
        """A file that shows the picture of that key, in the channel if one is named."""
        conditions = [
            files.c.tenant == tenant,
            files.c.key == key,
            files.c.ts != "",
        ]
        if channel:
            conditions.append(files.c.channel == channel)
        else:
            # Until it is shared with a channel, Slack shows a file to nobody but the bot.
            conditions.append(files.c.channel != "")
        matches = await self._files(*conditions)
        return matches[-1] if matches else None

    async def forget(
        self,
        tenant: str,
        enterprise: str | None,
        team: str | None,
    ) -> None:
        """Delete what is left of a workspace that removed the bot."""
        await self._write(delete(files).filter_by(tenant=tenant))
        await self.installations.async_delete_all(
            enterprise_id=enterprise,
            team_id=team,
        )

    async def workspaces(self) -> list[tuple[str | None, str | None]]:
        """Enterprise and team of every workspace that has installed the bot."""
        bots = self.installations.bots
        query = select(bots.c.enterprise_id, bots.c.team_id).distinct()
        rows = await self._fetch_all(query)
        return [(row["enterprise_id"], row["team_id"]) for row in rows]

    async def is_installer(self, person: str) -> bool:
        """Whether this person installed the bot somewhere."""
        installed = self.installations.installations
        query = select(installed.c.id).where(installed.c.user_id == person)
        return await self._fetch_first(query) is not None

    async def forget_person(self, person: str) -> None:
        """Forget who installed the bot; the installation works without."""
        installed = self.installations.installations
        change = update(installed).where(installed.c.user_id == person)
        await self._write(change.values(user_id=""))

    async def _files(self, *conditions: ColumnElement[bool]) -> list[File]:
        rows = await self._fetch_all(select(*FILE_COLUMNS).where(*conditions))
        return [File(**row) for row in rows]
