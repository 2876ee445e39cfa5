"""Which worker has claimed a step, whether it holds a place at the service, and whether its end was told."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def partial(sqlite: str, postgresql: str) -> dict[str, Any]:
    """The condition of an index, as each database must read it to find the index again."""
    return {
        "sqlite_where": sa.text(sqlite),
        "postgresql_where": sa.text(postgresql),
    }


def upgrade() -> None:
    # What an earlier version has begun was announced; what has ended was told.
    add("announced", sa.Boolean(), server_default=sa.true(), nullable=False)
    add("told", sa.Boolean(), server_default=sa.false(), nullable=False)
    add("worker", sa.String(length=40))
    add("slot", sa.Boolean(), server_default=sa.false(), nullable=False)
    add("claimed", sa.DateTime(timezone=True))
    add("claims", sa.Integer(), server_default="0", nullable=False)
    add("refused", sa.DateTime(timezone=True))
    op.execute(
        "UPDATE steps SET told = true WHERE state IN ('done', 'failed', 'cancelled', 'unknown')"
    )
    untold = partial("told IS 0", "told IS false")
    op.create_index("ix_steps_untold", "steps", ["worker"], **untold)
    held = partial("slot IS 1", "slot IS true")
    op.create_index("ix_steps_slot", "steps", ["account", "model"], **held)
    queued = partial("state IN ('queued')", "state IN ('queued')")
    op.create_index(
        "ix_steps_queued",
        "steps",
        ["account", "model", "priority", "created"],
        **queued,
    )
    op.create_index(
        "ix_steps_claimed", "steps", ["account", "model", "claimed"]
    )


def add(name: str, kind: Any, **options: Any) -> None:
    """One more column of a step."""
    op.add_column("steps", sa.Column(name, kind, **options))
