"""The room's stream: one look for all pages, nothing missed, nothing twice, nothing wasted."""

import asyncio
import json
import random
import socket
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import event

from adapters.web import changes, forgetting
from adapters.web.changes import RECENT, Changes
from adapters.web.records import CHUNK, Member, Message
from adapters.web.store import Room
from bot.simulator.server import SimulatorConfig
from tests.fakes.house import House, open_house

BODY: dict[str, Any] = {
    "tone": "said",
    "title": "",
    "pictures": [],
    "buttons": [],
    "menu": [],
}
BEAT = {"kind": "beat"}


@pytest_asyncio.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    opened = Room.at(tmp_path)
    await opened.prepare()
    yield opened
    await opened.close()


@pytest.fixture
def told(room: Room) -> Changes:
    return Changes(room, view)


def view(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "text": message.body["text"],
        "change": message.change,
    }


async def enters(room: Room, name: str) -> Member:
    member, _ = await room.enter(name.lower(), name)
    return member


async def test_whom_a_name_may_mean_decides_who_comes_in(room: Room) -> None:
    names = ("Zoë", "Zoe", "Thủy", "Thúy", "Thuy", "Тhuy", "Lan", "Ian")
    ids = [(await enters(room, name)).id for name in names]
    # Cyrillic Т; and Thuy may be either of the two before.
    assert ids == ["zoë", "zoë", "thủy", "thúy", "thuy", "thuy", "lan", "ian"]


async def say(room: Room, text: str, **more: Any) -> int:
    return await room.add_message(
        "general", "", {**BODY, "text": text}, **more
    )


async def page(
    told: Changes, member: Member, after: int | None = None
) -> AsyncGenerator[dict[str, Any], None]:
    """The events of one page."""
    async with aclosing(told.follow(member, after)) as events:
        async for data in events:
            yield (
                json.loads(data.removeprefix(b"data: "))
                if data.startswith(b"data: ")
                else BEAT
            )


async def messages(events: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    """The next event with messages."""
    async with asyncio.timeout(60):
        async for told in events:
            if told["kind"] == "messages":
                return told
    raise AssertionError("the stream ended")


def texts(told: dict[str, Any]) -> list[str]:
    return [message["text"] for message in told["messages"]]


async def test_a_private_message_is_told_to_its_person_alone(
    room: Room, told: Changes
) -> None:
    ana, bo = await enters(room, "Ana"), await enters(room, "Bo")
    async with (
        aclosing(page(told, ana)) as of_ana,
        aclosing(page(told, bo)) as of_bo,
    ):
        assert (
            texts(await messages(of_ana)) == texts(await messages(of_bo)) == []
        )
        await say(room, "for Ana", only_for="ana")
        await room.add_message("dm-ana", "", {**BODY, "text": "Ana and Easel"})
        await say(room, "by Ana, for Bo", author="ana", only_for="bo")
        await say(room, "for all")
        assert [*texts(await messages(of_bo)), *texts(await messages(of_bo))][
            -2:
        ] == [
            "by Ana, for Bo",
            "for all",
        ]
        seen: list[str] = []
        while len(seen) < 4:
            seen += texts(await messages(of_ana))
        assert seen == [
            "for Ana",
            "Ana and Easel",
            "by Ana, for Bo",
            "for all",
        ]


async def test_the_pages_of_a_forgotten_person_end(
    room: Room, told: Changes
) -> None:
    ana, bo = await enters(room, "Ana"), await enters(room, "Bo")
    async with (
        aclosing(page(told, ana)) as of_ana,
        aclosing(page(told, bo)) as of_bo,
    ):
        assert texts(await messages(of_ana)) == []
        assert texts(await messages(of_bo)) == []
        await room.erase(forgetting.forget_person, bo.id)
        async with asyncio.timeout(60):
            assert [event async for event in of_bo] == []
        await say(room, "for those who stay")
        assert texts(await messages(of_ana))[-1:] == ["for those who stay"]


@pytest.mark.parametrize("how", ["forgotten", "pruned"])
async def test_what_is_said_after_messages_were_deleted_is_told(
    room: Room, told: Changes, how: str
) -> None:
    bo = await enters(room, "Bo")
    await enters(room, "Ana")
    await say(room, "known")
    seen: list[str] = []

    async def reads() -> None:
        async with aclosing(page(told, bo)) as events:
            while "new" not in seen:
                seen.extend(texts(await messages(events)))

    reading = asyncio.create_task(reads())
    for text in ("one", "two", "three"):
        await say(room, text, only_for="ana")
        # The page is told nothing of it, and counts it.
        await asyncio.sleep(0.05)
    if how == "forgotten":
        await room.erase(forgetting.forget_person, "ana")
    else:
        await room.prune(datetime.now(UTC) + timedelta(days=1))
    await say(room, "new")
    await reading
    assert seen == ["known", "new"]


@pytest.mark.parametrize(
    "missed", [0, 1, RECENT + 1, 2 * CHUNK, 2 * CHUNK + 7]
)
async def test_however_much_a_page_missed_it_is_told_once_and_in_order(
    room: Room, told: Changes, missed: int
) -> None:
    ana = await enters(room, "Ana")
    await say(room, "known")
    last = await room.last_change()
    for number in range(missed):
        await say(room, str(number))
    seen: list[str] = []
    async with aclosing(page(told, ana, last)) as events:
        while len(seen) < missed:
            seen += texts(await messages(events))
        await say(room, "and now")
        while "and now" not in seen:
            seen += texts(await messages(events))
    assert seen == [*(str(number) for number in range(missed)), "and now"]


async def test_pages_that_come_and_go_while_much_is_said_miss_nothing_and_see_nothing_twice(
    room: Room, told: Changes
) -> None:
    chance = random.Random(7)
    people = [await enters(room, f"P{number}") for number in range(8)]
    count = 300

    async def speak() -> None:
        for number in range(count):
            await say(room, str(number))
            await asyncio.sleep(0)

    async def follow(member: Member) -> list[str]:
        seen: list[str] = []
        change = 0
        while len(seen) < count:
            async with aclosing(page(told, member, change)) as events:
                for _ in range(chance.randint(1, 6)):
                    event = await messages(events)
                    seen += texts(event)
                    change = event["change"]
                    if len(seen) >= count:
                        break
        return seen

    async with asyncio.timeout(60):
        _, *found = await asyncio.gather(
            speak(), *(follow(member) for member in people)
        )
    assert all(
        seen == [str(number) for number in range(count)] for seen in found
    )


async def test_a_message_that_changed_often_while_nobody_read_is_told_as_it_stands(
    room: Room, told: Changes
) -> None:
    ana = await enters(room, "Ana")
    async with (
        aclosing(page(told, ana)) as slow,
        aclosing(page(told, ana)) as quick,
    ):
        await messages(slow)
        await messages(quick)
        number = await say(room, "0")
        for at in range(1, RECENT + 20):
            await room.edit_message(number, {**BODY, "text": str(at)})
        while str(RECENT + 19) not in texts(await messages(quick)):
            pass
        assert texts(await messages(slow)) == [str(RECENT + 19)]


async def test_a_channel_and_a_newcomer_are_told_to_everybody(
    room: Room, told: Changes
) -> None:
    ana = await enters(room, "Ana")
    async with aclosing(page(told, ana)) as events:
        around = await anext(events)
        assert around["me"] == {"id": "ana", "name": "Ana", "admin": True}
        assert [one["id"] for one in around["channels"]] == [
            "general",
            "gallery",
            "dm-ana",
        ]
        await enters(room, "Bo")
        while [one["name"] for one in around.get("people", [])] != [
            "Ana",
            "Bo",
        ]:
            around = await anext(events)
        await room.add_channel("studio", "studio")
        await room.add_message(
            "studio", "", {**BODY, "text": "first words there"}
        )
        while "studio" not in [
            one["id"] for one in around.get("channels", [])
        ]:
            around = await anext(events)
        assert "dm-bo" not in [one["id"] for one in around["channels"]]
        assert texts(await messages(events)) == ["first words there"]


async def test_a_page_from_a_room_that_is_no_more_is_told_what_comes(
    room: Room, told: Changes
) -> None:
    ana = await enters(room, "Ana")
    async with aclosing(page(told, ana, 99_999)) as events:
        assert await messages(events) == {
            "kind": "messages",
            "messages": [],
            "change": 0,
        }
        await say(room, "new")
        assert texts(await messages(events)) == ["new"]


async def test_open_pages_with_nothing_new_ask_the_database_nothing(
    room: Room, told: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "HEARTBEAT", 0.3)
    ana = await enters(room, "Ana")
    pages = [page(told, ana) for _ in range(50)]
    for events in pages:
        await messages(events)
    begun: list[str] = []
    event.listen(
        room._engine.sync_engine, "begin", lambda _: begun.append("begin")
    )
    async with asyncio.timeout(60):
        beats = await asyncio.gather(*(anext(events) for events in pages))
    assert beats == [BEAT] * 50
    # One look for all at each heartbeat, as a net.
    assert len(begun) <= 4
    for events in pages:
        await events.aclose()


async def test_the_room_has_one_thread_however_many_ask(room: Room) -> None:
    ana = await enters(room, "Ana")
    await asyncio.gather(
        *(say(room, str(number)) for number in range(40)),
        *(room.newest(ana.id) for _ in range(40)),
    )
    assert room._engine.pool.checkedin() == 1  # type: ignore[attr-defined]


async def test_when_the_room_cannot_be_read_streams_end_and_pages_come_again(
    room: Room, told: Changes, tmp_path: Path
) -> None:
    ana = await enters(room, "Ana")
    with sqlite3.connect(tmp_path / "room.db") as file:
        async with aclosing(page(told, ana)) as events:
            change = (await messages(events))["change"]
            file.execute("ALTER TABLE messages RENAME TO away")
            file.commit()
            await room.add_channel("studio", "studio")
            async with asyncio.timeout(60):
                assert [one async for one in events] == []
        file.execute("ALTER TABLE away RENAME TO messages")
        file.commit()
    file.close()
    await say(room, "back")
    async with aclosing(page(told, ana, change)) as events:
        assert texts(await messages(events)) == ["back"]


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(
        tmp_path / "house", SimulatorConfig(time_scale=0.01, seed=3)
    ) as opened:
        yield opened


async def test_a_page_that_reads_nothing_holds_up_nobody_and_then_has_everything(
    house: House,
) -> None:
    ana, bo = await house.enters("Ana"), await house.enters("Bo")
    host, port = house.address.removeprefix("http://").split(":")
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.connect((host, int(port)))
    stuck.setblocking(False)
    asks = (
        f"GET /room/stream HTTP/1.1\r\nHost: {host}:{port}\r\n"
        f"Authorization: Bearer {ana.key}\r\n\r\n"
    )
    stuck.sendall(asks.encode())
    count, size = 2 * RECENT, 20_000
    async with aclosing(bo.sees()) as events:
        await messages(events)
        numbers = [await say(house.room, "x" * size) for _ in range(count)]
        seen: set[int] = set()
        while len(seen) < count:
            seen |= {
                message["id"]
                for message in (await messages(events))["messages"]
            }
    received = bytearray()
    with stuck:
        async with asyncio.timeout(60):
            while f'"id": {numbers[-1]},'.encode() not in received:
                received += await asyncio.get_running_loop().sock_recv(
                    stuck, 1 << 16
                )
    got = [
        number
        for number in numbers
        if received.count(f'"id": {number},'.encode())
    ]
    assert got == numbers
    assert all(
        received.count(f'"id": {number},'.encode()) == 1 for number in numbers
    )


async def test_streams_end_when_the_house_closes(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def follow(events: AsyncIterator[dict[str, Any]]) -> None:
        with suppress(Exception):
            async for _ in events:
                pass
        ended.set()

    async with open_house(
        tmp_path / "house", SimulatorConfig(time_scale=0.01)
    ) as house:
        ana = await house.enters("Ana")
        events = ana.sees()
        await messages(events)
        reading = asyncio.create_task(follow(events))
        await asyncio.sleep(0)
        house.room.stop_streams()
        async with asyncio.timeout(60):
            await ended.wait()
        await reading
