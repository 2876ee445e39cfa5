"""The HTTP side of one world: reads requests, applies faults and limits, answers."""

import asyncio
import json
import re
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.web_request import FileField

from tests.fakes.discord import schema
from tests.fakes.discord.things import Call, Fault, Json, No
from tests.fakes.discord.world import World

MESSAGE_ROUTES = frozenset({"create_message", "update_message"})
UNLIMITED = ("interactions", "webhooks")
"""Not under the 50 requests a second of the bot."""


@dataclass(kw_only=True)
class Asked:
    """A request, read."""

    where: Mapping[str, str]
    query: Mapping[str, str]
    body: Any = None
    files: dict[int, tuple[str, bytes]] = field(default_factory=dict)

    @property
    def json(self) -> Json:
        """The body, where it is an object."""
        return self.body if isinstance(self.body, dict) else {}

    @property
    def names(self) -> list[str]:
        """The uploads' names as Discord writes them."""
        return [
            re.sub(r"[^\w.\-]+", "_", name) for name, _ in self.files.values()
        ]


Handler = Callable[[Asked], Any]
Route = tuple[str, str, Handler]
"""Method, address as in Discord's OpenAPI, and what is done; a route is called by its handler's
name."""


class Rest:
    """REST at /api/v10."""

    def __init__(self, world: World, routes: Sequence[Route]) -> None:
        self.world = world
        self.known = routes

    def routes(self, app: web.Application) -> None:
        """Where everything is."""
        for method, template, handler in self.known:
            app.router.add_route(
                method,
                f"/api/v10{template}",
                self._handler_of(method, template, handler),
            )
        app.router.add_route("*", "/api/v10/{rest:.*}", self._answer_unknown)

    async def _answer_unknown(self, request: web.Request) -> web.Response:
        self.world.violations.append(
            f"no such route: {request.method} {request.path}"
        )
        return answer({"message": "404: Not Found", "code": 0}, 404)

    def _handler_of(
        self, method: str, template: str, handler: Handler
    ) -> Callable[[web.Request], Any]:
        name = handler.__name__

        async def serve(request: web.Request) -> web.StreamResponse:
            waiting = self.world.faults[name] or self.world.faults["*"]
            fault = waiting.popleft() if waiting else Fault()
            if time.monotonic() < self.world.down_until:
                fault = Fault(drop=True)
            asked = Asked(
                where=dict(request.match_info), query=dict(request.query)
            )
            try:
                too_large = await self._read(request, asked)
                await asyncio.sleep(fault.seconds)
                response = None
                if fault.is_only_slow or fault.effect:
                    response = self._done(
                        method,
                        template,
                        handler,
                        asked,
                        request,
                        too_large=too_large,
                    )
            except No as no:
                response = error_response(no)
            except Exception as error:
                self.world.violations.append(
                    f"{name}: this Discord does not understand the request: {error!r}"
                )
                raise
            if fault.drop or fault.reset:
                hang_up(request, reset=fault.reset)
                return web.Response()
            if not fault.is_only_slow:
                response = fault_response(fault)
            assert response is not None
            self._count(name, asked, response)
            return response

        return serve

    async def _read(self, request: web.Request, asked: Asked) -> bool:
        """Body and uploads; whether they were too large."""
        if request.content_type == "multipart/form-data":
            form = await request.post()
            for name, field in form.items():
                if isinstance(field, FileField):
                    asked.files[
                        int(name.removeprefix("files[").removesuffix("]"))
                    ] = (
                        field.filename,
                        field.file.read(),
                    )
                elif name == "payload_json":
                    asked.body = json.loads(str(field))
        elif request.can_read_body:
            asked.body = json.loads(await request.text() or "null")
        return (request.content_length or 0) > self.world.request_limit

    def _done(
        self,
        method: str,
        template: str,
        handler: Handler,
        asked: Asked,
        request: web.Request,
        *,
        too_large: bool,
    ) -> web.Response:
        """What happens when no fault befalls it."""
        if not self._is_allowed(template, request):
            raise No(401, 0, "401: Unauthorized")
        headers, wait = self._use(method, template, handler.__name__, asked)
        if wait is not None:
            return rate_limit_response(wait, headers)
        if too_large:
            raise No(413, 40005, "Request entity too large")
        wrong = schema.wrong(method, template, asked.body)
        if wrong:
            self.world.violations.append(
                f"{handler.__name__}: against Discord's schema: {wrong}"
            )
            raise No(400, 50035, f"Invalid Form Body: {wrong}")
        try:
            return answer(handler(asked), headers=headers)
        except No as no:
            return error_response(no, headers)

    def _is_allowed(self, template: str, request: web.Request) -> bool:
        authorized = request.headers.get("Authorization")
        is_open = (
            template.startswith(("/interactions/", "/webhooks/{webhook_id}/"))
            or template == "/gateway"
        )
        return authorized == f"Bot {self.world.token}" or (
            is_open and authorized is None
        )

    def _use(
        self, method: str, template: str, name: str, asked: Asked
    ) -> tuple[dict[str, str], float | None]:
        """Rate-limit headers, and seconds to wait when it is one too many."""
        major = (
            asked.where.get("channel_id")
            or asked.where.get("guild_id")
            or asked.where.get("webhook_token")
            or ""
        )
        # Without strict rates there is plenty, as discord.py waits by itself when little remains.
        limit = (
            5 if self.world.strict_rates and name in MESSAGE_ROUTES else 1000
        )
        bucket = (
            "messages" if name in MESSAGE_ROUTES else f"{method} {template}"
        )
        left, reset = self._spend(
            f"{bucket} {major}", limit, self.world.rate_window
        )
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(0, left)),
            "X-RateLimit-Reset": f"{time.time() + reset:.3f}",
            "X-RateLimit-Reset-After": f"{reset:.3f}",
            "X-RateLimit-Bucket": f"{hash(bucket) & (1 << 64) - 1:016x}",
        }
        if left < 0:
            self.world.limited[name] += 1
            return {**headers, "X-RateLimit-Scope": "user"}, reset
        if self.world.strict_rates and not template.startswith(
            tuple(f"/{part}/" for part in UNLIMITED)
        ):
            left, reset = self._spend("global", 50, 1.0)
            if left < 0:
                self.world.limited["global"] += 1
                return {
                    "X-RateLimit-Global": "true",
                    "X-RateLimit-Scope": "global",
                }, reset
        return headers, None

    def _spend(
        self, name: str, limit: int, window: float
    ) -> tuple[int, float]:
        """How many are left after this one, and when the window ends."""
        now, used = time.monotonic(), self.world.uses[name]
        if used and now - used[0] > window:
            used.clear()  # a bucket resets as a whole: that is what X-RateLimit-Reset says
        left = limit - len(used) - 1
        if left >= 0:
            used.append(now)
        return left, window - (now - used[0])

    def _count(self, name: str, asked: Asked, response: web.Response) -> None:
        """Keep the call, and what Cloudflare would hold against us."""
        files = {file: len(content) for file, content in asked.files.values()}
        self.world.calls.append(
            Call(
                route=name,
                parameters=dict(asked.where),
                body=asked.body,
                files=files,
                status=response.status,
            )
        )
        is_shared = response.headers.get("X-RateLimit-Scope") == "shared"
        if response.status in {401, 403, 429} and not is_shared:
            self.world.invalid_requests.append(f"{response.status} {name}")


def answer(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """JSON, its content type without a charset; 204 when there is nothing to say."""
    sent = {"Via": "1.1 google", **(headers or {})}
    if body is None:
        return web.Response(status=204, headers=sent)
    return web.Response(
        body=json.dumps(body).encode(),
        status=status,
        content_type="application/json",
        headers=sent,
    )


def error_response(
    no: No, headers: Mapping[str, str] | None = None
) -> web.Response:
    """An error with Discord's code."""
    body: Json = {"message": no.message, "code": no.code}
    if no.code == 50035:
        body["errors"] = {
            "body": {
                "_errors": [{"code": "BASE_TYPE_BAD", "message": no.message}]
            }
        }
    return answer(body, no.status, headers)


def rate_limit_response(
    wait: float,
    headers: Mapping[str, str],
    *,
    is_global: bool = False,
    via: bool = True,
    code: int = 0,
) -> web.Response:
    """429."""
    whole = {**headers, "Retry-After": str(int(wait) + 1)}
    is_global = is_global or "X-RateLimit-Global" in headers
    body = {
        "message": "You are being rate limited.",
        "retry_after": round(wait, 3),
        "global": is_global,
    }
    body |= {"code": code} if code else {}
    response = answer(body, 429, whole)
    if not via:
        del response.headers["Via"]
    return response


def fault_response(fault: Fault) -> web.Response:
    """The answer a test asked for."""
    if fault.retry_after is not None:
        scope = {
            "X-RateLimit-Scope": "global" if fault.is_global else fault.scope
        }
        return rate_limit_response(
            fault.retry_after,
            scope,
            is_global=fault.is_global,
            via=fault.via,
            code=fault.code,
        )
    if fault.page or (fault.status >= 500 and not fault.code):
        return web.Response(
            status=fault.status,
            text="<html>bad gateway</html>",
            content_type="text/html",
        )
    return error_response(No(fault.status, fault.code, fault.message))


def hang_up(request: web.Request, *, reset: bool) -> None:
    """Close the connection without an answer.

    ``reset``: as when the other side is gone (errno 104).
    """
    assert request.transport is not None
    if reset:
        plug = request.transport.get_extra_info("socket")
        plug.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        request.transport.abort()
    else:
        request.transport.close()
