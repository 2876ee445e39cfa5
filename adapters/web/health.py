"""Is it alive, is it ready, how is it doing: for supervisors and Prometheus. No word of a person's in any of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from core.flow.tools import Tools

Check = Callable[[], Awaitable[object]]
LOOPBACK = frozenset({"127.0.0.1", "::1"})


class Health:
    """The three questions. ``checks`` raise when a part is not well; a part that hangs is not well either."""

    def __init__(self, tools: Tools, checks: Mapping[str, Check]) -> None:
        self._tools = tools
        self._checks = {"database": tools.store.check, "blobs": tools.blobs.check, **checks}

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
        parts = {name: await _is_well(check) for name, check in self._checks.items()}
        shown = {name: "ok" if well else "failing" for name, well in parts.items()}
        return JSONResponse(shown, 200 if all(parts.values()) else 503)

    async def _metrics_here(self, request: Request) -> Response:
        is_here = request.client is not None and request.client.host in LOOPBACK
        if not is_here or "x-forwarded-for" in request.headers or "forwarded" in request.headers:
            return PlainTextResponse("", 403)
        return await self._metrics(request)

    async def _metrics(self, _request: Request) -> Response:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        steps = Gauge(
            "easel_steps", "Steps by action, model and state", ["action", "model", "state"], registry=registry
        )
        for (action, model, state), count in (await self._tools.store.counts()).items():
            steps.labels(action, model, state).set(count)
        ready = Gauge("easel_ready", "Whether a part is well", ["part"], registry=registry)
        for name, check in self._checks.items():
            ready.labels(name).set(await _is_well(check))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


async def _is_well(check: Check) -> bool:
    try:
        async with asyncio.timeout(3):
            await check()
    except Exception:  # whatever is wrong with a part, the answer is the same
        return False
    return True
