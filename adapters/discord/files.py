"""Download a person's file from Discord's CDN: allowed hosts only, no redirects, capped."""

import time
from collections.abc import AsyncIterator, Sequence
from urllib.parse import parse_qs, urlsplit

import aiohttp

from adapters.discord.api import DiscordError
from adapters.discord.messages import MessageClient
from core.errors import DeliveryError, Rejected
from core.pictures.facts import too_many_bytes
from core.types import Attachment
from core.url_policy import is_allowed

TIMEOUT = aiohttp.ClientTimeout(total=60, connect=10, sock_read=20)
CHUNK = 1 << 16
EXPIRED = frozenset({403, 404, 410})
"""What the CDN answers for a link that has expired."""


def session(proxy: str | None = None) -> aiohttp.ClientSession:
    """Open an HTTP session for files. It takes nothing from the environment.

    ``proxy`` is the address of the proxy before Discord. Call it inside the running loop.
    """
    return aiohttp.ClientSession(
        proxy=proxy, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
    )


class Files:
    """Files of people. Only ``hosts`` are ever fetched from."""

    def __init__(
        self,
        messages: MessageClient,
        http: aiohttp.ClientSession,
        hosts: Sequence[str],
    ) -> None:
        self._messages = messages
        self._http = http
        self.hosts = hosts

    async def fetch(
        self, attachment: Attachment, limit: int
    ) -> AsyncIterator[bytes]:
        """Stream at most ``limit`` bytes. Raises Rejected or DeliveryError."""
        channel, message, file, url = (
            *attachment.ref.split(" ", 3),
            "",
            "",
            "",
        )[:4]
        if not url:
            raise Rejected("discord.file_gone")
        try:
            async with await self._open(
                channel, message, file, url
            ) as response:
                size = 0
                async for chunk in response.content.iter_chunked(CHUNK):
                    size += len(chunk)
                    if size > limit:
                        raise too_many_bytes(limit)
                    yield chunk
        except (DiscordError, aiohttp.ClientError, TimeoutError, OSError):
            raise DeliveryError("discord.file_failed") from None

    async def _open(
        self, channel: str, message: str, file: str, url: str
    ) -> aiohttp.ClientResponse:
        response = None
        if not has_expired(url):
            response = await self._get(url)
        if response is None and channel and file:
            url = await self._renew_url(channel, message, file)
            response = await self._get(url) if url else None
        if response is None:
            raise Rejected("discord.file_gone")
        return response

    async def _get(self, url: str) -> aiohttp.ClientResponse | None:
        """Open a link. None when its time is over."""
        if not is_allowed(url, self.hosts):
            raise Rejected("discord.strange_file")
        response = await self._http.get(
            url, allow_redirects=False, timeout=TIMEOUT
        )
        if response.status == 200:
            return response
        response.release()
        if response.status in EXPIRED:
            return None
        if response.status >= 429:
            raise DeliveryError("discord.file_failed")
        raise Rejected("discord.strange_file")

    async def _renew_url(self, channel: str, message: str, file: str) -> str:
        """Read the message again: Discord signs new links. "" when the file is gone from it."""
        content = await self._messages.read(channel, message)
        for attachment in content.get("attachments") or ():
            if str(attachment["id"]) == file:
                return str(attachment["url"])
        return ""


def has_expired(url: str) -> bool:
    """Does the signed link itself say that its time is over (``ex``, hexadecimal seconds)?"""
    try:
        return int(parse_qs(urlsplit(url).query)["ex"][0], 16) <= time.time()
    except (KeyError, ValueError):
        return False
