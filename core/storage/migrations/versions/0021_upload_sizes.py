"""Note how many bytes each upload of the room has, to limit what one person uploads a day."""

import sqlalchemy as sa
from alembic import op

from core.storage.existing_tables import holds

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if not holds("room"):
        return
    # Earlier uploads count as empty: a day later they do not count at all.
    length = sa.Column(
        "length", sa.Integer(), nullable=False, server_default="0"
    )
    op.add_column("uploads", length)
