"""Run work alone after its process has died twice with it in hand.

Many jobs are in work when a process dies, and one of them may be the cause. Each that has lost two
processes runs alone in its process from then on, and is marked while it does: nothing else begins,
and what has begun is waited for. If the process dies once more, only the marked work is given up.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from core.flow.context import Context
from core.types import LIVES, Claim

ISOLATED = LIVES + 1
"""The count of lives of work that was running alone when its process died."""
UNTELLABLE = ISOLATED + LIVES
"""The most lives of work that is given up: beyond, telling its person has cost processes, too."""
Mark = Callable[[int], Awaitable[None]]


@asynccontextmanager
async def alone(
    context: Context, lives: int, mark: Mark
) -> AsyncIterator[None]:
    """Run work that is on its last life alone, any other beside the rest.

    ``mark`` records its count of lives, unless it has got on meanwhile.
    """
    if lives != LIVES:
        async with context.turns.shared():
            yield
        return
    async with context.turns.exclusive() as turn:
        if turn.is_alone:
            await mark(ISOLATED)
            turn.on_company = partial(mark, LIVES)
        try:
            yield
        finally:
            # The process is alive: nobody is to blame, until it dies in one of the next stages.
            await mark(LIVES)


@asynccontextmanager
async def job_alone(context: Context, claim: Claim) -> AsyncIterator[None]:
    """``alone`` for the job of a step."""

    async def mark(lives: int) -> None:
        await context.store.record_lives(claim.tenant, claim.step, lives)

    lives = claim.claims
    if lives == LIVES:
        # It may have got on since it was claimed, and then begins its lives again.
        lives = await context.store.lives(claim.tenant, claim.step)
    async with alone(context, lives, mark):
        yield
