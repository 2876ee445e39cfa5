"""Whose turn it is to ask an image service, where several processes share an account's limit.

A row an account says when the latest turn is, by the database's clock; each turn moves it on.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from core.storage.shielding import shielded

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

QUERIES_A_SECOND = 18
"""Of all processes, of the 20 that the vendor allows an account."""
APART = timedelta(seconds=1 / QUERIES_A_SECOND)
# A turn that a crash of the database forgets harms nothing, so no commit waits for the disk.
QUICKLY = text("SET LOCAL synchronous_commit TO off")
TAKE = text(
    """
    INSERT INTO query_turns AS turn (account, taken) VALUES (:account, clock_timestamp())
    ON CONFLICT (account) DO UPDATE SET taken = greatest(turn.taken + :apart, clock_timestamp())
    RETURNING CAST(extract(epoch FROM taken - clock_timestamp()) AS float)
    """
)

log = structlog.get_logger()


@shielded
class QueryTurns:
    """The turns of every account, on PostgreSQL."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def take(self, account: str) -> float:
        """Take the account's next turn; return the seconds until then.

        Nothing to wait for where the database is away: each process has a limit of its own, too.
        """
        turn = {"account": account, "apart": APART}
        try:
            async with self._engine.begin() as connection:
                await connection.execute(QUICKLY)
                result = await connection.execute(TAKE, turn)
                return max(float(result.scalar_one()), 0.0)
        except (SQLAlchemyError, OSError) as error:
            log.warning("no_query_turn", error=type(error).__name__)
            return 0.0
