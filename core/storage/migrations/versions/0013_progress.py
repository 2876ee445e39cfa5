"""Until when a progress line may be on its way, so that no process covers a result with it."""

import sqlalchemy as sa
from alembic import op

from core.storage.existing_tables import holds

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if not holds("main"):
        return
    op.add_column(
        "steps",
        sa.Column("progress_until", sa.DateTime(timezone=True), nullable=True),
    )
