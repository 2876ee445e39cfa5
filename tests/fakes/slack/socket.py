"""Slack's side of Socket Mode: hello, envelopes until acknowledged, disconnects on demand."""

import asyncio
import itertools
import json
from contextlib import suppress
from typing import Any

from aiohttp import WSMsgType, web

Json = dict[str, Any]


class SocketServer:
    """Slack's side of the sockets: every connection gets its share of envelopes.

    One not acknowledged in ``patience`` seconds is sent again, an event ``tries`` times in all. An
    address is good for one try to connect: one that failed must be asked for again.
    """

    def __init__(self, patience: float = 3.0) -> None:
        self.connections: list[web.WebSocketResponse] = []
        self.opened = 0
        self.patience = patience
        self.tries = 4
        self.refuses = False
        self._tickets: set[str] = set()
        self._waiting: dict[str, asyncio.Future[Json]] = {}
        self._ids = itertools.count(1)
        self._turns = itertools.count(1)
        self._connected = asyncio.Event()

    def routes(self, app: web.Application) -> None:
        """Where the address of apps.connections.open leads."""
        app.router.add_get("/link", self._link)

    def issue(self, address: str) -> str:
        """Return an address to connect to, with a ticket of its own."""
        ticket = f"ticket-{next(self._ids)}"
        self._tickets.add(ticket)
        return f"{address}?ticket={ticket}"

    async def _link(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        is_good = ticket in self._tickets and not self.refuses
        self._tickets.discard(ticket)
        if not is_good:
            return web.Response(status=503 if self.refuses else 408)
        socket = web.WebSocketResponse(heartbeat=None)
        await socket.prepare(request)
        self.opened += 1
        await socket.send_json(
            {
                "type": "hello",
                "num_connections": 1,
                "connection_info": {"app_id": "A00000001"},
            }
        )
        self.connections.append(socket)
        self._connected.set()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    answer = json.loads(message.data)
                    waiting = self._waiting.pop(
                        answer.get("envelope_id", ""), None
                    )
                    if waiting is not None and not waiting.done():
                        waiting.set_result(answer.get("payload") or {})
        finally:
            self.connections.remove(socket)
            if not self.connections:
                self._connected.clear()
        return socket

    async def deliver(self, kind: str, payload: Json) -> Json | None:
        """Until acknowledged: what the acknowledgement held; None when no one did."""
        for attempt in range(self.tries):
            await asyncio.wait_for(self._connected.wait(), 30)
            name = f"envelope-{next(self._ids)}"
            self._waiting[name] = asyncio.get_running_loop().create_future()
            envelope: Json = {
                "envelope_id": name,
                "type": kind,
                "payload": payload,
                "accepts_response_payload": kind != "events_api",
            }
            if attempt:
                envelope |= {
                    "retry_attempt": attempt,
                    "retry_reason": "timeout",
                }
            waiting = self._waiting[name]
            with suppress(ConnectionError, ZeroDivisionError):
                await self._next_connection().send_json(envelope)
            with suppress(TimeoutError):
                return await asyncio.wait_for(waiting, self.patience)
            if kind != "events_api":
                return None
        return None

    def _next_connection(self) -> web.WebSocketResponse:
        return self.connections[next(self._turns) % len(self.connections)]

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask every connection to go, as Slack does now and then."""
        for socket in list(self.connections):
            await socket.send_json(
                {"type": "disconnect", "reason": reason, "debug_info": {}}
            )

    async def cut(self) -> None:
        """Close every connection without a word."""
        for socket in list(self.connections):
            await socket.close()
