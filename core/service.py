"""Use cases: what happens when a request comes in.

Work for the service is enqueued; all else is answered at once.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Protocol

from core import forms, sessions
from core.answers import masks, settings
from core.answers.dispatch import dispatch
from core.answers.lookup import current_step
from core.errors import Rejected
from core.flow import hear, prepare, replies
from core.flow.context import Context
from core.forms import FUNCTION, Form
from core.log import log
from core.operations import ASKS_FIRST, BUTTONS
from core.post import ButtonKind, Post
from core.types import Action, Request
from core.views import steps

LOOK_SECONDS, MOST_LOOKS = 1.5, 200
"""How long, and how many at a time, we look whether something is for us before it is rather kept."""


class Jobs(Protocol):
    """Whoever runs jobs durably (core.engine)."""

    async def take(self, request: Request) -> None:
        """One durable commit."""
        ...

    async def hear(self, request: Request) -> None:
        """One durable commit; the request is understood and answered later."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to say or ask at once.

    ``accepted`` is the step that will follow; all None when there is nothing to say.
    """

    post: Post | None = None
    form: Form | None = None
    accepted: str | None = None


class Service:
    """Takes requests from every platform."""

    def __init__(self, context: Context, jobs: Jobs) -> None:
        self._context = context
        self._jobs = jobs
        self._looks: set[asyncio.Task[bool]] = set()

    async def hear(self, request: Request) -> None:
        """Accept after one durable commit and nothing else; the answer comes in the chat.

        What is not for us is let go by, after one look at most.
        """
        if hear.is_to_us(request) or await self._may_be_for_us(request):
            await self._jobs.hear(request)

    async def _may_be_for_us(self, request: Request) -> bool:
        """May it be for us?

        Yes when that cannot be told in time: then it is kept, and looked at later.
        """
        if len(self._looks) >= MOST_LOOKS:
            return True
        look = asyncio.create_task(
            self._context.store.may_show_step(request.place, request.message),
            name="look",
        )
        self._looks.add(look)
        look.add_done_callback(self._looked)
        await asyncio.wait({look}, timeout=LOOK_SECONDS)
        return not look.done() or look.exception() is not None or look.result()

    def _looked(self, look: asyncio.Task[bool]) -> None:
        self._looks.discard(look)
        if not look.cancelled() and look.exception() is not None:
            log.warning("not_looked", error=type(look.exception()).__name__)

    async def handle(self, request: Request) -> Answer:
        """Accept after one durable commit, or answer now.

        Raises Rejected or NotFound: say so privately.
        """
        if request.action is Action.REGION:
            return await self._with_region(request)
        found = await dispatch(self._context, request)
        if isinstance(found, Request):
            return await self._take(found)
        return Answer(form=found) if isinstance(found, Form) else Answer(post=found)

    async def press(self, kind: ButtonKind, request: Request) -> Answer:
        """A button was pressed; ``target`` and ``index`` are what stood in its id.

        A form for those that need words.
        """
        if kind not in BUTTONS:
            raise Rejected("button.unknown")
        request = replace(request, action=BUTTONS[kind])
        return (
            Answer(form=await self.ask(request))
            if kind in ASKS_FIRST
            else await self.handle(request)
        )

    async def react(self, emoji: str, request: Request, *, added: bool) -> Answer:
        """A reaction to a message of ours was added or taken away.

        One that means nothing gets no answer.
        """
        wish = await hear.reacted(
            self._context, replace(request, text=emoji, added=added)
        )
        return Answer() if wish is None else await self.handle(wish)

    async def ask(self, request: Request) -> Form:
        """What to ask before a request can be handled: words, pictures, options, settings.

        Raises Rejected.
        """
        if request.action is Action.SETTINGS:
            return await settings.form(self._context, request)
        if FUNCTION in request.given:
            return forms.functions(request.locale)
        if request.target is None:
            return replies.form_for(self._context, request)
        _, step = await current_step(self._context, request)
        index = request.index if request.index is not None else step.chosen or 0
        sessions.picture_at(step, index)
        if request.action is Action.RERUN:
            edits = (await prepare.chain_of(self._context, step))[1]
            request = replace(request, text=sessions.merged_instructions(edits))
        return replies.form_for(self._context, replace(request, index=index))

    async def paint(self, tenant: str, draft: str, mask: bytes, prompt: str) -> Answer:
        """A mask came from the painter: the draft goes on, once.

        Raises Rejected when it was used.
        """
        async with self._context.draft_lock(tenant, draft):
            request = await masks.complete_with_mask(
                self._context, tenant, draft, mask, prompt
            )
            self.check(request)
            answer = await self._take(request)
            await self._context.drafts.use(tenant, draft)
        return answer

    def check(self, request: Request) -> None:
        """Refuse what is wrong in itself. No I/O before the commit."""
        replies.check(self._context, request)

    async def _take(self, request: Request) -> Answer:
        await self._jobs.take(request)
        step = sessions.step_id(request)
        return Answer(post=steps.acknowledgement_post(request, step), accepted=step)

    async def _with_region(self, request: Request) -> Answer:
        tenant, draft = request.place.tenant, request.target or ""
        async with self._context.draft_lock(tenant, draft):
            whole = await masks.complete_with_region(self._context, request)
            self.check(whole)
            answer = await self._take(whole)
            await self._context.drafts.use(tenant, draft)
        return answer
