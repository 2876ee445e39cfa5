"""One watcher an account.

Learns of finished tasks for all waiting jobs inside the account's 20 queries a second.

While few tasks can be running it asks about those most likely finished; when many run it reads the
task list and then asks once for each that ended. Tasks that wait
behind a full house are let be.
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
"""Of the 20 a second the vendor allows."""
ASKS = 13
"""Questions a second about running tasks: who fills the budget waits a second for it when it
matters."""
FEW = 4
"""Tasks likely at work up to which each is asked about by itself."""
AT_ONCE = 4
LIST_EVERY = 0.125
BEHIND = 1.0
"""Seconds between two questions about tasks that wait behind a full house, one of them at a time."""
EARLY = 1.0
"""Seconds between two questions about a task younger than any of its model has been when it ended."""
REMEMBERED = 20
CLOCK_SKEW = timedelta(minutes=2)

log = structlog.get_logger()
Ask = Callable[[str], Awaitable[TaskReply]]
List = Callable[[datetime], Awaitable[list[TaskListItem]]]


@dataclass(slots=True, kw_only=True)
class PendingTask:
    """A task somebody waits for. Times are monotonic seconds."""

    id: str
    model: str
    running_limit: int | None
    since: float
    end: "asyncio.Future[TaskReply]"
    due: float = 0.0
    failures: int = 0
    is_asking: bool = False
    is_behind: bool = False
    asked_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Watcher:
    """Waits for tasks. ``pace`` is the account's budget of queries, for everything that asks."""

    def __init__(self, ask: Ask, list_recent: List) -> None:
        self.pace = Pace(QUERIES, PERIOD)
        self._ask = ask
        self._list_recent = list_recent
        self._tasks: dict[str, PendingTask] = {}
        self._ages: dict[str, deque[float]] = {}
        self._wake = asyncio.Event()
        self._behind_due = 0.0
        self._loop: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()

    async def wait(
        self, task_id: str, model: str, running_limit: int | None
    ) -> TaskReply:
        """The task's last answer, once it has come to an end.

        Cancelling stops the waiting, not the task.
        """
        if task_id not in self._tasks:
            end: asyncio.Future[TaskReply] = asyncio.get_running_loop().create_future()
            self._tasks[task_id] = PendingTask(
                id=task_id,
                model=model,
                running_limit=running_limit,
                since=time.monotonic(),
                end=end,
            )
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._watch(), name="watcher")
        self._wake.set()
        watched = self._tasks[task_id]
        try:
            return await asyncio.shield(watched.end)
        finally:
            if not watched.end.done() or watched.end.cancelled():
                self._tasks.pop(task_id, None)

    def nudge(self, task_id: str) -> None:
        """Something happened to it: ask at once."""
        if task_id in self._tasks:
            self._tasks[task_id].due = self._tasks[task_id].since = 0.0
            self._wake.set()

    async def close(self) -> None:
        """Stop asking."""
        running = [*self._asking, *([self._loop] if self._loop else [])]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _watch(self) -> None:
        while self._tasks:
            self._wake.clear()
            likely = self._likely()
            hot = [one for one in likely if not self._is_young(one)]
            if len(hot) > FEW:
                await self._look_at_list(hot)
                await asyncio.sleep(LIST_EVERY)
                continue
            for one in self._due([*likely, *self._one_behind()]):
                one.is_asking = True
                task = asyncio.create_task(self._query(one, max(len(hot), 1)))
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)
            await self._sleep_until_due()

    def _likely(self) -> list[PendingTask]:
        """Those that may be at work: of each model the oldest, as many as it runs at once."""
        found: list[PendingTask] = []
        places: dict[str, int] = {}
        for one in sorted(self._tasks.values(), key=lambda watched: watched.since):
            places[one.model] = places.get(one.model, 0) + 1
            one.is_behind = (
                one.running_limit is not None and places[one.model] > one.running_limit
            )
            if not one.is_behind:
                found.append(one)
        return found

    def _one_behind(self) -> list[PendingTask]:
        """Now and then one of those that wait.

        It may have been cancelled, or the house be emptier than we think.
        """
        now = time.monotonic()
        if now < self._behind_due:
            return []
        self._behind_due = now + BEHIND
        behind = [
            one for one in self._tasks.values() if one.is_behind and not one.is_asking
        ]
        return [min(behind, key=lambda one: one.due)] if behind else []

    def _is_young(self, one: PendingTask) -> bool:
        """Younger than any of its model was at its end: hardly finished."""
        ages = self._ages.get(one.model, ())
        return len(ages) >= 3 and time.monotonic() - one.since < 0.8 * min(ages)

    def _due(self, likely: list[PendingTask]) -> list[PendingTask]:
        now = time.monotonic()
        free = max(AT_ONCE - len(self._asking), 0)
        due = [one for one in likely if one.due <= now and not one.is_asking]
        return sorted(due, key=lambda one: one.due)[:free]

    async def _sleep_until_due(self) -> None:
        now = time.monotonic()
        soonest = min(
            (one.due for one in self._likely() if not one.is_asking),
            default=now + EARLY,
        )
        try:
            async with asyncio.timeout(min(max(soonest - now, 0.005), EARLY)):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _query(self, one: PendingTask, hot: int) -> None:
        try:
            reply = await self._ask(one.id)
        except Misconfigured as error:
            self._try_later(one, error, 30.0)
        except ProviderError as error:
            self._try_later(one, error, 0.5)
        else:
            self._learn(one, reply, hot)
        finally:
            one.is_asking = False
            self._wake.set()

    def _learn(self, one: PendingTask, reply: TaskReply, hot: int) -> None:
        one.failures = 0
        if reply.state.is_final:
            self._end(one, reply)
            return
        one.due = time.monotonic() + (EARLY if self._is_young(one) else hot / ASKS)

    def _end(self, one: PendingTask, reply: TaskReply) -> None:
        self._tasks.pop(one.id, None)
        if reply.started and reply.ended:
            age = (reply.ended - reply.started).total_seconds()
            self._ages.setdefault(one.model, deque(maxlen=REMEMBERED)).append(age)
        if not one.end.done():
            one.end.set_result(reply)

    def _try_later(self, one: PendingTask, error: ProviderError, first: float) -> None:
        one.failures += 1
        delay = min(first * 2 ** min(one.failures - 1, 6), 30.0)
        log.info(
            "query_failed",
            task=one.id,
            error=error.key,
            code=error.code,
            again_in=delay,
        )
        one.due = time.monotonic() + delay

    async def _look_at_list(self, hot: list[PendingTask]) -> None:
        since = min(one.asked_at for one in hot) - CLOCK_SKEW
        try:
            listed = {row.id: row.state for row in await self._list_recent(since)}
        except ProviderError as error:
            log.info("list_failed", error=error.key, code=error.code)
            await asyncio.sleep(0.5)
            return
        ended = [one for one in hot if one.id not in listed or listed[one.id].is_final]
        for one in ended[:QUERIES]:
            if one.due <= time.monotonic():
                await self._query(one, len(hot))
