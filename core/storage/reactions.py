"""What a team thinks of its pictures and has begun to ask for.

Reactions, what was chosen, drafts, and deleting.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update

from core.errors import NotFound
from core.post import Tally
from core.storage.database import inserting, reading
from core.storage.shielding import shielded
from core.storage.tables import (
    drafts,
    pictures,
    reactions,
    sessions,
    step_pictures,
    steps,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

DRAFT_LIFE = timedelta(days=1)
VOTE, FAVOURITE = "vote", "favourite"


@shielded
class ReactionStore:
    """Reactions, drafts and deletions in one database. Each method is one transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reading = reading(engine)
        self._writing = engine
        self._insert = inserting(engine)

    async def react(
        self, tenant: str, step: str, person: str, kind: str, index: int = 0
    ) -> Tally:
        """Vote for a picture, or mark a favourite: once a person, however often it is delivered."""
        row = {
            "tenant": tenant,
            "step": step,
            "person": person,
            "kind": kind,
            "position": index,
        }
        async with self._writing.begin() as connection:
            await connection.execute(
                self._insert(reactions).values(row).on_conflict_do_nothing()
            )
            return await _tally(connection, tenant, step)

    async def unreact(
        self, tenant: str, step: str, person: str, kind: str, index: int = 0
    ) -> Tally:
        """Take it back."""
        gone = delete(reactions).where(
            reactions.c.tenant == tenant,
            reactions.c.step == step,
            reactions.c.person == person,
            reactions.c.kind == kind,
            reactions.c.position == index,
        )
        async with self._writing.begin() as connection:
            await connection.execute(gone)
            return await _tally(connection, tenant, step)

    async def tally(self, tenant: str, step: str) -> Tally:
        """The counts."""
        async with self._reading.begin() as connection:
            return await _tally(connection, tenant, step)

    async def choose(self, tenant: str, step: str, index: int) -> None:
        """The picture of a step that was settled on."""
        change = (
            update(steps)
            .where(steps.c.tenant == tenant, steps.c.id == step)
            .values(chosen=index)
        )
        async with self._writing.begin() as connection:
            await connection.execute(change)

    async def draft(
        self, tenant: str, draft: str, request: Mapping[str, Any], now: datetime
    ) -> None:
        """Keep a request that waits for something.

        The same again changes nothing; old ones are swept.
        """
        row = {
            "tenant": tenant,
            "id": draft,
            "request": dict(request),
            "created": now,
            "used": False,
        }
        async with self._writing.begin() as connection:
            await connection.execute(
                delete(drafts).where(drafts.c.created < now - DRAFT_LIFE)
            )
            await connection.execute(
                self._insert(drafts).values(row).on_conflict_do_nothing()
            )

    async def read_draft(self, tenant: str, draft: str) -> tuple[dict[str, Any], bool]:
        """The request, and whether it was used already. Raises NotFound."""
        query = select(drafts.c.request, drafts.c.used).where(
            drafts.c.tenant == tenant, drafts.c.id == draft
        )
        async with self._reading.begin() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise NotFound("refuse.draft_gone")
        return dict(row.request), bool(row.used)

    async def use_draft(self, tenant: str, draft: str) -> bool:
        """True for the first who uses it, and only for them."""
        change = update(drafts).where(
            drafts.c.tenant == tenant, drafts.c.id == draft, drafts.c.used.is_(False)
        )
        async with self._writing.begin() as connection:
            return bool((await connection.execute(change.values(used=True))).rowcount)

    async def delete(self, tenant: str, step: str, now: datetime) -> list[str]:
        """Mark a step deleted and move heads off it; its blobs that nothing else needs.

        What others made from them keeps its own inputs. Until ``forget_outputs`` it says the same
        again.
        """
        async with self._writing.begin() as connection:
            is_it = and_(steps.c.tenant == tenant, steps.c.id == step)
            await connection.execute(
                update(steps)
                .where(is_it)
                .values(deleted=func.coalesce(steps.c.deleted, now), chosen=None)
            )
            keys = await _only_its_own(connection, tenant, step)
            parent, index = await _living_parent(connection, tenant, step)
            moved = update(sessions).where(
                sessions.c.tenant == tenant, sessions.c.head_step == step
            )
            await connection.execute(moved.values(head_step=parent, head_index=index))
            return keys + await _only_their_thumbnails(connection, tenant, keys)

    async def forget_outputs(self, tenant: str, step: str) -> list[str]:
        """The bytes are gone: what pointed to them goes, too. Thumbnails nothing else needs.

        One may have been made since ``delete`` named them; none is made afterwards.
        """
        held = _outputs(tenant, step)
        async with self._writing.begin() as connection:
            keys = await _only_its_own(connection, tenant, step)
            await connection.execute(delete(step_pictures).where(held))
            gone = pictures.c.tenant == tenant, pictures.c.key.in_(keys)
            # A thumbnail may be recorded now: once the rows are locked it is known, or refused.
            await connection.execute(
                select(pictures.c.key).where(*gone).with_for_update()
            )
            thumbnails = await _only_their_thumbnails(connection, tenant, keys)
            await connection.execute(delete(pictures).where(*gone))
            return thumbnails


async def _tally(connection: AsyncConnection, tenant: str, step: str) -> Tally:
    """Votes by picture.

    Favourites by person, whatever emoji they like it with, and with how many.
    """
    is_about = and_(reactions.c.tenant == tenant, reactions.c.step == step)
    voted = select(reactions.c.position, func.count()).where(
        is_about, reactions.c.kind == VOTE
    )
    votes = (
        await connection.execute(
            voted.group_by(reactions.c.position).order_by(reactions.c.position)
        )
    ).all()
    liked = select(func.count(reactions.c.person.distinct())).where(
        is_about, reactions.c.kind == FAVOURITE
    )
    favourites = (await connection.execute(liked)).scalar_one()
    return Tally(
        votes={position: count for position, count in votes}, favourites=favourites
    )


async def _living_parent(
    connection: AsyncConnection, tenant: str, step: str
) -> tuple[str | None, int]:
    """The nearest step above that still has its pictures."""
    columns = (steps.c.parent, steps.c.parent_index, steps.c.deleted)
    row = (
        await connection.execute(
            select(*columns).where(steps.c.tenant == tenant, steps.c.id == step)
        )
    ).one()
    while row.parent is not None:
        query = select(*columns).where(
            steps.c.tenant == tenant, steps.c.id == row.parent
        )
        above = (await connection.execute(query)).one()
        if above.deleted is None:
            return row.parent, row.parent_index
        row = above
    return None, 0


def _outputs(tenant: str, step: str) -> ColumnElement[bool]:
    return and_(
        step_pictures.c.tenant == tenant,
        step_pictures.c.step == step,
        step_pictures.c.role == "output",
    )


async def _only_its_own(
    connection: AsyncConnection, tenant: str, step: str
) -> list[str]:
    """Keys of a step's outputs that no other row holds."""
    keys = [
        str(one)
        for one in (
            await connection.execute(
                select(step_pictures.c.key).where(_outputs(tenant, step))
            )
        ).scalars()
    ]
    others = select(step_pictures.c.key).where(
        step_pictures.c.tenant == tenant,
        step_pictures.c.key.in_(keys),
        ~_outputs(tenant, step),
    )
    needed = set((await connection.execute(others)).scalars())
    return [key for key in keys if key not in needed]


async def _only_their_thumbnails(
    connection: AsyncConnection,
    tenant: str,
    keys: Collection[str],
) -> list[str]:
    """Keys of these pictures' thumbnails that no other picture has, or is."""
    here = pictures.c.tenant == tenant
    theirs = pictures.c.key.in_(keys)
    query = select(pictures.c.thumbnail).distinct().where(here, theirs)
    thumbnails = sorted(filter(None, (await connection.execute(query)).scalars()))
    others = select(pictures.c.key, pictures.c.thumbnail).where(
        here,
        ~theirs,
        or_(pictures.c.key.in_(thumbnails), pictures.c.thumbnail.in_(thumbnails)),
    )
    needed = {key for row in await connection.execute(others) for key in row}
    return [key for key in thumbnails if key not in needed]
