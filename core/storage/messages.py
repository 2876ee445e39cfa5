"""Which message shows which step, and what is about to be posted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import RowMapping, delete, exists, or_, select

from core.errors import NotFound
from core.post import PostedMessage
from core.storage.shielding import shielded
from core.storage.tables import UNFINISHED, drawings, messages, posting, steps
from core.storage.transactions import Transactions
from core.storage.unrelated import UnrelatedMessages
from core.types import MessageRole, Place, Step, StepId, StepState, Tenant

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine


@shielded
class MessageStore(Transactions):
    """Messages and posts to come. Each method is one transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        # On PostgreSQL other processes write too.
        self._unrelated = UnrelatedMessages(
            is_alone=engine.dialect.name == "sqlite"
        )

    async def remember(
        self,
        sent: PostedMessage,
        tenant: str,
        step: str,
        role: MessageRole = MessageRole.STATUS,
    ) -> None:
        """Record which message shows a step: how a reply or a reaction finds its picture."""
        channel = sent.place.channel
        roles = [(sent, role)]
        roles += [(picture, MessageRole.PICTURE) for picture in sent.pictures]
        async with self._writing.begin() as connection:
            for message, its_role in roles:
                row = {
                    "tenant": tenant,
                    "channel": channel,
                    "thread": message.place.thread,
                    "message": message.message,
                    "step": step,
                    "role": its_role,
                }
                insert = self._insert(messages).values(row)
                await connection.execute(insert.on_conflict_do_nothing())
        for message, _ in roles:
            # A message can be the first of a thread, which is then named after it.
            for thread in (message.place.thread, message.message):
                self._unrelated.discard((tenant, channel, thread, ""))
            self._unrelated.discard((tenant, channel, "", message.message))

    async def intend_post(
        self,
        tenant: str,
        job: str,
        role: MessageRole,
    ) -> bool:
        """Note a post before it is sent: True the first time.

        Else it may have gone through, and is read back first.
        """
        if role is not MessageRole.STATUS:
            self._unrelated.note_post(tenant)
        row = {"tenant": tenant, "job": job, "role": role}
        insert = self._insert(posting).values(row).on_conflict_do_nothing()
        async with self._writing.begin() as connection:
            # Not its rowcount: PostgreSQL's driver gives none for such a statement.
            result = await connection.execute(insert.returning(posting.c.job))
            return result.first() is not None

    async def note_failed_delivery(self, tenant: str, step: str) -> None:
        """Note that a result is still to be shown."""
        row = {"tenant": tenant, "job": step, "role": MessageRole.UNDELIVERED}
        insert = self._insert(posting).values(row)
        await self._write(insert.on_conflict_do_nothing())

    async def failed_deliveries(self) -> list[tuple[Tenant, StepId]]:
        """The steps with results still to be shown, the oldest first."""
        query = select(posting.c.tenant, posting.c.job)
        query = query.filter_by(role=MessageRole.UNDELIVERED)
        rows = await self._fetch_all(query.order_by(posting.c.at))
        return [(row["tenant"], row["job"]) for row in rows]

    async def take_failed_delivery(self, tenant: str, step: str) -> bool:
        """Take it to show it now. True only for the first caller."""
        taken = delete(posting).filter_by(
            tenant=tenant, job=step, role=MessageRole.UNDELIVERED
        )
        return bool(await self._write(taken))

    async def message_of(
        self,
        step: Step,
        role: MessageRole = MessageRole.STATUS,
    ) -> PostedMessage | None:
        """The message of a step in that role."""
        query = select(messages).filter_by(
            tenant=step.tenant,
            step=step.id,
            role=role,
        )
        row = await self._fetch_first(query)
        return None if row is None else _posted_message(step, row)

    async def messages_of(self, step: Step) -> list[PostedMessage]:
        """Every message that shows a step, copies and answers included."""
        query = select(messages).filter_by(tenant=step.tenant, step=step.id)
        return [
            _posted_message(step, row) for row in await self._fetch_all(query)
        ]

    async def remember_drawing(
        self, sent: PostedMessage, steps: Sequence[str]
    ) -> None:
        """Record which steps the drawn picture of a message shows; nothing for none."""
        rows = [
            {
                "tenant": message.place.tenant,
                "channel": message.place.channel,
                "thread": message.place.thread,
                "message": message.message,
                "step": step,
            }
            for message in (sent, *sent.pictures)
            for step in steps
        ]
        if rows:
            insert = self._insert(drawings).values(rows)
            await self._write(insert.on_conflict_do_nothing())

    async def drawings_of(self, step: Step) -> list[PostedMessage]:
        """Every message with a drawn picture of a step: histories, comparisons."""
        query = select(drawings).filter_by(tenant=step.tenant, step=step.id)
        return [
            _posted_message(step, row) for row in await self._fetch_all(query)
        ]

    async def step_of_message(self, place: Place, message: str) -> StepId:
        """The step that a message shows. Raises NotFound."""
        query = select(messages.c.step).filter_by(
            tenant=place.tenant,
            channel=place.channel,
            message=message,
        )
        step: StepId | None = await self._fetch_scalar(query)
        if step is None:
            raise NotFound("refuse.not_found", id=message)
        return step

    async def is_step_thread(self, place: Place) -> bool:
        """Does the thread hang from a message that shows a step, or hold one?"""
        if not place.thread:
            return False
        in_channel = exists().where(
            messages.c.tenant == place.tenant,
            messages.c.channel == place.channel,
        )
        is_root = in_channel.where(messages.c.message == place.thread)
        is_inside = in_channel.where(messages.c.thread == place.thread)
        return bool(await self._fetch_scalar(select(or_(is_inside, is_root))))

    async def may_show_step(self, place: Place, message: str = "") -> bool:
        """Whether this message, or the place's thread, may show a step now or in a moment.

        It looks at the database once at most. People may answer a post before it is remembered, so
        the answer is also True while a post may be on its way into that channel, from any process:
        a step's first message until it is remembered, a result until it is DONE; and for a moment
        after this process has begun to post anything else.
        """
        thread = "" if message else place.thread
        name = (place.tenant, place.channel, thread, message)
        if self._unrelated.is_posting(place.tenant):
            return True
        if not (thread or message) or name in self._unrelated:
            return False
        changes = self._unrelated.changes
        in_channel = exists().where(
            messages.c.tenant == place.tenant,
            messages.c.channel == place.channel,
        )
        reasons = [in_channel.where(messages.c.message == (message or thread))]
        if thread:
            reasons.append(in_channel.where(messages.c.thread == thread))
        has_message = exists().where(
            messages.c.tenant == steps.c.tenant, messages.c.step == steps.c.id
        )
        post_is_coming = exists().where(
            UNFINISHED,
            steps.c.tenant == place.tenant,
            steps.c.channel == place.channel,
            or_(steps.c.state == StepState.MADE, ~has_message),
        )
        may_show = await self._fetch_scalar(
            select(or_(*reasons, post_is_coming))
        )
        if not may_show:
            self._unrelated.add(name, changes)
        return bool(may_show)


def _posted_message(step: Step, row: RowMapping) -> PostedMessage:
    place = replace(step.place, channel=row["channel"], thread=row["thread"])
    return PostedMessage(place=place, message=row["message"])
