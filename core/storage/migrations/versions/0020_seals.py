"""Room for encrypted tokens, and the fingerprint of the key they are encrypted with."""

import sqlalchemy as sa
from alembic import op

from core.storage.existing_tables import holds

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

BOT_TOKENS = ("bot_token", "bot_refresh_token")
TOKENS = {
    "slack_bots": BOT_TOKENS,
    "slack_installations": (
        *BOT_TOKENS,
        "user_token",
        "user_refresh_token",
        "incoming_webhook_url",
    ),
}


def upgrade() -> None:
    if not holds("main"):
        return
    op.create_table(
        "seals",
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_seals")),
    )
    for table, columns in TOKENS.items():
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.alter_column(
                    column,
                    existing_type=sa.String(length=200),
                    type_=sa.Text(),
                    existing_nullable=True,
                )
