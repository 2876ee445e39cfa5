"""Runs requests durably: deliveries from the inbox, then one job for each step.

Nothing is remembered here. The inbox says how far a request was understood, a step's state how far
its job has come, and every function of the flow continues from there: to restart is to continue.
"""

import asyncio
import itertools
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

import structlog

from core import sessions
from core.answers import dispatch, drafts
from core.errors import (
    Charged,
    DeliveryError,
    EaselError,
    NotFound,
    Retryable,
)
from core.failpoints import failpoint
from core.flow import deliver, generate, prepare, status
from core.flow.context import (
    TRANSIENT,
    Context,
    fail_step,
    is_passing,
    outlast,
    post_outcome,
)
from core.flow.erasing import erase_leftovers
from core.flow.forgetting import Forgetting
from core.flow.isolation import UNTELLABLE, alone, job_alone
from core.flow.outages import OutageLog
from core.flow.understand import understand_or_refuse
from core.incoming import Incoming, Kind
from core.operations import Action
from core.pruning import prune_history, prune_waiting
from core.retrying import retrying
from core.slots import Slots
from core.storage.blob_sweep import BlobSweep
from core.storage.claims import Claims
from core.storage.history_life import HistoryLife
from core.storage.inbox import Delivery, Inbox, Stage
from core.storage.retention import RECORDS_LIFE, REPLY_LIFE, Retention
from core.storage.workers import Workers
from core.types import LIVES, Claim, Leaver, Outcome, Request, Step, StepState

ANSWERED_AT_ONCE = 8
"""Deliveries of one platform; other platforms do not wait while it is away."""
DELIVERED_AT_ONCE = 4
LOOK_SECONDS = 5.0
"""Seconds between two looks for what other workers left, where there are several; and at most
between two tries to read the inbox."""
DELIVERY_LIFE = timedelta(days=1)
"""How long a delivery is kept after it is done: no platform delivers it again later."""
SWEEP_SECONDS = 3600
REVISIT_SECONDS = 60.0
MAX_POSTS = 3
"""Tries to post the end of a step that meet a bug, before its person gets a reference."""
BLOB_SWEEP_HOURS = 24
"""Hours between two looks through all blobs."""
BURST_GAP = 0.03
"""Deliveries within so many seconds are a burst, which is acknowledged before any work."""
MAX_BURST = 0.5
"""Seconds that work waits for a burst at most."""

log = structlog.get_logger()


@dataclass(kw_only=True)
class Unposted:
    """A step whose end is known, and how often a bug kept its message from being posted."""

    claim: Claim
    tries: int = 0


class Engine:
    """One for each process; start it inside the running loop, after the migrations."""

    def __init__(
        self,
        context: Context,
        claims: Claims,
        inbox: Inbox,
        retention: Retention,
        history_life: HistoryLife,
        blob_sweep: BlobSweep,
        worker: str,
        workers: Workers | None,
        *,
        lost: Callable[[], None],
        takes_jobs: bool = True,
    ) -> None:
        """``workers``: where there may be others. ``lost`` is called when they may think us dead.

        Where it does not ``take_jobs``, it answers what can be answered at once, and leaves jobs
        to other processes.
        """
        self._context = context
        self._claims = claims
        self._inbox = inbox
        self._retention = retention
        self._history_life = history_life
        self._blob_sweep = blob_sweep
        self._worker = worker
        self._workers = workers
        self._lost = lost
        self._takes_jobs = takes_jobs
        self._slots = Slots(
            context=context,
            claims=claims,
            begin=self._begin,
            is_begun=self._is_begun,
            first_pause=context.back_off,
        )
        self._arrived = asyncio.Event()
        self._arrivals: deque[float] = deque(maxlen=2)
        self._is_inbox_unsure = False
        self._answering: dict[asyncio.Task[None], Delivery] = {}
        self._awaiting: set[int] = set()
        self._jobs: dict[asyncio.Task[None], Claim] = {}
        self._downloads = asyncio.Semaphore(DELIVERED_AT_ONCE)
        self._posts: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(DELIVERED_AT_ONCE)
        )
        self._unposted: dict[tuple[str, str], Unposted] = {}
        self._redeliveries: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Continue what an earlier process left, then take what comes."""
        if self._workers is None:
            await self._take_over(self._worker)
        else:
            await self._workers.live()
            self._start_loop(
                self._workers.watch(
                    self._take_over,
                    self._drop_lost,
                    self._lost,
                    self._arrived.set,
                ),
                "workers",
            )
            self._start_loop(self._look_around(), "look around")
        if self._takes_jobs:
            await self._start_jobs()
        self._start_loop(self._run_inbox(), "inbox out")
        forgetting = Forgetting(
            context=self._context, stop_requests=self._stop_requests
        )
        self._start_loop(forgetting.run(), "forgetting")
        self._start_loop(self._sweep(), "sweep")

    async def _start_jobs(self) -> None:
        self._resume(await self._claims.adopt(None))
        await self._slots.wake_all()
        self._start_loop(self._slots.run(), "slots")
        self._start_loop(
            status.keep_current(self._context, self._leads), "status"
        )
        self._start_loop(self._revisit(), "revisit")
        self._start_loop(self._watch_resumptions(), "resumed")
        self._start_redelivery(None)
        self._context.moved.set()

    def _leads(self, platform: str) -> bool:
        """Whether this process shows the progress of jobs there."""
        return self._workers is None or self._workers.leads(platform)

    async def stop(self) -> None:
        """Stop everything; the next start continues it."""
        tasks = [
            *self._loops,
            *self._answering,
            *self._jobs,
            *self._redeliveries,
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._workers is not None:
            await self._workers.close()

    async def receive(self, incoming: Incoming) -> None:
        """Commit an event to the inbox. The same event again changes nothing."""
        failpoint("hear.before_commit")
        await self._inbox.add(incoming)
        failpoint("hear.after_commit")
        self._arrivals.append(time.monotonic())
        self._arrived.set()

    async def check(self) -> None:
        """Raise what keeps deliveries from being written, after one could not be."""
        await self._inbox.check()

    async def take(self, request: Request) -> None:
        """Commit a job to the inbox. The same request again changes nothing."""
        failpoint("take.before_commit")
        await self._inbox.accept(request)
        failpoint("take.after_commit")
        if not self._takes_jobs:
            await self._inbox.notify()
        self._arrived.set()

    async def count_deliveries(self) -> int:
        """How many deliveries, of all processes, are not yet answered or begun."""
        return await self._inbox.count_open()

    # From the inbox to a step in line

    async def _run_inbox(self) -> None:
        outage = OutageLog("inbox")

        def is_survivable(error: Exception) -> bool:
            # Any error: the bot must keep listening.
            if isinstance(error, TRANSIENT):
                outage.begin(error)
            else:
                log.error("inbox_broke", exc_info=error)
            self._is_inbox_unsure = True
            return True

        self._arrived.set()
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            first = self._context.back_off
            patiently = retrying(
                is_survivable, first=first, longest=LOOK_SECONDS
            )
            await patiently(self._claim_deliveries)
            outage.end()

    async def _claim_deliveries(self) -> None:
        if self._is_inbox_unsure:
            # A claim that raised may have been committed: nobody works on what it took.
            begun = [delivery.number for delivery in self._answering.values()]
            await self._inbox.release_except(begun)
            self._is_inbox_unsure = False
        while True:
            await self._wait_out_burst()
            full, free = self._free_places()
            if not free:
                return
            deliveries = await self._inbox.claim(free, full)
            if not deliveries:
                return
            failpoint("hear.after_enqueue")
            for delivery in deliveries:
                task = asyncio.create_task(
                    self._process(delivery), name="delivery"
                )
                self._answering[task] = delivery
                task.add_done_callback(self._on_delivery_end)

    def _free_places(self) -> tuple[set[str], int]:
        """Platforms with all their places in use, and the places free for each of the others."""
        in_work: Counter[str] = Counter()
        for delivery in self._answering.values():
            if delivery.number in self._awaiting:
                continue
            in_work[delivery.origin.place.platform] += 1
        full = {
            name
            for name, count in in_work.items()
            if count >= ANSWERED_AT_ONCE
        }
        if full >= set(self._context.chats):
            return full, 0
        others = [count for name, count in in_work.items() if name not in full]
        return full, ANSWERED_AT_ONCE - max(others, default=0)

    def _on_delivery_end(self, task: asyncio.Task[None]) -> None:
        delivery = self._answering.pop(task)
        self._awaiting.discard(delivery.number)
        self._arrived.set()

    async def _wait_out_burst(self) -> None:
        ends = time.monotonic() + MAX_BURST
        while self._is_bursting() and time.monotonic() < ends:  # noqa: ASYNC110
            await asyncio.sleep(BURST_GAP)

    def _is_bursting(self) -> bool:
        if not self._arrivals:
            return False
        return time.monotonic() < self._arrivals[0] + BURST_GAP

    async def _process(self, delivery: Delivery) -> None:
        """Bring a delivery to its end; each stage is durable before the next is begun.

        Outages are waited out. A bug is reported to the person, with a reference; a removal, which
        must forget everything, is tried again with the next sweep.
        """
        is_removal = _is_removal(delivery)
        is_refused = delivery.tries > LIVES and not is_removal
        if is_refused:
            log.error("delivery_given_up", delivery=delivery.id)
        while delivery.stage is not Stage.DONE:
            proceed = self._refuse if is_refused else self._advance
            try:
                delivery = await outlast(
                    self._context, delivery.id, partial(proceed, delivery)
                )
            except Exception:
                log.exception("delivery_broke", delivery=delivery.id)
                if is_refused or is_removal:
                    return
                is_refused = True

    async def _advance(self, delivery: Delivery) -> Delivery:
        """Take a delivery one stage further: understand it, answer it, put its step in line."""
        mark = partial(self._inbox.record_lives, delivery)
        async with alone(self._context, delivery.tries, mark):
            return await self._take_stage(delivery)

    async def _take_stage(self, delivery: Delivery) -> Delivery:
        origin = delivery.origin
        if isinstance(origin, Incoming):
            return await self._understand(delivery, origin)
        if delivery.stage is Stage.UNDERSTOOD:
            job = await dispatch.answer(self._context, origin)
            if job is None:
                return await self._finish_delivery(delivery)
            return await self._accept(delivery, job)
        await drafts.consume(self._context, origin)
        try:
            await self._prepare(origin)
        except DeliveryError:
            # It may wait for hours, and other requests must not wait with it.
            self._awaiting.add(delivery.number)
            self._arrived.set()
            raise
        return await self._finish_delivery(delivery)

    async def _accept(self, delivery: Delivery, job: Request) -> Delivery:
        """Record a request that became a job; where jobs are for others, nothing is left to do."""
        failpoint("take.before_commit")
        if self._takes_jobs:
            accepted = await self._inbox.advance(delivery, Stage.ACCEPTED, job)
            failpoint("take.after_commit")
            return accepted
        await self._inbox.hand_over(delivery, job)
        await self._inbox.notify()
        return replace(delivery, stage=Stage.DONE)

    async def _understand(
        self, delivery: Delivery, incoming: Incoming
    ) -> Delivery:
        if incoming.kind is Kind.REMOVED:
            await self._forget_workspace(delivery)
            return await self._finish_delivery(delivery)
        meaning = await understand_or_refuse(self._context, incoming)
        if isinstance(meaning, Request):
            return await self._inbox.advance(
                delivery, Stage.UNDERSTOOD, meaning
            )
        if meaning is not None:
            await dispatch.ask_back(self._context, meaning)
        return await self._finish_delivery(delivery)

    async def _refuse(self, delivery: Delivery) -> Delivery:
        if delivery.tries <= UNTELLABLE:
            await prepare.give_up(self._context, delivery.origin)
        return await self._finish_delivery(delivery)

    async def _finish_delivery(self, delivery: Delivery) -> Delivery:
        return await self._inbox.finish(delivery, self._context.clock.now())

    async def _prepare(self, request: Request) -> None:
        step = await prepare.prepare(self._context, request)
        if step is None:
            return
        await self._claims.announce(step.tenant, step.id)
        self._slots.wake(step.account, step.model)
        self._context.moved.set()

    async def _forget_workspace(self, delivery: Delivery) -> None:
        """Forget jobs, rows, pictures, and what the platform's adapter keeps."""
        place = delivery.origin.place
        tenant = place.tenant
        chat = self._context.chats[place.platform]
        blobs = self._context.blobs
        await self._cancel_before(delivery)
        await self._inbox.forget_tenant(delivery)
        # The installation first: nothing new is accepted while the rest is deleted.
        await chat.forget(place)
        for key in await blobs.keys(tenant):
            await blobs.delete(tenant, key)
        await self._context.store.forget_workspace(tenant)
        # Steps claimed in the meantime are gone, too, and all their slots are free.
        await self._cancel_before(delivery)
        await self._slots.wake_all()

    async def _stop_requests(self, leaver: Leaver) -> None:
        """Stop and delete what a person has asked for, except the request to be forgotten.

        What they began afterwards is answered.
        """
        stopped: dict[asyncio.Task[None], Delivery] = {}
        for task, delivery in self._answering.items():
            origin = delivery.origin
            is_theirs = (
                origin.place.tenant == leaver.tenant
                and origin.person.id == leaver.person
            )
            asks_for_it = (
                isinstance(origin, Request) and origin.action is Action.FORGET
            )
            if is_theirs and not asks_for_it:
                stopped[task] = delivery
        for task in stopped:
            task.cancel()
        await asyncio.gather(*stopped, return_exceptions=True)
        begun = [
            delivery.number
            for delivery in stopped.values()
            if await self._was_begun_after(leaver, delivery)
        ]
        await self._inbox.forget_person(leaver.tenant, leaver.person, begun)
        # Nobody works on these now: they are claimed again.
        self._is_inbox_unsure = True
        self._arrived.set()

    async def _was_begun_after(
        self, leaver: Leaver, delivery: Delivery
    ) -> bool:
        """Whether it has a step from after its person asked to be forgotten."""
        job = sessions.step_id(delivery.origin)
        try:
            step = await self._context.store.step(leaver.tenant, job)
        except NotFound:
            return False
        return step.created > leaver.asked

    async def _cancel_before(self, removal: Delivery) -> None:
        """Stop the workspace's work from before its removal. What came later is not touched."""
        tenant = removal.origin.place.tenant
        stopped = [
            task
            for task, claim in self._jobs.items()
            if claim.tenant == tenant
        ]
        for task, delivery in self._answering.items():
            origin = delivery.origin
            is_earlier = (
                origin.place.tenant == tenant
                and delivery.number < removal.number
            )
            if is_earlier and not _is_removal(delivery):
                stopped.append(task)
        for task in stopped:
            task.cancel()
        await asyncio.gather(*stopped, return_exceptions=True)

    # From a claimed step to its end

    def _begin(self, claim: Claim) -> None:
        task = asyncio.create_task(
            self._run_job(claim), name=f"job {claim.step}"
        )
        self._jobs[task] = claim
        task.add_done_callback(self._on_job_end)

    def _is_begun(self, claim: Claim) -> bool:
        begun = {(job.tenant, job.step) for job in self._jobs.values()}
        return (claim.tenant, claim.step) in begun

    def _on_job_end(self, task: asyncio.Task[None]) -> None:
        claim = self._jobs.pop(task)
        # A cancelled job keeps its row: the next start, or another process, continues it.
        if task.cancelled():
            self._slots.drop(claim)

    async def _run_job(self, claim: Claim) -> None:
        """Bring a step to its end, from any state.

        Outages are waited out. A bug ends the job with a message and a reference. Where even that
        fails, the slot is freed, and the next start tries again.
        """
        for proceed in (self._continue_job, self._give_up, self._slots.free):
            try:
                await outlast(
                    self._context, claim.step, partial(proceed, claim)
                )
            except Exception:
                log.exception("job_broke", step=claim.step)
            else:
                return
        self._slots.drop(claim)

    async def _continue_job(self, claim: Claim) -> None:
        step = await self._context.store.step(claim.tenant, claim.step)
        if claim.claims > LIVES:
            await self._end_crash_loop(claim, step)
        elif step.state.is_final:
            await self._slots.free(claim)
            async with job_alone(self._context, claim):
                await post_outcome(self._context, step)
        elif step.state is StepState.MADE:
            await self._slots.free(claim)
            await self._deliver(claim, step)
        else:
            await self._generate(claim)

    async def _end_crash_loop(self, claim: Claim, step: Step) -> None:
        """Give up a step with which one process after another died; its person gets a reference.

        Where even telling has cost some, it ends without a word.
        """
        log.error("job_given_up", step=step.id, state=step.state.value)
        await self._slots.free(claim)
        if claim.claims > UNTELLABLE:
            await self._context.store.close_step(claim.tenant, claim.step)
        elif step.state is StepState.MADE or step.state.is_final:
            await deliver.post_reference(self._context, step)
        else:
            await self._give_up(claim)

    async def _generate(self, claim: Claim) -> None:
        """Let the service work on a step, free its slot, and deliver the result."""
        try:
            outcome = await generate.generate(
                self._context, claim, self._slots.accept
            )
        except Retryable as error:
            await self._slots.refuse(claim, error)
            return
        # Beside the download: the next step in line need not wait for it.
        freeing = asyncio.create_task(self._slots.free(claim), name="free")
        try:
            if outcome is not None:
                await self._finish(claim, outcome)
        finally:
            await freeing

    async def _finish(self, claim: Claim, outcome: Outcome) -> None:
        async with self._downloads, job_alone(self._context, claim):
            step = await deliver.store_results(
                self._context, claim.tenant, claim.step, outcome
            )
        if step is not None:
            await self._deliver(claim, step)

    async def _deliver(self, claim: Claim, step: Step) -> None:
        posting = self._posts[step.place.platform]
        async with posting, job_alone(self._context, claim):
            await deliver.deliver(self._context, step)

    async def _give_up(self, claim: Claim) -> None:
        step = await self._context.store.step(claim.tenant, claim.step)
        if step.state is StepState.MADE or step.state.is_final:
            # Only its message is missing: what was paid for is kept, and shown later.
            await self._slots.free(claim)
            await self._post_later(claim, step)
            return
        was_sent = step.state is not StepState.QUEUED or step.intended
        error = EaselError(
            "status.broken",
            charged=Charged.MAYBE if was_sent else Charged.NO,
            reference=claim.step,
        )
        await fail_step(self._context, step, error)
        await self._slots.free(claim)

    async def _post_later(self, claim: Claim, step: Step) -> None:
        """Post the end of a step later, after a bug; after a few tries post a reference instead."""
        name = (claim.tenant, claim.step)
        unposted = self._unposted.setdefault(name, Unposted(claim=claim))
        unposted.tries += 1
        if unposted.tries >= MAX_POSTS:
            del self._unposted[name]
            await deliver.post_reference(self._context, step)

    async def _watch_resumptions(self) -> None:
        """Look at every line when a workspace is no longer paused."""
        patiently = retrying(is_passing, first=self._context.back_off)
        while True:
            await self._context.resumed.wait()
            self._context.resumed.clear()
            await patiently(self._slots.wake_all)

    async def _revisit(self) -> None:
        """Begin the unposted steps again, now and then."""
        while True:
            await asyncio.sleep(REVISIT_SECONDS)
            for step in self._unposted.values():
                # The claim is still ours: the next look at its line begins it again.
                self._slots.recheck()
                self._slots.wake(step.claim.account, step.claim.model)

    # Results not delivered yet

    def retry_deliveries(self, platform: str) -> None:
        """Try again to show what a platform would not take."""
        self._start_redelivery(platform)

    def _start_redelivery(self, platform: str | None) -> None:
        task = asyncio.create_task(
            self._retry_deliveries(platform), name="redelivery"
        )
        self._redeliveries.add(task)
        task.add_done_callback(self._redeliveries.discard)

    async def _retry_deliveries(self, platform: str | None) -> None:
        try:
            await deliver.retry_deliveries(self._context, platform)
        except TRANSIENT as error:  # the next round tries again
            log.info("redelivery_waits", error=type(error).__name__)
        except Exception:
            log.exception("redelivery_broke")

    # What others, or an earlier life, have left

    async def _take_over(self, dead: str) -> None:
        try:
            await self._inbox.adopt(dead)
            if self._takes_jobs:
                self._resume(await self._claims.adopt(dead))
        except Exception:
            # What raised may have been committed.
            self._slots.recheck()
            raise
        self._arrived.set()

    async def _drop_lost(self) -> None:
        """Stop jobs that others took over while this process seemed dead; they finish them."""
        # Of what is begun while the database answers it may say nothing yet.
        jobs = list(self._jobs.items())
        answering = list(self._answering.items())
        held = {
            (claim.tenant, claim.step)
            for claim in await self._claims.own_claims()
        }
        numbers = await self._inbox.own_numbers()
        taken: list[asyncio.Task[None]] = [
            task
            for task, claim in jobs
            if (claim.tenant, claim.step) not in held
        ]
        for task, delivery in answering:
            if delivery.number not in numbers:
                taken.append(task)
        for task in taken:
            task.cancel()
        await asyncio.gather(*taken, return_exceptions=True)
        if taken:
            log.warning("work_taken_over", jobs=len(taken))

    def _resume(self, claims: list[Claim]) -> None:
        for claim in claims:
            self._slots.hold(claim)
            self._begin(claim)

    async def _look_around(self) -> None:
        # Another worker may have died between a commit and what follows it.
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._arrived.set()
            if not self._takes_jobs:
                continue
            with suppress(*TRANSIENT):  # the next look tries again
                await self._slots.wake_all()

    async def _sweep(self) -> None:
        for hour in itertools.count():
            await asyncio.sleep(SWEEP_SECONDS)
            with suppress(*TRANSIENT):  # the next round tries again
                now = self._context.clock.now()
                await self._inbox.delete_finished(now - DELIVERY_LIFE)
                await self._retention.prune(now - RECORDS_LIFE)
                await self._retention.prune_replies(now - REPLY_LIFE)
                await prune_waiting(self._context, self._history_life)
                await erase_leftovers(self._context)
                await self._context.people.forget_pseudonyms(now)
                # Who could not be forgotten before is tried again.
                self._context.leaving.set()
                if hour % BLOB_SWEEP_HOURS == 0:
                    await self._prune_history()
                    await self._blob_sweep.sweep(now)
            if self._takes_jobs:
                self._start_redelivery(None)
            self._is_inbox_unsure = True  # what broke is tried again
            self._arrived.set()

    async def _prune_history(self) -> None:
        pruned = await prune_history(
            self._context, self._history_life, self._context.keep_days
        )
        if pruned:
            log.info("history_pruned", steps=pruned)

    def _start_loop(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._loops.append(asyncio.create_task(work, name=name))


def _is_removal(delivery: Delivery) -> bool:
    origin = delivery.origin
    return isinstance(origin, Incoming) and origin.kind is Kind.REMOVED
