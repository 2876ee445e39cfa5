"""Each upload is its person's own, whoever else has the same picture; which drawings show a step."""

import sqlalchemy as sa
from alembic import op

from core.storage.existing_tables import holds

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if holds("room"):
        _own_uploads()
    if holds("main"):
        _make_drawings()


def _own_uploads() -> None:
    for column in (
        sa.Column("key", sa.String(64), nullable=False, server_default=""),
        sa.Column("person", sa.String(80), nullable=False, server_default=""),
        sa.Column("added", sa.String(40), nullable=False, server_default=""),
    ):
        op.add_column("uploads", column)
    # Until now an upload was known by the key of its blob.
    op.execute("UPDATE uploads SET key = ref")
    op.create_index("ix_uploads_person_added", "uploads", ["person", "added"])


def _make_drawings() -> None:
    op.create_table(
        "drawings",
        sa.Column("tenant", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=150), nullable=False),
        sa.Column("message", sa.String(length=200), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("thread", sa.String(length=150), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "channel", "message", "step", name=op.f("pk_drawings")
        ),
        sa.ForeignKeyConstraint(
            ["tenant", "step"],
            ["steps.tenant", "steps.id"],
            name=op.f("fk_drawings_tenant_step_steps"),
        ),
    )
    op.create_index(
        op.f("ix_drawings_tenant_step"), "drawings", ["tenant", "step"]
    )
