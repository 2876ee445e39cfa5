"""Delete history that is older than the operator keeps it, in small batches beside other work."""

from datetime import datetime, timedelta

from core.flow.context import Context
from core.flow.erasing import erase_pictures
from core.storage.history_life import NEVER, HistoryLife

BATCH = 50
PAUSE = 0.2
"""Seconds between two batches, in which others may write."""


def limit_of(now: datetime, keep_days: int) -> datetime:
    """The time before which everything is deleted; with 0 days nothing is that old."""
    if not keep_days:
        return NEVER
    return now - timedelta(days=keep_days)


async def prune_history(
    context: Context, life: HistoryLife, keep_days: int
) -> int:
    """Erase what is too old: bytes first, then the rows that lead to them. Return how many steps.

    Posts on Slack and Discord stay there; messages of the room, and what answers events, go too.
    """
    now = context.clock.now()
    before = limit_of(now, keep_days)
    count = 0
    while names := await life.old_steps(before, BATCH):
        for tenant, step in names:
            await erase_pictures(context, tenant, step)
        await life.remove(names)
        count += len(names)
        await context.clock.sleep(PAUSE)
    await life.remove_rest(before)
    await _prune_platforms(context, life, before)
    return count


async def prune_waiting(context: Context, life: HistoryLife) -> None:
    """Erase what has waited for its person for a day: drafts, forms, tokens of interactions."""
    await _prune_platforms(context, life, NEVER)


async def _prune_platforms(
    context: Context, life: HistoryLife, before: datetime
) -> None:
    now = context.clock.now()
    await life.remove_drafts(now)
    for chat in context.chats.values():
        await chat.prune(before, now)
