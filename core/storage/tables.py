"""The tables, for SQLite and PostgreSQL alike, as the migrations make them.

Every row carries its tenant (platform:workspace), and every query takes it. Money is stored in
millionths of the currency (integers); times are UTC.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Float,
    ForeignKeyConstraint,
    FromClause,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    and_,
    false,
    literal_column,
    or_,
    select,
    true,
)

from core.storage.sealing import FINGERPRINT, SealedJson
from core.types import StepState


class Utc(TypeDecorator[datetime]):
    """An aware UTC datetime, also in SQLite, which knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self,
        value: datetime | None,
        _dialect: Any,
    ) -> datetime | None:
        """Refuse naive times: they would be read back as another moment."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(UTC)

    def process_result_value(
        self,
        value: datetime | None,
        _dialect: Any,
    ) -> datetime | None:
        """Give the zone back."""
        return (
            value
            if value is None or value.tzinfo
            else value.replace(tzinfo=UTC)
        )


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("settings", JSON, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("id", String(300), primary_key=True),
    Column("head_step", String(40)),
    Column("head_index", Integer, nullable=False, default=0),
    Column("last_number", Integer, nullable=False, default=0),
)

steps = Table(
    "steps",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("id", String(40), primary_key=True),
    Column("platform", String(40), nullable=False),
    Column("workspace", String(150), nullable=False),
    Column("channel", String(150), nullable=False),
    Column("thread", String(150), nullable=False),
    Column("session", String(300), nullable=False),
    Column("number", Integer, nullable=False),
    Column("person", String(150), nullable=False),
    Column("person_name", Text, nullable=False),
    Column("locale", String(20), nullable=False),
    Column("action", String(40), nullable=False),
    Column("prompt", Text, nullable=False),
    Column("options", JSON, nullable=False),
    Column("model", String(100), nullable=False),
    Column("account", String(100), nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("n", Integer, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("parent", String(40)),
    Column("parent_index", Integer, nullable=False),
    Column("depth", Integer, nullable=False),
    Column("reply", SealedJson(), nullable=False),
    Column("notes", JSON, nullable=False),
    Column("created", Utc, nullable=False),
    # What happens to it afterwards; everything above never changes.
    Column("state", String(20), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("cancel_requested", Boolean, nullable=False, default=False),
    Column("intended", Utc),
    Column("submitted", Utc),
    Column("finished", Utc),
    Column("task_id", String(200)),
    Column("request_id", String(200)),
    Column("seconds", Float),
    Column("error", String(100)),
    Column("error_params", JSON),
    Column("charged", String(10), nullable=False),
    Column("price_micros", BigInteger),
    Column("cost_micros", BigInteger),
    Column("currency", String(3)),
    Column("outcome", JSON),
    Column("text", Text),
    Column("partial", String(100)),
    Column("chosen", Integer),
    Column("deleted", Utc),
    # Who works on it (core.storage.claims): its worker, and whether it holds a place at the
    # service.
    Column(
        "announced",
        Boolean,
        nullable=False,
        default=False,
        server_default=true(),
    ),
    Column(
        "told",
        Boolean,
        nullable=False,
        default=False,
        server_default=false(),
    ),
    Column("worker", String(40)),
    Column(
        "slot",
        Boolean,
        nullable=False,
        default=False,
        server_default=false(),
    ),
    Column("claimed", Utc),
    Column("claims", Integer, nullable=False, default=0, server_default="0"),
    Column("refused", Utc),
    Column("progress_until", Utc),
    ForeignKeyConstraint(
        ["tenant", "session"], ["sessions.tenant", "sessions.id"]
    ),
    Index(None, "tenant", "session", "number", unique=True),
    Index(None, "tenant", "parent"),
    Index(None, "created"),
)


def _is_one_of(*states: StepState) -> ColumnElement[bool]:
    """A condition with its words written out, never bound.

    A database uses a partial index only where it reads that very condition.
    """
    return steps.c.state.in_(
        [literal_column(f"'{state.value}'") for state in states]
    )


def _index(name: str, *columns: Any, where: ColumnElement[bool]) -> Index:
    """An index of some rows only: it stays small, however long the history grows."""
    # The migrations state the condition for PostgreSQL, too. Naming it here would load
    # PostgreSQL's dialect, for which a command at the prompt has no time.
    return Index(name, *columns, sqlite_where=where)


QUEUED = _is_one_of(StepState.QUEUED)
IN_LINE = _is_one_of(StepState.QUEUED, StepState.SUBMITTING, StepState.RUNNING)
UNFINISHED = _is_one_of(
    StepState.QUEUED,
    StepState.SUBMITTING,
    StepState.RUNNING,
    StepState.MADE,
)
PICTURED = and_(
    _is_one_of(StepState.MADE, StepState.DONE), steps.c.deleted.is_(None)
)
HAS_PICTURES = and_(PICTURED, steps.c.text.is_(None))
"""A model that describes a picture answers with words instead."""
UNTOLD = steps.c.told.is_(False)
"""Not yet at its end, or at an end its person has not been told."""


def in_work(table: FromClause) -> ColumnElement[bool]:
    """Whether a step is not at its end, or its person has not been told that end."""
    ends = ("done", "failed", "cancelled", "unknown")
    return or_(table.c.state.not_in(ends), table.c.told.is_(False))


HOLDS_SLOT = steps.c.slot.is_(True)
"""The service works on it, or is about to."""
HAS_TASK = steps.c.task_id.is_not(None)
IS_MEASURED = steps.c.seconds.is_not(None)
SERVED = (
    steps.c.submitted.is_(None),
    steps.c.priority,
    steps.c.created,
    steps.c.id,
    steps.c.tenant,
)
"""The order of service: what runs, then by priority, then by age. Id and tenant only make the order
the same for every reader."""

_index("ix_steps_untold", steps.c.worker, where=UNTOLD)
_index("ix_steps_slot", steps.c.account, steps.c.model, where=HOLDS_SLOT)
_index(
    "ix_steps_queued",
    steps.c.account,
    steps.c.model,
    steps.c.priority,
    steps.c.created,
    where=QUEUED,
)
Index("ix_steps_claimed", steps.c.account, steps.c.model, steps.c.claimed)
_index("ix_steps_line", steps.c.account, steps.c.model, *SERVED, where=IN_LINE)
_index("ix_steps_served", *SERVED, where=UNFINISHED)
_index(
    "ix_steps_waiting",
    steps.c.tenant,
    steps.c.person,
    steps.c.created,
    where=UNFINISHED,
)
_index(
    "ix_steps_pictured",
    steps.c.tenant,
    steps.c.person,
    steps.c.created,
    where=PICTURED,
)
_index(
    "ix_steps_task",
    steps.c.account,
    steps.c.model,
    steps.c.submitted,
    where=HAS_TASK,
)
_index(
    "ix_steps_measured",
    steps.c.account,
    steps.c.model,
    steps.c.finished,
    where=IS_MEASURED,
)

# How many steps there are. Like the two sums of the ledger below, triggers keep it (migration
# 0005): it is right whatever changes a step, and nothing ever counts all of them.
step_counts = Table(
    "step_counts",
    metadata,
    Column("action", String(40), primary_key=True),
    Column("model", String(100), primary_key=True),
    Column("state", String(20), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

pictures = Table(
    "pictures",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("media_type", String(40), nullable=False),
    Column("length", Integer, nullable=False),
    Column("url", Text),
    Column("url_expires", Utc),
    Column("thumbnail", String(64)),
)

step_pictures = Table(
    "step_pictures",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("step", String(40), primary_key=True),
    Column("role", String(10), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("key", String(64), nullable=False),
    ForeignKeyConstraint(["tenant", "step"], ["steps.tenant", "steps.id"]),
    ForeignKeyConstraint(
        ["tenant", "key"], ["pictures.tenant", "pictures.key"]
    ),
    Index(None, "tenant", "key"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("step", String(40), primary_key=True),
    Column("kind", String(10), primary_key=True),
    Column("person", String(150), nullable=False),
    Column("channel", String(150), nullable=False),
    Column("micros", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("at", Utc, nullable=False),
    Index(None, "tenant", "at"),
)

# What the ledger sums up to, by person and day ("2026-11-20"), and by channel and month
# ("2026-11").
spending = Table(
    "spending",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("person", String(150), primary_key=True),
    Column("currency", String(3), primary_key=True),
    Column("micros", BigInteger, nullable=False),
    Column("steps", Integer, nullable=False),
    # The name as it was at the last entry.
    Column("person_name", Text, nullable=False),
    Column("first", Utc, nullable=False),
    Column("last", Utc, nullable=False),
)

channel_spending = Table(
    "channel_spending",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("month", String(7), primary_key=True),
    Column("channel", String(150), primary_key=True),
    Column("currency", String(3), primary_key=True),
    Column("micros", BigInteger, nullable=False),
)

# Of all workspaces together: it names nobody, and stays when a workspace is forgotten.
total_spending = Table(
    "total_spending",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("currency", String(3), primary_key=True),
    Column("micros", BigInteger, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("channel", String(150), primary_key=True),
    Column("message", String(200), primary_key=True),
    Column("thread", String(150), nullable=False),
    Column("step", String(40), nullable=False),
    # "status" is the one that becomes the result; copies stand in the gallery or in a direct
    # message.
    Column("role", String(10), nullable=False, server_default="status"),
    ForeignKeyConstraint(["tenant", "step"], ["steps.tenant", "steps.id"]),
    Index(None, "tenant", "step"),
    Index(None, "tenant", "channel", "thread"),
)

# Messages whose picture was drawn of several steps: histories and comparisons.
drawings = Table(
    "drawings",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("channel", String(150), primary_key=True),
    Column("message", String(200), primary_key=True),
    Column("step", String(40), primary_key=True),
    Column("thread", String(150), nullable=False),
    ForeignKeyConstraint(["tenant", "step"], ["steps.tenant", "steps.id"]),
    Index(None, "tenant", "step"),
)

posting = Table(
    "posting",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("job", String(60), primary_key=True),
    Column("role", String(10), primary_key=True),
    Column("at", Utc, default=lambda: datetime.now(UTC)),
    Index("ix_posting_at", "at"),
)

reactions = Table(
    "reactions",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("step", String(40), primary_key=True),
    Column("person", String(150), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("position", Integer, primary_key=True),
    ForeignKeyConstraint(["tenant", "step"], ["steps.tenant", "steps.id"]),
)

drafts = Table(
    "drafts",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("id", String(40), primary_key=True),
    Column("request", SealedJson("reply"), nullable=False),
    Column("created", Utc, nullable=False),
    Column("used", Boolean, nullable=False, default=False),
    Index(None, "created"),
)

query_turns = Table(
    "query_turns",
    metadata,
    # When an account's latest query may be asked, by the database's clock; a row each.
    Column("account", String(40), primary_key=True),
    Column("taken", Utc, nullable=False),
)

# Who has asked to be forgotten, or was named by the operator, until nothing of them is left.
forgetting = Table(
    "forgetting",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("person", String(150), primary_key=True),
    Column("asked", Utc, nullable=False),
)

# Workspaces that begin nothing for now: their queued steps wait.
pauses = Table(
    "pauses",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("since", Utc, nullable=False),
)
IS_SERVED = or_(
    HOLDS_SLOT,
    steps.c.tenant.not_in(select(pauses.c.tenant)),
)
"""What was begun runs to its end; what waits in a paused workspace holds nobody up."""

# What administrators did, and what was refused to people, for as long as the workspace is here. It
# holds no prompts.
audit = Table(
    "audit",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("id", String(60), primary_key=True),
    Column("at", Utc, nullable=False),
    Column("act", String(20), nullable=False),
    Column("person", String(150), nullable=False),
    Column("person_name", Text, nullable=False),
    Column("channel", String(150), nullable=False),
    Column("subject", String(100), nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Index(None, "tenant", "at"),
)

seals = Table(
    "seals",
    metadata,
    # The fingerprint of the key that everything sealed is encrypted with.
    Column("key", String(FINGERPRINT), primary_key=True),
)
