"""Liveness, readiness and metrics, for supervisors and Prometheus.

Nothing here shows what a person wrote.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Generic, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from adapters.web.metrics import Metrics
from core.errors import NotFound
from core.flow.context import Context
from core.ports import Blobs

T = TypeVar("T")
Check = Callable[[], Awaitable[object]]
CHECK_SECONDS = 2.5
"""How long a look at a part may take: supervisors and proxies ask again after a few seconds."""
FRESH = 3.0
"""Seconds a value is used before it is looked up again."""
PROBE = b"Easel writes this to see whether it can."
TRIAL = bytes(4 << 20)
"""As much as a large picture."""
CLOCK_SHOWN = timedelta(seconds=30)
CLOCK_FAILS = timedelta(minutes=5)
"""Jobs go by the service's clock, however wrong ours is; but beyond this Slack's signatures are
refused."""
LOOPBACK = frozenset({"127.0.0.1", "::1"})
LOOPBACK_NAMES = LOOPBACK | {"localhost"}


class Cached(Generic[T]):
    """A value looked up only on request, and once for all requests within a few seconds."""

    def __init__(self, look_up: Callable[[], Awaitable[T]]) -> None:
        self._look_up = look_up
        self._lock = asyncio.Lock()
        self._value: T | None = None
        self._good_until = float("-inf")

    async def get(self) -> T:
        """The value, looked up again if it is too old."""
        async with self._lock:
            if self._value is None or time.monotonic() >= self._good_until:
                self._value = await self._look_up()
                self._good_until = time.monotonic() + FRESH
            return self._value


class BlobCheck:
    """Raises when the blob store does not work.

    Writes at the start and after trouble, also a job's, and otherwise only reads: an idle bot
    writes nothing.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._key: str | None = None

    async def __call__(self) -> None:
        """Read the probe; write it again when it is missing."""
        # Forgotten until this check has succeeded: after trouble the next one writes again.
        key = self._key
        self._key = None
        if self._blobs.has_failed:
            # A few bytes may fit where a picture does not.
            trial = await self._blobs.keep("probe", TRIAL)
            await self._blobs.delete("probe", trial)
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
    """Answers the three questions, also while a part hangs.

    Each of ``checks`` raises when its part does not work; one that hangs counts as failing.
    """

    def __init__(
        self,
        context: Context,
        checks: Mapping[str, Check],
        metrics: Metrics,
    ) -> None:
        self._checks: dict[str, Check] = {
            "database": context.store.check,
            "blobs": BlobCheck(context.blobs),
            **checks,
        }
        self._providers = context.providers
        self._parts = Cached(self._check_parts)
        self._measured = metrics
        self._metrics_text = Cached(self._measure)
        self._looks: dict[str, asyncio.Task[Any]] = {}

    def routes(self) -> list[Route]:
        """For the public port: there, metrics answer this machine only, and no proxy."""
        return [
            Route("/healthz", self._alive, methods=["GET"]),
            Route("/readyz", self._ready, methods=["GET"]),
            Route("/metrics", self._metrics_here, methods=["GET"]),
        ]

    def metrics_routes(self) -> list[Route]:
        """For a separate port, which the operator keeps private."""
        return [Route("/metrics", self._metrics, methods=["GET"])]

    async def _alive(self, _request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _ready(self, _request: Request) -> Response:
        parts = await self._parts.get()
        report = {
            name: "ok" if is_well else "failing"
            for name, is_well in parts.items()
        }
        ahead = self._clock_ahead()
        if abs(ahead) >= CLOCK_SHOWN:
            report["clock"] = f"off by {-ahead.total_seconds():+.0f} s"
        is_ready = all(parts.values()) and abs(ahead) <= CLOCK_FAILS
        return JSONResponse(report, 200 if is_ready else 503)

    def _clock_ahead(self) -> timedelta:
        """How far the service clock that differs most is ahead of this machine's."""
        offsets = [
            provider.clock_ahead for provider in self._providers.values()
        ]
        return max(filter(None, offsets), key=abs, default=timedelta())

    async def _metrics_here(self, request: Request) -> Response:
        is_local = (
            request.client is not None and request.client.host in LOOPBACK
        )
        # A name of elsewhere may lead to this machine, too (DNS rebinding).
        is_named_so = request.url.hostname in LOOPBACK_NAMES
        if not (is_local and is_named_so) or _is_proxied(request):
            return PlainTextResponse("", 403)
        return await self._metrics(request)

    async def _metrics(self, _request: Request) -> Response:
        text = await self._metrics_text.get()
        return PlainTextResponse(text, media_type=CONTENT_TYPE_LATEST)

    async def _measure(self) -> bytes:
        """All metrics; those of the database are left out while it hangs."""
        look = await self._look("backlog", self._measured.read_backlog)
        backlog = look.result() if _is_well(look) else None
        return await self._measured.text(await self._parts.get(), backlog)

    async def _check_parts(self) -> Mapping[str, bool]:
        # All at once: one that hangs must not delay the others.
        looks = [
            self._look(name, check) for name, check in self._checks.items()
        ]
        done = await asyncio.gather(*looks)
        return dict(zip(self._checks, map(_is_well, done), strict=True))

    async def _look(self, name: str, check: Check) -> asyncio.Task[Any]:
        """Wait for a look at a part, but not long: the last one may be under way still.

        It is not cancelled, since a thread cannot be; nor is another one heaped on it.
        """
        look = self._looks.get(name)
        if look is None or look.done():
            look = asyncio.ensure_future(check())
            look.add_done_callback(_take_note)
            self._looks[name] = look
        await asyncio.wait({look}, timeout=CHECK_SECONDS)
        return look


def _is_proxied(request: Request) -> bool:
    """Whether a proxy on this machine forwards the request for someone elsewhere."""
    headers = request.headers
    if "x-forwarded-for" in headers or "forwarded" in headers:
        return True
    # As nginx asks where its settings say nothing else.
    return bool(request.scope["http_version"] == "1.0")


def _is_well(look: asyncio.Task[Any]) -> bool:
    # No matter what is wrong with a part, the answer is the same.
    if not look.done() or look.cancelled():
        return False
    return look.exception() is None


def _take_note(look: asyncio.Task[Any]) -> None:
    """Let asyncio not report what only ``_is_well`` is asked about."""
    if not look.cancelled():
        look.exception()
