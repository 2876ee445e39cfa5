"""The tables, for SQLite and PostgreSQL alike. Every row carries its tenant (platform:workspace), every query takes it.

Money is kept in millionths of the currency (integers); times are UTC.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)


class Utc(TypeDecorator[datetime]):
    """An aware UTC datetime, also in SQLite, which knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Any) -> datetime | None:
        """Refuse naive times: they would be read back as another moment."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Any) -> datetime | None:
        """Give the zone back."""
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("settings", JSON, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("id", String(300), primary_key=True),
    Column("head_step", String(40)),
    Column("head_index", Integer, nullable=False, default=0),
    Column("last_number", Integer, nullable=False, default=0),
)

steps = Table(
    "steps",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("id", String(40), primary_key=True),
    Column("platform", String(40), nullable=False),
    Column("workspace", String(150), nullable=False),
    Column("channel", String(150), nullable=False),
    Column("thread", String(150), nullable=False),
    Column("session", String(300), nullable=False),
    Column("number", Integer, nullable=False),
    Column("person", String(150), nullable=False),
    Column("person_name", Text, nullable=False),
    Column("locale", String(20), nullable=False),
    Column("action", String(40), nullable=False),
    Column("prompt", Text, nullable=False),
    Column("options", JSON, nullable=False),
    Column("model", String(100), nullable=False),
    Column("account", String(100), nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("n", Integer, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("parent", String(40)),
    Column("parent_index", Integer, nullable=False),
    Column("depth", Integer, nullable=False),
    Column("reply", JSON, nullable=False),
    Column("notes", JSON, nullable=False),
    Column("created", Utc, nullable=False),
    # What happens to it afterwards; everything above never changes.
    Column("state", String(20), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("cancel_requested", Boolean, nullable=False, default=False),
    Column("intended", Utc),
    Column("submitted", Utc),
    Column("finished", Utc),
    Column("task_id", String(200)),
    Column("request_id", String(200)),
    Column("seconds", Float),
    Column("error", String(100)),
    Column("error_params", JSON),
    Column("charged", String(10), nullable=False),
    Column("price_micros", BigInteger),
    Column("cost_micros", BigInteger),
    Column("currency", String(3)),
    Column("outcome", JSON),
    Column("partial", String(100)),
    Column("chosen", Integer),
    Column("deleted", Utc),
    ForeignKeyConstraint(["tenant", "session"], ["sessions.tenant", "sessions.id"]),
    Index(None, "tenant", "session", "number", unique=True),
    Index(None, "state", "model"),
    Index(None, "tenant", "person", "state"),
    Index(None, "account", "model", "intended"),
)

pictures = Table(
    "pictures",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("media_type", String(40), nullable=False),
    Column("length", Integer, nullable=False),
    Column("url", Text),
    Column("url_expires", Utc),
    Column("thumbnail", String(64)),
)

step_pictures = Table(
    "step_pictures",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("step", String(40), primary_key=True),
    Column("role", String(10), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("key", String(64), nullable=False),
    ForeignKeyConstraint(["tenant", "step"], ["steps.tenant", "steps.id"]),
    ForeignKeyConstraint(["tenant", "key"], ["pictures.tenant", "pictures.key"]),
)

ledger = Table(
    "ledger",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("step", String(40), primary_key=True),
    Column("kind", String(10), primary_key=True),
    Column("person", String(150), nullable=False),
    Column("channel", String(150), nullable=False),
    Column("micros", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("at", Utc, nullable=False),
    Index(None, "tenant", "at"),
)

messages = Table(
    "messages",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("channel", String(150), primary_key=True),
    Column("message", String(200), primary_key=True),
    Column("thread", String(150), nullable=False),
    Column("step", String(40), nullable=False),
    # "status" is the one that becomes the result; copies stand in the gallery or in a direct message.
    Column("role", String(10), nullable=False, server_default="status"),
    ForeignKeyConstraint(["tenant", "step"], ["steps.tenant", "steps.id"]),
    Index(None, "tenant", "step"),
)

posting = Table(
    "posting",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("job", String(60), primary_key=True),
    Column("role", String(10), primary_key=True),
)

reactions = Table(
    "reactions",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("step", String(40), primary_key=True),
    Column("person", String(150), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("position", Integer, primary_key=True),
    ForeignKeyConstraint(["tenant", "step"], ["steps.tenant", "steps.id"]),
)

drafts = Table(
    "drafts",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("id", String(40), primary_key=True),
    Column("request", JSON, nullable=False),
    Column("created", Utc, nullable=False),
    Column("used", Boolean, nullable=False, default=False),
    Index(None, "created"),
)
