"""Many open pages of the room, as cheap as a page can be.

A separate process beside the server that is measured::

    python tests/bench/open_pages.py HOST PORT < keys, then one word a line

It opens a stream for each key of the first line and says "open" once each has its first messages.
For each word that follows it waits until every stream has brought it, and prints the moment of the
machine's clock at which the last one did.
"""

import asyncio
import sys
import time


class OpenPage(asyncio.Protocol):
    """One stream, read as it comes: only whether the word has come is looked at."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._tail = b""
        self._wanted = b""
        self._brought = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Look for the word, also where it was cut in two."""
        if self._brought.is_set():
            return
        text = self._tail + data
        if self._wanted in text:
            self._brought.set()
        self._tail = text[-len(self._wanted) :]

    def expect(self, word: bytes) -> None:
        """From now on look for this word."""
        self._tail, self._wanted = b"", word
        self._brought.clear()

    async def brings(self) -> None:
        """Until the word has come."""
        await self._brought.wait()


async def open_pages(host: str, port: int, keys: list[str]) -> list[OpenPage]:
    """A stream for each key, each given what is there."""
    pages = []
    loop = asyncio.get_running_loop()
    for key in keys:
        asks = (
            f"GET /room/stream HTTP/1.1\r\nHost: {host}:{port}\r\n"
            f"Authorization: Bearer {key}\r\n\r\n"
        )
        page = OpenPage(asks.encode())
        page.expect(b'"messages"')
        await loop.create_connection(lambda page=page: page, host, port)  # type: ignore[misc]
        await page.brings()
        pages.append(page)
    return pages


async def main(host: str, port: int) -> None:
    """Follow the commands on standard input."""
    loop = asyncio.get_running_loop()
    keys = (await loop.run_in_executor(None, sys.stdin.readline)).split()
    pages = await open_pages(host, port, keys)
    print("open", flush=True)
    while word := (
        await loop.run_in_executor(None, sys.stdin.readline)
    ).strip():
        for page in pages:
            page.expect(word.encode())
        print("expecting", flush=True)
        await asyncio.gather(*(page.brings() for page in pages))
        print(time.monotonic(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
