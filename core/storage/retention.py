"""How long the records of jobs live.

Pictures, prompts and money are not touched: they are history, not records.
"""

from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    String,
    and_,
    cast,
    delete,
    func,
    null,
    or_,
    select,
    update,
)

from core.storage.shielding import shielded
from core.storage.tables import posting, steps
from core.storage.transactions import Transactions

RECORDS_LIFE = timedelta(days=30)
"""No platform and no worker asks for the record of a finished job after that."""


REPLY_LIFE = timedelta(days=1)
"""No platform takes an answer to an event after that: tokens live for half an hour at most."""


@shielded
class Retention(Transactions):
    """Removes records that are old enough. Each method is one transaction."""

    async def count(self, before: datetime) -> int:
        """How many records are older."""
        old_posts = select(func.count()).select_from(posting)
        old_posts = old_posts.where(posting.c.at < before)
        old_jobs = select(func.count()).select_from(steps)
        old_jobs = old_jobs.where(_has_record(before))
        async with self._reading.begin() as connection:
            posts = await connection.execute(old_posts)
            jobs = await connection.execute(old_jobs)
            return int(posts.scalar_one()) + int(jobs.scalar_one())

    async def prune(self, before: datetime) -> int:
        """Remove notes of older posts and the reply data of older jobs; return how many."""
        old_posts = delete(posting).where(posting.c.at < before)
        old_jobs = update(steps).where(_has_record(before))
        async with self._writing.begin() as connection:
            posts = await connection.execute(old_posts)
            jobs = await connection.execute(
                old_jobs.values(reply={}, outcome=null())
            )
            return posts.rowcount + jobs.rowcount

    async def prune_replies(self, before: datetime) -> int:
        """Remove what answered the events of jobs that had ended before then: tokens, addresses."""
        old = update(steps).where(
            steps.c.told.is_(True),
            steps.c.finished < before,
            cast(steps.c.reply, String) != "{}",
        )
        return await self._write(old.values(reply={}))


def _has_record(before: datetime) -> ColumnElement[bool]:
    """Whether it finished before then and still holds reply data or the service's answer."""
    # No outcome is SQL's NULL for some writers, and JSON's own null for others.
    outcome = func.coalesce(cast(steps.c.outcome, String), "null")
    reply = cast(steps.c.reply, String)
    return and_(
        steps.c.told.is_(True),
        steps.c.finished < before,
        or_(reply != "{}", outcome != "null"),
    )
