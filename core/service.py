"""Use cases: what happens when a request comes in. Work for the service is enqueued; all else is answered at once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from core import budgets, grammar, posts, sessions
from core.errors import NotFound, Rejected
from core.flow import take
from core.flow.tools import Tools, tell_end
from core.pictures import drawn
from core.types import Action, Head, Post, Request, Step, StepState, Task

TREE_THUMBNAIL = 256
COMPARE_HEIGHT = 1024


class Jobs(Protocol):
    """Whoever runs jobs durably (core.engine)."""

    async def take(self, request: Request) -> None:
        """One durable commit."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to say at once. ``accepted`` is the step that will follow; None when this is all there is."""

    post: Post
    accepted: str | None = None


class Service:
    """Takes requests from every platform."""

    def __init__(self, tools: Tools, jobs: Jobs) -> None:
        self._tools = tools
        self._jobs = jobs
        self._at_once: dict[Action, Callable[[Request], Awaitable[Post]]] = {
            Action.UNDO: self._undo,
            Action.REDO: self._redo,
            Action.PICK: self._pick,
            Action.CANCEL: self._cancel,
            Action.DROP: self._drop,
            Action.COMPARE: self._compare,
            Action.HISTORY: self._history,
            Action.SHOW: self._show,
            Action.INFO: self._info,
            Action.USAGE: self._usage,
            Action.BUDGET: self._budget,
            Action.HELP: self._help,
        }

    async def handle(self, request: Request) -> Answer:
        """Accept after one durable commit, or answer. Raises Rejected or NotFound: say so privately."""
        if request.action.makes_pictures:
            self.check(request)
            await self._jobs.take(request)
            step = sessions.step_id(request)
            return Answer(post=posts.accepted(request, step), accepted=step)
        if request.action not in self._at_once:
            raise Rejected("refuse.not_here", action=request.action.value)
        return Answer(post=await self._at_once[request.action](request))

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
        if request.action is Action.INPAINT and request.mask is None and parsed.options.mask is None:
            raise Rejected("refuse.no_mask")

    # Moving the head: free, and nothing is forgotten

    async def _undo(self, request: Request) -> Post:
        session, current = await self._current(request)
        return await self._move(request, session, sessions.undo(current))

    async def _redo(self, request: Request) -> Post:
        session, current = await self._current(request)
        history = await self._tools.store.history(request.place.tenant, session)
        return await self._move(request, session, sessions.redo(current, history))

    async def _pick(self, request: Request) -> Post:
        session, current = await self._current(request)
        typed = request.text.strip()
        index = int(typed[:2]) - 1 if typed.isascii() and typed.isdecimal() else request.index or 0
        sessions.picture_at(current, index)
        return await self._move(request, session, Head(step=current.id, index=index))

    async def _move(self, request: Request, session: str, head: Head) -> Post:
        tenant = request.place.tenant
        step = await self._tools.store.step(tenant, head.step)
        picture = sessions.picture_at(step, head.index)
        for one in {session, sessions.person_session(request.place, request.person.id)}:
            await self._tools.store.move_head(tenant, one, head)
        return posts.moved(step, picture, head.index, request.locale)

    async def _current(self, request: Request) -> tuple[str, Step]:
        """The session and the step meant: the one pressed or replied to, else the session's head."""
        session = await take.session_of(self._tools, request)
        if request.target:
            return session, await self._tools.store.step(request.place.tenant, request.target)
        head = await self._tools.store.head(request.place.tenant, session)
        if head is None:
            raise Rejected("refuse.no_session")
        return session, await self._tools.store.step(request.place.tenant, head.step)

    # Looking

    async def _history(self, request: Request) -> Post:
        session = await take.session_of(self._tools, request)
        steps = await self._with_foreign_parents(await self._tools.store.history(request.place.tenant, session))
        made = [step for step in steps if step.outputs]
        if not made:
            raise Rejected("refuse.no_session")
        head = await self._tools.store.head(request.place.tenant, session)
        nodes = [await self._node(step, head, session, request.locale) for step in made]
        picture = await self._tools.pool.run(drawn.tree, nodes)
        return posts.history(made, picture, request.locale)

    async def _with_foreign_parents(self, steps: list[Step]) -> list[Step]:
        """A branch from somebody else's picture shows that picture as its root."""
        known = {step.id for step in steps}
        foreign = {step.parent for step in steps if step.parent and step.parent not in known}
        return [await self._tools.store.step(steps[0].tenant, one) for one in sorted(foreign)] + steps

    async def _node(self, step: Step, head: Head | None, session: str, locale: str) -> drawn.Node:
        shown = head.index if head and head.step == step.id else 0
        data = await self._tools.blobs.read(step.tenant, step.outputs[shown].key)
        thumbnail = await self._tools.pool.run(drawn.thumbnail, data, TREE_THUMBNAIL)
        label, caption = posts.node(step, foreign=step.session != session, locale=locale)
        return drawn.Node(
            id=step.id,
            label=label,
            caption=caption,
            parent=step.parent,
            thumbnail=thumbnail,
            is_head=head is not None and head.step == step.id,
        )

    async def _compare(self, request: Request) -> Post:
        session, current = await self._current(request)
        head = await self._tools.store.head(request.place.tenant, session)
        index = head.index if head and head.step == current.id else request.index or 0
        after = sessions.picture_at(current, index)
        if not current.inputs:
            raise Rejected("refuse.nothing_to_compare")
        tenant = request.place.tenant
        before_data = await self._tools.blobs.read(tenant, current.inputs[0].key)
        after_data = await self._tools.blobs.read(tenant, after.key)
        labels = posts.compare_labels(current, await self._parent(current), request.locale)
        side = await self._tools.pool.run(drawn.compare, before_data, after_data, labels)
        flicker = await self._tools.pool.run(drawn.flicker, before_data, after_data)
        return posts.compare(current, side, flicker, request.locale)

    async def _parent(self, step: Step) -> Step | None:
        return await self._tools.store.step(step.tenant, step.parent) if step.parent else None

    async def _show(self, request: Request) -> Post:
        return posts.ended(await self._named(request), request.locale)

    async def _info(self, request: Request) -> Post:
        return posts.info((await self._current(request))[1], request.locale)

    async def _named(self, request: Request) -> Step:
        wanted = request.target or request.text.strip()
        if not wanted:
            return (await self._current(request))[1]
        return await self._tools.store.step(request.place.tenant, wanted)

    # Jobs and money

    async def _cancel(self, request: Request) -> Post:
        step = await self._waiting(request)
        if step.person.id != request.person.id:
            raise Rejected("refuse.not_yours", owner=step.person.name)
        if step.state.is_final or step.state is StepState.MADE:
            raise Rejected("refuse.already_ended", version=step.number)
        step = await self._tools.store.request_cancel(step.tenant, step.id, self._tools.clock.now())
        if step.state is StepState.CANCELLED:
            await tell_end(self._tools, step)
            return posts.note("status.cancelled", request.locale)
        if step.task_id is not None:
            await self._tools.providers[step.account].cancel(Task(id=step.task_id, request_id=step.request_id or ""))
        return posts.note("status.cancelling", request.locale)

    async def _drop(self, request: Request) -> Post:
        """Give up a job whose end nobody knows: its hold goes back."""
        step = await self._named(request)
        if step.person.id != request.person.id:
            raise Rejected("refuse.not_yours", owner=step.person.name)
        if step.state is not StepState.UNKNOWN:
            raise Rejected("refuse.nothing_to_drop")
        await self._tools.store.drop_charge(step, self._tools.clock.now())
        return posts.note("status.dropped", request.locale)

    async def _waiting(self, request: Request) -> Step:
        """The job named, else the person's newest one not yet at its end."""
        if request.target or request.text.strip():
            return await self._named(request)
        mine = [
            step
            for step in await self._tools.store.unfinished()
            if step.tenant == request.place.tenant and step.person.id == request.person.id
        ]
        if not mine:
            raise NotFound("refuse.nothing_to_cancel")
        return max(mine, key=lambda step: step.created)

    async def _usage(self, request: Request) -> Post:
        now = self._tools.clock.now()
        spending = await self._tools.store.usage(request.place.tenant, budgets.month_start(now))
        caps = budgets.caps(await self._tools.store.settings(request.place.tenant))
        return posts.usage(spending, caps, now, request.locale)

    async def _budget(self, request: Request) -> Post:
        """Show the budgets, or set those given (by the names of Caps; "-" removes one)."""
        settings = await self._tools.store.settings(request.place.tenant)
        known = budgets.Caps.__dataclass_fields__
        given = {name: value for name, value in request.given.items() if name in known}
        for value in given.values():
            if value != "-":
                budgets.amount(value)
        if given:
            kept = {**settings.get("budgets", {}), **given}
            settings["budgets"] = {name: value for name, value in kept.items() if value != "-"}
            await self._tools.store.save_settings(request.place.tenant, settings)
        return posts.budget(budgets.caps(settings), request.locale)

    async def _help(self, request: Request) -> Post:
        return posts.help_text(request.locale)
