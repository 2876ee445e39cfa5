"""Is it alive, is it ready, how is it doing: for supervisors and Prometheus.

No word of a person's in any of it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Gauge,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from core.errors import NotFound
from core.flow.context import Context
from core.ports import Blobs

T = TypeVar("T")
Check = Callable[[], Awaitable[object]]
FRESH = 3.0
"""Seconds for which a value is good."""
PROBE = b"Easel writes this to see whether it can."
LOOPBACK = frozenset({"127.0.0.1", "::1"})


class Cached(Generic[T]):
    """A value that is looked up only when somebody asks, once for all who ask within a few seconds."""

    def __init__(self, look_up: Callable[[], Awaitable[T]]) -> None:
        self._look_up = look_up
        self._lock = asyncio.Lock()
        self._value: T | None = None
        self._good_until = float("-inf")

    async def get(self) -> T:
        """The value of a moment ago, else looked up now."""
        async with self._lock:
            if self._value is None or time.monotonic() >= self._good_until:
                self._value = await self._look_up()
                self._good_until = time.monotonic() + FRESH
            return self._value


class BlobCheck:
    """Raises when blobs are not well.

    Written at the start and after trouble; else only read, so that idle is idle.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._key: str | None = None

    async def __call__(self) -> None:
        """Read the probe; write it again when it is not there."""
        key, self._key = self._key, None
        if key is None or not await self._is_there(key):
            key = await self._blobs.keep("probe", PROBE)
            await self._blobs.read("probe", key)
        self._key = key

    async def _is_there(self, key: str) -> bool:
        try:
            await self._blobs.read("probe", key)
        except NotFound:
            return False
        return True


class Health:
    """The three questions.

    ``checks`` raise when a part is not well; a part that hangs is not well either.
    """

    def __init__(self, context: Context, checks: Mapping[str, Check]) -> None:
        self._checks: dict[str, Check] = {
            "database": context.store.check,
            "blobs": BlobCheck(context.blobs),
            **checks,
        }
        self._parts = Cached(self._check_parts)
        self._steps = Cached(context.store.counts)

    def routes(self) -> list[Route]:
        """For the public port: metrics answer only who sits on this machine, and no proxy."""
        return [
            Route("/healthz", self._alive, methods=["GET"]),
            Route("/readyz", self._ready, methods=["GET"]),
            Route("/metrics", self._metrics_here, methods=["GET"]),
        ]

    def metrics_routes(self) -> list[Route]:
        """For a port of its own, which the operator keeps private."""
        return [Route("/metrics", self._metrics, methods=["GET"])]

    async def _alive(self, _request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _ready(self, _request: Request) -> Response:
        parts = await self._parts.get()
        shown = {name: "ok" if well else "failing" for name, well in parts.items()}
        return JSONResponse(shown, 200 if all(parts.values()) else 503)

    async def _metrics_here(self, request: Request) -> Response:
        is_here = request.client is not None and request.client.host in LOOPBACK
        if (
            not is_here
            or "x-forwarded-for" in request.headers
            or "forwarded" in request.headers
        ):
            return PlainTextResponse("", 403)
        return await self._metrics(request)

    async def _metrics(self, _request: Request) -> Response:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        steps = Gauge(
            "easel_steps",
            "Steps by action, model and state",
            ["action", "model", "state"],
            registry=registry,
        )
        for (action, model, state), count in (await self._steps.get()).items():
            steps.labels(action, model, state).set(count)
        ready = Gauge(
            "easel_ready", "Whether a part is well", ["part"], registry=registry
        )
        for name, is_well in (await self._parts.get()).items():
            ready.labels(name).set(is_well)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def _check_parts(self) -> Mapping[str, bool]:
        """All at once: one that hangs holds up no other."""
        well = await asyncio.gather(
            *(_is_well(check) for check in self._checks.values())
        )
        return dict(zip(self._checks, well, strict=True))


async def _is_well(check: Check) -> bool:
    try:
        async with asyncio.timeout(3):
            await check()
    except Exception:  # whatever is wrong with a part, the answer is the same
        return False
    return True
