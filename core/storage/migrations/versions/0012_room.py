"""The web room: people, channels, messages, uploads."""

import sqlalchemy as sa

from core.storage.existing_tables import ensure_table, holds

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

metadata = sa.MetaData()
people = sa.Table(
    "people",
    metadata,
    sa.Column("id", sa.String(80), primary_key=True),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("admin", sa.Boolean, nullable=False),
)
keys = sa.Table(
    "keys",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("person", sa.String(80)),
)
channels = sa.Table(
    "channels",
    metadata,
    sa.Column("id", sa.String(80), primary_key=True),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("only_for", sa.String(80), nullable=False),
)
messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("change", sa.Integer, nullable=False, index=True),
    sa.Column("key", sa.String(200), unique=True),
    sa.Column("channel", sa.String(80), nullable=False),
    sa.Column("thread", sa.String(20), nullable=False),
    sa.Column("author", sa.String(80), nullable=False),
    sa.Column("only_for", sa.String(80), nullable=False),
    sa.Column("job", sa.String(60), nullable=False, index=True),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("created", sa.String(40), nullable=False),
    sqlite_autoincrement=True,
)
marks = sa.Table(
    "marks",
    metadata,
    sa.Column("message", sa.Integer, primary_key=True),
    sa.Column("emoji", sa.String(20), primary_key=True),
    sa.Column("person", sa.String(80), primary_key=True),
)
uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("ref", sa.String(64), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("media_type", sa.String(40), nullable=False),
)


def upgrade() -> None:
    if not holds("room"):
        return
    for table in (people, keys, channels, messages, marks, uploads):
        ensure_table(table)
