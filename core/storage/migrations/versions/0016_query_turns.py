"""Let processes take turns to ask an image service, within the account's limit."""

import sqlalchemy as sa
from alembic import op

from core.storage.existing_tables import holds

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if not holds("main"):
        return
    op.create_table(
        "query_turns",
        sa.Column("account", sa.String(length=40), nullable=False),
        sa.Column("taken", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_query_turns")),
    )
