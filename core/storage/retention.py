"""How long the records of jobs live.

Pictures, prompts and money are not touched: they are history, not records.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, String, cast, delete, func, null, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from core.storage.database import reading
from core.storage.shielding import shielded
from core.storage.tables import posting, steps

RECORDS_LIFE = timedelta(days=30)
"""No platform and no worker asks for the record of a finished job after that."""


@shielded
class Retention:
    """Removes what has lived long enough. Each method is one transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = reading(engine)

    async def count(self, before: datetime) -> int:
        """How many records are older."""
        queries = (
            select(func.count()).select_from(posting).where(posting.c.at < before),
            select(func.count()).select_from(steps).where(*_has_record(before)),
        )
        async with self._reading.begin() as connection:
            return sum(
                [
                    int((await connection.execute(query)).scalar_one())
                    for query in queries
                ]
            )

    async def prune(self, before: datetime) -> int:
        """Remove what was noted of older posts, and how older jobs were to be answered.

        How many there were.
        """
        async with self._engine.begin() as connection:
            posts = await connection.execute(
                delete(posting).where(posting.c.at < before)
            )
            jobs = await connection.execute(
                update(steps)
                .where(*_has_record(before))
                .values(reply={}, outcome=null())
            )
            return posts.rowcount + jobs.rowcount


def _has_record(before: datetime) -> tuple[ColumnElement[bool], ...]:
    """Finished before then, with the platform's handles or the service's answer still in it."""
    # "Nothing" is an empty value for some writers, and JSON's own null for others.
    answer = func.coalesce(cast(steps.c.outcome, String), "null")
    holds = (cast(steps.c.reply, String) != "{}") | (answer != "null")
    return steps.c.told.is_(True), steps.c.finished < before, holds
