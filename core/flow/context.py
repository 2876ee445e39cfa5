"""What the steps of a job work with, and how a job ends when it fails."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar
from weakref import WeakValueDictionary

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from core.budgets import NO_CAPS, Caps
from core.catalog import Catalog
from core.errors import (
    Charged,
    DeliveryError,
    EaselError,
    Misconfigured,
    NotFound,
)
from core.failpoints import failpoint
from core.flow.outages import Waits
from core.flow.turns import Turns
from core.log import log
from core.pictures.pool import Pool
from core.ports import (
    Blobs,
    Chat,
    Clock,
    Drafts,
    People,
    Provider,
    Reactions,
    Store,
)
from core.post import Post, PostedMessage
from core.retrying import retrying
from core.signed_links import Links
from core.types import (
    Account,
    MessageRole,
    Money,
    Place,
    Step,
    StepState,
    Tenant,
)
from core.views import steps
from core.window import Window

UPDATE_SECONDS = 10.0
PROGRESS_LIFE = timedelta(seconds=UPDATE_SECONDS + 2)
"""How long a progress line may be on its way: after that its process has died or was stopped."""
PROGRESS_LOOK = 0.2
"""Seconds between two looks whether a progress line has arrived."""
DELIVERY_TRIES = 6
"""Times a refusal is said before a platform that is away is left alone."""

TRANSIENT = (
    OperationalError,
    InterfaceError,
    InternalError,
    NoConnection,
    OSError,
)
"""Errors of the database, the disk, the network and the blob store: tried again, for as long
as they last. PostgreSQL's refusal to write, as a standby after a failover, is "internal"."""

T = TypeVar("T")


Keys = Callable[[], Awaitable[Collection[str]]]
"""Reads keys of blobs."""


async def no_keys() -> Collection[str]:
    """Where no platform keeps files of its own."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything a step of a job needs.

    ``chats`` are by platform, ``providers`` by account name, the preferred account first.

    ``caps`` are the operator's, over those of every workspace.

    ``keep_days``: how long requests, pictures and prompts are kept, 0 for ever.

    ``is_shared``: other processes may work on the same database. ``settle`` seconds pass before a
    lost submit is looked for, as the service may list it late. ``back_off`` seconds before the
    first repetition of a refused submit. ``moved`` is set when a job reaches its next step,
    ``resumed`` when a workspace is no longer paused, ``leaving`` when a person is to be forgotten.

    ``uploads`` names the blobs that the room shows as people's own files: they go when these go.
    """

    store: Store
    blobs: Blobs
    catalog: Catalog
    providers: Mapping[str, Provider]
    chats: Mapping[str, Chat]
    clock: Clock
    pool: Pool
    reactions: Reactions
    drafts: Drafts
    people: People
    links: Links
    caps: Caps = NO_CAPS
    keep_days: int = 0
    is_shared: bool = False
    uploads: Keys = no_keys
    settle: float = 2.0
    back_off: float = 1.0
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    resumed: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    turns: Turns = field(default_factory=Turns)
    waits: Waits = field(default_factory=Waits)
    windows: dict[tuple[str, str], Window] = field(default_factory=dict)
    submitting: dict[tuple[str, str], asyncio.Lock] = field(
        default_factory=dict
    )
    locks: "WeakValueDictionary[str, asyncio.Lock]" = field(
        default_factory=WeakValueDictionary
    )

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The accounts a request may go to, the preferred one first."""
        return tuple(provider.account for provider in self.providers.values())

    def provider(self, step: Step) -> Provider:
        """The provider of the step's account.

        Raises Misconfigured when the account has been taken out of the settings since.
        """
        if step.account not in self.providers:
            raise Misconfigured(
                "provider.access", code=f"account {step.account}"
            )
        return self.providers[step.account]

    def window(self, account: str, model: str) -> Window:
        """How many calls of a model are made at once, as far as we have learned."""
        # A step of a model that has left the catalogue is claimed, too: its job ends with words.
        rule = self.catalog.models.get(model)
        return self.windows.setdefault((account, model), Window.of(rule))

    def chat(self, step: Step) -> Chat:
        """The Chat of the step's platform."""
        return self.chats[step.place.platform]

    def submit_lock(self, step: Step) -> asyncio.Lock:
        """Allow one submit of a model at a time: at most one can be lost and found again."""
        return self.submitting.setdefault(
            (step.account, step.model), asyncio.Lock()
        )

    def draft_lock(self, tenant: Tenant, draft: str) -> asyncio.Lock:
        """Allow one use of a draft at a time: only the one whose mask is accepted reads "yes"."""
        return self.locks.setdefault(f"draft:{tenant}:{draft}", asyncio.Lock())

    def message_lock(self, step: Step) -> asyncio.Lock:
        """Allow one edit of a step's message at a time: late progress must not cover the result."""
        return self.locks.setdefault(
            f"{step.tenant}:{step.id}", asyncio.Lock()
        )


async def outlast(
    context: Context,
    job: str,
    attempt: Callable[[], Awaitable[T]],
) -> T:
    """Try until the outage is over; the job's message says meanwhile what it waits for.

    Raises any other error.
    """

    def may_pass(error: Exception) -> bool:
        if not is_passing(error):
            return False
        # A driver's text may hold a prompt; our own errors hold none.
        reason = (
            str(error)
            if isinstance(error, DeliveryError)
            else type(error).__name__
        )
        log.warning("job_waits", job=job, error=reason)
        context.waits.begin(job, error)
        context.moved.set()
        return True

    try:
        return await retrying(may_pass, first=context.back_off)(attempt)
    finally:
        context.waits.end(job)


def is_passing(error: Exception) -> bool:
    """Is it an outage, which ends by itself? A platform's refusal is one unless it is final."""
    if isinstance(error, DeliveryError):
        return not error.permanent
    return isinstance(error, TRANSIENT)


async def status_message(context: Context, step: Step) -> PostedMessage | None:
    """Return the step's message.

    It is remembered, or read back from the platform when a post may have gone through.
    """
    message = await context.store.message_of(step)
    if message is not None:
        return message
    return await intend_post(context, step.place, step.id, MessageRole.STATUS)


async def intend_post(
    context: Context,
    place: Place,
    job: str,
    role: MessageRole,
) -> PostedMessage | None:
    """Write down that a job's message is about to be posted.

    Return it when an earlier try has posted it: then it must not be posted again.
    """
    if await context.store.intend_post(place.tenant, job, role):
        return None
    return await context.chats[place.platform].find(place, job)


async def upsert_status(
    context: Context,
    step: Step,
    post: Post,
    *,
    only_while: StepState | None = None,
) -> None:
    """Update the status message, or post it if there is none. Never twice.

    ``only_while`` the step is in that state: a later state has been shown already.
    """
    chat = context.chat(step)
    async with context.message_lock(step):
        if only_while is None:
            await _let_progress_arrive(context, step)
        else:
            current = await context.store.step(step.tenant, step.id)
            if current.state is not only_while:
                return
        sent = await status_message(context, step)
        if sent is None:
            sent = await chat.post(
                step.place,
                post,
                to=step.person,
                reply=step.reply,
            )
            context.waits.end(step.id)
            failpoint("say.after_post")
            await context.store.remember(sent, step.tenant, step.id)
            return
        # Before the update, too: it may take long, and a reply should find its step.
        await context.store.remember(sent, step.tenant, step.id)
        # A status line that was not shown is said again by ``keep_current``.
        sent = await chat.update(sent, post) or sent
        # From now on no words about an outage may cover it.
        context.waits.end(step.id)
        await context.store.remember(sent, step.tenant, step.id)


async def _let_progress_arrive(context: Context, step: Step) -> None:
    """Wait for a progress line that another process may be sending: it must not cover the result.

    No line is sent once the step has ended.
    """
    if not context.is_shared:
        return
    # The other's clock may be wrong: only our own tells how long we have waited.
    ends = context.clock.now() + PROGRESS_LIFE
    while await context.store.progress_until(step.tenant, step.id):
        if context.clock.now() >= ends:
            # Its process has died or was stopped.
            await context.store.end_progress(step.tenant, step.id)
            return
        await context.clock.sleep(PROGRESS_LOOK)


async def fail_step(
    context: Context,
    step: Step,
    error: EaselError,
    *,
    state: StepState = StepState.FAILED,
    cost: Money | None = None,
    charged: Charged | None = None,
) -> None:
    """End the step; tell its person what happened, if it was charged, and what to do next."""
    ended = await context.store.end(
        step,
        state,
        context.clock.now(),
        error=error.key,
        params=steps.json_params(error.params),
        charged=charged or error.charged,
        request_id=getattr(error, "request_id", ""),
        cost=cost,
    )
    log.info(
        "step_ended",
        step=step.id,
        model=step.model,
        state=state.value,
        error=error.key,
        code=getattr(error, "code", ""),
    )
    if ended is not None:
        await post_outcome(context, ended)


async def post_outcome(context: Context, step: Step) -> bool:
    """Show how a step ended, in its place, else to its person alone.

    Return whether it was shown; if not, it is still in the history. Raises what passes: the caller
    tries again.
    """

    async def update_status() -> None:
        await upsert_status(context, step, steps.outcome_post(step))

    is_shown = await try_delivery(step.id, update_status)
    if not is_shown:
        # We may not post there any more.
        is_shown = await try_delivery(
            step.id, lambda: _post_privately(context, step)
        )
        await _say_where(context, step, is_shown=is_shown)
    if step.state.is_final:
        await context.store.close_step(step.tenant, step.id)
    return is_shown


async def _say_where(context: Context, step: Step, *, is_shown: bool) -> None:
    """Say in the status message, if that takes words, where the result is instead."""
    sent = await context.store.message_of(step)
    if sent is None or step.options.private or not step.outputs:
        return
    post = steps.elsewhere_post(step, is_shown=is_shown)

    async def update() -> None:
        await context.chat(step).update(sent, post)

    await try_delivery(step.id, update)


async def try_delivery(
    job: str,
    attempt: Callable[[], Awaitable[None]],
) -> bool:
    """Try once. False when the platform will never take it. Raises what passes."""
    try:
        await attempt()
    except (DeliveryError, NotFound) as error:
        if is_passing(error):
            raise
        log.warning("undeliverable", step=job, error=error.key)
        return False
    return True


async def retry_delivery(
    context: Context,
    job: str,
    attempt: Callable[[], Awaitable[None]],
) -> bool:
    """Try a few times, for what is not worth waiting for. False when none succeeded."""

    def may_pass(error: Exception) -> bool:
        log.warning("undeliverable", step=job, error=getattr(error, "key", ""))
        return isinstance(error, DeliveryError) and is_passing(error)

    try:
        patiently = retrying(
            may_pass,
            first=context.back_off,
            attempts=DELIVERY_TRIES,
        )
        await patiently(attempt)
    except (DeliveryError, NotFound):
        return False
    return True


async def _post_privately(context: Context, step: Step) -> None:
    """We cannot post in this place: tell the person by direct message.

    Raises NotFound where there is no other place.
    """
    chat = context.chat(step)
    place = await chat.private_place(step.place, step.person)
    if place == step.place:
        raise NotFound("refuse.not_found", id=step.id)
    if await context.store.message_of(step, MessageRole.ALONE):
        return
    sent = await intend_post(context, place, step.id, MessageRole.ALONE)
    if sent is None:
        post = steps.outcome_post(step)
        sent = await chat.post(place, post, to=step.person, reply={})
    await context.store.remember(sent, step.tenant, step.id, MessageRole.ALONE)
