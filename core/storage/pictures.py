"""The rows of pictures: thumbnails, and what goes when a step is deleted."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import (
    ColumnElement,
    and_,
    delete,
    exists,
    func,
    null,
    or_,
    select,
    update,
)

from core.storage.shielding import shielded
from core.storage.tables import (
    UNFINISHED,
    pictures,
    sessions,
    step_pictures,
    steps,
)
from core.storage.transactions import Transactions
from core.types import PictureRole, StepId, Tenant

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


@shielded
class PictureStore(Transactions):
    """Thumbnails and deletions. Each method is one transaction."""

    async def record_thumbnail(
        self,
        tenant: str,
        picture: str,
        thumbnail: str,
    ) -> bool:
        """Which blob is a picture's thumbnail. False when the picture is no longer there."""
        change = update(pictures).filter_by(tenant=tenant, key=picture)
        return bool(await self._write(change.values(thumbnail=thumbnail)))

    async def delete_step(
        self,
        tenant: str,
        step: str,
        now: datetime,
    ) -> list[str]:
        """Mark a step deleted and move heads off it; return its blobs that nothing else needs.

        Its words go at once. Steps made from its pictures keep what they made, but not these
        pictures as their inputs. Until ``forget_outputs`` it returns the same blobs again.
        """
        mark = (
            update(steps)
            .filter_by(tenant=tenant, id=step)
            .values(
                deleted=func.coalesce(steps.c.deleted, now),
                chosen=None,
                text=None,
                prompt="",
                outcome=null(),
            )
        )
        options = select(steps.c.options).filter_by(tenant=tenant, id=step)
        async with self._writing.begin() as connection:
            result = await connection.execute(options)
            chosen = result.scalar()
            if chosen is None:
                # Another process has pruned it.
                return []
            is_private = bool(chosen.get("private"))
            # The only option that says nothing of the picture.
            words = {"options": {"private": is_private}}
            await connection.execute(mark.values(words))
            keys = await _unshared_keys(connection, tenant, step)
            # The next edit must not start from a picture that is gone.
            parent, index = await _living_parent(connection, tenant, step)
            move = (
                update(sessions)
                .filter_by(tenant=tenant, head_step=step)
                .values(head_step=parent, head_index=index)
            )
            await connection.execute(move)
            return keys + await _unshared_thumbnails(connection, tenant, keys)

    async def forget_outputs(self, tenant: str, step: str) -> list[str]:
        """Once the bytes are gone: remove the rows that point to them.

        Returns thumbnails that nothing else needs. One may have been made since ``delete_step``
        returned them; none is made afterwards.
        """
        async with self._writing.begin() as connection:
            # Asked for again: another step may have begun to use one since.
            keys = await _unshared_keys(connection, tenant, step)
            rows = _rows_of(tenant, step)
            await connection.execute(delete(step_pictures).where(rows))
            are_unshared = and_(
                pictures.c.tenant == tenant, pictures.c.key.in_(keys)
            )
            # A thumbnail may be recorded just now: once the rows are locked it is seen, or refused.
            lock = select(pictures.c.key).where(are_unshared).with_for_update()
            await connection.execute(lock)
            thumbnails = await _unshared_thumbnails(connection, tenant, keys)
            await connection.execute(delete(pictures).where(are_unshared))
            return thumbnails

    async def leftovers(self) -> list[tuple[Tenant, StepId]]:
        """Tenant and id of deleted steps that still have pictures, or left them as inputs."""
        child = steps.alias("child")
        has_own = exists().where(
            step_pictures.c.tenant == steps.c.tenant,
            step_pictures.c.step == steps.c.id,
        )
        has_copy = exists().where(
            child.c.tenant == steps.c.tenant,
            child.c.parent == steps.c.id,
            child.c.told.is_(True),
            step_pictures.c.tenant == child.c.tenant,
            step_pictures.c.step == child.c.id,
            step_pictures.c.role == PictureRole.INPUT,
        )
        is_deleted = steps.c.deleted.is_not(None)
        query = select(steps.c.tenant, steps.c.id).where(
            is_deleted, or_(has_own, has_copy)
        )
        rows = await self._fetch_all(query)
        return [(row["tenant"], row["id"]) for row in rows]


def _rows_of(tenant: str, step: str) -> ColumnElement[bool]:
    """Rows of the step's own pictures, and of the inputs that others have from it."""
    children = select(steps.c.id).filter_by(tenant=tenant, parent=step)
    is_copy = and_(
        # A job that still runs needs its input; Retention takes it afterwards.
        step_pictures.c.step.in_(children.where(~UNFINISHED)),
        step_pictures.c.role == PictureRole.INPUT,
    )
    is_own = step_pictures.c.step == step
    return and_(step_pictures.c.tenant == tenant, or_(is_own, is_copy))


async def _living_parent(
    connection: AsyncConnection,
    tenant: str,
    step: str,
) -> tuple[str | None, int]:
    """The nearest step above that still has its pictures."""
    columns = select(steps.c.parent, steps.c.parent_index, steps.c.deleted)
    result = await connection.execute(
        columns.filter_by(tenant=tenant, id=step)
    )
    row = result.one()
    while row.parent is not None:
        result = await connection.execute(
            columns.filter_by(tenant=tenant, id=row.parent)
        )
        parent = result.one()
        if parent.deleted is None:
            return row.parent, row.parent_index
        row = parent
    return None, 0


async def _unshared_keys(
    connection: AsyncConnection,
    tenant: str,
    step: str,
) -> list[str]:
    """Keys of a step's pictures that no other row holds."""
    rows = _rows_of(tenant, step)
    result = await connection.execute(select(step_pictures.c.key).where(rows))
    keys = sorted(set(result.scalars()))
    others = (
        select(step_pictures.c.key)
        .filter_by(tenant=tenant)
        .where(step_pictures.c.key.in_(keys), ~rows)
    )
    result = await connection.execute(others)
    shared = set(result.scalars())
    return [key for key in keys if key not in shared]


async def _unshared_thumbnails(
    connection: AsyncConnection,
    tenant: str,
    keys: Collection[str],
) -> list[str]:
    """Keys of these pictures' thumbnails that no other picture has, or is."""
    in_tenant = pictures.c.tenant == tenant
    is_given = pictures.c.key.in_(keys)
    query = select(pictures.c.thumbnail).distinct().where(in_tenant, is_given)
    result = await connection.execute(query)
    thumbnails = sorted(filter(None, result.scalars()))
    is_used = or_(
        pictures.c.key.in_(thumbnails), pictures.c.thumbnail.in_(thumbnails)
    )
    others = select(pictures.c.key, pictures.c.thumbnail)
    shared: set[str | None] = set()
    for row in await connection.execute(
        others.where(in_tenant, ~is_given, is_used)
    ):
        shared |= {row.key, row.thumbnail}
    return [key for key in thumbnails if key not in shared]
