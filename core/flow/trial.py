"""Work that was in hand when a process died, twice: it goes on alone, and what follows proves it.

Many jobs are in work when a process dies, and one of them may be at fault. Each that has lost two
processes works alone among its like from then on, marked for as long as it does. Is the process
dead again, the marked one is to blame, and is given up; none of the others is.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from core.flow.context import Context
from core.types import LIVES, Claim

ACCUSED = LIVES + 1
"""A count of lives that none but work that was alone when its process died has."""
Mark = Callable[[int], Awaitable[None]]


@asynccontextmanager
async def alone(
    context: Context, lives: int, mark: Mark
) -> AsyncIterator[None]:
    """Let work that is on its last life run alone; ``mark`` records its count of lives.

    Not for waiting on others: it would keep them waiting.
    """
    if lives != LIVES:
        yield
        return
    async with context.trial:
        await mark(ACCUSED)
        try:
            yield
        finally:
            # Its process lives: whatever else has happened, it is acquitted.
            await mark(1)


@asynccontextmanager
async def job_alone(context: Context, claim: Claim) -> AsyncIterator[None]:
    """``alone`` for the job of a step."""

    async def mark(lives: int) -> None:
        await context.store.record_lives(claim.tenant, claim.step, lives)

    async with alone(context, claim.claims, mark):
        yield
