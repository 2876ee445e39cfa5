"""Connections to the web server that cut slow clients, so that none shuts others out.

An HTTP protocol for uvicorn, which has a limit for idle connections alone.
"""

import asyncio
from enum import Enum
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
"""Seconds within which the whole head of a request must arrive."""
WINDOW = 10.0
"""Seconds between two looks at how much of a body has come, or how much of a reply was taken."""
LEAST_RATE = 500
"""Bytes a second that the slowest telephone sends or takes."""
MOST_CONNECTIONS = 500
"""Beyond them each new one ends the one that has kept us waiting the longest. A process may have
1,024 files open on most systems."""
TIMEOUT = (
    b"HTTP/1.1 408 Request Timeout\r\n"
    b"Connection: close\r\n"
    b"Content-Length: 0\r\n"
    b"\r\n"
)


class Phase(Enum):
    """What a connection waits for."""

    HEAD = "head"
    BODY = "body"
    IDLE = "idle"
    """The next request, after a reply."""
    SERVER = "server"
    """Our answer."""


class WatchedProtocol(H11Protocol):
    """A connection that is cut when its client sends or reads too slowly."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.phase = Phase.IDLE
        self.since = self.loop.time()
        """When the phase, or the wait for its client, began."""
        self._received = 0
        """Bytes since the last look, with those of the head."""
        self._unread = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    @property
    def waits_for_client(self) -> bool:
        """Whether the next move is the client's: to send, or to take what was sent."""
        if self._stall is not None:
            # Also one that was closed stays until its client has taken all.
            return True
        return (
            self.phase is not Phase.SERVER and not self.transport.is_closing()
        )

    def connection_made(self, transport: Any) -> None:
        """Make room for it, and begin to wait for a request."""
        super().connection_made(transport)
        self._enter(Phase.HEAD)
        self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers."""
        self._set_alarm(None)
        self._set_stall(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; a part that is complete ends its wait."""
        self._received += len(data)
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """Start to watch whether the client reads what we send."""
        super().pause_writing()
        self.since = self.loop.time()
        self._unread = self.transport.get_write_buffer_size()
        self._set_stall(self.loop.call_later(WINDOW, self._check_reader))

    def resume_writing(self) -> None:
        """Stop watching: the client has read nearly everything."""
        super().resume_writing()
        self._set_stall(None)

    def _look(self) -> None:
        phase = self._current_phase()
        if phase is not self.phase:
            self._enter(phase)

    def _current_phase(self) -> Phase:
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            return Phase.BODY
        if state is not h11.IDLE:
            return Phase.SERVER
        # The server ends an idle connection by itself, until a byte comes.
        is_idle = self.timeout_keep_alive_task is not None
        return Phase.IDLE if is_idle else Phase.HEAD

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self.since = self.loop.time()
        if phase is Phase.HEAD:
            cut = self.loop.call_later(HEAD_SECONDS, self._time_out)
            self._set_alarm(cut)
        elif phase is Phase.BODY:
            check = self.loop.call_later(WINDOW, self._check_sender)
            self._set_alarm(check)
        else:
            self._received = 0
            self._set_alarm(None)

    def _check_sender(self) -> None:
        """Time out when too little of the body came, or when it is no longer wanted."""
        is_slow = self._received < LEAST_RATE * WINDOW
        # We stopped reading: the silence is our own.
        is_ours = self.flow.read_paused
        if self.cycle.response_complete or (is_slow and not is_ours):
            self._time_out()
            return
        self._received = 0
        check = self.loop.call_later(WINDOW, self._check_sender)
        self._set_alarm(check)

    def _check_reader(self) -> None:
        """Cut when too little of the reply was taken."""
        unread = self.transport.get_write_buffer_size()
        if self._unread - unread < LEAST_RATE * WINDOW:
            self.transport.abort()
            return
        self._unread = unread
        self._set_stall(self.loop.call_later(WINDOW, self._check_reader))

    def _time_out(self) -> None:
        """Say why, unless a reply has begun or no request has; then close."""
        if self.transport.is_closing():
            return
        has_begun = self.cycle is not None and self.phase is Phase.BODY
        is_replied = has_begun and self.cycle.response_started
        if self._received and not is_replied:
            self.transport.write(TIMEOUT)
        self.transport.close()

    def _make_room(self) -> None:
        """End the connection that has kept us waiting the longest, where there are too many."""
        if len(self.connections) <= MOST_CONNECTIONS:
            return
        others = cast("set[WatchedProtocol]", self.connections) - {self}
        waiting = [other for other in others if other.waits_for_client]
        if waiting:
            longest = min(waiting, key=lambda other: other.since)
            longest.transport.abort()
            # It is counted until the next turn of the loop, but not ended twice.
            longest._set_stall(None)

    def _set_alarm(self, alarm: asyncio.TimerHandle | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = alarm

    def _set_stall(self, stall: asyncio.TimerHandle | None) -> None:
        if self._stall is not None:
            self._stall.cancel()
        self._stall = stall
