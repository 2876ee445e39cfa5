"""Discord's tables: forms, answers, direct messages, languages, reactions, restricted pictures."""

import sqlalchemy as sa
from alembic import op

from core.storage.existing_tables import ensure_table, has_table, holds

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

metadata = sa.MetaData()
asked = sa.Table(
    "discord_asked",
    metadata,
    sa.Column("interaction", sa.String(20), primary_key=True),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("created", sa.String(40), nullable=False, index=True),
)
answers = sa.Table(
    "discord_answers",
    metadata,
    sa.Column("interaction", sa.String(20), primary_key=True),
    sa.Column("app", sa.String(20), nullable=False),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("job", sa.String(64), nullable=False, index=True),
    sa.Column("created", sa.String(40), nullable=False, index=True),
)
direct = sa.Table(
    "discord_direct",
    metadata,
    sa.Column("message", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("channel", sa.String(30), nullable=False),
    sa.Column("workspace", sa.String(30), nullable=False),
    sa.Index("ix_discord_direct_channel", "channel", "message"),
)
people = sa.Table(
    "discord_people",
    metadata,
    sa.Column("person", sa.String(20), primary_key=True),
    sa.Column("locale", sa.String(10), nullable=False),
)
taken_away = sa.Table(
    "discord_taken_away",
    metadata,
    sa.Column("reaction", sa.String(200), primary_key=True),
    sa.Column("times", sa.Integer, nullable=False),
)
restricted = sa.Table(
    "discord_restricted",
    metadata,
    sa.Column("tenant", sa.String(200), primary_key=True),
    sa.Column("key", sa.String(64), primary_key=True),
)
kept = sa.Table(
    "discord_kept",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)


def upgrade() -> None:
    if not holds("main"):
        return
    ensure_table(answers, job="")
    for table in (asked, direct, people, taken_away, restricted, kept):
        ensure_table(table)
    if has_table("discord_thinking"):
        # Once the answers of jobs had a table of their own. SQLite needs the WHERE.
        op.execute(
            "INSERT INTO discord_answers (interaction, app, token, job, created) "
            "SELECT interaction, app, token, job, created FROM discord_thinking "
            "WHERE true ON CONFLICT (interaction) DO NOTHING"
        )
        op.drop_table("discord_thinking")
