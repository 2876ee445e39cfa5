"""When a post was noted, so that the note can go after a month."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("posting", sa.Column("at", sa.DateTime(timezone=True)))
    posting = sa.table("posting", sa.column("at", sa.DateTime(timezone=True)))
    op.execute(posting.update().values(at=datetime.now(UTC)))
    op.create_index("ix_posting_at", "posting", ["at"])
