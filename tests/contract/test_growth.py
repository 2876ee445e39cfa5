"""Frequent questions stay quick at any size: readers wait for no one, and nothing is recounted."""

import asyncio
import random
import re
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from core import budgets
from core.budgets import Caps
from core.errors import Charged, NotFound
from core.post import PostedMessage
from core.storage import database, mapping
from core.storage import ledger as entries
from core.storage.database import reading
from core.storage.drafts import DraftStore
from core.storage.reactions import ReactionStore
from core.storage.store import Store
from core.storage.tables import ledger, posting, steps
from core.types import (
    Head,
    MessageRole,
    Money,
    Person,
    Place,
    Step,
    StepId,
    StepState,
)
from tests.bench import growth
from tests.contract.conftest import fresh_database
from tests.fakes.steps import NOW, PLACE, dollars, picture, step, yuan

TENANT = PLACE.tenant


async def make_step(store: Store, begun: Step, letter: str = "a") -> None:
    await store.begin(begun, Caps(), NOW)
    await store.intend(begun.tenant, begun.id, NOW)
    await store.record_task(
        begun.tenant, begun.id, f"task-{begun.id}", "r", None, NOW
    )
    await store.record_results(begun, [picture(letter)], yuan("0.2"), 3.0, NOW)


async def test_who_only_looks_waits_for_no_writer_and_writes_nothing(
    store: Store, engine: AsyncEngine
) -> None:
    await make_step(store, step())
    here = await store.step(TENANT, "one")
    drafts = DraftStore(engine)
    await drafts.save(TENANT, "d", {}, NOW)
    await store.remember(
        PostedMessage(place=PLACE, message="m"), TENANT, "one"
    )
    thread = replace(PLACE, thread="t")
    size = log_size(engine)
    async with engine.begin() as writer, asyncio.timeout(60):
        # SQLite's lock is held since the BEGIN of this very connection.
        if engine.dialect.name == "postgresql":
            await writer.execute(
                text("LOCK TABLE steps, messages, ledger IN EXCLUSIVE MODE")
            )
        await store.check()
        await store.history(TENANT, "c/@ana")
        await store.chain(TENANT, "one")
        await store.newest_from(TENANT, "c/@ana", None)
        await store.open_steps(200)
        await store.newest_open_step(TENANT, "ana")
        await store.line("beijing", "qwen-image-plus")
        await store.place_in_line(here)
        await store.is_step_thread(thread)
        await store.head(TENANT, "c/@ana")
        await store.task_ids("beijing", "qwen-image-plus", NOW)
        await store.durations("beijing", "qwen-image-plus")
        await store.counts()
        await store.recent(TENANT, "ana", 5)
        await store.message_of(here)
        await store.messages_of(here)
        await store.step_of_message(PLACE, "m")
        await store.settings(TENANT)
        await store.usage(TENANT, NOW)
        await ReactionStore(engine).tally(TENANT, "one")
        await drafts.read(TENANT, "d")
    assert log_size(engine) == size


def log_size(engine: AsyncEngine) -> int:
    """Bytes of SQLite's write-ahead log."""
    return (
        Path(f"{engine.url.database}-wal").stat().st_size
        if engine.dialect.name == "sqlite"
        else 0
    )


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_postgresql_refuses_a_write_by_who_only_looks(
    store: Store, engine: AsyncEngine
) -> None:
    with pytest.raises(DBAPIError, match="read-only"):
        async with reading(engine).begin() as connection:
            await connection.execute(
                insert(posting).values(tenant="t", job="j", role="r")
            )
    assert await store.intend_post(TENANT, "job", MessageRole.STATUS)


async def test_what_is_about_to_be_posted_is_new_only_once(
    store: Store,
) -> None:
    intended = [
        await store.intend_post(TENANT, "job", MessageRole.STATUS)
        for _ in range(3)
    ]
    assert intended == [True, False, False]
    assert await store.intend_post(TENANT, "job", MessageRole.GALLERY)
    assert await store.intend_post("test:other", "job", MessageRole.STATUS)


async def test_a_place_in_line_is_how_many_are_served_before(
    store: Store,
) -> None:
    people = [Person(id=f"p{number}", name="x") for number in range(3)]
    for number in range(12):
        person = people[number % 3]
        session = f"c/@{person.id}"
        created = NOW + timedelta(seconds=number // 2)
        name = f"s{number:02}"
        await store.begin(
            step(name, person=person, session=session, created=created),
            Caps(),
            NOW,
        )
    await store.begin(step("other", model="wan2.6-t2i"), Caps(), NOW)
    for name in ("s05", "s02"):
        await store.intend(TENANT, name, NOW)
        await store.record_task(TENANT, name, name, "r", None, NOW)
    await store.intend(TENANT, "s07", NOW)
    line = await store.line("beijing", "qwen-image-plus")
    assert line[:3] == [(TENANT, "s02"), (TENANT, "s05"), (TENANT, "s00")]
    places = [
        await store.place_in_line(await store.step(*job)) for job in line
    ]
    assert places == list(range(12))
    assert await store.line("beijing", "qwen-image-plus", 5) == line[:5]
    assert await store.place_in_line(await store.step(TENANT, "other")) == 0


async def test_a_chain_is_read_at_once_root_first(store: Store) -> None:
    for number in range(60):
        await store.begin(
            step(f"s{number}", parent=f"s{number - 1}" if number else None),
            Caps(),
            NOW,
        )
    await store.begin(step("aside", parent="s30"), Caps(), NOW)
    chain = await store.chain(TENANT, "s59")
    assert [turn.id for turn in chain] == [
        f"s{number}" for number in range(60)
    ]
    assert [turn.id for turn in await store.chain(TENANT, "s0")] == ["s0"]
    with pytest.raises(NotFound):
        await store.chain("test:other", "s59")


async def test_the_newest_made_from_a_step_is_found_however_long_ago(
    store: Store, engine: AsyncEngine
) -> None:
    await make_step(store, step("one"))
    await make_step(store, step("two", parent="one"), "b")
    await make_step(store, step("three", parent="one"), "c")
    failed = await store.begin(step("four", parent="one"), Caps(), NOW)
    await store.end(failed, StepState.FAILED, NOW, error="provider.hiccup")
    later = [
        step(f"later{number}", parent="three", number=10 + number)
        for number in range(205)
    ]
    async with engine.begin() as connection:
        await connection.execute(
            insert(steps),
            [{**mapping.step_row(turn), "priority": 1} for turn in later],
        )
    newest = await store.newest_from(TENANT, "c/@ana", "one")
    assert newest
    assert newest.id == "three"
    root = await store.newest_from(TENANT, "c/@ana", None)
    assert root
    assert root.id == "one"
    assert await store.newest_from(TENANT, "c/@ana", "three") is None
    assert await store.newest_from(TENANT, "c/@bo", None) is None
    assert await store.head(TENANT, "c/@ana") == Head(step=StepId("three"))


async def test_the_newest_unfinished_is_the_persons_own(store: Store) -> None:
    bo = Person(id="bo", name="Bo")
    await store.begin(step("one"), Caps(), NOW)
    await store.begin(
        step("two", created=NOW + timedelta(seconds=1)), Caps(), NOW
    )
    await store.begin(
        step("three", created=NOW + timedelta(seconds=2), person=bo),
        Caps(),
        NOW,
    )
    newest = await store.newest_open_step(TENANT, "ana")
    assert newest
    assert newest.id == "two"
    assert await store.newest_open_step(TENANT, "cy") is None


async def test_steps_of_many_tenants_are_read_with_their_own_pictures(
    store: Store,
) -> None:
    for number in range(3):
        place = Place(platform="test", workspace=f"w{number}", channel="c")
        await store.begin(
            step("same", place=place, inputs=(picture("abc"[number]),)),
            Caps(),
            NOW,
        )
    inputs = {turn.tenant: turn.inputs for turn in await store.open_steps()}
    assert inputs == {
        f"test:w{number}": (picture("abc"[number]),) for number in range(3)
    }


class Life:
    """Everything that may happen to steps and their money, in any order."""

    def __init__(self, store: Store, chance: random.Random) -> None:
        self.store = store
        self.chance = chance
        self.begun: list[Step] = []

    async def go_on(self, now: datetime) -> None:
        """One thing happens."""
        if not self.begun or self.chance.random() < 0.3:
            await self.begin(now)
            return
        await self.move(self.chance.choice(self.begun), now)

    async def move(self, turn: Step, now: datetime) -> None:
        """Something happens to a step, whether it is its turn or not."""
        tenant, name = turn.tenant, turn.id
        cost = self.chance.choice(
            [None, yuan("0.14"), Money(amount=Decimal("0.5"), currency="USD")]
        )
        charged = self.chance.choice(list(Charged))
        state = self.chance.choice(
            [StepState.FAILED, StepState.CANCELLED, StepState.UNKNOWN]
        )
        happenings: list[Any] = [
            lambda: self.store.intend(tenant, name, now),
            lambda: self.store.intend(tenant, name, now),
            lambda: self.store.record_task(tenant, name, "t", "r", None, now),
            lambda: self.store.record_task(tenant, name, "t", "r", None, now),
            lambda: self.store.forget_intent(tenant, name),
            lambda: self.store.requeue(tenant, name),
            lambda: self.store.record_results(
                turn, [picture()], cost, 1.0, now
            ),
            lambda: self.store.finish(tenant, name),
            lambda: self.store.end(
                turn, state, now, error="x", charged=charged, cost=cost
            ),
            lambda: self.store.drop_charge(turn, now),
            lambda: self.store.request_cancel(tenant, name, now),
        ]
        await self.chance.choice(happenings)()

    async def begin(self, now: datetime) -> None:
        """Somebody asks for one more, sometimes under another name."""
        number = self.chance.randrange(3)
        name = self.chance.choice(["Ana", "Anna"])
        workspace = self.chance.choice(["w", "v"])
        channel = self.chance.choice(["c", "d"])
        begun = step(
            f"s{len(self.begun)}",
            person=Person(id=f"p{number}", name=name),
            place=Place(platform="test", workspace=workspace, channel=channel),
            session=f"{channel}/@p{number}",
            price=self.chance.choice([None, yuan("0.2"), yuan("0.05")]),
            created=now,
        )
        self.begun.append(await self.store.begin(begun, Caps(), now))


async def count_steps(engine: AsyncEngine) -> dict[tuple[str, str, str], int]:
    """Count every step."""
    async with engine.begin() as connection:
        kinds = (
            await connection.execute(
                select(steps.c.action, steps.c.model, steps.c.state)
            )
        ).all()
    return dict(
        Counter((action, model, state) for action, model, state in kinds)
    )


async def spent_by_entries(
    engine: AsyncEngine, asked: Step, currency: str, now: datetime
) -> budgets.Spent:
    """Sum up every entry of the ledger."""
    async with engine.begin() as connection:
        rows = (
            await connection.execute(
                select(ledger).where(ledger.c.tenant == asked.tenant)
            )
        ).all()
    rows = [row for row in rows if row.currency == currency]
    of_month = [row for row in rows if row.at >= budgets.month_start(now)]
    of_person = [
        row
        for row in rows
        if row.at >= budgets.day_start(now) and row.person == asked.person.id
    ]
    of_channel = [
        row for row in of_month if row.channel == asked.place.channel
    ]
    sums = [
        Decimal(sum(row.micros for row in some)) / 1_000_000
        for some in (of_person, of_channel, of_month)
    ]
    return budgets.Spent(
        person_day=sums[0], channel_month=sums[1], workspace_month=sums[2]
    )


async def usage_by_entries(
    engine: AsyncEngine, tenant: str, since: datetime
) -> set[tuple[str, str, Decimal, str, int]]:
    """Usage as it was computed before there were sums: from each entry since then."""
    async with engine.begin() as connection:
        is_its = (steps.c.tenant == ledger.c.tenant) & (
            steps.c.id == ledger.c.step
        )
        query = select(ledger, steps.c.person_name).join(steps, is_its)
        query = query.where(
            ledger.c.tenant == tenant, ledger.c.at >= since
        ).order_by(ledger.c.at)
        rows = (await connection.execute(query)).all()
    names = {row.person: row.person_name for row in rows}
    totals: dict[tuple[str, str, str], list[Any]] = {}
    for row in rows:
        totals.setdefault(
            (row.at.date().isoformat(), row.person, row.currency), []
        ).append(row)
    return {
        (
            names[person],
            day,
            Decimal(sum(row.micros for row in some)) / 1_000_000,
            currency,
            len({row.step for row in some}),
        )
        for (day, person, currency), some in totals.items()
    }


async def reported_usage(
    store: Store, tenant: str, since: datetime
) -> set[tuple[str, str, Decimal, str, int]]:
    """What the store says was spent."""
    usage = await store.usage(tenant, since)
    assert [line.day for line in usage] == sorted(line.day for line in usage)
    return {
        (
            line.person,
            line.day,
            line.total.amount,
            line.total.currency,
            line.steps,
        )
        for line in usage
    }


@pytest.mark.parametrize("seed", range(4))
async def test_the_totals_always_equal_a_recount(
    store: Store, engine: AsyncEngine, seed: int
) -> None:
    life = Life(store, random.Random(seed))
    # Over the end of a month; no two moments are alike, so that a person's last name is certain.
    moments = [NOW + timedelta(hours=5 * number) for number in range(120)]
    for number, now in enumerate(moments):
        await life.go_on(now)
        if number % 20 == 19:
            await must_agree(store, engine, life.begun, now)
    await store.forget_workspace("test:v")
    await must_agree(store, engine, life.begun, moments[-1])
    assert await store.usage("test:v", moments[0]) == []


async def must_agree(
    store: Store, engine: AsyncEngine, begun: list[Step], now: datetime
) -> None:
    """Check counts, budgets and usage against everything counted one by one."""
    assert await store.counts() == await count_steps(engine)
    for tenant in ("test:w", "test:v"):
        for since in (
            budgets.month_start(NOW),
            budgets.month_start(now),
            budgets.day_start(now),
        ):
            assert await reported_usage(
                store, tenant, since
            ) == await usage_by_entries(engine, tenant, since)
    for asked in begun:
        for limit in (yuan("1"), dollars("1")):
            caps = Caps(
                person_day=limit, channel_month=limit, workspace_month=limit
            )
            async with engine.begin() as connection:
                spent = await entries.sum_spent(connection, asked, caps, now)
            by_entries = await spent_by_entries(
                engine, asked, limit.currency, now
            )
            assert spent == by_entries


async def test_many_at_once_end_in_right_totals(
    store: Store, engine: AsyncEngine
) -> None:
    """Also on PostgreSQL, where they truly run beside each other, without one deadlock."""

    async def live(number: int) -> None:
        life = Life(store, random.Random(number))
        place = Place(platform="test", workspace=f"w{number % 2}", channel="c")
        person = Person(id=f"p{number % 3}", name="x")
        for turn in range(4):
            begun = step(
                f"s{number}-{turn}",
                place=place,
                person=person,
                session=f"c/@{person.id}",
            )
            await store.begin(begun, Caps(), NOW)
            for _ in range(5):
                await life.move(begun, NOW)

    await asyncio.gather(*(live(number) for number in range(8)))
    assert await store.counts() == await count_steps(engine)
    for tenant in ("test:w0", "test:w1"):
        since = budgets.day_start(NOW)
        assert await reported_usage(
            store, tenant, since
        ) == await usage_by_entries(engine, tenant, since)


async def test_nothing_often_asked_looks_at_all_rows_or_sorts_them(
    store: Store, engine: AsyncEngine
) -> None:
    url = engine.url.render_as_string(hide_password=False)
    await asyncio.to_thread(growth.build, url, queued=100, done=500)
    asked: list[tuple[str, Any]] = []

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def note(
        _connection: Any,
        _cursor: Any,
        statement: str,
        parameters: Any,
        *_: Any,
    ) -> None:
        if not statement.startswith(("INSERT", "BEGIN")):
            asked.append((statement, parameters))

    for ask in growth.questions(store, 100).values():
        await ask()
    event.remove(engine.sync_engine, "before_cursor_execute", note)
    assert len(asked) > 20
    for statement, parameters in asked:
        plan = await plan_of(engine, statement, parameters)
        assert not LOOKS_AT_ALL.search(plan), plan
        assert "steps" not in plan or not SORTS.search(plan), plan


LOOKS_AT_ALL = re.compile(
    r"(Seq Scan on|SCAN) (steps|messages|ledger|step_pictures|pictures)"
    # The whole of an index that holds only what is unfinished, in its order, as far as it is asked
    # for.
    r"(?! USING INDEX ix_steps_served)"
)
SORTS = re.compile(r"Sort Key|TEMP B-TREE")


async def plan_of(engine: AsyncEngine, statement: str, parameters: Any) -> str:
    """The database's plan for a query; PostgreSQL's as if there were very many rows."""
    explain = "EXPLAIN QUERY PLAN"
    async with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            explain = "EXPLAIN"
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
            await connection.execute(text("SET LOCAL enable_sort = off"))
        rows = await connection.exec_driver_sql(
            f"{explain} {statement}", parameters
        )
        return "\n".join(str(row[-1]) for row in rows)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_what_was_there_before_there_were_totals_is_summed_up(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    if kind == "postgresql":
        url = fresh_database(
            request.getfixturevalue("postgres"), request.node.name
        )
    await database.migrate(url, to="0005-1")
    await asyncio.to_thread(growth.build, url, queued=30, done=70)
    await database.migrate(url)
    engine = database.open_async(url)
    store = Store(engine)
    assert await store.counts() == {
        ("draw", growth.MODEL, "queued"): 30,
        ("draw", growth.MODEL, "done"): 70,
    }
    tenant, long_ago = growth.PLACE.tenant, growth.NOW - timedelta(days=800)
    usage = await reported_usage(store, tenant, long_ago)
    assert len(usage) > 70
    assert usage == await usage_by_entries(engine, tenant, long_ago)
    begun = await store.open_steps(5)
    await must_agree(store, engine, begun, growth.NOW)
    await store.request_cancel(tenant, begun[0].id, growth.NOW)
    await must_agree(store, engine, begun, growth.NOW)
    await engine.dispose()
