"""Votes for pictures, and favourites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, func, select

from core.post import Tally
from core.storage.shielding import shielded
from core.storage.tables import reactions
from core.storage.transactions import Transactions
from core.types import CountedReaction

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


@shielded
class ReactionStore(Transactions):
    """Reactions in one database. Each method is one transaction."""

    async def add(
        self,
        tenant: str,
        step: str,
        person: str,
        kind: CountedReaction,
        index: int = 0,
    ) -> Tally:
        """Count one person's reaction to a picture once, however often it is delivered."""
        row = {
            "tenant": tenant,
            "step": step,
            "person": person,
            "kind": kind,
            "position": index,
        }
        reaction = self._insert(reactions).values(row).on_conflict_do_nothing()
        async with self._writing.begin() as connection:
            await connection.execute(reaction)
            return await _tally(connection, tenant, step)

    async def remove(
        self,
        tenant: str,
        step: str,
        person: str,
        kind: CountedReaction,
        index: int = 0,
    ) -> Tally:
        """Remove a reaction that was counted."""
        reaction = delete(reactions).filter_by(
            tenant=tenant,
            step=step,
            person=person,
            kind=kind,
            position=index,
        )
        async with self._writing.begin() as connection:
            await connection.execute(reaction)
            return await _tally(connection, tenant, step)

    async def tally(self, tenant: str, step: str) -> Tally:
        """The counts."""
        async with self._reading.begin() as connection:
            return await _tally(connection, tenant, step)


async def _tally(connection: AsyncConnection, tenant: str, step: str) -> Tally:
    """Votes by picture; favourites by person, who counts once however many emoji they use."""
    is_of_step = and_(reactions.c.tenant == tenant, reactions.c.step == step)
    votes_query = (
        select(reactions.c.position, func.count())
        .filter_by(kind=CountedReaction.VOTE)
        .where(is_of_step)
        .group_by(reactions.c.position)
        .order_by(reactions.c.position)
    )
    favourites_query = select(func.count(reactions.c.person.distinct())).where(
        is_of_step, reactions.c.kind == CountedReaction.FAVOURITE
    )
    votes = await connection.execute(votes_query)
    favourites = await connection.execute(favourites_query)
    return Tally(
        votes={position: count for position, count in votes},
        favourites=favourites.scalar_one(),
    )
