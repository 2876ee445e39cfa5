"""Faults on request: what the service, or the network before it, answers instead of the truth."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

Fault = dict[str, Any]
"""A fault as a test asks for it: its kind and how often."""

KINDS = (
    "status", "html", "drop_before", "drop_after", "status_after", "slow", "endless", "empty",
    "truncated_json", "json_array", "huge", "gzip_bomb", "redirect", "not_image", "short",
    "task_failed", "partial", "unknown",
)  # fmt: skip
AFTER = {"drop_after", "status_after"}
DURING = {"task_failed", "partial", "unknown"}
ENDLESS_CHUNKS = 4000
SLOW_SECONDS = 30.0
JSON = "application/json"
BODIES = {
    "empty": b"",
    "truncated_json": b'{"output": {"task_id": "ab',
    "json_array": b"[1, 2]",
}


def is_before(fault: Fault) -> bool:
    """Whether the call is answered wrongly without having had an effect."""
    return fault["kind"] not in AFTER | DURING


def is_after(fault: Fault) -> bool:
    """Whether the call has its effect and loses its answer."""
    return fault["kind"] in AFTER


async def response(fault: Fault) -> Response:
    """The answer a fault makes of it."""
    kind = fault["kind"]
    if kind in {"status", "status_after"}:
        return _status(fault)
    if kind == "slow":
        await asyncio.sleep(float(fault.get("seconds", SLOW_SECONDS)))
        return _status({"status": 503, "code": "ModelUnavailable"})
    if kind in BODIES:
        return Response(BODIES[kind], media_type=JSON)
    return _whole(kind) or _broken(kind)


def _whole(kind: str) -> Response | None:
    """Answers that arrive, but are not what was asked for."""
    if kind == "html":
        page = "<!doctype html><title>Welcome to the hotel</title>"
        return Response(page, media_type="text/html")
    if kind == "huge":
        return Response(
            b'{"a": "' + b"x" * 20_000_000 + b'"}', media_type=JSON
        )
    if kind == "gzip_bomb":
        body = gzip.compress(b"0" * 50_000_000)
        return Response(
            body,
            media_type=JSON,
            headers={"content-encoding": "gzip"},
        )
    if kind == "redirect":
        # The address at which clouds tell a machine its own credentials.
        return Response(
            b"",
            302,
            headers={"location": "http://169.254.169.254/latest"},
        )
    if kind == "not_image":
        return Response(b"<html>not a picture</html>", media_type="image/png")
    return None


def _status(fault: Fault) -> Response:
    body = {
        "code": fault.get("code", "InternalError"),
        "message": fault.get("message", "Internal server error!"),
        "request_id": "fault",
    }
    return JSONResponse(body, int(fault.get("status", 500)))


def _broken(kind: str) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"{"
        if kind == "endless":
            for _ in range(ENDLESS_CHUNKS):
                yield b" " * 65536
                await asyncio.sleep(0)
        raise ConnectionResetError

    # A length that never comes: the server breaks the connection off, the client sees its reply
    # lost.
    headers = {} if kind == "endless" else {"content-length": "1000"}
    return StreamingResponse(pieces(), media_type=JSON, headers=headers)
