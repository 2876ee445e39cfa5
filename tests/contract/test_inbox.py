"""What the inbox must hold on every database.

A delivery is worked on once, from its commit to its end.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
import pytest_asyncio
from sqlalchemy import select, text

from core.incoming import Incoming, Kind
from core.operations import Action
from core.storage import database
from core.storage.inbox import Inbox, Stage, deliveries
from core.types import Person, Place, Request, to_json
from tests.contract.conftest import fresh_database
from tests.fakes.steps import NOW, PLACE

HOLD = {
    "sqlite": "DELETE FROM deliveries",
    "postgresql": "LOCK TABLE deliveries IN EXCLUSIVE MODE",
}
"""What keeps every other writer waiting until the transaction ends."""


def command(key: str, place: Place = PLACE, prompt: str = "a fox") -> Incoming:
    return Incoming(
        key=key,
        kind=Kind.COMMAND,
        place=place,
        person=Person(id="ana", name="Ana"),
        locale="en",
        operation="draw",
        words=prompt,
    )


def draw_request(**facts: Any) -> Request:
    """What "a" means."""
    return Request(
        key="a",
        place=PLACE,
        person=Person(id="ana", name="Ana"),
        locale="en",
        action=Action.DRAW,
        text="a fox",
        **facts,
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'inbox.db'}"
    return fresh_database(
        request.getfixturevalue("postgres"), request.node.name
    )


async def open_inbox(url: str, worker: str) -> Inbox:
    await database.migrate(url, database.TableSet.INBOX)
    return Inbox(database.open_sync(url), worker, ["test"])


@pytest_asyncio.fixture
async def inbox(url: str) -> AsyncIterator[Inbox]:
    first = await open_inbox(url, "one")
    yield first
    await first.close()


@pytest_asyncio.fixture
async def second(url: str, inbox: Inbox) -> AsyncIterator[Inbox]:
    """The same table, as another worker sees it."""
    other = await open_inbox(url, "two")
    yield other
    await other.close()


async def test_what_arrives_is_claimed_once_in_its_order(inbox: Inbox) -> None:
    for key in ("a", "b", "c"):
        await inbox.add(command(key))
    first = await inbox.claim(2)
    assert [delivery.origin.key for delivery in first] == ["a", "b"]
    assert {(delivery.stage, delivery.tries) for delivery in first} == {
        (Stage.HEARD, 1)
    }
    assert [delivery.origin.key for delivery in await inbox.claim(8)] == ["c"]
    assert await inbox.claim(8) == []


async def test_a_crowd_is_kept_whole(inbox: Inbox) -> None:
    await asyncio.gather(
        *(inbox.add(command(f"e{number}")) for number in range(50))
    )
    assert len(await inbox.claim(100)) == 50


async def test_nothing_is_acknowledged_before_its_commit(
    inbox: Inbox, url: str
) -> None:
    """While another writes, there is no commit."""
    engine = database.open_sync(url)
    with engine.begin() as connection:
        connection.execute(text(HOLD[engine.dialect.name]))
        adding = asyncio.create_task(inbox.add(command("a")))
        acknowledged, _ = await asyncio.wait({adding}, timeout=0.3)
        assert not acknowledged
    await adding
    assert len(await inbox.claim(8)) == 1
    engine.dispose()


async def test_the_same_again_changes_nothing_at_any_stage(
    inbox: Inbox,
) -> None:
    await inbox.add(command("a"))
    await inbox.add(command("a", prompt="other"))
    [delivery] = await inbox.claim(8)
    assert isinstance(delivery.origin, Incoming)
    assert delivery.origin.words == "a fox"
    await inbox.add(command("a"))
    assert await inbox.claim(8) == []
    await inbox.finish(delivery, NOW)
    await inbox.add(command("a"))
    assert await inbox.claim(8) == []


async def test_what_was_done_is_known_for_as_long_as_it_may_come_again(
    inbox: Inbox,
) -> None:
    await inbox.add(command("a"))
    [delivery] = await inbox.claim(8)
    await inbox.finish(delivery, NOW)
    await inbox.delete_finished(NOW)
    await inbox.add(command("a"))
    assert await inbox.claim(8) == []
    await inbox.delete_finished(NOW + timedelta(seconds=1))
    await inbox.add(command("a"))
    assert len(await inbox.claim(8)) == 1


async def test_a_person_called_like_the_workspace_takes_nothing_of_others(
    inbox: Inbox,
) -> None:
    await inbox.add(command("ana:a"))
    [delivery] = await inbox.claim(8)
    await inbox.finish(delivery, NOW)
    await inbox.forget_person(PLACE.tenant, PLACE.workspace)
    await inbox.add(command("ana:a"))
    assert await inbox.claim(8) == []
    await inbox.forget_person(PLACE.tenant, "ana")
    await inbox.add(command("ana:a"))
    assert len(await inbox.claim(8)) == 1


async def test_of_what_is_done_no_word_stays(inbox: Inbox, url: str) -> None:
    await inbox.add(command("a", prompt="a secret"))
    [delivery] = await inbox.claim(8)
    await inbox.finish(delivery, NOW)
    engine = database.open_sync(url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM deliveries")).all()
    engine.dispose()
    assert len(rows) == 1
    assert "secret" not in str(rows)


async def test_the_next_worker_goes_on_from_the_stage_that_was_reached(
    inbox: Inbox, second: Inbox
) -> None:
    await inbox.add(command("a"))
    [delivery] = await inbox.claim(8)
    understood = draw_request(target="step")
    await inbox.advance(delivery, Stage.UNDERSTOOD, understood)
    assert await second.claim(8) == []
    await second.adopt("one")
    [again] = await second.claim(8)
    assert (again.stage, again.tries, again.origin) == (
        Stage.UNDERSTOOD,
        2,
        understood,
    )


async def test_a_job_is_accepted_without_being_understood_again(
    inbox: Inbox,
) -> None:
    await inbox.accept(draw_request())
    [delivery] = await inbox.claim(8)
    assert delivery.stage is Stage.ACCEPTED


async def test_workers_at_once_share_what_there_is(
    inbox: Inbox, second: Inbox
) -> None:
    for number in range(20):
        await inbox.add(command(f"e{number}"))
    both = [
        taken
        for some in await asyncio.gather(inbox.claim(20), second.claim(20))
        for taken in some
    ]
    both += await inbox.claim(20)
    keys = [delivery.origin.key for delivery in both]
    assert sorted(keys) == sorted(f"e{number}" for number in range(20))


async def test_a_workspace_is_forgotten_up_to_its_goodbye(
    inbox: Inbox,
) -> None:
    elsewhere = replace(PLACE, workspace="other")
    await inbox.add(command("before"))
    await inbox.add(command("other", elsewhere))
    await inbox.add(command("goodbye"))
    await inbox.add(command("after"))
    deliveries = {
        delivery.origin.key: delivery for delivery in await inbox.claim(8)
    }
    await inbox.forget_tenant(deliveries["goodbye"])
    await inbox.adopt("one")
    assert [delivery.origin.key for delivery in await inbox.claim(8)] == [
        "other",
        "goodbye",
        "after",
    ]


async def test_what_other_platforms_delivered_is_left_to_others(
    inbox: Inbox,
) -> None:
    await inbox.add(command("a", replace(PLACE, platform="elsewhere")))
    assert await inbox.claim(8) == []


async def test_what_an_earlier_version_acknowledged_is_not_lost(
    url: str,
) -> None:
    engine = database.open_sync(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE inbox (number INTEGER PRIMARY KEY, id VARCHAR(400), request JSON)"
            )
        )
        for number, key in enumerate("ab"):
            row = {
                "number": number,
                "id": f"test:w:{key}",
                "request": json.dumps(
                    to_json(replace(draw_request(), key=key))
                ),
            }
            connection.execute(
                text("INSERT INTO inbox VALUES (:number, :id, :request)"), row
            )
    engine.dispose()
    inbox = await open_inbox(url, "one")
    assert [delivery.origin.key for delivery in await inbox.claim(8)] == [
        "a",
        "b",
    ]
    await inbox.close()
    again = await open_inbox(url, "one")
    await again.adopt("one")
    assert len(await again.claim(8)) == 2
    await again.close()


async def test_a_delivery_that_cannot_be_read_harms_no_other_and_is_parked(
    inbox: Inbox, url: str
) -> None:
    await inbox.add(command("bad"))
    await inbox.add(command("good"))
    engine = database.open_sync(url)
    with engine.begin() as connection:
        change = deliveries.update().where(deliveries.c.id.like("%bad"))
        connection.execute(change.values(request=[1]))
    [good] = await inbox.claim(8)
    assert good.id.endswith(":good")
    assert await inbox.claim(8) == []
    for _ in range(2):
        await inbox.adopt("one")  # the next life begins
        await inbox.claim(8)
    with engine.begin() as connection:
        rows = connection.execute(select(deliveries.c.id, deliveries.c.stage))
        stages = {row.id: row.stage for row in rows}
    engine.dispose()
    assert stages == {"test:w:bad": "parked", "test:w:good": "heard"}
    await inbox.adopt("one")
    assert [delivery.id for delivery in await inbox.claim(8)] == [
        "test:w:good"
    ]


async def test_after_a_failed_write_it_says_whether_it_can_write_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_full(_rows: object) -> NoReturn:
        raise OSError("disk full")

    inbox = await open_inbox(url, "w1")
    await inbox.check()
    with monkeypatch.context() as patch:
        patch.setattr(inbox, "_commit", is_full)
        await inbox.check()
        with pytest.raises(OSError, match="disk full"):
            await inbox.add(command("a"))
        with pytest.raises(OSError, match="disk full"):
            await inbox.check()
    await inbox.check()
    assert await inbox.claim(10) == []
    await inbox.close()
