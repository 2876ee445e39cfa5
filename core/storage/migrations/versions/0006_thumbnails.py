"""The key of a picture's thumbnail, once a history has needed it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("pictures", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("thumbnail", sa.String(length=64), nullable=True)
        )
