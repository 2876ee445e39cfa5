"""What every request to the web server must pass, and every reply must carry.

An ASGI middleware; it knows no page.
"""

from collections.abc import Collection, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIB = 1 << 20
BODY_LIMITS = {"/room/upload": 30 * MIB, "/mask/submit": 8 * MIB}
"""Bytes of a body; 1 MiB elsewhere."""
HEADER_BYTES = 16 * 1024
MOST_HEADERS = 64
ANY_HOST = frozenset({"/healthz", "/readyz", "/metrics"})
"""Paths for machines, which may reach us under any host name."""
PROBED = frozenset({"/healthz", "/readyz"})
"""Paths load balancers probe with HEAD. No other page answers it."""
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
    """The body is longer than its limit."""

    def __init__(self) -> None:
        super().__init__(413)


class Guard:
    """Refuses foreign hosts, methods and origins, and bodies that are too large.

    Adds the headers of ``HEADERS`` where they are not set. ``any_host`` are further paths at which
    the host does not matter.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str],
        any_host: Collection[str] = (),
    ) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._any_host = ANY_HOST.union(any_host)

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Serve, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message)
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await PlainTextResponse("", refusal)(
                scope,
                receive,
                send_with_headers,
            )
            return
        try:
            await self._app(
                scope,
                _cap_body(scope, receive),
                send_with_headers,
            )
        except TooLarge:
            await PlainTextResponse("", 413)(scope, receive, send_with_headers)
        except ClientDisconnect:
            # It hung up, or was cut, before its body was complete: there is nobody to answer.
            return

    def _refusal(self, scope: Scope) -> int | None:
        """The status of a refusal, None for a request that may pass."""
        headers = Headers(scope=scope)
        if not _is_method_allowed(scope["method"], scope["path"]):
            return 405
        if _has_too_many_headers(headers):
            return 431
        # A foreign name may point at this machine (DNS rebinding): it must reach no page.
        host = headers.get("host", "").lower()
        if scope["path"] not in self._any_host and host not in self._hosts:
            return 421
        # Nor may a page elsewhere act for a person who has the room open.
        if scope["method"] == "POST" and not _is_same_origin(headers):
            return 403
        return _body_refusal(scope, headers)


def _is_same_origin(headers: Headers) -> bool:
    """Whether one of our pages sent it, or a program that is no browser."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    if origin is None:
        return True
    _, _, sender = origin.partition("://")
    host = headers.get("host", "")
    return sender.lower() == host.lower()


def _has_too_many_headers(headers: Headers) -> bool:
    if len(headers.raw) > MOST_HEADERS:
        return True
    length = sum(len(name) + len(content) for name, content in headers.raw)
    return length > HEADER_BYTES


def _body_refusal(scope: Scope, headers: Headers) -> int | None:
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()):
        return 400
    # Twelve digits are far beyond every limit, and cost nothing to convert.
    if int(length[:12]) > _body_limit(scope):
        return 413
    # A compressed body could unpack to far more than its limit.
    if "content-encoding" in headers:
        return 415
    return None


def _is_method_allowed(method: str, path: str) -> bool:
    if method == "HEAD":
        return path in PROBED
    return method in {"GET", "POST"}


def _body_limit(scope: Scope) -> int:
    return BODY_LIMITS.get(scope["path"], MIB)


def _cap_body(scope: Scope, receive: Receive) -> Receive:
    remaining = _body_limit(scope)

    async def receive_capped() -> MutableMapping[str, Any]:
        nonlocal remaining
        message = await receive()
        remaining -= len(message.get("body", b""))
        if remaining < 0:
            raise TooLarge
        return message

    return receive_capped


def _add_headers(message: Message) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
