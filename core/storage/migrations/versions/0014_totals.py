"""Sum up what all workspaces spend together, for the caps of the operator."""

import sqlalchemy as sa
from alembic import op

from core.storage.existing_tables import holds

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ADD = """
    INSERT INTO total_spending (day, currency, micros) VALUES ({day}, NEW.currency, NEW.micros)
    ON CONFLICT (day, currency) DO UPDATE SET micros = total_spending.micros + excluded.micros;
"""


def upgrade() -> None:
    if not holds("main"):
        return
    op.create_table(
        "total_spending",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "day", "currency", name=op.f("pk_total_spending")
        ),
    )
    op.execute(
        "INSERT INTO total_spending (day, currency, micros) "
        "SELECT day, currency, sum(micros) FROM spending GROUP BY day, currency"
    )
    if op.get_bind().dialect.name == "postgresql":
        _keep_total_in_postgresql()
    else:
        _keep_total_in_sqlite()


def _keep_total_in_sqlite() -> None:
    add = ADD.format(day="substr(NEW.at, 1, 10)")
    op.execute(
        f"CREATE TRIGGER total_up AFTER INSERT ON ledger BEGIN {add} END"
    )


def _keep_total_in_postgresql() -> None:
    add = ADD.format(day="to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD')")
    op.execute(
        "CREATE FUNCTION easel_total() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {add} RETURN NEW; END $$"
    )
    # After "sum_up" by its name: all who add to sums do it in the same order.
    op.execute(
        "CREATE TRIGGER total_up BEFORE INSERT ON ledger "
        "FOR EACH ROW EXECUTE FUNCTION easel_total()"
    )
