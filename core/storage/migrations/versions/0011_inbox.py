"""The inbox: what platforms delivered."""

import sqlalchemy as sa
from alembic import op

from core.storage.existing_tables import ensure_table, has_table, holds

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

metadata = sa.MetaData()
deliveries = sa.Table(
    "deliveries",
    metadata,
    # SQLite counts up by itself only in an INTEGER.
    sa.Column(
        "number",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    sa.Column("id", sa.String(400), unique=True, nullable=False),
    sa.Column("platform", sa.String(40), nullable=False),
    sa.Column("tenant", sa.String(200), nullable=False),
    sa.Column("stage", sa.String(10), nullable=False),
    sa.Column("worker", sa.String(40)),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("done", sa.DateTime(timezone=True)),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Index(
        "ix_deliveries_open",
        "number",
        sqlite_where=sa.text("stage != 'done'"),
        postgresql_where=sa.text("stage != 'done'"),
    ),
    sa.Index("ix_deliveries_done", "done"),
)
inbox = sa.table(
    "inbox",
    sa.column("number"),
    sa.column("id"),
    sa.column("request", sa.JSON),
)


def upgrade() -> None:
    if not holds("inbox"):
        return
    ensure_table(deliveries, platform="")
    if has_table("inbox"):
        _move_requests()
        op.drop_table("inbox")
    _fill_in_platforms()


def _move_requests() -> None:
    """What the first version acknowledged and had not begun waits to be understood."""
    connection = op.get_bind()
    for row in connection.execute(
        sa.select(inbox).order_by(inbox.c.number)
    ).all():
        place = row.request["place"]
        tenant = f"{place['platform']}:{place['workspace']}"
        delivery = {
            "id": f"{tenant}:{row.request['key']}",
            "platform": place["platform"],
            "tenant": tenant,
            "stage": "heard",
            "tries": 0,
            "request": row.request,
        }
        is_same = deliveries.c.id == delivery["id"]
        if connection.execute(
            sa.select(deliveries.c.id).where(is_same)
        ).first():
            continue
        connection.execute(deliveries.insert().values(delivery))


def _fill_in_platforms() -> None:
    """A tenant is named platform:workspace."""
    connection = op.get_bind()
    has_none = deliveries.c.platform == ""
    tenants = sa.select(deliveries.c.tenant).where(has_none).distinct()
    for tenant in connection.execute(tenants).scalars().all():
        change = deliveries.update().where(
            has_none, deliveries.c.tenant == tenant
        )
        connection.execute(change.values(platform=tenant.split(":")[0]))
