"""Clients that send or read too slowly: they are cut, and nobody else waits for them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters.web import connections
from adapters.web.app import bind, create_app, serving

LARGE = b"x" * (4 << 20)
HEAD = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"


async def healthz(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def body(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def refuse(_request: Request) -> Response:
    return PlainTextResponse("no", 401)


async def large(_request: Request) -> Response:
    return Response(LARGE)


ROUTES = [
    Route("/healthz", healthz, methods=["GET"]),
    Route("/body", body, methods=["POST"]),
    Route("/refuse", refuse, methods=["POST"]),
    Route("/large", large, methods=["GET"]),
]


class Client:
    """One raw connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer

    async def read_all(self) -> bytes:
        """Read until the server ends the connection."""
        async with asyncio.timeout(60):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b"reset"

    async def trickles(self, chunk: bytes, pause: float = 0.05) -> None:
        """Send the chunk again and again until the server ends the connection.

        Its last words may be lost: it resets a connection that goes on after them.
        """
        task = asyncio.create_task(self.read_all())
        while not task.done():
            with suppress(ConnectionError):
                self.writer.write(chunk)
                await self.writer.drain()
            await asyncio.sleep(pause)
        await task


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(connections, "WINDOW", 0.5)


@asynccontextmanager
async def server() -> AsyncIterator[Callable[[bytes], Any]]:
    """A server, as a function that connects to it and sends."""
    listening = bind("127.0.0.1", 0)
    port = listening.getsockname()[1]
    app = create_app(ROUTES, [f"127.0.0.1:{port}", "a"])
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving(app, listening))

        async def connect(data: bytes) -> Client:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            writer.write(data)
            return Client(reader, writer)

        yield connect


@pytest_asyncio.fixture
async def connect() -> AsyncIterator[Callable[[bytes], Any]]:
    async with server() as connecting:
        yield connecting


async def answers(connect: Callable[[bytes], Any]) -> bool:
    client = await connect(HEAD + b"Connection: close\r\n\r\n")
    return bytes(await client.read_all()).startswith(b"HTTP/1.1 200")


async def test_a_connection_that_asks_nothing_is_closed_without_a_word(
    connect: Callable[[bytes], Any],
) -> None:
    silent = await connect(b"")
    assert await silent.read_all() == b""
    assert await answers(connect)


async def test_a_head_that_never_ends_is_cut(
    connect: Callable[[bytes], Any],
) -> None:
    half = await connect(HEAD)
    drop = await connect(HEAD + b"X-A: ")
    assert (await half.read_all()).startswith(b"HTTP/1.1 408")
    await drop.trickles(b"a")


async def test_the_head_of_a_second_request_is_cut_too(
    connect: Callable[[bytes], Any],
) -> None:
    client = await connect(HEAD + b"\r\n")
    await client.reader.readuntil(b"ok\n")
    client.writer.write(HEAD + b"X-A: ")
    await client.trickles(b"a")


async def test_a_body_that_comes_by_the_drop_is_cut(
    connect: Callable[[bytes], Any],
) -> None:
    await (await connect(POST)).trickles(b"a")
    half = await connect(POST + b"a")
    assert b"408" in await half.read_all()


async def test_a_body_that_comes_slowly_but_well_is_taken(
    connect: Callable[[bytes], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LEAST_RATE", 400)
    checked: asyncio.Queue[None] = asyncio.Queue()
    check = connections.WatchedProtocol._check_sender

    def check_and_tell(protocol: connections.WatchedProtocol) -> None:
        check(protocol)
        checked.put_nowait(None)

    monkeypatch.setattr(
        connections.WatchedProtocol, "_check_sender", check_and_tell
    )
    client = await connect(POST + b"a" * 250)
    for _ in range(3):
        await checked.get()
        client.writer.write(b"a" * 250)
    await client.reader.readuntil(b"\r\n\r\n1000")


async def test_a_body_that_goes_on_after_its_refusal_is_cut(
    connect: Callable[[bytes], Any],
) -> None:
    start = b"POST /refuse HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    client = await connect(start)
    assert b"401" in await client.reader.readuntil(b"no")
    await client.trickles(b"1000\r\n" + b"a" * 4096 + b"\r\n")


async def test_a_reply_that_is_not_read_is_cut(
    connect: Callable[[bytes], Any],
) -> None:
    client = await connect(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
    transport = client.writer.transport
    assert isinstance(transport, asyncio.ReadTransport)
    transport.pause_reading()
    await asyncio.sleep(1.2)
    transport.resume_reading()
    assert len(await client.read_all()) < len(LARGE)


async def test_a_thousand_idle_connections_shut_nobody_out(
    connect: Callable[[bytes], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 60)
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 50)
    first = await connect(HEAD)
    idle = [await connect(HEAD) for _ in range(99)]
    assert await answers(connect)
    assert await first.read_all() in {b"", b"reset"}
    # Who has come last may still finish.
    idle[-1].writer.write(b"\r\n")
    await idle[-1].reader.readuntil(b"ok\n")


async def test_those_who_take_a_picture_by_the_drop_shut_nobody_out(
    connect: Callable[[bytes], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "WINDOW", 60)
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 5)
    slow = []
    for _ in range(8):
        # The server closes a connection after its reply; what is not taken keeps it open.
        request = (
            b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        client = await connect(request)
        transport = client.writer.transport
        await client.reader.read(1)
        transport.pause_reading()
        slow.append(client)
        assert await answers(connect)
    for client in slow:
        client.writer.transport.resume_reading()
    lengths = [len(await client.read_all()) for client in slow]
    assert lengths[0] < len(LARGE)
    assert lengths[-1] >= len(LARGE)


async def test_a_client_that_hangs_up_in_its_body_leaves_no_stack_in_the_log(
    connect: Callable[[bytes], Any], caplog: pytest.LogCaptureFixture
) -> None:
    client = await connect(POST + b"aaa")
    await asyncio.sleep(0.2)
    client.writer.close()
    assert await answers(connect)
    assert not caplog.records


async def test_a_request_that_takes_long_is_not_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def slow(_request: Request) -> Response:
        await asyncio.sleep(0.8)
        return PlainTextResponse("done")

    monkeypatch.setitem(globals(), "ROUTES", [Route("/", slow)])
    async with server() as connect:
        client = await connect(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.reader.readuntil(b"done")
