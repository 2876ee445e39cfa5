"""The door into the core: every event of every platform comes in here.

``receive`` commits an event and answers it later, in the chat. Where an adapter needs the answer
at once (the room, the terminal), ``understand`` and ``answer`` go the same way in the foreground.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from core import interpret, sessions
from core.answers import choices, drafts, masks
from core.answers.dispatch import DRAFT_ACTIONS, build_form, dispatch
from core.flow import replies, understand
from core.flow.context import Context
from core.forms import Form
from core.incoming import Incoming
from core.log import log
from core.meaning import NOWHERE, Choice, Meaning, OpenForm
from core.post import Post
from core.presses import RecentPresses
from core.relevance import Relevance, relevance
from core.types import Request, StepId, Tenant
from core.views import steps

LOOK_SECONDS, MOST_LOOKS = 1.5, 200
"""How long, and how many at a time, we look whether something is for us before it is rather kept.
"""


class Jobs(Protocol):
    """Runs jobs durably (core.engine)."""

    async def take(self, request: Request) -> None:
        """One durable commit of a request that is understood."""
        ...

    async def receive(self, incoming: Incoming) -> None:
        """One durable commit; the event is understood and answered later."""
        ...

    def retry_deliveries(self, platform: str) -> None:
        """Try again to show what a platform would not take."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to say or ask at once.

    ``accepted`` is the step that will follow; all None when there is nothing to say.
    """

    post: Post | None = None
    form: Form | None = None
    accepted: StepId | None = None


class Service:
    """Takes the events of every platform."""

    def __init__(self, context: Context, jobs: Jobs) -> None:
        self._context = context
        self._jobs = jobs
        self._presses = RecentPresses()
        self._looks: set[asyncio.Task[bool]] = set()

    # Later, in the chat

    async def receive(self, incoming: Incoming) -> bool:
        """Accept an event after one durable commit and nothing else; the answer comes in the chat.

        False for events that are dropped: those not for us, after one look-up at most, and a
        button pressed twice at once.
        """
        first_look = relevance(incoming)
        if first_look is Relevance.NONE:
            return False
        if first_look is Relevance.CERTAIN or await self._may_be_for_us(
            incoming
        ):
            return await self._receive_once(incoming)
        return False

    def platform_is_back(self, platform: str) -> None:
        """A platform answers again, or has let us in somewhere: show what it would not take."""
        self._jobs.retry_deliveries(platform)

    async def _receive_once(self, incoming: Incoming) -> bool:
        if self._presses.is_double(incoming):
            return False
        try:
            await self._jobs.receive(incoming)
        except BaseException:
            self._presses.forget(incoming)
            raise
        return True

    async def _may_be_for_us(self, incoming: Incoming) -> bool:
        """Whether the event may be for us.

        Yes when that cannot be told in time: the event is stored and looked at later.
        """
        answered = incoming.answers
        if answered is not None and answered.pictures and not answered.is_ours:
            # The person's own picture.
            return True
        if len(self._looks) >= MOST_LOOKS:
            return True
        message = answered.message if answered is not None else ""
        look = asyncio.create_task(
            self._context.store.may_show_step(incoming.place, message),
            name="look",
        )
        self._looks.add(look)
        look.add_done_callback(self._looked)
        await asyncio.wait({look}, timeout=LOOK_SECONDS)
        if not look.done() or look.exception() is not None:
            return True
        return look.result()

    def _looked(self, look: asyncio.Task[bool]) -> None:
        self._looks.discard(look)
        if not look.cancelled() and look.exception() is not None:
            log.warning("not_looked", error=type(look.exception()).__name__)

    # At once

    async def understand(self, incoming: Incoming) -> Meaning | None:
        """Return what an event asks for, None when that is nothing. Raises Rejected or NotFound."""
        completed = await understand.complete(self._context, incoming)
        if completed is None:
            return None
        return await understand.understand(self._context, completed)

    async def answer(self, meaning: Meaning) -> Answer:
        """Answer now, or accept a job after one durable commit.

        Raises Rejected or NotFound: say so privately.
        """
        if isinstance(meaning, OpenForm):
            return Answer(form=await build_form(self._context, meaning))
        if isinstance(meaning, Choice):
            return Answer(
                post=await choices.offer(self._context, meaning.request)
            )
        if meaning.action not in DRAFT_ACTIONS:
            return await self._answer(meaning)
        async with self._context.draft_lock(
            meaning.place.tenant, meaning.target or ""
        ):
            return await self._answer(meaning)

    async def _answer(self, request: Request) -> Answer:
        reply = await dispatch(self._context, request)
        if not isinstance(reply, Request):
            return Answer(post=reply)
        answer = await self._take(reply)
        await drafts.consume(self._context, reply)
        return answer

    async def _take(self, request: Request) -> Answer:
        await self._jobs.take(request)
        step = sessions.step_id(request)
        return Answer(
            post=steps.acknowledgement_post(request, step),
            accepted=step,
        )

    async def paint(
        self,
        tenant: Tenant,
        draft: str,
        mask: bytes,
        prompt: str,
    ) -> Answer:
        """Continue a draft with the mask from the painter, once.

        Raises Rejected when it was used.
        """
        async with self._context.draft_lock(tenant, draft):
            request = await masks.complete_with_mask(
                self._context,
                tenant,
                draft,
                mask,
                prompt,
            )
            return await self._answer(request)

    # Forms, while a platform still lets us show one

    def asks_first(self, incoming: Incoming) -> bool:
        """Whether a form must be opened before anything else. No I/O."""
        return interpret.asks_first(incoming)

    async def open_form(self, incoming: Incoming) -> None:
        """Show the form of a completed event. Raises Rejected or NotFound."""
        meaning = await understand.understand(self._context, incoming)
        if isinstance(meaning, OpenForm):
            form = await build_form(self._context, meaning)
            await replies.show_form(self._context, meaning.request, form)

    async def reopen_form(self, draft: Incoming) -> Form:
        """The form of a draft once more. Raises Rejected or NotFound."""
        return await build_form(self._context, interpret.reopen(draft))

    def check(self, incoming: Incoming) -> None:
        """Refuse a form that is wrong in itself. No I/O before the commit."""
        meaning = interpret.interpret(incoming, NOWHERE)
        if isinstance(meaning, Request) and meaning.action.makes_pictures:
            self.check_request(meaning)

    def check_request(self, request: Request) -> None:
        """Refuse what is wrong in itself: options, model, prompt, number of pictures."""
        replies.check(self._context, request)
