"""The one way to call Discord.

Discord.py's client (buckets, 429, 5xx), a time limit, errors as ours, and a breaker.

A connection lost in the middle is not tried again here: the call may have had its effect (a
message's nonce tells).
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

SECONDS = 60.0
"""Of one call, waiting for its turn included."""
ANSWER_SECONDS = 2.5
"""Of an answer to an interaction, which Discord takes for three."""
WINDOW, MOST_INVALID = 600.0, 1000
"""Discord bans an address after 10,000 answers of 401, 403 or 429 in ten minutes; we stop long
before."""
INVALID = frozenset({401, 403, 429})
CLOSED_SECONDS = 60.0
NO_ACCESS = frozenset({50001, 50013})
NO_DIRECT = frozenset({50007, 50278})
"""Their direct messages are closed to us."""
MOST_CLOSED = 10_000
MESSAGE, THINKING, CHOICES, MODAL = 4, 5, 8, 9
"""Kinds of first answer to an interaction."""
ANSWERED = 40060
"""The interaction was answered already, by us before a lost reply or by a second copy of us."""
PASSING = frozenset({40062, 130000})
"""Codes of errors that may be gone in a moment."""


class DiscordError(DeliveryError):
    """Discord said no: ``code`` and ``status`` are its own; 0 when there was no answer."""

    def __init__(self, code: int, status: int = 0) -> None:
        permanent = 400 <= status < 500 and status != 429 and code not in PASSING
        super().__init__(
            "discord.refused", permanent=permanent, code=code or status or "no answer"
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
    """``url`` ends in ``/api/v10``. ``open`` it inside the running loop."""

    def __init__(self, url: str, token: str) -> None:
        Route.BASE = url.rstrip("/")
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._watch)
        self._token = token
        self._client = discord.Client(
            intents=discord.Intents(guilds=True),
            max_messages=None,
            max_ratelimit_timeout=60.0,
            http_trace=trace,
        )
        self.date = ""
        """Discord's own time of its last answer, as HTTP writes it."""
        self._invalid: deque[float] = deque()
        self._closed: TTLCache[str, int] = TTLCache(MOST_CLOSED, CLOSED_SECONDS)

    @property
    def us(self) -> int:
        """Our own user's id."""
        return self._client.user.id if self._client.user else 0

    @property
    def name(self) -> str:
        """What we are called."""
        return self._client.user.name if self._client.user else ""

    @property
    def app(self) -> str:
        """Our application's id."""
        return str(self._client.application_id or "")

    @property
    def reads_content(self) -> bool:
        """Is the Message Content intent switched on for us?"""
        flags = self._client.application_flags
        return flags.gateway_message_content or flags.gateway_message_content_limited

    @property
    def serves_people(self) -> bool:
        """May people add us to their own account?"""
        found = self._client.application
        return found is not None and found.user_integration_config is not None

    async def open(self) -> None:
        """Log in. Raises DiscordError, with status 401 for a token Discord refuses."""
        try:
            await self._client.login(self._token)
        except discord.LoginFailure:
            raise DiscordError(0, 401) from None
        except (discord.DiscordException, aiohttp.ClientError, TimeoutError, OSError):
            raise DiscordError(0) from None

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.close()

    async def call(
        self,
        method: str,
        path: str,
        ids: Mapping[str, str] | None = None,
        payload: Any = None,
        uploads: Sequence[Upload] = (),
        seconds: float = SECONDS,
    ) -> Any:
        """The answer as JSON. ``ids`` fill the path. Raises DiscordError."""
        ids = ids or {}
        # What may not be read may still be written to, and what takes no files may take words.
        door = ""
        if "channel_id" in ids:
            access = "read" if method == "GET" else "write"
            door = f"{access} {ids['channel_id']}"
        self._must_be_open(door)
        body = _body(payload, uploads)
        try:
            async with asyncio.timeout(seconds):
                return await self._client.http.request(
                    Route(method, path, **ids), **body
                )
        except discord.HTTPException as error:
            if door and (
                error.code in NO_DIRECT or (error.code in NO_ACCESS and not uploads)
            ):
                self._closed[door] = error.code
            raise DiscordError(error.code, error.status) from None
        except discord.RateLimited:
            raise DiscordError(0, 429) from None
        except (TimeoutError, aiohttp.ClientError, OSError, RuntimeError):
            # Their texts may hold the address, and with it an interaction's token.
            raise DiscordError(0) from None

    async def answer(
        self, reply: DiscordReply, kind: int, data: Mapping[str, Any]
    ) -> None:
        """The one first answer to an interaction.

        Raises DiscordError; one given already is as good.

        One that gets lost is given once more: whatever became of the first, there is one answer
        then.
        """
        payload = {"type": kind, "data": data}
        ids = {"webhook_id": reply.interaction, "webhook_token": reply.token}
        path = "/interactions/{webhook_id}/{webhook_token}/callback"
        ends = time.monotonic() + ANSWER_SECONDS
        for is_last in (False, True):
            try:
                await self.call(
                    "POST", path, ids, payload, seconds=ends - time.monotonic()
                )
            except DiscordError as error:
                if error.code == ANSWERED:
                    return
                if error.permanent or is_last or time.monotonic() > ends:
                    raise
            else:
                return

    def _must_be_open(self, door: str) -> None:
        now = time.monotonic()
        while self._invalid and now - self._invalid[0] > WINDOW:
            self._invalid.popleft()
        if len(self._invalid) >= MOST_INVALID:
            raise DiscordError(0, 429)
        code = self._closed.get(door)
        if code is not None:
            raise DiscordError(code, 403)

    async def _watch(
        self,
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        end: aiohttp.TraceRequestEndParams,
    ) -> None:
        self.date = end.response.headers.get("Date", "")
        if (
            end.response.status in INVALID
            and end.response.headers.get("X-RateLimit-Scope") != "shared"
        ):
            self._invalid.append(time.monotonic())


def _body(payload: Any, uploads: Sequence[Upload]) -> dict[str, Any]:
    if not uploads:
        return {} if payload is None else {"json": payload}
    files = [discord.File(BytesIO(one.data), filename=one.name) for one in uploads]
    parts: list[dict[str, Any]] = [
        {"name": "payload_json", "value": json.dumps(payload)}
    ]
    parts += [
        {
            "name": f"files[{at}]",
            "value": file.fp,
            "filename": file.filename,
            "content_type": "application/octet-stream",
        }
        for at, file in enumerate(files)
    ]
    return {"form": parts, "files": files}
