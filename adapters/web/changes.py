"""What changes in the room, looked at once and told to every open page."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import structlog

from adapters.web.store import AT_A_TIME, Around, Member, Message, Room

log = structlog.get_logger()

HEARTBEAT = 15.0
"""Seconds after which every page is told that we are still there."""
RECENT = 200
"""Messages kept as they were told last; a page further behind reads the database."""
BEAT = b": still here\n\n"
View = Callable[[Message], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A message as it stood after a change, in the bytes of a page, and who may see it."""

    change: int
    channel: str
    author: str
    only_for: str
    data: bytes


class Surroundings:
    """Who and what is around, written once for all."""

    def __init__(self, around: Around) -> None:
        self.around = around
        self._only_for = {channel.id: channel.only_for for channel in around.channels}
        self._people = _json([shown(member) for member in around.members])

    def sees(self, person: str, written: Written) -> bool:
        """May this person see the message?"""
        if self._only_for.get(written.channel) not in {"", person}:
            return False
        return written.only_for in {"", person} or written.author == person

    def event(self, member: Member) -> bytes:
        """What a page is told of it."""
        mine = [one for one in self.around.channels if one.only_for in {"", member.id}]
        channels = _json([{"id": channel.id, "name": channel.name} for channel in mine])
        parts = (channels, self._people, _json(shown(member)))
        return (
            b'data: {"kind": "around", "channels": %b, "people": %b, "me": %b}\n\n'
            % parts
        )


class Changes:
    """One look at each change, one writing of each message, and one timer, however many pages are open.

    A page knows how far it has come. What it has not seen it takes from here, or from the database
    when it is too far behind: nothing waits for a slow page, and nothing is heaped up for it.
    """

    def __init__(self, room: Room, view: View) -> None:
        self._room = room
        self._view = view
        self._pages = 0
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Event()
        self._beats = 0
        self._commits = -1
        self._day = _today()
        self._surroundings = Surroundings(Around(channels=(), members=()))
        # Every message that changed after ``_since`` and up to ``_change``, by its number, in the
        # order of the changes.
        self._recent: dict[int, Written] = {}
        self._since = self._change = 0

    async def follow(self, member: Member, after: int | None) -> AsyncIterator[bytes]:
        """First what is there, or what was missed since; then every change as it is committed."""
        async with self._watched() as watch:
            position = None if after is None else min(after, self._change)
            around: Surroundings | None = None
            beats = self._beats
            is_first = True
            while not watch.done() and not self._room.closed:
                turn = self._turn
                if around is not self._surroundings:
                    around = self._surroundings
                    yield around.event(member)
                if position is None or position < self._since:
                    news = await self._room.news(member.id, position)
                    position, is_first = news.change, False
                    yield _event(
                        [self._written(message).data for message in news.messages],
                        position,
                    )
                    continue
                fresh = self._after(position, member.id)
                position = max(position, self._change)
                if fresh or is_first:
                    yield _event(fresh, position)
                elif beats != self._beats:
                    yield BEAT
                beats, is_first = self._beats, False
                await turn.wait()

    def _after(self, position: int, person: str) -> list[bytes]:
        """What changed since, of what this person may see."""
        fresh = []
        for written in reversed(self._recent.values()):
            if written.change <= position:
                break
            if self._surroundings.sees(person, written):
                fresh.append(written.data)
        return fresh[::-1]

    # Looking

    @asynccontextmanager
    async def _watched(self) -> AsyncIterator[asyncio.Task[None]]:
        """The room is looked at while a page is open; what was committed by now has been seen."""
        self._pages += 1
        try:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._watch(), name="room")
                self._task.add_done_callback(self._ended)
            watch = self._task
            commits = self._room.commits
            while self._commits < commits and not watch.done():
                await self._turn.wait()
            yield watch
        finally:
            self._pages -= 1
            if not self._pages and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _watch(self) -> None:
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
        """Read what changed, write it down for the pages, and wake them."""
        commits = self._room.commits
        news, around = await self._room.look(self._change)
        if around != self._surroundings.around:
            self._surroundings = Surroundings(around)
        if self._day != _today():
            # Links to pictures are made for a day or two.
            self._day = _today()
            self._forget(self._change)
        for message in news.messages:
            self._keep(message)
        self._change = news.change
        if len(news.messages) == AT_A_TIME:
            self._room.changed.set()
        else:
            self._commits = commits
        self._wake()

    def _keep(self, message: Message) -> None:
        self._recent.pop(message.id, None)
        self._recent[message.id] = self._written(message)
        if len(self._recent) > RECENT:
            oldest = self._recent.pop(next(iter(self._recent)))
            self._since = oldest.change

    def _forget(self, change: int) -> None:
        """From now on what is older is read from the database."""
        self._recent.clear()
        self._since = self._change = change

    def _written(self, message: Message) -> Written:
        return Written(
            change=message.change,
            channel=message.channel,
            author=message.author,
            only_for=message.only_for,
            data=_json(self._view(message)),
        )

    def _ended(self, watch: asyncio.Task[None]) -> None:
        """Every page's stream ends with it; they come again."""
        if not watch.cancelled() and watch.exception() is not None:
            log.warning("room_not_read", reason=type(watch.exception()).__name__)
        self._wake()

    def _wake(self) -> None:
        self._turn.set()
        self._turn = asyncio.Event()


def shown(member: Member) -> dict[str, Any]:
    """A member as a page is told."""
    return {"id": member.id, "name": member.name, "admin": member.admin}


def _event(messages: Sequence[bytes], change: int) -> bytes:
    return b'data: {"kind": "messages", "messages": [%b], "change": %d}\n\n' % (
        b", ".join(messages),
        change,
    )


def _json(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode(errors="replace")


def _today() -> date:
    return datetime.now(UTC).date()
