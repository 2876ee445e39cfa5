"""A TCP proxy on loopback: a wire to a neighbour that can be cut.

While it is ``down`` in one of the ways of ``Outage`` the neighbour behind it cannot be reached;
open connections are treated like new ones.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from functools import partial

import sqlalchemy as sa

CHUNK = 1 << 16
SLOW_SECONDS = 0.5
HTML = b"<html><head><title>503</title></head><body>Service Unavailable</body></html>"
PAGE = (
    b"Content-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    % len(HTML)
) + HTML
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\n" + PAGE
NONSENSE = b"HTTP/1.1 200 OK\r\n" + PAGE
ERROR = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
    b"Connection: close\r\nContent-Length: 2\r\n\r\n{}"
)
HEAD_END = b"\r\n\r\n"


Connect = Callable[
    [], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
]


class Outage(StrEnum):
    """How a neighbour is away."""

    CUT = "cut"
    """Each connection ends at once."""
    HANGING = "hanging"
    """Connections are taken, and nothing is answered."""
    HTML = "html"
    """A gateway in front of it answers 503 with a page."""
    ERRORS = "errors"
    """It answers 500 itself."""
    NONSENSE = "nonsense"
    """Something in between answers 200 with a page."""
    SLOW = "slow"
    """It answers, each part of it ``SLOW_SECONDS`` late."""


ANSWERS = {
    Outage.HTML: UNAVAILABLE,
    Outage.ERRORS: ERROR,
    Outage.NONSENSE: NONSENSE,
}


class Proxy:
    """Passes connections on; ``down`` is how it fails, None while it does not."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0
        self.down: Outage | None = None
        self.refused = 0

    @property
    def host(self) -> str:
        """The address with its port, as settings want it."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server
        self._server.close()
        self._drop_connections()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def fail(self, outage: Outage) -> None:
        """From now on, until ``recover``."""
        self.down = outage
        if outage not in {Outage.HANGING, Outage.SLOW}:
            self._drop_connections()

    def recover(self) -> None:
        """Everything works again; connections that hung are gone."""
        was_hanging = self.down is Outage.HANGING
        self.down = None
        if was_hanging:
            self._drop_connections()

    @asynccontextmanager
    async def outage(self, outage: Outage = Outage.CUT) -> AsyncIterator[None]:
        """Be away for as long as the block runs."""
        self.fail(outage)
        try:
            yield
        finally:
            self.recover()

    def _drop_connections(self) -> None:
        for connection in self._connections:
            connection.cancel()

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        with suppress(OSError, asyncio.CancelledError):
            await self._serve(reader, writer)
        self._connections.discard(task)
        writer.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self.down not in {None, Outage.SLOW}:
            self.refused += 1
            await self._refuse(reader, writer)
            return
        back_reader, back_writer = await self._connect()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, back_writer))
                group.create_task(self._pass_on(back_reader, writer))
        finally:
            back_writer.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK):
                if self.down is Outage.HANGING:
                    await asyncio.Event().wait()
                if self.down is Outage.SLOW:
                    await asyncio.sleep(SLOW_SECONDS)
                writer.write(chunk)
                await writer.drain()
        # Also for one that was killed: its neighbour must see that it is gone.
        with suppress(OSError):
            if writer.can_write_eof():
                writer.write_eof()

    async def _refuse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self.down is Outage.HANGING:
            await asyncio.Event().wait()
        if self.down in ANSWERS:
            answer = ANSWERS[self.down]
            await reader.readuntil(HEAD_END)
            writer.write(answer)
            await writer.drain()


@asynccontextmanager
async def proxy_to(address: str) -> AsyncIterator[Proxy]:
    """A proxy to ``host:port``, to the server of an http address, or to a Unix socket's path."""
    if address.startswith("/"):
        connect = partial(asyncio.open_unix_connection, address)
    else:
        host, port = address.removeprefix("http://").split("/")[0].split(":")
        connect = partial(asyncio.open_connection, host, int(port))
    proxy = Proxy(connect)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.close()


@asynccontextmanager
async def proxy_to_postgres(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy to a PostgreSQL that listens on a Unix socket, and its database's address there."""
    server = sa.make_url(url)
    async with proxy_to(f"{server.query['host']}/.s.PGSQL.5432") as proxy:
        address = server.set(host="127.0.0.1", port=proxy.port, query={})
        yield proxy, address.render_as_string(hide_password=False)
