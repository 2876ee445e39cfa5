"""One watcher per account finds finished tasks within the account's 20 queries a second.

While few tasks can be running it asks about those most likely finished; when many run it reads the
task list and then asks once for each that ended. Tasks beyond their model's running limit wait in
the service's line and are left alone.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from core.errors import Misconfigured, ProviderError
from core.providers.dashscope.pace import Pace
from core.providers.dashscope.protocol import TaskListItem, TaskReply

QUERIES, PERIOD = 18, 1.0
"""Queries in a period, of the 20 a second the vendor allows."""
RUNNING_QUERIES = 13
"""Questions a second about running tasks: a full budget would make a cancellation wait a second."""
FEW = 4
"""Tasks likely at work up to which each is asked about by itself."""
MAX_OPEN = 4
"""Questions asked at the same time."""
LIST_SECONDS = 0.125
LINE_SECONDS = 1.0
"""Seconds between two questions about tasks in the service's line, one of them at a time."""
EARLY_SECONDS = 1.0
"""Seconds between two questions about a task younger than any of its model at its end."""
SHORTEST_SLEEP = 0.005
FIRST_PAUSE, LONG_PAUSE = 0.5, 30.0
"""Seconds after a failed question: doubled each time; the longest at once when the key is wrong."""
REMEMBERED = 20
"""Ages at their end of a model's newest tasks."""
ENOUGH_AGES = 3
CLOCK_SKEW = timedelta(minutes=2)

log = structlog.get_logger()
Query = Callable[[str], Awaitable[TaskReply]]
ListRecent = Callable[[datetime], Awaitable[list[TaskListItem]]]


@dataclass(slots=True, kw_only=True)
class PendingTask:
    """A task that is waited for. Times are monotonic seconds."""

    id: str
    model: str
    running_limit: int | None
    since: float
    end: "asyncio.Future[TaskReply]"
    due: float = 0.0
    failures: int = 0
    is_asking: bool = False
    is_in_line: bool = False
    asked_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Watcher:
    """Waits for tasks. ``pace`` is the account's budget of queries, for everything that asks."""

    def __init__(self, query: Query, list_recent: ListRecent) -> None:
        self.pace = Pace(QUERIES, PERIOD)
        self._query = query
        self._list_recent = list_recent
        self._tasks: dict[str, PendingTask] = {}
        self._ages: dict[str, deque[float]] = {}
        self._wake = asyncio.Event()
        self._line_due = 0.0
        self._loop: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()

    async def wait(
        self,
        task_id: str,
        model: str,
        running_limit: int | None,
    ) -> TaskReply:
        """The task's last answer, once it has ended.

        Cancelling stops the waiting, not the task.
        """
        pending = self._watch_task(task_id, model, running_limit)
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._watch(), name="watcher")
        self._wake.set()
        try:
            # Shielded: several may wait for the same task, and one of them may be cancelled.
            return await asyncio.shield(pending.end)
        finally:
            if not pending.end.done() or pending.end.cancelled():
                self._tasks.pop(task_id, None)

    def _watch_task(
        self,
        task_id: str,
        model: str,
        running_limit: int | None,
    ) -> PendingTask:
        if task_id not in self._tasks:
            self._tasks[task_id] = PendingTask(
                id=task_id,
                model=model,
                running_limit=running_limit,
                since=time.monotonic(),
                end=asyncio.get_running_loop().create_future(),
            )
        return self._tasks[task_id]

    def nudge(self, task_id: str) -> None:
        """Ask about a task at once: something has happened to it."""
        pending = self._tasks.get(task_id)
        if pending is not None:
            # As if it were old: then it is among those that are likely to have ended.
            pending.due = pending.since = 0.0
            self._wake.set()

    async def close(self) -> None:
        """Stop asking."""
        running = [*self._asking]
        if self._loop:
            running.append(self._loop)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _watch(self) -> None:
        while self._tasks:
            self._wake.clear()
            likely = self._likely()
            mature = [
                pending for pending in likely if not self._is_young(pending)
            ]
            # One list shows a hundred tasks for the price of one question.
            if len(mature) > FEW:
                await self._look_at_list(mature)
                await asyncio.sleep(LIST_SECONDS)
                continue
            for pending in self._due([*likely, *self._one_in_line()]):
                self._start_asking(pending, max(len(mature), 1))
            await self._sleep_until_due()

    def _start_asking(self, pending: PendingTask, sharing: int) -> None:
        pending.is_asking = True
        task = asyncio.create_task(self._ask(pending, sharing))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    def _likely(self) -> list[PendingTask]:
        """The tasks that may be at work: of each model the oldest, as many as it runs at once."""
        likely: list[PendingTask] = []
        counts: dict[str, int] = {}
        for pending in sorted(
            self._tasks.values(), key=lambda task: task.since
        ):
            count = counts.get(pending.model, 0) + 1
            counts[pending.model] = count
            limit = pending.running_limit
            pending.is_in_line = limit is not None and count > limit
            if not pending.is_in_line:
                likely.append(pending)
        return likely

    def _one_in_line(self) -> list[PendingTask]:
        """Return, now and then, a task that waits in line.

        It may have been cancelled, or fewer may be at work than we think.
        """
        now = time.monotonic()
        if now < self._line_due:
            return []
        self._line_due = now + LINE_SECONDS
        waiting = [
            pending
            for pending in self._tasks.values()
            if pending.is_in_line and not pending.is_asking
        ]
        return sorted(waiting, key=_when_due)[:1]

    def _is_young(self, pending: PendingTask) -> bool:
        """Whether no task of its model has finished at that age: it is hardly done."""
        ages = self._ages.get(pending.model, ())
        if len(ages) < ENOUGH_AGES:
            return False
        # A little earlier than the quickest, as this one may be quicker still.
        return time.monotonic() - pending.since < 0.8 * min(ages)

    def _due(self, likely: list[PendingTask]) -> list[PendingTask]:
        now = time.monotonic()
        free = max(MAX_OPEN - len(self._asking), 0)
        due = [
            pending
            for pending in likely
            if pending.due <= now and not pending.is_asking
        ]
        return sorted(due, key=_when_due)[:free]

    async def _sleep_until_due(self) -> None:
        now = time.monotonic()
        waiting = [
            pending for pending in self._likely() if not pending.is_asking
        ]
        soonest = min(map(_when_due, waiting), default=now + EARLY_SECONDS)
        seconds = max(soonest - now, SHORTEST_SLEEP)
        try:
            async with asyncio.timeout(min(seconds, EARLY_SECONDS)):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _ask(self, pending: PendingTask, sharing: int) -> None:
        """``sharing``: how many tasks share the questions of a second."""
        try:
            reply = await self._query(pending.id)
        except Misconfigured as error:
            self._try_later(pending, error, LONG_PAUSE)
        except ProviderError as error:
            self._try_later(pending, error, FIRST_PAUSE)
        else:
            self._learn(pending, reply, sharing)
        finally:
            pending.is_asking = False
            self._wake.set()

    def _learn(
        self,
        pending: PendingTask,
        reply: TaskReply,
        sharing: int,
    ) -> None:
        pending.failures = 0
        if reply.state.is_final:
            self._end(pending, reply)
            return
        # All tasks at work share the questions of a second.
        pause = sharing / RUNNING_QUERIES
        if self._is_young(pending):
            pause = EARLY_SECONDS
        pending.due = time.monotonic() + pause

    def _end(self, pending: PendingTask, reply: TaskReply) -> None:
        self._tasks.pop(pending.id, None)
        if reply.started and reply.ended:
            ages = self._ages.setdefault(
                pending.model, deque(maxlen=REMEMBERED)
            )
            ages.append((reply.ended - reply.started).total_seconds())
        if not pending.end.done():
            pending.end.set_result(reply)

    def _try_later(
        self,
        pending: PendingTask,
        error: ProviderError,
        first: float,
    ) -> None:
        pending.failures += 1
        doublings = min(pending.failures - 1, 6)
        delay = min(first * 2**doublings, LONG_PAUSE)
        log.info(
            "query_failed",
            task=pending.id,
            error=error.key,
            code=error.code,
            again_in=delay,
        )
        pending.due = time.monotonic() + delay

    async def _look_at_list(self, mature: list[PendingTask]) -> None:
        since = min(pending.asked_at for pending in mature) - CLOCK_SKEW
        try:
            rows = await self._list_recent(since)
        except ProviderError as error:
            log.info("list_failed", error=error.key, code=error.code)
            await asyncio.sleep(FIRST_PAUSE)
            return
        states = {row.id: row.state for row in rows}
        # A task that the list does not show may have ended, too: asking tells.
        ended = [
            pending
            for pending in mature
            if pending.id not in states or states[pending.id].is_final
        ]
        # The list holds no results, so each that ended is asked about, a second's budget at most.
        for pending in ended[:QUERIES]:
            if pending.due <= time.monotonic():
                await self._ask(pending, len(mature))


def _when_due(pending: PendingTask) -> float:
    return pending.due
