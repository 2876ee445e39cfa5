"""Forget a person: what they asked for, said, made, gave and voted, wherever it stands.

Who is to be forgotten is a row, written before anything is erased and deleted after everything is:
a process that is killed in the middle, or a platform that is away, only delays it. Each part may be
repeated.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from core.errors import Misconfigured
from core.flow.cancelling import cancel_step
from core.flow.context import TRANSIENT, Context, is_passing, try_delivery
from core.flow.erasing import erase_pictures
from core.log import log
from core.post import Post, PostedMessage
from core.types import Leaver, Person, Place, Step, StepId, StepState
from core.views import answers, steps

READING_SECONDS = 2.0
"""Seconds before we begin: the answer to who asked is on its way to them."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before the next try while a job still ends, or a platform is away."""
STEPS_AT_ONCE = 100

StopRequests = Callable[[Leaver], Awaitable[None]]
"""Stops and deletes what was delivered of a person and is no step yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """Forgets who has asked for it, one person after another."""

    context: Context
    stop_requests: StopRequests
    stopped: set[Leaver] = field(default_factory=set)
    """Those whose requests were stopped: what they ask for since is no longer stopped."""

    async def run(self) -> None:
        """Forget people whenever one asks, and continue what an earlier process began."""
        context = self.context
        while True:
            pause = FIRST_PAUSE
            while not await self._forget_all():
                await context.clock.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            await context.leaving.wait()
            context.leaving.clear()
            await context.clock.sleep(READING_SECONDS)

    async def _forget_all(self) -> bool:
        """Forget everyone this process can. False when it must be tried again."""
        try:
            leavers = await self.context.people.leavers()
            ends = [await self._try(leaver) for leaver in leavers]
        except TRANSIENT as error:
            log.warning("forgetting_waits", error=type(error).__name__)
            return False
        return all(ends)

    async def _try(self, leaver: Leaver) -> bool:
        if leaver.platform not in self.context.chats:
            # Only a process that is connected to the platform can erase messages there.
            return True
        try:
            return await forget_person(self.context, leaver, self._stop_once)
        except Exception as error:
            if not is_passing(error):
                log.exception("forgetting_broke")
                return True
            log.warning("forgetting_waits", error=type(error).__name__)
            return False

    async def _stop_once(self, leaver: Leaver) -> None:
        if leaver not in self.stopped:
            await self.stop_requests(leaver)
            self.stopped.add(leaver)


async def request_forgetting(
    context: Context, place: Place, person: Person
) -> None:
    """Note durably that a person is to be forgotten, in every workspace that knows them."""
    now = context.clock.now()
    tenants = await context.people.tenants_of(place.platform, person.id)
    for tenant in {*tenants, place.tenant}:
        await context.people.ask_to_forget(tenant, person.id, now)
    context.leaving.set()


async def forget_person(
    context: Context, leaver: Leaver, stop_requests: StopRequests
) -> bool:
    """Erase a person. False while one of their jobs is still ending.

    Raises errors of the world, after which it may be repeated.
    """
    people = context.people
    await stop_requests(leaver)
    await _stop_jobs(context, leaver)
    while ended := await people.ended_steps_of(leaver, STEPS_AT_ONCE):
        for step in ended:
            await _remove(context, step)
        await people.remove_steps(leaver, [step.id for step in ended])
    for id in await people.take_reactions(leaver):
        await _show_again(context, leaver, id)
    await _erase_traces(context, leaver)
    # In this order: a job may end between the two.
    still_open = await people.open_steps_of(leaver)
    if still_open or await people.ended_steps_of(leaver, 1):
        return False
    await people.end_forgetting(leaver)
    log.info("person_forgotten")
    return True


async def _stop_jobs(context: Context, leaver: Leaver) -> None:
    for step in await context.people.open_steps_of(leaver):
        if step.state.is_final or step.cancel_requested:
            continue
        try:
            stopped = await cancel_step(context, step)
        except Misconfigured:
            # Its account is gone: the job itself will say so.
            continue
        if stopped.state is StepState.CANCELLED:
            await context.store.close_step(step.tenant, step.id)


async def _remove(context: Context, step: Step) -> None:
    """Erase a step's words and bytes, and every message that shows it."""
    await erase_pictures(context, step.tenant, step.id)
    erased = await context.store.step(step.tenant, step.id)
    for message in await context.store.messages_of(erased):
        await _replace(context, erased, message, steps.outcome_post(erased))
    for message in await context.store.drawings_of(erased):
        post = answers.removed_post(step.locale)
        await _replace(context, erased, message, post)


async def _show_again(context: Context, leaver: Leaver, id: StepId) -> None:
    """Update the votes that a step's message shows."""
    step = await context.store.step(leaver.tenant, id)
    message = await context.store.message_of(step)
    if message is not None and not step.deleted:
        tally = await context.reactions.tally(step.tenant, step.id)
        post = steps.outcome_post(step, None, tally)
        await _replace(context, step, message, post)


async def _replace(
    context: Context, step: Step, message: PostedMessage, post: Post
) -> None:
    """Change a message. What a platform will never take stays as it is.

    Raises errors of the world.
    """
    chat = context.chats.get(step.place.platform)
    if chat is None:
        return

    async def update() -> None:
        await chat.update(message, post)

    async with context.message_lock(step):
        await try_delivery(step.id, update)


async def _erase_traces(context: Context, leaver: Leaver) -> None:
    """Erase what names the person beside their steps, here and at the platform's side."""
    tenant = leaver.tenant
    chat = context.chats.get(leaver.platform)
    channels: frozenset[str] = frozenset()
    if chat is not None:
        traces = await chat.forget_person(tenant, leaver.person)
        channels = traces.channels
        # The same picture may be part of another person's step.
        held = await context.people.held_among(tenant, traces.keys)
        for key in traces.keys - held:
            await context.blobs.delete(tenant, key)
    await context.people.erase(leaver, channels, context.clock.now())
