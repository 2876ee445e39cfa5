"""Metrics for Prometheus: what this process logs, counted, and how much waits in the database.

Figures "of all processes" are the same from each of them; the others begin at zero with the
process. The names follow https://prometheus.io/docs/practices/naming/.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import generate_latest

from core.flow.context import Context
from core.types import StepState

WAIT_BUCKETS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600)
SERVICE_BUCKETS = (1, 2, 5, 10, 15, 20, 30, 45, 60, 120, 300)
LAG_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 60, 600)
"""Upper bounds in seconds."""

BUSY = "provider.busy"
"""Why a submit was refused: there were too many."""

OPEN_STATES = (
    StepState.QUEUED,
    StepState.SUBMITTING,
    StepState.RUNNING,
    StepState.MADE,
)

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits: steps by action, model and state, when the oldest began, open deliveries."""

    steps: Mapping[tuple[str, str, str], int]
    oldest: Mapping[StepState, datetime]
    deliveries: int


class EventMetrics:
    """Counts events of the log."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._accepted = Counter(
            "easel_jobs_accepted",
            "Jobs accepted by this process",
            ["platform", "action", "model"],
            registry=registry,
        )
        self._finished = Counter(
            "easel_jobs_finished",
            "Jobs that this process brought to their end",
            ["outcome", "model"],
            registry=registry,
        )
        self._refused = Counter(
            "easel_requests_refused",
            "Requests refused with words",
            ["reason"],
            registry=registry,
        )
        self._spent = Counter(
            "easel_spend",
            "Money charged, in the currency named",
            ["model", "currency"],
            registry=registry,
        )
        self._throttled = Counter(
            "easel_throttled",
            "Calls that the image service or a platform refused for being too many",
            ["side"],
            registry=registry,
        )
        self._takeovers = Counter(
            "easel_takeovers",
            "Workers whose work this process took over",
            registry=registry,
        )
        self._waits = Histogram(
            "easel_wait_seconds",
            "From a job's acceptance until it is sent to the image service",
            ["model"],
            buckets=WAIT_BUCKETS,
            registry=registry,
        )
        self._service = Histogram(
            "easel_service_seconds",
            "How long the image service works on a job",
            ["model"],
            buckets=SERVICE_BUCKETS,
            registry=registry,
        )
        self._lags = Histogram(
            "easel_delivery_lag_seconds",
            "From a stored result until it is shown",
            ["platform"],
            buckets=LAG_BUCKETS,
            registry=registry,
        )
        self._handlers: dict[str, Callable[[Facts], None]] = {
            "accepted": self._accept,
            "submitted": self._submit,
            "submit_refused": self._refuse_submit,
            "throttled": self._throttle,
            "made": self._make,
            "delivered": self._deliver,
            "step_ended": self._end,
            "refused": self._refuse,
            "worker_died": self._take_over,
        }

    def note(self, event: str, facts: Facts) -> None:
        """Count an event of the log."""
        handler = self._handlers.get(event)
        if handler is not None:
            handler(facts)

    def _accept(self, facts: Facts) -> None:
        self._accepted.labels(
            facts["platform"], facts["action"], facts["model"]
        ).inc()

    def _submit(self, facts: Facts) -> None:
        self._waits.labels(facts["model"]).observe(facts["waited"])

    def _throttle(self, facts: Facts) -> None:
        self._throttled.labels(facts["side"]).inc()

    def _refuse_submit(self, facts: Facts) -> None:
        if facts["error"] == BUSY:
            self._throttled.labels("service").inc()

    def _make(self, facts: Facts) -> None:
        model = facts["model"]
        if facts["seconds"] is not None:
            self._service.labels(model).observe(facts["seconds"])
        if facts["currency"]:
            self._spent.labels(model, facts["currency"]).inc(facts["amount"])

    def _deliver(self, facts: Facts) -> None:
        self._finished.labels("delivered", facts["model"]).inc()
        self._lags.labels(facts["platform"]).observe(facts["lag"])

    def _end(self, facts: Facts) -> None:
        self._finished.labels(facts["state"], facts["model"]).inc()

    def _refuse(self, facts: Facts) -> None:
        self._refused.labels(facts["error"]).inc()

    def _take_over(self, _facts: Facts) -> None:
        self._takeovers.inc()


class Metrics:
    """All metrics of a process.

    ``count_deliveries`` tells how many deliveries of platforms are not yet answered.
    """

    def __init__(
        self,
        context: Context,
        count_deliveries: Callable[[], Awaitable[int]],
    ) -> None:
        self._context = context
        self._count_deliveries = count_deliveries
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._events = EventMetrics(self._registry)
        self.note = self._events.note

    async def read_backlog(self) -> Backlog:
        """How much waits in the database."""
        store = self._context.store
        return Backlog(
            steps=await store.counts(),
            oldest=await store.oldest_open(),
            deliveries=await self._count_deliveries(),
        )

    async def text(
        self, parts: Mapping[str, bool], backlog: Backlog | None
    ) -> bytes:
        """Everything in Prometheus' text format.

        ``parts``: whether each is well; ``backlog`` is None while the database does not answer.
        """
        # Made for each answer: a label whose steps are gone must not stay at its last value.
        registry = CollectorRegistry()
        Gauge(
            "easel_loop_lag_seconds",
            "How late this process's event loop is, when asked",
            registry=registry,
        ).set(await _loop_lag())
        ready = Gauge(
            "easel_ready",
            "Whether a part is well",
            ["part"],
            registry=registry,
        )
        for name, is_well in parts.items():
            ready.labels(name).set(is_well)
        if backlog is not None:
            now = self._context.clock.now()
            _collect_backlog(registry, backlog, now)
        return generate_latest(self._registry) + generate_latest(registry)


def _collect_backlog(
    registry: CollectorRegistry, backlog: Backlog, now: datetime
) -> None:
    steps = Gauge(
        "easel_steps",
        "Steps by action, model and state, of all processes",
        ["action", "model", "state"],
        registry=registry,
    )
    for (action, model, state), count in backlog.steps.items():
        steps.labels(action, model, state).set(count)
    oldest = Gauge(
        "easel_oldest_step_age_seconds",
        "Age of the oldest step in a state, 0 if there is none, of all processes",
        ["state"],
        registry=registry,
    )
    for state in OPEN_STATES:
        oldest.labels(state.value).set(_age(backlog.oldest.get(state), now))
    deliveries = Gauge(
        "easel_inbox_deliveries",
        "Deliveries of platforms not yet answered, of all processes",
        registry=registry,
    )
    deliveries.set(backlog.deliveries)


def _age(created: datetime | None, now: datetime) -> float:
    if created is None:
        return 0.0
    return max((now - created).total_seconds(), 0.0)


async def _loop_lag() -> float:
    pause = 0.01
    began = time.monotonic()
    await asyncio.sleep(pause)
    return max(time.monotonic() - began - pause, 0.0)
