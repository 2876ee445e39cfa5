"""Use cases: what happens when a request comes in. Work for the service is enqueued; all else is answered at once."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from core import actions, forms, grammar, posts, sessions
from core.answers import jobs, looking, moving, painting, settings, together
from core.answers.common import current
from core.errors import Rejected
from core.flow import take
from core.flow.tools import Tools
from core.forms import Form
from core.messages import say
from core.speech import ButtonKind, Post
from core.types import Action, Request

Answering = Callable[[Tools, Request], Awaitable[Post | None]]
AT_ONCE: Mapping[Action, Answering] = {
    Action.UNDO: moving.undo,
    Action.REDO: moving.redo,
    Action.PICK: moving.pick,
    Action.CANCEL: jobs.cancel,
    Action.DROP: jobs.drop,
    Action.DELETE: together.delete,
    Action.REMOVE: together.remove,
    Action.SEND_ME: together.send_me,
    Action.VOTE: together.vote,
    Action.UNVOTE: together.unvote,
    Action.CHOOSE: together.choose,
    Action.FAVOURITE: together.favourite,
    Action.UNFAVOURITE: together.unfavourite,
    Action.COMPARE: looking.compare,
    Action.HISTORY: looking.history,
    Action.SHOW: looking.show,
    Action.INFO: looking.info,
    Action.USAGE: looking.usage,
    Action.BUDGET: looking.budget,
    Action.HELP: looking.help_text,
    Action.MORE: looking.more,
    Action.MASK: painting.offer,
}
COUNTED = frozenset({Action.VOTE, Action.UNVOTE, Action.FAVOURITE, Action.UNFAVOURITE})
ASKS_FIRST = frozenset(
    {ButtonKind.EDIT, ButtonKind.EXPAND, ButtonKind.COLORIZE, ButtonKind.STYLE, ButtonKind.SKETCH, ButtonKind.RERUN}
)
"""Buttons that need words, or a look at the words, before anything is done."""


class Jobs(Protocol):
    """Whoever runs jobs durably (core.engine)."""

    async def take(self, request: Request) -> None:
        """One durable commit."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to say or ask at once. ``accepted`` is the step that will follow; all None when there is nothing to say."""

    post: Post | None = None
    form: Form | None = None
    accepted: str | None = None


class Service:
    """Takes requests from every platform."""

    def __init__(self, tools: Tools, jobs: Jobs) -> None:
        self._tools = tools
        self._jobs = jobs

    async def handle(self, request: Request) -> Answer:
        """Accept after one durable commit, or answer. Raises Rejected or NotFound: say so privately."""
        if request.action is Action.REGION:
            return await self._with_region(request)
        if self._lacks_mask(request):
            return Answer(post=await painting.offer(self._tools, request))
        if request.action.makes_pictures:
            self.check(request)
            return await self._take(request)
        if request.action is Action.SETTINGS:
            return await self._settings(request)
        if request.action not in AT_ONCE:
            raise Rejected("refuse.not_here", action=say(f"action.{request.action.value}", request.locale))
        return Answer(post=await AT_ONCE[request.action](self._tools, request))

    async def press(self, kind: ButtonKind, request: Request) -> Answer:
        """A button was pressed; ``target`` and ``index`` are what stood in its id. A form for those that need words."""
        if kind in ASKS_FIRST:
            return Answer(form=await self._form_of(kind, request))
        if kind not in actions.BUTTONS:
            raise Rejected("button.unknown")
        return await self.handle(replace(request, action=actions.BUTTONS[kind]))

    async def react(self, emoji: str, request: Request, *, added: bool) -> Answer:
        """A reaction to a message of ours was added or taken away. One that means nothing gets no answer."""
        custom = (await self._tools.store.settings(request.place.tenant)).get("reactions")
        meant = actions.reaction(emoji, custom)
        action = actions.asked_by(meant, added=added) if meant else None
        if meant is None or action is None:
            return Answer()
        return await self.handle(replace(request, action=action, index=meant.index if action in COUNTED else None))

    def form(self, action: Action, locale: str, prompt: str = "") -> Form:
        """What a platform asks when a command came without words."""
        return forms.form(action, self._tools.catalog, tuple(self._tools.providers), locale, prompt=prompt)

    async def paint(self, tenant: str, draft: str, mask: bytes, prompt: str) -> Answer:
        """A mask came from the painter: the draft goes on, once. Raises Rejected when it was used."""
        async with self._tools.draft_lock(tenant, draft):
            request = await painting.painted(self._tools, tenant, draft, mask, prompt)
            self.check(request)
            answer = await self._take(request)
            await self._tools.together.use_draft(tenant, draft)
        return answer

    def check(self, request: Request) -> None:
        """Refuse what is wrong in itself: options, model, prompt, number of pictures. No I/O before the commit."""
        parsed = grammar.parse(request.text, request.given)
        if sessions.same_again(request.action):
            return
        catalog = self._tools.catalog
        given = len(request.attachments)
        assumed = given if given or request.action is Action.DRAW else 1
        choice = catalog.choose(request.action, assumed, parsed.options, tuple(self._tools.providers))
        catalog.check(choice.model, request.action, parsed.prompt, parsed.options)
        if parsed.prompt and not grammar.has_words(parsed.prompt):
            raise Rejected("catalog.prompt_empty")
        catalog.size_for(choice.model, request.action, parsed.options, None)
        if request.action is Action.DRAW and given:
            raise Rejected("refuse.draw_with_picture")

    async def _take(self, request: Request) -> Answer:
        await self._jobs.take(request)
        step = sessions.step_id(request)
        return Answer(post=posts.accepted(request, step), accepted=step)

    def _lacks_mask(self, request: Request) -> bool:
        """Of a picture that came along we know nothing yet: that is asked when it has been fetched."""
        if request.action is not Action.INPAINT or request.mask or request.attachments:
            return False
        return grammar.parse(request.text, request.given).options.mask is None

    async def _with_region(self, request: Request) -> Answer:
        tenant, draft = request.place.tenant, request.target or ""
        async with self._tools.draft_lock(tenant, draft):
            whole = await painting.with_region(self._tools, request)
            self.check(whole)
            answer = await self._take(whole)
            await self._tools.together.use_draft(tenant, draft)
        return answer

    async def _settings(self, request: Request) -> Answer:
        if request.given:
            return Answer(post=await settings.save(self._tools, request))
        return Answer(form=await settings.form(self._tools, request))

    async def _form_of(self, kind: ButtonKind, request: Request) -> Form:
        _, step = await current(self._tools, request)
        index = request.index or 0
        sessions.picture_at(step, index)
        action = actions.BUTTONS[kind]
        prompt = ""
        if kind is ButtonKind.RERUN:
            prompt = sessions.merged_instructions((await take.chain_of(self._tools, step))[1])
        return forms.form(
            action,
            self._tools.catalog,
            tuple(self._tools.providers),
            request.locale,
            prompt=prompt,
            target=step.id,
            index=index,
        )
