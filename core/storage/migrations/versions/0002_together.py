"""What a team does together: reactions, drafts, what was chosen or deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "drafts",
        sa.Column("tenant", sa.String(length=200), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_drafts")),
    )
    with op.batch_alter_table("drafts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_drafts_created"), ["created"], unique=False
        )

    op.create_table(
        "reactions",
        sa.Column("tenant", sa.String(length=200), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("person", sa.String(length=150), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "step"],
            ["steps.tenant", "steps.id"],
            name=op.f("fk_reactions_tenant_step"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant",
            "step",
            "person",
            "kind",
            "position",
            name=op.f("pk_reactions"),
        ),
    )
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "role",
                sa.String(length=10),
                server_default="status",
                nullable=False,
            )
        )

    with op.batch_alter_table("steps", schema=None) as batch_op:
        batch_op.add_column(sa.Column("chosen", sa.Integer(), nullable=True))
        batch_op.add_column(
            sa.Column("deleted", sa.DateTime(timezone=True), nullable=True)
        )
