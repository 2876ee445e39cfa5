"""The only module that knows DBOS: queues, workflows, recovery (architecture.md §3).

What a platform must acknowledge waits in the inbox, then in hear (understand it, answer what can be answered at once).
Three short workflows a job follow, so that a model's slots are held only while the service works:
take (fetch the pictures, begin the step) → generate (submit, wait) → finish (keep, deliver).
Their arguments are ids and small JSON values, never bytes.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from dbos import (
    DBOS,
    DBOSClient,
    DBOSConfig,
    DBOSPortableJSONSerializer,
    SetEnqueueOptions,
    SetWorkflowID,
    WorkflowStatus,
)
from sqlalchemy import Engine as Database

from core.answers import asked
from core.catalog import Model
from core.errors import EaselError
from core.failpoints import failpoint
from core.flow import finish, generate, hear, status, take
from core.flow.tools import Tools, fail
from core.storage.database import is_sqlite
from core.storage.inbox import Inbox
from core.storage.workers import Workers
from core.types import Action, Request, from_json, to_json

NAME = "easel"
# A new version would strand running work (reference/ecosystem.md §1.1.3): change flows with DBOS.patch() instead.
VERSION = "1"
INTAKE, DELIVERY = "easel.intake", "easel.delivery"
AT_ONCE = {INTAKE: 8, DELIVERY: 4}
AHEAD = 2
"""Tasks submitted beyond the running limit: the service starts them the moment a slot frees."""
UNLIMITED = 8
"""Calls at once for a model whose vendor names no limit."""
POLL = 0.1
"""Seconds between two looks at a queue."""
THICK = 0.03
"""Seconds between deliveries that come thick and fast: then acknowledging goes before handing over …"""
BREATH = 0.5
"""… for so many seconds a request at most."""
HEARD_LIFE = timedelta(days=1)
SWEEP_SECONDS = 3600
MAX_RECOVERIES = 50
"""A job that kills its worker each time is given up after so many, and told at the next start."""
GIVEN_UP = frozenset({"ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "CANCELLED"})

log = structlog.get_logger()
Workflow = Callable[..., Coroutine[Any, Any, None]]


class Engine:
    """Runs jobs durably. One a process; start it inside the running loop, after our own migrations."""

    def __init__(self, tools: Tools, url: str, database: Database, inbox: Inbox, *, lost: Callable[[], None]) -> None:
        """``lost`` is called when, on PostgreSQL, others may believe us dead: stop the process."""
        self._tools = replace(tools, on_throttled=self._fall_back)
        self._url = url
        self._database = database
        self._inbox = inbox
        self._heard = asyncio.Event()
        self._arrivals: deque[float] = deque(maxlen=2)
        # On SQLite there is one worker, and it recovers its own work; elsewhere each is somebody new.
        self._executor = "local" if is_sqlite(url) else uuid4().hex
        self._workers = None if is_sqlite(url) else Workers(url, self._executor)
        self._lost = lost
        self._watches: list[asyncio.Task[None]] = []
        self._queues: set[str] = set()
        self._at_work: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Bring DBOS's tables up to date, register the queues, go on with what was running."""
        logging.getLogger("dbos").setLevel(logging.ERROR)
        await asyncio.to_thread(self._prepare)
        if self._workers is not None:
            await self._workers.live()
        DBOS(config=self._config())
        self._finish = self._workflow("finish", self._run_finish)
        self._generate = self._workflow("generate", self._run_generate)
        self._take = self._workflow("take", self._run_take)
        self._hear = self._workflow("hear", self._run_hear)
        DBOS.launch()
        self._watches.append(asyncio.create_task(status.keep_current(self._tools), name="status"))
        self._watches.append(asyncio.create_task(self._empty_inbox(), name="inbox out"))
        self._watches.append(asyncio.create_task(self._sweep(), name="sweep"))
        await self._tell_the_given_up()
        if self._workers is not None:
            watch = self._workers.watch(self._take_over, self._lost)
            self._watches.append(asyncio.create_task(watch, name="workers"))

    async def stop(self) -> None:
        """Let go of everything; what is not done goes on at the next start."""
        tasks = [*self._watches, *self._at_work]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        # DBOS made its own threads the loop's, and has just closed them.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
        if self._workers is not None:
            await self._workers.close()

    async def take(self, request: Request) -> None:
        """One durable commit. The same request again changes nothing."""
        failpoint("take.before_commit")
        with SetWorkflowID(f"{request.place.tenant}:{request.key}"):
            await DBOS.enqueue_workflow_async(INTAKE, self._take, to_json(request))
        failpoint("take.after_commit")

    async def hear(self, request: Request) -> None:
        """One durable commit. The same request again changes nothing."""
        failpoint("hear.before_commit")
        await self._inbox.add(request)
        failpoint("hear.after_commit")
        self._arrivals.append(time.monotonic())
        self._heard.set()

    async def _let_others_in(self) -> None:
        ends = time.monotonic() + BREATH
        while time.monotonic() < min(ends, self._arrivals[0] + THICK if self._arrivals else ends):  # noqa: ASYNC110
            await asyncio.sleep(THICK)

    async def _empty_inbox(self) -> None:
        """Hand over what was kept, also by an earlier process; each is known by its id, so twice is once."""
        self._heard.set()
        while True:
            await self._heard.wait()
            self._heard.clear()
            try:
                while waiting := await self._inbox.waiting():
                    for name, request in waiting:
                        with SetWorkflowID(f"{name}:heard"):
                            await DBOS.enqueue_workflow_async(INTAKE, self._hear, to_json(request))
                        failpoint("hear.after_enqueue")
                        await self._inbox.forget([name])
                        await self._let_others_in()
            except Exception:
                log.exception("inbox_broke")
                await asyncio.sleep(POLL)
                self._heard.set()

    async def _sweep(self) -> None:
        """What was said around us and asked nothing is forgotten after a day: no redelivery comes later."""
        while True:
            with suppress(Exception):  # a courtesy: the next round tries again
                await self._forget_heard((datetime.now(UTC) - HEARD_LIFE).isoformat())
            await asyncio.sleep(SWEEP_SECONDS)

    async def _forget_heard(self, before: str) -> None:
        while old := await DBOS.list_workflows_async(name="hear", end_time=before, status="SUCCESS", limit=100):
            await DBOS.delete_workflows_async([one.workflow_id for one in old])

    async def _take_over(self, dead: str) -> None:
        """A dead worker's pending work goes back into its queues (a private method: pinned, and tested)."""
        await asyncio.to_thread(DBOS._recover_pending_workflows, [dead])

    def _config(self) -> DBOSConfig:
        return {
            "name": NAME,
            "system_database_url": self._url,
            "system_database_engine": self._database,
            "run_migrations": False,
            "application_version": VERSION,
            "executor_id": self._executor,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "ERROR",
            # We send no notifications; stopping waits for the listener's sleep to end.
            "notification_listener_polling_interval_sec": 0.2,
        }

    def _prepare(self) -> None:
        DBOS.migrate(self._url)
        client = DBOSClient(
            system_database_engine=self._database, serializer=DBOSPortableJSONSerializer(), application_name=NAME
        )
        for name, at_once in AT_ONCE.items():
            client.register_queue(name, worker_concurrency=at_once, polling_interval_sec=POLL)
        client.destroy()

    def _workflow(self, name: str, body: Workflow) -> Workflow:
        @DBOS.workflow(name=name, max_recovery_attempts=MAX_RECOVERIES)
        async def run(*arguments: Any) -> None:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101  # DBOS runs async workflows as tasks of our loop
            self._at_work.add(task)
            try:
                await body(*arguments)
            finally:
                self._at_work.discard(task)

        return run

    async def _run_hear(self, given: dict[str, Any]) -> None:
        try:
            await self._hear_out(given)
        except Exception:
            log.exception("job_broke", at="hear")
            await _step(take.give_up, self._tools, given)

    async def _hear_out(self, given: dict[str, Any]) -> None:
        if given["action"] == Action.LEFT:
            await _step(self._forget_workspace, given)
            return
        understood = await _step(hear.understand, self._tools, given)
        if understood is None:
            return
        job = await _step(asked.answer, self._tools, understood)
        if job is None:
            return
        await self.take(from_json(Request, job))
        if understood["action"] == Action.REGION:
            await _step(asked.taken, self._tools, understood)

    async def _forget_workspace(self, given: dict[str, Any]) -> None:
        """Jobs, rows, pictures and what the platform's own adapter keeps."""
        place = from_json(Request, given).place
        while names := await _jobs_before(place.tenant):
            await DBOS.cancel_workflows_async(names)
            await DBOS.delete_workflows_async(names)
        # First the installation: nothing new is accepted while the rest goes.
        await self._tools.chats[place.platform].forget(place)
        for key in await self._tools.blobs.keys(place.tenant):
            await self._tools.blobs.delete(place.tenant, key)
        await self._tools.store.forget_workspace(place.tenant)

    async def _run_take(self, given: dict[str, Any]) -> None:
        try:
            await self._take_in(given)
        except Exception:
            log.exception("job_broke", at="take")
            await _step(take.give_up, self._tools, given)

    async def _take_in(self, given: dict[str, Any]) -> None:
        collected = await _step(take.collect, self._tools, given)
        begun = await _step(take.begin, self._tools, given, collected)
        if begun is None:
            return
        await _step(take.announce, self._tools, begun["tenant"], begun["step"])
        queue = await self._queue(begun["account"], self._tools.catalog.model(begun["model"]))
        with (
            SetWorkflowID(f"{begun['tenant']}:{begun['step']}:generate"),
            SetEnqueueOptions(priority=begun["priority"]),
        ):
            await DBOS.enqueue_workflow_async(queue, self._generate, begun["tenant"], begun["step"])

    async def _run_generate(self, tenant: str, step: str) -> None:
        outcome: Any = "again"
        while outcome == "again":
            if await _step(self._or_fail(generate.submit), tenant, step) == "ended":
                return
            outcome = await _step(self._or_fail(generate.wait), tenant, step)
        if outcome == "ended":
            return
        with SetWorkflowID(f"{tenant}:{step}:finish"):
            await DBOS.enqueue_workflow_async(DELIVERY, self._finish, tenant, step, outcome)

    async def _run_finish(self, tenant: str, step: str, outcome: dict[str, Any]) -> None:
        await _step(self._or_fail(finish.keep), tenant, step, outcome)
        await _step(self._or_fail(finish.deliver), tenant, step)

    async def _tell_the_given_up(self) -> None:
        """Steps whose workflow will never run again end with words: nothing is left in silence."""
        for step in await self._tools.store.unfinished():
            names = [f"{step.tenant}:{step.id}:{name}" for name in ("generate", "finish")]
            found = {one.workflow_id: one.status for one in await DBOS.list_workflows_async(workflow_ids=names)}
            if found.get(names[1], found.get(names[0])) in GIVEN_UP:
                await fail(self._tools, step, EaselError("status.broken", charged="maybe", reference=step.id))

    def _or_fail(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """A mistake of ours ends the job with words and a reference, never in silence."""

        async def guarded(tenant: str, step: str, *rest: Any) -> Any:
            try:
                return await function(self._tools, tenant, step, *rest)
            except Exception:
                log.exception("job_broke", step=step, at=function.__name__)
                broken = EaselError("status.broken", charged="maybe", reference=step)
                await fail(self._tools, await self._tools.store.step(tenant, step), broken)
                return "ended"

        guarded.__name__ = function.__name__
        return guarded

    async def _queue(self, account: str, model: Model) -> str:
        """The queue of one account and model, made when first needed."""
        name = f"easel.{account}.{model.id}"
        if name not in self._queues:
            running = model.running_limit
            limit = model.submit_limit
            await DBOS.register_queue_async(
                name,
                global_concurrency=UNLIMITED if running is None else running + AHEAD,
                limiter={"limit": limit.count, "period": limit.seconds} if limit else None,
                polling_interval_sec=POLL,
            )
            self._queues.add(name)
        return name

    async def _fall_back(self, account: str, model_id: str) -> None:
        """The service refused for load: submit no further ahead than it runs."""
        model = self._tools.catalog.model(model_id)
        queue = await DBOS.retrieve_queue_async(await self._queue(account, model))
        if queue is not None and model.running_limit is not None:
            await queue.set_global_concurrency_async(model.running_limit)


async def _jobs_before(tenant: str) -> list[str]:
    """Workflows of a workspace older than the one that asks: whoever comes back at once is not forgotten with them."""
    me = str(DBOS.workflow_id)
    mine = await DBOS.list_workflows_async(workflow_ids=[me])
    ends = datetime.fromtimestamp((mine[0].created_at or 0) / 1000, UTC).isoformat()
    # DBOS writes whole seconds on SQLite: another goodbye of the same second would forget this one, and this the other.
    found = await DBOS.list_workflows_async(workflow_id_prefix=f"{tenant}:", end_time=ends, limit=200)
    return [workflow.workflow_id for workflow in found if not _is_goodbye(workflow)]


def _is_goodbye(workflow: WorkflowStatus) -> bool:
    """Does it forget a workspace? Those are left alone: each must come to its end."""
    if workflow.name != "hear" or not workflow.input:
        return False
    return bool(workflow.input["args"][0]["action"] == Action.LEFT)


async def _step(function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """Run a function of the flow as a checkpointed step of the workflow."""
    return await DBOS.run_step_async({"name": function.__name__}, function, *arguments)
