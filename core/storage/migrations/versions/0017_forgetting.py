"""Note who is to be forgotten, and find the steps made from one, and the oldest, by an index."""

import sqlalchemy as sa
from alembic import op

from core.storage.existing_tables import holds

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if not holds("main"):
        return
    op.create_table(
        "forgetting",
        sa.Column("tenant", sa.String(length=200), nullable=False),
        sa.Column("person", sa.String(length=150), nullable=False),
        sa.Column("asked", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "person", name=op.f("pk_forgetting")
        ),
    )
    op.create_index(
        op.f("ix_steps_tenant_parent"), "steps", ["tenant", "parent"]
    )
    op.create_index(op.f("ix_steps_created"), "steps", ["created"])
