"""Which workspaces are paused, and a log of what administrators have done."""

import sqlalchemy as sa
from alembic import op

from core.storage.existing_tables import holds

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if not holds("main"):
        return
    op.create_table(
        "pauses",
        sa.Column("tenant", sa.String(length=200), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_pauses")),
    )
    op.create_table(
        "audit",
        sa.Column("tenant", sa.String(length=200), nullable=False),
        sa.Column("id", sa.String(length=60), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("act", sa.String(length=20), nullable=False),
        sa.Column("person", sa.String(length=150), nullable=False),
        sa.Column("person_name", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(length=150), nullable=False),
        sa.Column("subject", sa.String(length=100), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_tenant_at"), "audit", ["tenant", "at"])
