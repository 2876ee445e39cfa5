"""The room's tables, in a separate SQLite file. core/storage/migrations makes them."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()
people = Table(
    "people",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("name", String(80), nullable=False),
    Column("admin", Boolean, nullable=False),
)
keys = Table(
    "keys",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("person", String(80)),
)
channels = Table(
    "channels",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("name", String(80), nullable=False),
    Column("only_for", String(80), nullable=False),
)
messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("change", Integer, nullable=False, index=True),
    Column("key", String(200), unique=True),
    Column("channel", String(80), nullable=False),
    Column("thread", String(20), nullable=False),
    Column("author", String(80), nullable=False),
    Column("only_for", String(80), nullable=False),
    Column("job", String(60), nullable=False, index=True),
    Column("body", JSON, nullable=False),
    Column("created", String(40), nullable=False),
    sqlite_autoincrement=True,
)
marks = Table(
    "marks",
    metadata,
    Column("message", Integer, primary_key=True),
    Column("emoji", String(20), primary_key=True),
    Column("person", String(80), primary_key=True),
)
uploads = Table(
    "uploads",
    metadata,
    Column("ref", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("media_type", String(40), nullable=False),
    Column("key", String(64), nullable=False, server_default=""),
    Column("person", String(80), nullable=False, server_default=""),
    Column("added", String(40), nullable=False, server_default=""),
    Column("length", Integer, nullable=False, server_default="0"),
    Index("ix_uploads_person_added", "person", "added"),
)
