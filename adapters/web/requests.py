"""What a page's request holds, and how it is refused."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from starlette.datastructures import UploadFile
from starlette.requests import Request as WebRequest
from starlette.responses import JSONResponse

from core.errors import EaselError, NotFound, Rejected
from core.i18n import translate
from core.log import log
from core.views.steps import explain

MOST_NUMBER = 1 << 53
"""Above it JavaScript's numbers are no whole ones."""
IN_MEMORY = 1 << 20
"""Bytes of an upload held in memory; what is longer goes into a temporary file as it comes."""
STATUSES = {
    "picture.too_many_bytes": 413,
    "picture.not_an_image": 415,
    "picture.format": 415,
    "room.too_fast": 429,
    "room.too_many_pages": 429,
    "room.too_many_sent": 429,
}


def refusal(
    error: EaselError,
    locale: str,
    status: int | None = None,
) -> JSONResponse:
    """A kind sentence, and its key for programs.

    What might have been billed, elsewhere than in the room, says that it was not.
    """
    log.info("refused", error=error.key)
    if status is None:
        usual = 404 if isinstance(error, NotFound) else 422
        status = STATUSES.get(error.key, usual)
    if error.key.startswith("room."):
        words = translate(error.key, locale, **error.params)
    else:
        words = explain(error.key, error.params, locale, "no")
    return JSONResponse({"error": words, "reason": error.key}, status)


def locale_of(request: WebRequest) -> str:
    return request.headers.get("easel-locale", "en")


async def read_json(request: WebRequest) -> Mapping[str, Any]:
    """The body, without halves of characters. Raises Rejected for anything but one JSON object."""
    try:
        sent = json.loads(await request.body())
        # JSON may hold half a pair of surrogates, which no database takes.
        text = json.dumps(sent, ensure_ascii=False)
        body = json.loads(text.encode(errors="ignore"))
    except (ValueError, RecursionError):
        raise Rejected("room.bad_request") from None
    if not isinstance(body, dict):
        raise Rejected("room.bad_request")
    return body


def number_of(body: Mapping[str, Any], name: str) -> int | None:
    """A message's number, None for anything else."""
    number = body.get(name)
    if isinstance(number, int) and 0 < number < MOST_NUMBER:
        return number
    return None


@asynccontextmanager
async def spool_body(request: WebRequest) -> AsyncIterator[UploadFile]:
    """Receive the body into a file, so that one that comes slowly costs no memory meanwhile."""
    with SpooledTemporaryFile(IN_MEMORY) as file:
        # Its methods write to a disk in a thread.
        upload = UploadFile(cast("BinaryIO", file))
        async for chunk in request.stream():
            await upload.write(chunk)
        await upload.seek(0)
        yield upload
