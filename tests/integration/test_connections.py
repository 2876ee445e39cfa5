"""The connections of a process to PostgreSQL: few, and through a pooler too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import doctor, settings
from bot.simulator.server import SimulatorConfig
from core.errors import ConfigurationError
from core.operations import Action
from core.storage import database
from core.storage.pooler import lends_sessions
from core.types import StepState
from tests.contract.conftest import fresh_database
from tests.contract.conftest import postgres as postgres  # noqa: PLC0414  # the fixture
from tests.fakes.pgbouncer import PGBOUNCER, pgbouncer
from tests.integration.test_flow import Team, team_on

MOST = 12
JOBS = 3
QUESTIONS = 20
QUICK = SimulatorConfig(time_scale=0.01)

needs_pgbouncer = pytest.mark.skipif(
    PGBOUNCER is None, reason="PgBouncer is not installed"
)


@asynccontextmanager
async def most_connections(url: str) -> AsyncIterator[list[int]]:
    """Counts the connections to the database, without our own, as long as the block runs."""
    engine = database.open_async(url, pool=1)
    counts: list[int] = []
    query = sa.text(
        "SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()"
    )

    is_over = asyncio.Event()

    async def count() -> None:
        async with engine.connect() as connection:
            while not is_over.is_set():
                result = await connection.execute(query)
                counts.append(result.scalar_one())
                # The next look must not see this one's snapshot.
                await connection.commit()
                await asyncio.sleep(0.01)

    counting = asyncio.create_task(count())
    yield counts
    is_over.set()
    await counting
    await engine.dispose()


async def draw_many(team: Team) -> None:
    """``JOBS`` pictures at once, each brought to its end; then many questions at once."""
    requests = [
        team.gets(Action.DRAW, f"fox {number}", key=f"k{number}")
        for number in range(JOBS)
    ]
    ended = await asyncio.gather(*requests)
    assert [step.state for step, _ in ended] == [StepState.DONE] * JOBS
    questions = [team.says(Action.HISTORY) for _ in range(QUESTIONS)]
    await asyncio.gather(*questions)


@pytest.mark.parametrize(
    "pool", [pytest.param(1, marks=pytest.mark.nightly), 9]
)
async def test_a_busy_process_has_twelve_connections_at_most(
    postgres: str, tmp_path: Path, pool: int
) -> None:
    url = fresh_database(postgres, f"busy {pool}")
    async with (
        most_connections(url) as counts,
        team_on(
            QUICK, tmp_path, EASEL_DATABASE_URL=url, EASEL_DATABASE_POOL=pool
        ) as team,
    ):
        await draw_many(team)
        assert pool < max(counts) <= min(pool + 3, MOST)


@needs_pgbouncer
@pytest.mark.parametrize(
    ("mode", "is_lent"), [("transaction", True), ("session", False)]
)
async def test_a_pooler_that_lends_sessions_is_told_from_one_that_does_not(
    postgres: str,
    tmp_path: Path,
    unused_tcp_port: int,
    mode: str,
    is_lent: bool,
) -> None:
    url = fresh_database(postgres, f"pooler {mode}")
    assert not await lends_sessions(url)
    async with pgbouncer(url, tmp_path, unused_tcp_port, mode) as pooled:
        assert await lends_sessions(pooled) is is_lent
        # Other clients keep sessions of the pooler's busy and leave them again.
        others = database.open_async(pooled, pool=3)
        for _ in range(3):
            async with others.connect() as one, others.connect() as another:
                await one.execute(sa.text("SELECT 1"))
                await another.execute(sa.text("SELECT 1"))
            assert await lends_sessions(pooled) is is_lent
        await others.dispose()


@needs_pgbouncer
async def test_jobs_run_through_a_pooler_when_the_database_is_known_too(
    postgres: str, tmp_path: Path, unused_tcp_port: int
) -> None:
    url = fresh_database(postgres, "pooled")
    async with (
        pgbouncer(url, tmp_path, unused_tcp_port, "transaction") as pooled,
        team_on(
            QUICK,
            tmp_path,
            EASEL_DATABASE_URL=pooled,
            EASEL_DATABASE_DIRECT_URL=url,
        ) as team,
    ):
        await draw_many(team)


@needs_pgbouncer
async def test_a_pooler_alone_is_refused_with_words(
    postgres: str,
    tmp_path: Path,
    unused_tcp_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = fresh_database(postgres, "refused")
    async with pgbouncer(
        url, tmp_path, unused_tcp_port, "transaction"
    ) as pooled:
        with pytest.raises(ConfigurationError) as caught:
            async with team_on(QUICK, tmp_path, EASEL_DATABASE_URL=pooled):
                pass
        assert caught.value.key == "config.database.pooler"
        monkeypatch.setenv("EASEL_DATABASE_URL", pooled)
        findings = await doctor._examine(settings.load())
        (database_finding,) = [
            finding for finding in findings if finding.name == "database"
        ]
        assert not database_finding.ok
        assert "EASEL_DATABASE_DIRECT_URL" in database_finding.detail
