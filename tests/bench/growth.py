"""Processor time of frequent questions when much waits and much is done.

    .venv/bin/python tests/bench/growth.py

A question may take 1.5 times as long as on little data at most. Everything else is the same in
each case, so that the ratios are exact. It runs on SQLite; PostgreSQL's work is not seen by a
process of Easel, so its plans are examined instead (tests/contract/test_growth.py).
"""

import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from sqlalchemy import Connection, Table, event, insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from core.budgets import Caps
from core.operations import Action
from core.options import Options
from core.size import Size
from core.storage import database, mapping
from core.storage.store import Store
from core.storage.tables import (
    ledger,
    messages,
    pictures,
    sessions,
    step_pictures,
    steps,
)
from core.types import (
    Money,
    Person,
    Picture,
    Place,
    SessionId,
    Step,
    StepId,
    StepState,
)

ACCOUNT, MODEL = "beijing", "qwen-image-plus"
PLACE = Place(platform="bench", workspace="w", channel="c")
PEOPLE = 20
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PRICE = Money(amount=Decimal("0.2"), currency="CNY")
CASES = {
    "100 queued, 100 done": (100, 100),
    "10,000 queued": (10_000, 100),
    "20,000 done": (100, 20_000),
}
TIMES = 3
"""Questions in a row."""
Ask = Callable[[], Awaitable[Any]]


def build(url: str, queued: int, done: int) -> None:
    """Fill a migrated database: waiting steps came today, finished ones go back two years."""
    engine = database.open_sync(url)
    with engine.begin() as connection:
        people = [f"{PLACE.channel}/@p{number}" for number in range(PEOPLE)]
        named = [
            {"tenant": PLACE.tenant, "id": name, "last_number": 10**6}
            for name in people
        ]
        connection.execute(insert(sessions), named)
        _fill(connection, [_done(number, done) for number in range(done)])
        _fill(connection, [_queued_row(number) for number in range(queued)])
    if engine.dialect.name == "postgresql":
        with engine.execution_options(
            isolation_level="AUTOCOMMIT"
        ).connect() as connection:
            connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def _step(name: str, number: int, created: datetime, **changes: Any) -> Step:
    person = Person(id=f"p{number % PEOPLE}", name=f"Person {number % PEOPLE}")
    return Step(
        id=StepId(name),
        place=PLACE,
        session=SessionId(f"{PLACE.channel}/@{person.id}"),
        number=number,
        person=person,
        locale="en",
        action=Action.DRAW,
        prompt="a fox in the snow, in the style of an old print " * 4,
        options=Options(),
        model=MODEL,
        account=ACCOUNT,
        seed=number,
        n=1,
        size=Size(width=1328, height=1328),
        created=created,
        price=PRICE,
        **changes,
    )


def _queued_row(number: int) -> dict[str, Any]:
    created = NOW + timedelta(milliseconds=number)
    waiting = _step(
        f"q{number:07}", 500_000 + number, created, state=StepState.QUEUED
    )
    return {
        **mapping.step_row(waiting),
        "priority": 1 + number // PEOPLE,
        "announced": True,
    }


def _done(number: int, count: int) -> dict[str, Any]:
    created = NOW - timedelta(days=730) * (count - number) / count
    finished = created + timedelta(seconds=20)
    step = _step(
        f"d{number:07}", number, created, state=StepState.DONE, charged="yes"
    )
    return {
        **mapping.step_row(step),
        "priority": 1,
        "submitted": created,
        "finished": finished,
        "seconds": 8.5,
        "task_id": f"task-{number}",
        "cost_micros": mapping.micros(PRICE),
    }


def _fill(connection: Connection, filled: list[dict[str, Any]]) -> None:
    """Add the steps, each with a message, its money, and a picture once it is done."""
    done = [row for row in filled if row["state"] == StepState.DONE]
    _insert(connection, steps, filled)
    _insert(
        connection,
        ledger,
        [_entry(row, "hold", PRICE, row["created"]) for row in filled],
    )
    back = Money(amount=-PRICE.amount, currency=PRICE.currency)
    for kind, money in (("release", back), ("charge", PRICE)):
        _insert(
            connection,
            ledger,
            [_entry(row, kind, money, row["finished"]) for row in done],
        )
    _insert(connection, messages, [_message(row) for row in filled])
    _insert(connection, pictures, [_picture_row(row) for row in done])
    _insert(connection, step_pictures, [_hold_row(row) for row in done])


def _picture_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Without what later migrations have added."""
    filled = mapping.picture_row(row["tenant"], _picture(row))
    del filled["thumbnail"]
    return filled


def _insert(
    connection: Connection, table: Table, filled: list[dict[str, Any]]
) -> None:
    if filled:
        connection.execute(insert(table), filled)


def _entry(
    row: Mapping[str, Any], kind: str, money: Money, at: datetime
) -> dict[str, Any]:
    return {
        "tenant": row["tenant"],
        "step": row["id"],
        "kind": kind,
        "person": row["person"],
        "channel": row["channel"],
        "micros": mapping.micros(money),
        "currency": money.currency,
        "at": at,
    }


def _message(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tenant": row["tenant"],
        "channel": row["channel"],
        "message": f"m{row['id']}",
        "thread": f"t{row['id']}",
        "step": row["id"],
    }


def _picture(row: Mapping[str, Any]) -> Picture:
    return Picture(
        key=f"{row['id']:0>64}",
        width=1328,
        height=1328,
        media_type="image/png",
        length=10**6,
    )


def _hold_row(row: Mapping[str, Any]) -> dict[str, Any]:
    key = _picture(row).key
    return {
        "tenant": row["tenant"],
        "step": row["id"],
        "role": "output",
        "position": 0,
        "key": key,
    }


def questions(store: Store, queued: int) -> dict[str, Ask]:
    """The frequent questions by name. The last in line asks: all others are before it."""
    last = _step(
        f"q{queued - 1:07}", 500_000 + queued - 1, NOW, state=StepState.QUEUED
    )
    begun = iter(range(10**6))
    thread = Place(
        platform="bench", workspace="w", channel="c", thread="t-of-others"
    )

    async def place_in_line() -> int:
        return await store.place_in_line(
            await store.step(PLACE.tenant, last.id)
        )

    async def announce() -> None:
        await store.step(PLACE.tenant, last.id)
        await store.durations(ACCOUNT, MODEL)
        await place_in_line()

    async def begin() -> None:
        number = next(begun)
        new = _step(f"n{number:07}", number, NOW, state=StepState.QUEUED)
        await store.begin(new, Caps(), NOW)

    return {
        "place in line": place_in_line,
        "line": lambda: store.line(ACCOUNT, MODEL),
        "announce": announce,
        "unfinished(100)": lambda: store.open_steps(100),
        "durations": lambda: store.durations(ACCOUNT, MODEL),
        "known tasks": lambda: store.task_ids(ACCOUNT, MODEL, NOW),
        "counts": store.counts,
        "usage": lambda: store.usage(
            PLACE.tenant, NOW.replace(day=20, hour=0)
        ),
        "is ours": lambda: store.is_step_thread(thread),
        "step": lambda: store.step(PLACE.tenant, last.id),
        "history": lambda: store.history(PLACE.tenant, last.session, 5),
        "recent": lambda: store.recent(PLACE.tenant, last.person.id, 5),
        "newest unfinished": lambda: store.newest_open_step(
            PLACE.tenant, last.person.id
        ),
        "begin": begin,
    }


async def compare(
    cases: Mapping[str, tuple[int, int]], rounds: int
) -> dict[str, dict[str, list[float]]]:
    """Processor milliseconds by question and case; a round asks each case in turn."""
    async with _stores(cases) as engines:
        asks = {
            case: questions(Store(engine), cases[case][0])
            for case, engine in engines.items()
        }
        names = list(next(iter(asks.values())))
        return {
            name: await _rounds(
                {case: asks[case][name] for case in asks}, rounds
            )
            for name in names
        }


async def instructions(
    cases: Mapping[str, tuple[int, int]],
) -> dict[str, dict[str, int]]:
    """Count the instructions of SQLite's machine for each question and case.

    The figure is always the same, however busy the machine.
    """
    done = 0

    def count() -> None:
        nonlocal done
        done += 1

    counted: dict[str, dict[str, int]] = defaultdict(dict)
    async with _stores(cases) as engines:
        for case, engine in engines.items():

            @event.listens_for(engine.sync_engine, "connect")
            def on_connect(connection: Any, _record: Any) -> None:
                connection.run_async(
                    lambda driver: driver.set_progress_handler(count, 1)
                )

            for name, ask in questions(Store(engine), cases[case][0]).items():
                done = 0
                await ask()
                counted[name][case] = done
    return counted


@asynccontextmanager
async def _stores(
    cases: Mapping[str, tuple[int, int]],
) -> AsyncIterator[dict[str, AsyncEngine]]:
    """A SQLite for each case."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as opened:
            engines = {}
            for number, (case, (queued, done)) in enumerate(cases.items()):
                engines[case] = await _open_filled(
                    f"sqlite:///{folder}/{number}.db", queued, done
                )
                opened.push_async_callback(engines[case].dispose)
            yield engines


def ratio(much: Sequence[float], little: Sequence[float]) -> float:
    """How many times as long a question takes.

    It is the median of the rounds, as a disturbance hits both cases alike.
    """
    return median(more / less for more, less in zip(much, little, strict=True))


async def _open_filled(url: str, queued: int, done: int) -> AsyncEngine:
    await database.migrate(url)
    await asyncio.to_thread(build, url, queued, done)
    return database.open_async(url)


async def _rounds(
    asks: Mapping[str, Ask], rounds: int
) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {case: [] for case in asks}
    for _ in range(rounds):
        for case, ask in asks.items():
            spent[case].append(await _milliseconds(ask))
    return spent


async def _milliseconds(ask: Ask) -> float:
    begun = time.process_time()
    for _ in range(TIMES):
        await ask()
    return (time.process_time() - begun) * 1000 / TIMES


def main() -> None:
    """Print the table, each case beside the first."""
    first, *others = CASES
    print(f"processor ms a question; {first}, then: {', '.join(others)}")
    for question, spent in asyncio.run(compare(CASES, 40)).items():
        little = spent[first]
        much = [
            f"{median(spent[case]):7.2f} ({ratio(spent[case], little):4.2f} x)"
            for case in others
        ]
        print(f"{question:18} {median(little):6.2f} {' '.join(much)}")


if __name__ == "__main__":
    main()
