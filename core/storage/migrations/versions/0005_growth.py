"""Keep frequent queries quick at any size: partial indexes, and totals kept by triggers.

SQLite forgets triggers and indexes of expressions when a later migration copies ``steps`` or
``ledger`` (a batch that does more than add columns): such a migration must make them again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

IN_LINE = "state IN ('queued', 'submitting', 'running')"
UNFINISHED = "state IN ('queued', 'submitting', 'running', 'made')"
PICTURED = "state IN ('made', 'done') AND deleted IS NULL"
SERVED = ["(submitted IS NULL)", "priority", "created", "id", "tenant"]

COUNT = """
    INSERT INTO step_counts (action, model, state, count) VALUES ({row}.action, {row}.model, {row}.state, {change})
    ON CONFLICT (action, model, state) DO UPDATE SET count = step_counts.count + excluded.count;
"""
SUM = """
    INSERT INTO spending (tenant, day, person, currency, micros, steps, person_name, first, last)
    SELECT NEW.tenant, {day}, NEW.person, NEW.currency, NEW.micros,
        CASE WHEN EXISTS (
            SELECT 1 FROM ledger AS entry
            WHERE entry.tenant = NEW.tenant AND entry.step = NEW.step AND entry.currency = NEW.currency
            AND {entry_day} = {day}
        ) THEN 0 ELSE 1 END,
        steps.person_name, NEW.at, NEW.at
    FROM steps WHERE steps.tenant = NEW.tenant AND steps.id = NEW.step
    ON CONFLICT (tenant, day, person, currency) DO UPDATE SET
        micros = spending.micros + excluded.micros,
        steps = spending.steps + excluded.steps,
        person_name = CASE
            WHEN excluded.last >= spending.last THEN excluded.person_name ELSE spending.person_name END,
        first = CASE WHEN excluded.first < spending.first THEN excluded.first ELSE spending.first END,
        last = CASE WHEN excluded.last > spending.last THEN excluded.last ELSE spending.last END;
    INSERT INTO channel_spending (tenant, month, channel, currency, micros)
    VALUES (NEW.tenant, {month}, NEW.channel, NEW.currency, NEW.micros)
    ON CONFLICT (tenant, month, channel, currency) DO UPDATE SET micros = channel_spending.micros + excluded.micros;
"""


def upgrade() -> None:
    _make_tables()
    _make_indexes()
    _fill()
    if op.get_bind().dialect.name == "postgresql":
        _keep_totals_in_postgresql()
    else:
        _keep_totals_in_sqlite()


def _make_tables() -> None:
    op.create_table(
        "step_counts",
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "action", "model", "state", name=op.f("pk_step_counts")
        ),
    )
    op.create_table(
        "spending",
        sa.Column("tenant", sa.String(length=200), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("person", sa.String(length=150), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("person_name", sa.Text(), nullable=False),
        sa.Column("first", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "day", "person", "currency", name=op.f("pk_spending")
        ),
    )
    op.create_table(
        "channel_spending",
        sa.Column("tenant", sa.String(length=200), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("channel", sa.String(length=150), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant",
            "month",
            "channel",
            "currency",
            name=op.f("pk_channel_spending"),
        ),
    )


def _make_indexes() -> None:
    for name in (
        "ix_steps_account_model_intended",
        "ix_steps_state_model",
        "ix_steps_tenant_person_state",
    ):
        op.drop_index(op.f(name), table_name="steps")
    _index("ix_steps_line", ["account", "model", *SERVED], IN_LINE)
    _index("ix_steps_served", SERVED, UNFINISHED)
    _index("ix_steps_waiting", ["tenant", "person", "created"], UNFINISHED)
    _index("ix_steps_pictured", ["tenant", "person", "created"], PICTURED)
    _index(
        "ix_steps_task",
        ["account", "model", "submitted"],
        "task_id IS NOT NULL",
    )
    _index(
        "ix_steps_measured",
        ["account", "model", "finished"],
        "seconds IS NOT NULL",
    )
    op.create_index(
        op.f("ix_messages_tenant_channel_thread"),
        "messages",
        ["tenant", "channel", "thread"],
    )
    op.create_index(
        op.f("ix_step_pictures_tenant_key"), "step_pictures", ["tenant", "key"]
    )


def _index(name: str, columns: list[str], where: str) -> None:
    texts = [sa.text(column) for column in columns]
    op.create_index(
        name,
        "steps",
        texts,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )


def _fill() -> None:
    """The totals of what is there already."""
    day = _day("ledger.at", 10)
    month = _day("ledger.at", 7)
    op.execute(
        "INSERT INTO step_counts (action, model, state, count) "
        "SELECT action, model, state, count(*) FROM steps GROUP BY action, model, state"
    )
    op.execute(
        f"""
        INSERT INTO spending (tenant, day, person, currency, micros, steps, first, last, person_name)
        SELECT total.*, (
            SELECT steps.person_name
            FROM ledger JOIN steps ON steps.tenant = ledger.tenant AND steps.id = ledger.step
            WHERE ledger.tenant = total.tenant AND ledger.at = total.last
            AND ledger.person = total.person AND ledger.currency = total.currency
            LIMIT 1
        )
        FROM (
            SELECT ledger.tenant, {day} AS day, ledger.person, ledger.currency, sum(ledger.micros),
                count(DISTINCT ledger.step), min(ledger.at) AS first, max(ledger.at) AS last
            FROM ledger JOIN steps ON steps.tenant = ledger.tenant AND steps.id = ledger.step
            GROUP BY ledger.tenant, {day}, ledger.person, ledger.currency
        ) AS total
        """  # noqa: S608
    )
    op.execute(
        "INSERT INTO channel_spending (tenant, month, channel, currency, micros) "  # noqa: S608
        f"SELECT tenant, {month}, channel, currency, sum(micros) FROM ledger "
        f"GROUP BY tenant, {month}, channel, currency"
    )


def _day(moment: str, letters: int) -> str:
    """The first letters of a moment's ISO date, in UTC."""
    if op.get_bind().dialect.name == "postgresql":
        return f"left(to_char({moment} AT TIME ZONE 'UTC', 'YYYY-MM-DD'), {letters})"
    return f"substr({moment}, 1, {letters})"


def _sum() -> str:
    return SUM.format(
        day=_day("NEW.at", 10),
        entry_day=_day("entry.at", 10),
        month=_day("NEW.at", 7),
    )


def _keep_totals_in_sqlite() -> None:
    more, fewer = (
        COUNT.format(row="NEW", change=1),
        COUNT.format(row="OLD", change=-1),
    )
    op.execute(
        f"CREATE TRIGGER count_new AFTER INSERT ON steps BEGIN {more} END"
    )
    op.execute(
        f"CREATE TRIGGER count_gone AFTER DELETE ON steps BEGIN {fewer} END"
    )
    op.execute(
        "CREATE TRIGGER count_moved AFTER UPDATE OF state ON steps WHEN OLD.state <> NEW.state "
        f"BEGIN {fewer} {more} END"
    )
    op.execute(
        f"CREATE TRIGGER sum_up BEFORE INSERT ON ledger BEGIN {_sum()} END"
    )


def _keep_totals_in_postgresql() -> None:
    """Keep the totals by triggers, without deadlocks.

    Steps are counted at the commit, one transaction after another: whatever else they hold, they
    never wait for each other in a ring. The ledger is summed up before each row, which is the only
    way to see the rows entered by the same statement.
    """
    more, fewer = (
        COUNT.format(row="NEW", change=1),
        COUNT.format(row="OLD", change=-1),
    )
    op.execute(f"""
        CREATE FUNCTION easel_count() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF TG_OP = 'UPDATE' AND OLD.state = NEW.state THEN RETURN NULL; END IF;
            PERFORM pg_advisory_xact_lock(hashtext('easel'), hashtext('step_counts'));
            IF TG_OP <> 'INSERT' THEN {fewer} END IF;
            IF TG_OP <> 'DELETE' THEN {more} END IF;
            RETURN NULL;
        END $$
    """)
    op.execute(
        "CREATE CONSTRAINT TRIGGER count_steps AFTER INSERT OR DELETE OR UPDATE OF state ON steps "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION easel_count()"
    )
    op.execute(
        f"CREATE FUNCTION easel_sum() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {_sum()} RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER sum_up BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION easel_sum()"
    )
