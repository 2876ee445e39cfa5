"""A year by time machine: what is kept shrinks to what is still referred to.

By day a small one; at night two thousand jobs.
"""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from core.flow import forgetting
from core.flow.context import Context
from core.pruning import prune_history
from core.storage import database
from core.storage.blob_sweep import BlobSweep
from core.storage.history_life import HistoryLife
from core.storage.tables import ledger, metadata, spending, steps
from core.types import Leaver, Tenant
from tests.bench.history import open_context
from tests.integration.test_privacy import ANA, BEN, Account, World

KEEP = 90


async def no_requests(_leaver: Leaver) -> None:
    """Nothing waits in an inbox."""


async def live_a_year(engine: AsyncEngine, world: World, jobs: int) -> None:
    """Ana and Ben draw all year long; every fourth picture is an edit of the one before."""
    now = world.context.clock.now()
    last = ""
    for number in range(jobs):
        name = f"job {number}"
        person = BEN if number % 3 else ANA
        of = last if number % 4 == 3 else None
        await world.makes(person, name, of, private=number % 10 == 5)
        last = name
        await world.likes(BEN, name)
        moment = now - timedelta(days=364 * (jobs - number) / jobs)
        step = world.names[name]
        change = update(steps).where(steps.c.id == step)
        entries = update(ledger).where(ledger.c.step == step)
        async with engine.begin() as connection:
            await connection.execute(
                change.values(created=moment, finished=moment)
            )
            await connection.execute(entries.values(at=moment))


async def rows_of(engine: AsyncEngine) -> dict[str, int]:
    """How many rows each table has."""
    counts = {}
    async with engine.begin() as connection:
        for name, table in metadata.tables.items():
            query = select(func.count()).select_from(table)
            counts[name] = (await connection.execute(query)).scalar_one()
    return counts


def bytes_in(folder: Path) -> tuple[int, int]:
    """Files of pictures, and bytes of everything in a data folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    pictures = [path for path in files if "blobs" in path.parts]
    return len(pictures), sum(path.stat().st_size for path in files)


async def referred_to(engine: AsyncEngine) -> int:
    """How many different pictures the steps that are left hold."""
    query = text("SELECT count(DISTINCT key) FROM step_pictures")
    async with engine.begin() as connection:
        return int((await connection.execute(query)).scalar_one())


async def total(engine: AsyncEngine) -> int:
    async with engine.begin() as connection:
        result = await connection.execute(select(func.sum(spending.c.micros)))
        return int(result.scalar_one() or 0)


async def shrink(engine: AsyncEngine) -> None:
    """Give the pages that are free back, to see what is really left."""
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        await raw.driver_connection.execute("VACUUM")  # type: ignore[union-attr]
        await raw.driver_connection.execute(  # type: ignore[union-attr]
            "PRAGMA wal_checkpoint(TRUNCATE)"
        )


@pytest.mark.timeout(1800)
async def test_a_years_folder_shrinks_to_what_is_referred_to(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_nightly: bool,
) -> None:
    monkeypatch.setattr("core.pruning.PAUSE", 0)
    jobs = 2000 if is_nightly else 24
    provider: Any = Account()
    async with open_context(tmp_path) as opened:
        engine = database.open_async(f"sqlite:///{tmp_path / 'easel.db'}")
        context = replace(opened, providers={"beijing": provider})
        world = World(context, "w")
        await live_a_year(engine, world, jobs)
        await check_year(context, engine, world.place.tenant, tmp_path)
        await engine.dispose()


async def check_year(
    context: Context, engine: AsyncEngine, tenant: Tenant, folder: Path
) -> None:
    """Prune, forget Ana, and let the workspace go; look at the folder each time."""
    sizes = []

    async def look(moment: str) -> dict[str, int]:
        await shrink(engine)
        rows = await rows_of(engine)
        files, size = bytes_in(folder)
        sizes.append(size)
        print(  # noqa: T201  # the figures, with -s
            f"{moment}: {rows['steps']} steps, {rows['sessions']} sessions, "
            f"{rows['ledger']} entries, {files} pictures, {size >> 10} KiB"
        )
        return rows

    before = await look("a year")
    spent = await total(engine)
    pruned = await prune_history(context, HistoryLife(engine), KEEP)
    after = await look(f"kept {KEEP} days")
    assert after["steps"] == before["steps"] - pruned
    assert 0.2 < after["steps"] / before["steps"] < 0.3
    assert bytes_in(folder)[0] == await referred_to(engine)
    assert after["ledger"] < before["ledger"] / 3
    assert after["step_pictures"] < before["step_pictures"] / 3
    now = context.clock.now()
    await context.people.ask_to_forget(tenant, ANA.id, now)
    (leaver,) = await context.people.leavers()
    assert await forgetting.forget_person(context, leaver, no_requests)
    await prune_history(context, HistoryLife(engine), KEEP)
    await look("without Ana")
    assert bytes_in(folder)[0] == await referred_to(engine)
    assert await context.people.tenants_of("", ANA.id) == []
    assert await total(engine) == spent
    for key in await context.blobs.keys(tenant):
        await context.blobs.delete(tenant, key)
    await context.store.forget_workspace(tenant)
    await BlobSweep(engine, context.blobs).sweep(now)
    gone = await look("uninstalled")
    assert bytes_in(folder)[0] == 0
    alone = {"total_spending", "step_counts", "secret_keys"}
    assert {name for name, count in gone.items() if count} <= alone
    assert sizes == sorted(sizes, reverse=True)
