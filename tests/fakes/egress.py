"""The proxy of a company, and beyond it servers with names of their own that nothing else reaches.

It wants a password, opens tunnels (CONNECT), and passes on plain requests. The servers at the far
end have certificates of an authority that only ``SSL_CERT_FILE`` makes known.
"""

import asyncio
import base64
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import trustme

CREDENTIALS = "easel:let-me-out"
CHUNK = 1 << 16
HEAD_END = b"\r\n\r\n"
DENIED = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n"
    b'Proxy-Authenticate: Basic realm="company"\r\nConnection: close\r\n\r\n'
)
UNKNOWN = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"
WORD = base64.b64encode(CREDENTIALS.encode())


class Company:
    """``servers``: names of the world outside → ports of loopback."""

    def __init__(self, servers: Mapping[str, int], folder: Path) -> None:
        self.servers = servers
        self.tunnels: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.port = 0
        authority = trustme.CA()
        self.certificates = folder / "company.pem"
        authority.cert_pem.write_to_path(str(self.certificates))
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(*servers).configure_cert(self._tls)

    @property
    def address(self) -> str:
        """What HTTPS_PROXY and HTTP_PROXY say."""
        return f"http://{CREDENTIALS}@127.0.0.1:{self.port}"

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve one connection."""
        with suppress(OSError, asyncio.IncompleteReadError):
            await self._serve(reader, writer)
        writer.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(HEAD_END)
        line, _, headers = head.partition(b"\r\n")
        method, target, _ = line.decode().split(" ")
        if WORD not in headers:
            writer.write(DENIED)
            await writer.drain()
            return
        is_tunnel = method == "CONNECT"
        name = target if is_tunnel else urlsplit(target).netloc
        port = self.servers.get(name.partition(":")[0])
        if port is None:
            writer.write(UNKNOWN)
            await writer.drain()
            return
        server = await asyncio.open_connection("127.0.0.1", port)
        if is_tunnel:
            self.tunnels[name] += 1
            writer.write(OPENED)
            await writer.drain()
            await writer.start_tls(self._tls)
        else:
            self.requests[name] += 1
            _, to_server = server
            to_server.write(_to_origin(method, target, headers))
        await _join((reader, writer), server)


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _to_origin(method: str, target: str, headers: bytes) -> bytes:
    parts = urlsplit(target)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    passed_on = [
        header
        for header in headers.split(b"\r\n")
        if not header.lower().startswith((b"connection", b"proxy-"))
    ]
    line = f"{method} {path} HTTP/1.1\r\nConnection: close".encode()
    return b"\r\n".join([line, *passed_on])


async def _join(here: Ends, there: Ends) -> None:
    both = [
        asyncio.create_task(_pass_on(here[0], there[1])),
        asyncio.create_task(_pass_on(there[0], here[1])),
    ]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    for task in both:
        task.cancel()
    there[1].close()


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def company(
    servers: Mapping[str, int], folder: Path
) -> AsyncIterator[Company]:
    """Open the proxy on a free port of loopback."""
    proxy = Company(servers, folder)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    async with server:
        yield proxy
