"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ledger",
        sa.Column("tenant", sa.String(length=200), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("person", sa.String(length=150), nullable=False),
        sa.Column("channel", sa.String(length=150), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "step", "kind", name=op.f("pk_ledger")
        ),
    )
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_ledger_tenant_at"), ["tenant", "at"], unique=False
        )

    op.create_table(
        "pictures",
        sa.Column("tenant", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("url_expires", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "key", name=op.f("pk_pictures")),
    )
    op.create_table(
        "sessions",
        sa.Column("tenant", sa.String(length=200), nullable=False),
        sa.Column("id", sa.String(length=300), nullable=False),
        sa.Column("head_step", sa.String(length=40), nullable=True),
        sa.Column("head_index", sa.Integer(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_sessions")),
    )
    op.create_table(
        "workspaces",
        sa.Column("tenant", sa.String(length=200), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_workspaces")),
    )
    op.create_table(
        "steps",
        sa.Column("tenant", sa.String(length=200), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("workspace", sa.String(length=150), nullable=False),
        sa.Column("channel", sa.String(length=150), nullable=False),
        sa.Column("thread", sa.String(length=150), nullable=False),
        sa.Column("session", sa.String(length=300), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(length=150), nullable=False),
        sa.Column("person_name", sa.Text(), nullable=False),
        sa.Column("locale", sa.String(length=20), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("account", sa.String(length=100), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("parent", sa.String(length=40), nullable=True),
        sa.Column("parent_index", sa.Integer(), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("reply", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("intended", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitted", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.Column("task_id", sa.String(length=200), nullable=True),
        sa.Column("request_id", sa.String(length=200), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("error", sa.String(length=100), nullable=True),
        sa.Column("error_params", sa.JSON(), nullable=True),
        sa.Column("charged", sa.String(length=10), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=True),
        sa.Column("cost_micros", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("outcome", sa.JSON(), nullable=True),
        sa.Column("partial", sa.String(length=100), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant", "session"],
            ["sessions.tenant", "sessions.id"],
            name=op.f("fk_steps_tenant_session"),
        ),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_steps")),
    )
    with op.batch_alter_table("steps", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_steps_account_model_intended"),
            ["account", "model", "intended"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_steps_state_model"),
            ["state", "model"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_steps_tenant_person_state"),
            ["tenant", "person", "state"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_steps_tenant_session_number"),
            ["tenant", "session", "number"],
            unique=True,
        )

    op.create_table(
        "messages",
        sa.Column("tenant", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=150), nullable=False),
        sa.Column("message", sa.String(length=200), nullable=False),
        sa.Column("thread", sa.String(length=150), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "step"],
            ["steps.tenant", "steps.id"],
            name=op.f("fk_messages_tenant_step"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant", "channel", "message", name=op.f("pk_messages")
        ),
    )
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_messages_tenant_step"),
            ["tenant", "step"],
            unique=False,
        )

    op.create_table(
        "step_pictures",
        sa.Column("tenant", sa.String(length=200), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "key"],
            ["pictures.tenant", "pictures.key"],
            name=op.f("fk_step_pictures_tenant_key"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant", "step"],
            ["steps.tenant", "steps.id"],
            name=op.f("fk_step_pictures_tenant_step"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant", "step", "role", "position", name=op.f("pk_step_pictures")
        ),
    )
