"""What the changes of a step have in common, inside their transactions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Update, func, select, update

from core.sessions import heads_of
from core.storage import mapping
from core.storage.steps import StepStore
from core.storage.tables import pictures, sessions, step_pictures, steps
from core.types import Head, Picture, PictureRole, Step, StepState

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


class StepWriter(StepStore):
    """Locks, sessions and pictures, for the methods that change a step."""

    async def _change_step(
        self,
        change: Update,
        tenant: str,
        step: str,
    ) -> Step | None:
        async with self._writing.begin() as connection:
            result = await connection.execute(change)
            if not result.rowcount:
                return None
            return await self._get(connection, tenant, step)

    async def _lock(self, connection: AsyncConnection, name: str) -> None:
        """Let one transaction of that name run at a time. SQLite has a single writer."""
        if self._writing.dialect.name == "postgresql":
            lock = func.pg_advisory_xact_lock(func.hashtext(name))
            await connection.execute(select(lock))

    async def _ensure_session(
        self,
        connection: AsyncConnection,
        tenant: str,
        session: str,
    ) -> None:
        row = {
            "tenant": tenant,
            "id": session,
            "head_index": 0,
            "last_number": 0,
        }
        new_session = self._insert(sessions).values(row)
        await connection.execute(new_session.on_conflict_do_nothing())

    async def _move_heads(
        self, connection: AsyncConnection, step: Step
    ) -> None:
        head = Head(step=step.id)
        for session in sorted(heads_of(step)):
            await self._set_head(connection, step.tenant, session, head)

    async def _add_pictures(
        self,
        connection: AsyncConnection,
        step: Step,
        role: PictureRole,
        added: Iterable[Picture],
    ) -> None:
        for position, picture in enumerate(added):
            picture_row = mapping.picture_row(step.tenant, picture)
            await connection.execute(
                self._insert(pictures)
                .values(picture_row)
                .on_conflict_do_update(
                    index_elements=["tenant", "key"],
                    set_=_newer_columns(picture),
                )
            )
            row = {
                "tenant": step.tenant,
                "step": step.id,
                "role": role,
                "position": position,
                "key": picture.key,
            }
            held = self._insert(step_pictures).values(row)
            await connection.execute(held.on_conflict_do_nothing())

    async def _set_head(
        self,
        connection: AsyncConnection,
        tenant: str,
        session: str,
        head: Head | None,
    ) -> None:
        await self._ensure_session(connection, tenant, session)
        columns: dict[str, Any] = {"head_step": None, "head_index": 0}
        if head is not None:
            columns = {"head_step": head.step, "head_index": head.index}
        change = update(sessions).filter_by(tenant=tenant, id=session)
        await connection.execute(change.values(columns))


def change_from(state: StepState, tenant: str, step: str) -> Update:
    """Change a step that is still in that state, and no other."""
    return update(steps).filter_by(tenant=tenant, id=step, state=state)


def _newer_columns(picture: Picture) -> dict[str, Any]:
    """What a picture that is stored already takes over from the same one made again."""
    if picture.url:
        return {"url": picture.url, "url_expires": picture.url_expires}
    # Nothing is newer, but the change locks the row: it may be about to be deleted.
    return {"length": picture.length}
