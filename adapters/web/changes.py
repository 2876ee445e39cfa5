"""The changes of the room, read once and sent to every open page."""

import asyncio
import json
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import structlog

from adapters.web.records import CHUNK, Directory, Member, Message
from adapters.web.store import Room

log = structlog.get_logger()

HEARTBEAT = 15.0
"""Seconds between two signs of life to every page."""
RECENT = 200
"""Messages kept as they were sent last; a page further behind reads the database."""
BEAT = b": still here\n\n"
View = Callable[[Message], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedMessage:
    """A message as it stood after a change, encoded for the pages, and who may see it."""

    change: int
    channel: str
    author: str
    only_for: str
    json: bytes


class EncodedDirectory:
    """The channels and people of the room, encoded once for all pages."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self._only_for = {
            channel.id: channel.only_for for channel in directory.channels
        }
        self._member_ids = {member.id for member in directory.members}
        self._people = _encode(
            [member_fields(member) for member in directory.members]
        )

    def has(self, member: Member) -> bool:
        """Is this person here still, and not forgotten?"""
        return member.id in self._member_ids

    def is_visible(self, message: EncodedMessage, person: str) -> bool:
        """May this person see the message?"""
        if self._only_for.get(message.channel) not in {"", person}:
            return False
        return message.only_for in {"", person} or message.author == person

    def event_for(self, member: Member) -> bytes:
        """The event that gives a page its channels and people."""
        channels = [
            {"id": channel.id, "name": channel.name}
            for channel in self.directory.channels
            if channel.only_for in {"", member.id}
        ]
        me = _encode(member_fields(member))
        return (
            b'data: {"kind": "around", "channels": %b, "people": %b, "me": %b}\n\n'
            % (_encode(channels), self._people, me)
        )


class Changes:
    """Reads each change once, encodes each message once, and wakes all open pages by one timer.

    A page knows how far it has come. What it has not seen it takes from here, or from the database
    when it is too far behind: nothing waits for a slow page, and nothing is heaped up for it.
    """

    def __init__(self, room: Room, view: View) -> None:
        self._room = room
        self._view = view
        self._pages = 0
        self._watch: asyncio.Task[None] | None = None
        self._turn = asyncio.Event()
        self._beats = 0
        self._commits = -1
        self._day = _today()
        self._directory = EncodedDirectory(Directory(channels=(), members=()))
        # Every message that changed after ``_since`` and up to ``_change``, by its number, in the
        # order of the changes.
        self._recent: dict[int, EncodedMessage] = {}
        self._since = self._change = 0

    async def follow(
        self,
        member: Member,
        after: int | None,
    ) -> AsyncGenerator[bytes, None]:
        """Yield what is there, or was missed since; then every change as it is committed.

        Ends when the person is forgotten: their page asks again, and is shown the door.
        """
        async with self._watching() as watch:
            position = None if after is None else min(after, self._change)
            directory: EncodedDirectory | None = None
            beats = self._beats
            is_first = True
            while not watch.done() and not self._room.closed:
                # Taken before the look: what is committed meanwhile ends this very turn.
                turn = self._turn
                if directory is not self._directory:
                    directory = self._directory
                    if not directory.has(member):
                        return
                    yield directory.event_for(member)
                if position is None or position < self._since:
                    batch = await self._room.changes_for(member.id, position)
                    position = batch.change
                    is_first = False
                    encoded = [
                        self._encode(message).json
                        for message in batch.messages
                    ]
                    yield _event(encoded, position)
                    continue
                fresh = self._changes_after(position, member.id)
                position = max(position, self._change)
                if fresh or is_first:
                    yield _event(fresh, position)
                elif beats != self._beats:
                    yield BEAT
                beats = self._beats
                is_first = False
                await turn.wait()

    def _changes_after(self, position: int, person: str) -> list[bytes]:
        """Return what changed since, of what this person may see, oldest first."""
        newest_first = []
        for message in reversed(self._recent.values()):
            if message.change <= position:
                break
            if self._directory.is_visible(message, person):
                newest_first.append(message.json)
        return newest_first[::-1]

    # Looking

    @asynccontextmanager
    async def _watching(self) -> AsyncIterator[asyncio.Task[None]]:
        """Watch the room while a page is open; what was committed by now has been looked at."""
        self._pages += 1
        try:
            if self._watch is None or self._watch.done():
                self._watch = asyncio.create_task(
                    self._watch_room(), name="room"
                )
                self._watch.add_done_callback(self._end_streams)
            watch = self._watch
            commits = self._room.commits
            while self._commits < commits and not watch.done():
                await self._turn.wait()
            yield watch
        finally:
            self._pages -= 1
            if not self._pages and self._watch is not None:
                self._watch.cancel()
                self._watch = None

    async def _watch_room(self) -> None:
        """Look whenever something was committed; now and then wake every page all the same."""
        clock = asyncio.get_running_loop().time
        if self._room.closed:
            return
        self._forget(await self._room.last_change())
        beat = clock() + HEARTBEAT
        while not self._room.closed:
            self._room.changed.clear()
            await self._look()
            try:
                async with asyncio.timeout_at(beat):
                    await self._room.changed.wait()
            except TimeoutError:
                beat = clock() + HEARTBEAT
                self._beats += 1

    async def _look(self) -> None:
        """Read what changed, encode it for the pages, and wake them."""
        # Counted before the read: what is committed during it may not be in it.
        commits = self._room.commits
        batch, directory = await self._room.all_changes(self._change)
        if directory != self._directory.directory:
            self._directory = EncodedDirectory(directory)
        if self._day != _today():
            # Links to pictures are made for a day or two.
            self._day = _today()
            self._forget(self._change)
        for message in batch.messages:
            self._remember(message)
        self._change = batch.change
        if len(batch.messages) == CHUNK:
            self._room.changed.set()  # there may be more: look again at once
        else:
            self._commits = commits
        self._wake()

    def _remember(self, message: Message) -> None:
        # To the end of the dict, which is in the order of the changes.
        self._recent.pop(message.id, None)
        self._recent[message.id] = self._encode(message)
        if len(self._recent) > RECENT:
            oldest = self._recent.pop(next(iter(self._recent)))
            self._since = oldest.change

    def _forget(self, change: int) -> None:
        """Drop older changes, which are read from the database from now on."""
        self._recent.clear()
        self._since = self._change = change

    def _encode(self, message: Message) -> EncodedMessage:
        return EncodedMessage(
            change=message.change,
            channel=message.channel,
            author=message.author,
            only_for=message.only_for,
            json=_encode(self._view(message)),
        )

    def _end_streams(self, watch: asyncio.Task[None]) -> None:
        """End every page's stream with the watch; the pages reconnect by themselves."""
        if not watch.cancelled() and watch.exception() is not None:
            log.warning(
                "room_not_read", reason=type(watch.exception()).__name__
            )
        self._wake()

    def _wake(self) -> None:
        self._turn.set()
        self._turn = asyncio.Event()


def member_fields(member: Member) -> dict[str, Any]:
    """A member as a page knows them."""
    return {"id": member.id, "name": member.name, "admin": member.admin}


def _event(messages: Sequence[bytes], change: int) -> bytes:
    return (
        b'data: {"kind": "messages", "messages": [%b], "change": %d}\n\n'
        % (
            b", ".join(messages),
            change,
        )
    )


def _encode(fields: Any) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode(errors="replace")


def _today() -> date:
    return datetime.now(UTC).date()
