"""Count the lives of open work again: earlier versions blamed work that had company."""

import sqlalchemy as sa
from alembic import op

from core.storage.existing_tables import holds

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

ONE_LIFE = 1


def upgrade() -> None:
    if holds("main"):
        steps = sa.table("steps", sa.column("claims"), sa.column("told"))
        op.execute(
            steps.update()
            .where(steps.c.told.is_(sa.false()), steps.c.claims > ONE_LIFE)
            .values(claims=ONE_LIFE)
        )
    if holds("inbox"):
        deliveries = sa.table("deliveries", sa.column("tries"))
        op.execute(
            deliveries.update()
            .where(deliveries.c.tries > ONE_LIFE)
            .values(tries=ONE_LIFE)
        )
