"""A person's file from Discord's CDN: allowed hosts only, no redirect, capped.

An old link is renewed once.
"""

import time
from collections.abc import AsyncIterator, Sequence
from urllib.parse import parse_qs, urlsplit

import aiohttp

from adapters.discord.api import DiscordError
from adapters.discord.messages import MessageClient
from core.errors import DeliveryError, Rejected
from core.pictures.formats import too_many_bytes
from core.types import Attachment
from core.url_policy import is_allowed

SECONDS = aiohttp.ClientTimeout(total=60, connect=10, sock_read=20)
CHUNK = 1 << 16
GONE = frozenset({403, 404, 410})
"""What the CDN answers for a link that has run out."""


def session() -> aiohttp.ClientSession:
    """For files alone: nothing from the environment. Make it inside the running loop."""
    return aiohttp.ClientSession(trust_env=False, cookie_jar=aiohttp.DummyCookieJar())


class Files:
    """``hosts`` may be fetched from; none other ever is."""

    def __init__(
        self, messages: MessageClient, http: aiohttp.ClientSession, hosts: Sequence[str]
    ) -> None:
        self._messages = messages
        self._http = http
        self._hosts = hosts

    async def fetch(self, attachment: Attachment, limit: int) -> AsyncIterator[bytes]:
        """At most ``limit`` bytes. Raises Rejected or DeliveryError."""
        channel, message, file, url = (*attachment.ref.split(" ", 3), "", "", "")[:4]
        if not url:
            raise Rejected("discord.file_gone")
        try:
            async with await self._open(channel, message, file, url) as answer:
                read = 0
                async for chunk in answer.content.iter_chunked(CHUNK):
                    read += len(chunk)
                    if read > limit:
                        raise too_many_bytes(limit)
                    yield chunk
        except (DiscordError, aiohttp.ClientError, TimeoutError, OSError):
            raise DeliveryError("discord.file_failed") from None

    async def _open(
        self, channel: str, message: str, file: str, url: str
    ) -> aiohttp.ClientResponse:
        answer = None if has_expired(url) else await self._get(url)
        if answer is None and channel and file:
            fresh = await self._asked_for_afresh(channel, message, file)
            answer = await self._get(fresh) if fresh else None
        if answer is None:
            raise Rejected("discord.file_gone")
        return answer

    async def _get(self, url: str) -> aiohttp.ClientResponse | None:
        """None when the link has run out."""
        if not is_allowed(url, self._hosts):
            raise Rejected("discord.strange_file")
        answer = await self._http.get(url, allow_redirects=False, timeout=SECONDS)
        if answer.status == 200:
            return answer
        answer.release()
        if answer.status in GONE:
            return None
        raise (
            DeliveryError("discord.file_failed")
            if answer.status >= 429
            else Rejected("discord.strange_file")
        )

    async def _asked_for_afresh(self, channel: str, message: str, file: str) -> str:
        """Discord signs its links anew whenever it tells of a message.

        "" where the file is in it no longer.
        """
        found = await self._messages.read(channel, message)
        return next(
            (
                str(one["url"])
                for one in found.get("attachments") or ()
                if str(one["id"]) == file
            ),
            "",
        )


def has_expired(url: str) -> bool:
    """Does the signed link say itself that its time is over (``ex``, hexadecimal seconds)?"""
    try:
        return int(parse_qs(urlsplit(url).query)["ex"][0], 16) <= time.time()
    except (KeyError, ValueError):
        return False
