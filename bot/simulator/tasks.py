"""One account of the service.

Its tasks, slots, limits, clock, ledger, and the faults it is asked to have.
"""

import asyncio
import random
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from bot.simulator.persistence import Kept
from bot.simulator.rules import Refusal, Rule, Wanted, rules_with

BEIJING = timezone(timedelta(hours=8))
QUERIES_PER_SECOND = 20
RETENTION = 24 * 3600.0
MAX_FINISHED = 5000


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
    wanted: Wanted
    inputs: tuple[bytes, ...]
    mask: bytes | None
    duration: float
    accepted: float
    seed: int
    state: str = "PENDING"
    started: float | None = None
    ended: float | None = None
    code: str = ""
    message: str = ""
    failed_pictures: frozenset[int] = frozenset()
    is_sync: bool = False
    size: tuple[int, int] | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def billed(self) -> int:
        """Successful pictures."""
        return (
            self.wanted.n - len(self.failed_pictures)
            if self.state == "SUCCEEDED"
            else 0
        )


class Account:
    """All state, in memory."""

    def __init__(self, config: SimulatorConfig) -> None:
        self.config = config
        self.rules = rules_with(config.like)
        self.tasks: dict[str, Task] = {}
        self.faults: list[dict[str, Any]] = []
        self.refused_submits = 0
        self.refused_queries = 0
        self.queries = 0
        self.max_running: dict[str, int] = {}
        self.uploads: dict[str, tuple[str, float, bytes]] = {}
        self._offset = 0.0
        self._luck = random.Random(config.seed)  # noqa: S311  # durations, not secrets
        self._submits: dict[str, deque[float]] = {}
        self._asked: deque[float] = deque()
        self._running: dict[str, int] = {}
        self._alarms: set[asyncio.Task[None]] = set()
        self._kept = Kept(config.folder) if config.folder else None

    def remember(self) -> None:
        """Go on with what an earlier simulator on the same folder accepted.

        Needs the running loop.
        """
        for fields in self._kept.tasks(RETENTION) if self._kept else []:
            task = Task(**fields)
            is_over = task.accepted + task.duration <= self.now()
            if task.is_sync and not is_over:
                continue  # Who waited for the answer is gone.
            self.tasks[task.id] = task
            if is_over:
                task.state, task.started, task.ended = (
                    "SUCCEEDED",
                    task.accepted,
                    task.accepted + task.duration,
                )
                task.done.set()
        for model in {task.wanted.model for task in self.tasks.values()}:
            self._start_next(model)

    def rule(self, wanted: Wanted) -> Rule:
        """The rule of a request's model."""
        return self.rules[wanted.model]

    def now(self) -> float:
        """The simulator's clock, in epoch seconds."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        self._offset += seconds

    async def close(self) -> None:
        """Forget what still runs.

        Who waits for an answer gets an error, so that nothing holds the server up.
        """
        for alarm in self._alarms:
            alarm.cancel()
        await asyncio.gather(*self._alarms, return_exceptions=True)
        for task in self.tasks.values():
            if task.is_sync and not task.done.is_set():
                task.state, task.code, task.message = (
                    "FAILED",
                    "InternalError",
                    "Internal server error!",
                )
                task.done.set()

    # Limits

    def check_query(self) -> None:
        """Twenty a second for asking, listing and cancelling together."""
        self.queries += 1
        if not self._within(self._asked, QUERIES_PER_SECOND, 1.0):
            self.refused_queries += 1
            raise Refusal(
                429,
                "Throttling.RateQuota",
                "Requests rate limit exceeded, please try again later.",
            )

    def check_submit(self, model: str, is_sync: bool) -> None:
        """The model's own submit limit, and its running limit where it refuses instead of queueing."""
        rule = self.rules[model]
        count, seconds = rule.submits
        full = False
        if self.config.overflow == "refuse" and not is_sync:
            full = (
                rule.running is not None and self._running.get(model, 0) >= rule.running
            )
        if is_sync and self.config.sync_running is not None:
            full = self._running.get(model, 0) >= self.config.sync_running
        if full or not self._within(
            self._submits.setdefault(model, deque()), count, seconds
        ):
            self.refused_submits += 1
            if full:
                raise Refusal(429, "Throttling", "Requests throttling triggered.")
            raise Refusal(
                429,
                "Throttling.RateQuota",
                "Requests rate limit exceeded, please try again later.",
            )

    def _within(self, times: deque[float], count: int, seconds: float) -> bool:
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
        wanted: Wanted,
        inputs: tuple[bytes, ...],
        mask: bytes | None,
        *,
        is_sync: bool,
    ) -> Task:
        """A new task, started as soon as a slot of its model is free."""
        self._forget_old()
        low, high = self.config.durations
        task = Task(
            id=str(uuid.UUID(int=self._luck.getrandbits(128), version=4))
            if self.config.seed
            else str(uuid.uuid4()),
            request_id=str(uuid.uuid4()),
            wanted=wanted,
            inputs=inputs,
            mask=mask,
            duration=self._luck.uniform(low, high) * self.config.time_scale,
            accepted=self.now(),
            seed=wanted.seed
            if wanted.seed is not None
            else self._luck.randrange(2**31),
            is_sync=is_sync,
        )
        if self._kept:
            kept = (
                "id",
                "request_id",
                "wanted",
                "inputs",
                "mask",
                "duration",
                "accepted",
                "seed",
                "is_sync",
            )
            self._kept.keep(task.id, {name: getattr(task, name) for name in kept})
        self.tasks[task.id] = task
        self._start_next(wanted.model)
        return task

    def _start_next(self, model: str) -> None:
        limit = self.rules[model].running
        for task in list(self.tasks.values()):
            running = self._running.get(model, 0)
            is_free = task.is_sync or limit is None or running < limit
            if task.wanted.model == model and task.state == "PENDING" and is_free:
                task.state, task.started = "RUNNING", self.now()
                self._running[model] = running + 1
                self.max_running[model] = max(
                    self.max_running.get(model, 0), running + 1
                )
                alarm = asyncio.create_task(self._run(task))
                self._alarms.add(alarm)
                alarm.add_done_callback(self._alarms.discard)

    async def _run(self, task: Task) -> None:
        # A parameter error shows at once, as in the vendor's sample.
        await asyncio.sleep(
            min(task.duration, 0.1 * self.config.time_scale)
            if task.code
            else task.duration
        )
        task.ended = self.now()
        task.state = "FAILED" if task.code else "SUCCEEDED"
        if len(task.failed_pictures) == task.wanted.n and not task.code:
            task.state, task.code, task.message = (
                "FAILED",
                "InternalError",
                "Internal server error!",
            )
        self._running[task.wanted.model] -= 1
        task.done.set()
        self._start_next(task.wanted.model)

    def cancel(self, task_id: str) -> None:
        """Only while PENDING."""
        task = self.find(task_id)
        if task is None or task.state != "PENDING":
            message = "Failed to cancel the task, please confirm if the task is in PENDING status."
            raise Refusal(400, "UnsupportedOperation", message)
        task.state, task.ended = "CANCELED", self.now()
        task.done.set()

    def find(self, task_id: str) -> Task | None:
        """None when unknown or older than 24 hours."""
        task = self.tasks.get(task_id)
        if task is None or task.is_sync or self.now() - task.accepted > RETENTION:
            return None
        return task

    def listed(self, query: Mapping[str, str]) -> list[Task]:
        """Newest first, within the window, model and status asked for."""
        since = _moment(query.get("start_time"), self.now() - RETENTION)
        until = _moment(query.get("end_time"), self.now()) + 1
        visible = self.now() - self.config.list_lag
        found = [
            task
            for task in self.tasks.values()
            if not task.is_sync
            and since <= task.accepted <= min(until, visible)
            and query.get("model_name") in {None, "", task.wanted.model}
            and query.get("status") in {None, "", task.state}
        ]
        return sorted(found, key=lambda task: task.accepted, reverse=True)

    def _forget_old(self) -> None:
        if len(self.tasks) > MAX_FINISHED:
            for task_id in [one.id for one in self.tasks.values() if one.ended][
                : MAX_FINISHED // 2
            ]:
                del self.tasks[task_id]

    # Faults and the ledger, for tests

    def take_fault(self, where: str) -> dict[str, Any] | None:
        """The next fault for this kind of call: ``nth`` counts calls down, ``times`` how often (0.

        Always).
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

    def ledger(self) -> dict[str, Any]:
        """Everything accepted, and what was refused."""
        return {
            "tasks": [_entry(task) for task in self.tasks.values()],
            "refused_submits": self.refused_submits,
            "refused_queries": self.refused_queries,
            "queries": self.queries,
            "max_running": self.max_running,
        }


def _entry(task: Task) -> dict[str, Any]:
    return {
        "task_id": task.id,
        "request_id": task.request_id,
        "model": task.wanted.model,
        "function": task.wanted.function,
        "prompt": task.wanted.prompt,
        "seed": task.seed,
        "n": task.wanted.n,
        "is_sync": task.is_sync,
        "status": task.state,
        "accepted_at": task.accepted,
        "started_at": task.started,
        "finished_at": task.ended,
        "duration": task.duration,
        "images_billed": task.billed,
    }


def _moment(text: str | None, default: float) -> float:
    try:
        return (
            datetime.strptime(text or "", "%Y%m%d%H%M%S")
            .replace(tzinfo=BEIJING)
            .timestamp()
        )
    except ValueError:
        return default


def beijing(moment: float) -> str:
    """``2026-11-20 17:38:24.817``, Beijing's clock without a zone."""
    return f"{datetime.fromtimestamp(moment, UTC).astimezone(BEIJING):%Y-%m-%d %H:%M:%S.%f}"[
        :-3
    ]
