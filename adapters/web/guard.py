"""What every request to the web server must pass, and every reply carry.

An ASGI middleware that knows no page.
"""

from collections.abc import Collection, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIB = 1 << 20
BODY_LIMITS = {"/room/upload": 30 * MIB, "/mask/submit": 8 * MIB}
"""Bytes of a body; 1 MiB elsewhere."""
HEADER_BYTES, MOST_HEADERS = 16 * 1024, 64
ANY_HOST = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by machines, under whatever name they know us."""
PROBED = frozenset({"/healthz", "/readyz"})
"""Load balancers look at these with HEAD; every other page is read whole, or not at all."""
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    ]
)
HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "x-robots-tag": "noindex, nofollow",
    "cache-control": "no-store",
}


class TooLarge(HTTPException):
    """The body goes on beyond its limit."""

    def __init__(self) -> None:
        super().__init__(413)


class Guard:
    """Refuses foreign hosts, methods, origins and too large bodies.

    Adds the headers of ``HEADERS`` where not set. ``any_host``: further paths at which the host
    does not matter.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Collection[str], any_host: Collection[str] = ()
    ) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._any_host = ANY_HOST.union(any_host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def careful(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(message)
            await send(message)

        refused = self._refusal(scope)
        if refused:
            await PlainTextResponse("", refused)(scope, receive, careful)
            return
        try:
            await self._app(scope, _capped(scope, receive), careful)
        except TooLarge:
            await PlainTextResponse("", 413)(scope, receive, careful)

    def _refusal(self, scope: Scope) -> int | None:
        """The status of a refusal, None when all is well."""
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "0")
        is_number = declared.isascii() and declared.isdecimal()
        reasons = {
            405: not _is_allowed(scope["method"], scope["path"]),
            431: len(headers.raw) > MOST_HEADERS
            or sum(len(name) + len(one) for name, one in headers.raw) > HEADER_BYTES,
            421: scope["path"] not in self._any_host
            and headers.get("host", "").lower() not in self._hosts,
            403: scope["method"] == "POST" and not self._is_ours(headers),
            400: not is_number,
            413: is_number and int(declared[:12]) > _limit(scope),
            415: "content-encoding" in headers,
        }
        return next((status for status, is_so in reasons.items() if is_so), None)

    def _is_ours(self, headers: Headers) -> bool:
        """Sent by a page of ours, or by a program that is no browser."""
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        origin = headers.get("origin")
        return (
            origin is None
            or origin.partition("://")[2].lower() == headers.get("host", "").lower()
        )


def _is_allowed(method: str, path: str) -> bool:
    return method in {"GET", "POST"} or (method == "HEAD" and path in PROBED)


def _limit(scope: Scope) -> int:
    return BODY_LIMITS.get(scope["path"], MIB)


def _capped(scope: Scope, receive: Receive) -> Receive:
    left = _limit(scope)

    async def counted() -> MutableMapping[str, Any]:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise TooLarge
        return message

    return counted


def _add(message: Message) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
