"""The one way to call Discord.

It adds a time limit, errors of our own kind and a circuit breaker to discord.py's client, which
handles rate-limit buckets, 429 and 5xx.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
from cachetools import TTLCache
from discord.http import Route

from adapters.discord.reply import DiscordReply
from core.errors import DeliveryError
from core.log import log

CALL_SECONDS = 60.0
"""Seconds of one call, waiting for its turn included."""
ANSWER_SECONDS = 2.5
"""Seconds of the first answer to an interaction, which Discord accepts for three."""
WINDOW, MAX_INVALID = 600.0, 1000
"""Discord bans an address after 10,000 answers of 401, 403 or 429 in ten minutes; we stop long
before."""
INVALID = frozenset({401, 403, 429})
CLOSED_SECONDS, MAX_CLOSED = 60.0, 10_000
"""How long a channel that refused a call is left alone, and how many are remembered."""
NO_ACCESS = frozenset({50001, 50013})
NO_DIRECT = frozenset({50007, 50278})
"""The person takes no direct messages from us."""
MESSAGE, THINKING, UNCHANGED, CHOICES, MODAL = 4, 5, 6, 8, 9
"""Kinds of first answer to an interaction."""
ANSWERED = 40060
"""The interaction was answered already: before a lost reply, or by another process."""
PASSING = frozenset({0, 40062, 130000})
"""Codes of errors that may be gone in a moment; 0 is none: a proxy's page, or a refused token."""
UNANSWERED = (
    TimeoutError,
    aiohttp.ClientError,
    OSError,
    RuntimeError,
    ValueError,
)
"""No answer came, or none that is JSON."""
TOO_MUCH = 413
"""The status of a request that is too large, with or without a code."""


class DiscordError(DeliveryError):
    """Discord said no: ``code`` and ``status`` are its own; 0 when there was no answer.

    Only a code is Discord's last word: whatever stands before it answers 401, 403 and 404, too.
    """

    def __init__(self, code: int, status: int = 0) -> None:
        is_refusal = 400 <= status < 500 and status != 429
        is_worded = code not in PASSING or status == TOO_MUCH
        permanent = is_refusal and is_worded
        super().__init__(
            "discord.refused",
            permanent=permanent,
            code=code or status or "no answer",
        )
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A picture to send: its bytes, file name and alternative text."""

    name: str
    alt: str
    data: bytes


class Api:
    """Discord's REST API. ``url`` ends in ``/api/v10``. ``open`` it inside the running loop.

    ``proxy`` is the address of the proxy before Discord.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        proxy: str | None = None,
    ) -> None:
        Route.BASE = url.rstrip("/")
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._count_invalid)
        self._token = token
        self.proxy = proxy
        self._client = discord.Client(
            intents=discord.Intents(guilds=True),
            max_messages=None,
            max_ratelimit_timeout=60.0,
            http_trace=trace,
            proxy=proxy,
        )
        self.date = ""
        """Discord's own time of its last answer, as HTTP writes it."""
        self._invalid: deque[float] = deque()
        self._closed: TTLCache[str, int] = TTLCache(MAX_CLOSED, CLOSED_SECONDS)

    @property
    def user_id(self) -> int:
        """Our own user, 0 before we have logged in."""
        user = self._client.user
        return 0 if user is None else user.id

    @property
    def name(self) -> str:
        """Our own name, "" before we have logged in."""
        user = self._client.user
        return "" if user is None else user.name

    @property
    def app(self) -> str:
        """Our application's id."""
        return str(self._client.application_id or "")

    @property
    def reads_content(self) -> bool:
        """Whether the Message Content intent is switched on for us."""
        flags = self._client.application_flags
        return (
            flags.gateway_message_content
            or flags.gateway_message_content_limited
        )

    @property
    def serves_people(self) -> bool:
        """Whether people may add us to their own account."""
        application = self._client.application
        if application is None:
            return False
        return application.user_integration_config is not None

    async def open(self) -> None:
        """Log in. Raises DiscordError, with status 401 for a token Discord refuses."""
        try:
            await self._client.login(self._token)
        except discord.LoginFailure:
            raise DiscordError(0, 401) from None
        except (*UNANSWERED, discord.DiscordException, TypeError, LookupError):
            # The library takes a page for its answer, and misses in it what it looks for.
            raise DiscordError(0) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def call(
        self,
        method: str,
        path: str,
        ids: Mapping[str, str] | None = None,
        payload: Any = None,
        uploads: Sequence[Upload] = (),
        seconds: float = CALL_SECONDS,
    ) -> Any:
        """Call an endpoint, ``ids`` filling its path; return the JSON. Raises DiscordError."""
        ids = ids or {}
        channel_key = _channel_key(method, ids)
        self._raise_if_closed(channel_key)
        route = Route(method, path, **ids)
        body = _body(payload, uploads)
        # A connection lost in the middle is not tried again here: the call may have had its effect.
        try:
            async with asyncio.timeout(seconds):
                answer = await self._client.http.request(route, **body)
        except discord.HTTPException as error:
            # A channel that takes no files may still take words.
            no_access = error.code in NO_ACCESS and not uploads
            if channel_key and (error.code in NO_DIRECT or no_access):
                self._closed[channel_key] = error.code
            raise DiscordError(error.code, error.status) from None
        except discord.RateLimited:
            log.info("throttled", side="discord")
            raise DiscordError(0, 429) from None
        except UNANSWERED:
            # Their texts may hold the address, and with it an interaction's token.
            raise DiscordError(0) from None
        if isinstance(answer, str) and answer:
            # Not Discord's JSON: the page of something that stands before it.
            raise DiscordError(0)
        return answer

    async def answer(
        self,
        reply: DiscordReply,
        kind: int,
        data: Mapping[str, Any],
    ) -> None:
        """Answer an interaction first; an answer already given is as good.

        Raises DiscordError.
        """
        payload = {"type": kind, "data": data}
        ids = {"webhook_id": reply.interaction, "webhook_token": reply.token}
        path = "/interactions/{webhook_id}/{webhook_token}/callback"
        ends = time.monotonic() + ANSWER_SECONDS
        for is_last in (False, True):
            seconds = ends - time.monotonic()
            try:
                await self.call("POST", path, ids, payload, seconds=seconds)
            except DiscordError as error:
                if error.code == ANSWERED:
                    return
                if error.permanent or is_last or time.monotonic() > ends:
                    raise
            else:
                return

    def forget_closed_channels(self) -> None:
        """Ask again in channels that refused a call: we may have been let in."""
        self._closed.clear()

    def _raise_if_closed(self, channel_key: str) -> None:
        now = time.monotonic()
        while self._invalid and now - self._invalid[0] > WINDOW:
            self._invalid.popleft()
        if len(self._invalid) >= MAX_INVALID:
            raise DiscordError(0, 429)
        code = self._closed.get(channel_key)
        if code is not None:
            raise DiscordError(code, 403)

    async def _count_invalid(
        self,
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        end: aiohttp.TraceRequestEndParams,
    ) -> None:
        headers = end.response.headers
        self.date = headers.get("Date", "")
        # Limits shared with other bots do not count towards the ban.
        is_shared = headers.get("X-RateLimit-Scope") == "shared"
        if end.response.status in INVALID and not is_shared:
            self._invalid.append(time.monotonic())


def _channel_key(method: str, ids: Mapping[str, str]) -> str:
    """The circuit breaker's key of a channel, "" for calls about none."""
    if "channel_id" not in ids:
        return ""
    # A channel that may not be read may still be written to.
    verb = "read" if method == "GET" else "write"
    return f"{verb} {ids['channel_id']}"


def _body(payload: Any, uploads: Sequence[Upload]) -> dict[str, Any]:
    if not uploads:
        return {} if payload is None else {"json": payload}
    files = [
        discord.File(BytesIO(upload.data), filename=upload.name)
        for upload in uploads
    ]
    parts: list[dict[str, Any]] = [
        {"name": "payload_json", "value": json.dumps(payload)}
    ]
    parts += [
        {
            "name": f"files[{number}]",
            "value": file.fp,
            "filename": file.filename,
            "content_type": "application/octet-stream",
        }
        for number, file in enumerate(files)
    ]
    return {"form": parts, "files": files}
