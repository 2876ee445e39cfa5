"""One account of the service: its tasks, slots, limits, clock, ledger and faults."""

import asyncio
import random
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Any

from bot.simulator.models import Rule, rules_with
from bot.simulator.persistence import TaskFolder
from bot.simulator.refusals import Refusal
from bot.simulator.rules import ImageRequest

Json = dict[str, Any]
"""A JSON object."""

BEIJING = timezone(timedelta(hours=8))
QUERIES_PER_SECOND = 20
RETENTION = 24 * 3600.0
MAX_FINISHED = 5000
SOON = 0.1
"""Seconds until a task with a parameter error fails, as in the vendor's sample."""
KEPT = (
    "id",
    "request_id",
    "request",
    "inputs",
    "mask",
    "duration",
    "accepted",
    "seed",
    "is_sync",
)
"""Fields of a task that outlive the process."""
BROKEN = ("InternalError", "Internal server error!")


class TaskState(StrEnum):
    """The vendor's words."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorConfig:
    """``durations``: least and most seconds of a task, times ``time_scale``.

    ``overflow``: beyond a model's running limit, "queue" keeps tasks PENDING, "refuse" answers 429.
    ``rate_limits`` False is the lenient mode. ``sync_running``: synchronous calls at once for a
    model, None for no limit. ``folder``: where tasks outlive us. ``like``: models it is to serve by
    another one's rules.
    """

    api_key: str = "sk-simulator"
    time_scale: float = 1.0
    seed: int | None = None
    overflow: str = "queue"
    rate_limits: bool = True
    durations: tuple[float, float] = (5.0, 15.0)
    sync_running: int | None = None
    result_ttl: float = RETENTION
    list_lag: float = 0.0
    folder: Path | None = None
    like: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Task:
    """A submission. Times are seconds of the simulator's own clock."""

    id: str
    request_id: str
    request: ImageRequest
    inputs: tuple[bytes, ...]
    mask: bytes | None
    duration: float
    accepted: float
    seed: int
    state: TaskState = TaskState.PENDING
    started: float | None = None
    ended: float | None = None
    code: str = ""
    message: str = ""
    failed_pictures: frozenset[int] = frozenset()
    is_sync: bool = False
    size: tuple[int, int] | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def good_pictures(self) -> int:
        """Count the pictures that came out well: these are billed."""
        if self.state is not TaskState.SUCCEEDED:
            return 0
        return self.request.n - len(self.failed_pictures)

    def fail(self, code: str, message: str) -> None:
        """End the task as failed."""
        self.state = TaskState.FAILED
        self.code = code
        self.message = message


class Account:
    """All state, in memory."""

    def __init__(self, config: SimulatorConfig) -> None:
        self.config = config
        self.rules = rules_with(config.like)
        self.tasks: dict[str, Task] = {}
        self.faults: list[Json] = []
        self.refused_submits = 0
        self.refused_queries = 0
        self.queries = 0
        self.max_running: dict[str, int] = {}
        self._offset = 0.0
        self._luck = random.Random(config.seed)  # noqa: S311  # durations, not secrets
        self._submits: dict[str, deque[float]] = {}
        self._asked: deque[float] = deque()
        self._running: dict[str, int] = {}
        self._alarms: set[asyncio.Task[None]] = set()
        self._folder = TaskFolder(config.folder) if config.folder else None

    def remember(self) -> None:
        """Take over what an earlier simulator on the same folder accepted.

        Needs the running loop.
        """
        if self._folder is None:
            return
        for fields in self._folder.load(RETENTION):
            task = Task(**fields)
            is_over = task.accepted + task.duration <= self.now()
            if task.is_sync and not is_over:
                continue  # Its caller is gone, and no other can ask for it.
            self.tasks[task.id] = task
            if is_over:
                task.state = TaskState.SUCCEEDED
                task.started = task.accepted
                task.ended = task.accepted + task.duration
                task.done.set()
        models = {task.request.model for task in self.tasks.values()}
        for model in models:
            self._start_next(model)

    def rule(self, request: ImageRequest) -> Rule:
        """The rule of a request's model."""
        return self.rules[request.model]

    def now(self) -> float:
        """The simulator's clock, in epoch seconds."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        self._offset += seconds

    async def close(self) -> None:
        """Forget what still runs.

        Callers that wait for an answer get an error, so that nothing holds the server up.
        """
        for alarm in self._alarms:
            alarm.cancel()
        await asyncio.gather(*self._alarms, return_exceptions=True)
        for task in self.tasks.values():
            if task.is_sync and not task.done.is_set():
                task.fail(*BROKEN)
                task.done.set()

    # Limits

    def check_query(self) -> None:
        """Allow twenty queries a second: asking, listing and cancelling. Raises Refusal."""
        self.queries += 1
        if not self._is_within(self._asked, QUERIES_PER_SECOND, 1.0):
            self.refused_queries += 1
            raise _too_fast()

    def check_submit(self, model: str, is_sync: bool) -> None:
        """Check the submit limit, and the running limit where it refuses instead of queueing.

        Raises Refusal.
        """
        self.check_room(model, is_sync)
        count, seconds = self.rules[model].submits
        times = self._submits.setdefault(model, deque())
        if not self._is_within(times, count, seconds):
            self.refused_submits += 1
            raise _too_fast()

    def check_room(self, model: str, is_sync: bool) -> None:
        """Allow as many at once as the service takes. Raises Refusal."""
        if self._is_full(model, is_sync):
            self.refused_submits += 1
            raise Refusal(429, "Throttling", "Requests throttling triggered.")

    def _is_full(self, model: str, is_sync: bool) -> bool:
        if is_sync:
            limit = self.config.sync_running
        elif self.config.overflow == "refuse":
            limit = self.rules[model].running
        else:
            limit = None
        return limit is not None and self._running.get(model, 0) >= limit

    def _is_within(
        self,
        times: deque[float],
        count: int,
        seconds: float,
    ) -> bool:
        """Fewer than ``count`` in the last ``seconds``? Then this one counts, too."""
        now = time.monotonic()
        while times and times[0] <= now - seconds:
            times.popleft()
        if len(times) >= count and self.config.rate_limits:
            return False
        times.append(now)
        return True

    # Tasks

    def accept(
        self,
        request: ImageRequest,
        inputs: tuple[bytes, ...],
        mask: bytes | None,
        *,
        is_sync: bool,
    ) -> Task:
        """Add a new task, which starts as soon as a slot of its model is free."""
        # A demo may run for weeks.
        self._forget_old()
        # The order in which luck is asked decides what a seed brings.
        task_id = self._new_id()
        seconds = self._luck.uniform(*self.config.durations)
        duration = seconds * self.config.time_scale
        seed = request.seed
        if seed is None:
            seed = self._luck.randrange(2**31)
        task = Task(
            id=task_id,
            request_id=str(uuid.uuid4()),
            request=request,
            inputs=inputs,
            mask=mask,
            duration=duration,
            accepted=self.now(),
            seed=seed,
            is_sync=is_sync,
        )
        if self._folder:
            fields = {name: getattr(task, name) for name in KEPT}
            self._folder.save(task.id, fields)
        self.tasks[task.id] = task
        self._start_next(request.model)
        return task

    def _new_id(self) -> str:
        if not self.config.seed:
            return str(uuid.uuid4())
        bits = self._luck.getrandbits(128)
        return str(uuid.UUID(int=bits, version=4))

    def _start_next(self, model: str) -> None:
        for task in list(self.tasks.values()):
            is_waiting = task.state is TaskState.PENDING
            is_in_line = is_waiting and task.request.model == model
            if is_in_line and self._has_slot(task):
                self._start(task)

    def _has_slot(self, task: Task) -> bool:
        model = task.request.model
        limit = self.rules[model].running
        if task.is_sync or limit is None:
            return True
        return self._running.get(model, 0) < limit

    def _start(self, task: Task) -> None:
        model = task.request.model
        running = self._running.get(model, 0) + 1
        task.state = TaskState.RUNNING
        task.started = self.now()
        self._running[model] = running
        most = self.max_running.get(model, 0)
        self.max_running[model] = max(most, running)
        alarm = asyncio.create_task(self._run(task))
        self._alarms.add(alarm)
        alarm.add_done_callback(self._alarms.discard)

    async def _run(self, task: Task) -> None:
        seconds = task.duration
        if task.code:
            seconds = min(seconds, SOON * self.config.time_scale)
        await asyncio.sleep(seconds)
        task.ended = self.now()
        # What spoils a task may be decided while it runs.
        if task.code:
            task.fail(task.code, task.message)
        elif len(task.failed_pictures) == task.request.n:
            task.fail(*BROKEN)
        else:
            task.state = TaskState.SUCCEEDED
        # First the place, then the news: a caller may submit the next one at once.
        self._running[task.request.model] -= 1
        task.done.set()
        self._start_next(task.request.model)

    def cancel(self, task_id: str) -> None:
        """Cancel a PENDING task. Raises Refusal for any other."""
        task = self.find(task_id)
        if task is None or task.state is not TaskState.PENDING:
            message = (
                "Failed to cancel the task, "
                "please confirm if the task is in PENDING status."
            )
            raise Refusal(400, "UnsupportedOperation", message)
        task.state = TaskState.CANCELED
        task.ended = self.now()
        task.done.set()

    def find(self, task_id: str) -> Task | None:
        """Find a task; None when unknown or older than 24 hours."""
        task = self.tasks.get(task_id)
        if task is None or task.is_sync:
            return None
        age = self.now() - task.accepted
        return task if age <= RETENTION else None

    def list_tasks(self, query: Mapping[str, str]) -> list[Task]:
        """List tasks, newest first, by window, model and status."""
        now = self.now()
        since = _moment(query.get("start_time"), now - RETENTION)
        until = _moment(query.get("end_time"), now) + 1
        visible = min(until, now - self.config.list_lag)
        model = query.get("model_name")
        status = query.get("status")
        tasks = [
            task
            for task in self.tasks.values()
            if not task.is_sync
            and since <= task.accepted <= visible
            and (not model or model == task.request.model)
            and (not status or status == task.state)
        ]
        return sorted(tasks, key=lambda task: task.accepted, reverse=True)

    def _forget_old(self) -> None:
        if len(self.tasks) <= MAX_FINISHED:
            return
        ended = [task.id for task in self.tasks.values() if task.ended]
        half = MAX_FINISHED // 2
        for task_id in ended[:half]:
            del self.tasks[task_id]

    # Faults and the ledger, for tests

    def take_fault(self, where: str) -> Json | None:
        """Take the next fault for this kind of call.

        ``nth`` counts calls down; ``times`` is how often it happens, 0 for always.
        """
        for fault in self.faults:
            if fault["where"] != where:
                continue
            fault["nth"] = fault.get("nth", 1) - 1
            if fault["nth"] > 0:
                continue
            fault["nth"] = 1
            fault["times"] = fault.get("times", 1) - 1
            if fault["times"] == 0:
                self.faults.remove(fault)
            return fault
        return None

    def ledger(self) -> Json:
        """Everything accepted, and what was refused."""
        return {
            "tasks": [_entry(task) for task in self.tasks.values()],
            "refused_submits": self.refused_submits,
            "refused_queries": self.refused_queries,
            "queries": self.queries,
            "max_running": self.max_running,
        }


def _too_fast() -> Refusal:
    message = "Requests rate limit exceeded, please try again later."
    return Refusal(429, "Throttling.RateQuota", message)


def _entry(task: Task) -> Json:
    request = task.request
    return {
        "task_id": task.id,
        "request_id": task.request_id,
        "model": request.model,
        "function": request.function,
        "prompt": request.prompt,
        "seed": task.seed,
        "n": request.n,
        "is_sync": task.is_sync,
        "status": task.state,
        "accepted_at": task.accepted,
        "started_at": task.started,
        "finished_at": task.ended,
        "duration": task.duration,
        "images_billed": task.good_pictures,
    }


def _moment(text: str | None, default: float) -> float:
    try:
        moment = datetime.strptime(f"{text}+0800", "%Y%m%d%H%M%S%z")
    except ValueError:
        return default
    return moment.timestamp()


def beijing(moment: float) -> str:
    """``2026-11-20 17:38:24.817``, Beijing's clock without a zone."""
    local = datetime.fromtimestamp(moment, BEIJING)
    milliseconds = local.microsecond // 1000
    return f"{local:%Y-%m-%d %H:%M:%S}.{milliseconds:03}"
