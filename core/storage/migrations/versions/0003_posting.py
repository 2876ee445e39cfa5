"""What is about to be posted, so that it is read back only when it may have gone through."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "posting",
        sa.Column("tenant", sa.String(length=200), nullable=False),
        sa.Column("job", sa.String(length=60), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "job", "role", name=op.f("pk_posting")
        ),
    )
