"""A person who leaves: nothing of them is left, and what others made stays."""

import asyncio
import errno
import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from bot.cli_errors import WrongUsage
from bot.people import find_person
from bot.simulator.server import SimulatorConfig
from core.budgets import Caps
from core.errors import NotFound
from core.flow import forgetting
from core.flow.context import upsert_status
from core.flow.exporting import Export
from core.i18n import translate
from core.storage.people import PeopleStore
from core.types import Leaver, Person, Place, StepState, Tenant
from tests.conftest import PHOTOS
from tests.fakes.house import House, Visitor, open_house
from tests.fakes.search import places_with
from tests.fakes.stages import stages
from tests.fakes.steps import step

NAME, ID = "Ana Kanary", "ana-kanary"
WORDS = "quetzal"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "READING_SECONDS", 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "house"


@pytest_asyncio.fixture
async def house(folder: Path) -> AsyncIterator[House]:
    config = SimulatorConfig(time_scale=0.01, seed=3)
    async with open_house(folder, config) as opened:
        yield opened


async def confirms(visitor: Visitor) -> None:
    """Ask to be forgotten, and press the button."""
    await visitor.says("/easel forget-me")
    question = await visitor.waits_for("note", "This deletes all")
    (button,) = question["buttons"]
    answer = await visitor.asks("/room/press", button=button["id"])
    assert answer.status_code == 200, answer.text


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await is_so():
            await asyncio.sleep(0.05)


async def is_not_found(folder: Path, needles: Sequence[str | bytes]) -> bool:
    return not await asyncio.to_thread(places_with, folder, needles)


async def nobody_is_leaving(house: House) -> None:
    async def is_so() -> bool:
        return not await house.easel.context.people.leavers()

    await until(is_so)


def photo_of(tmp_path: Path) -> Path:
    """A photo named after her, with pixels that nobody else has."""
    path = tmp_path / f"{ID}.png"
    with Image.open(PHOTOS / "coffee.png") as image:
        image.convert("RGB").resize((500, 400)).save(path)
    return path


async def lives_in(house: House, tmp_path: Path) -> tuple[Visitor, Visitor]:
    """Ana does everything that leaves a trace, and Ben goes on from her picture."""
    ben = await house.enters("Ben")
    ana = await house.enters(NAME)
    await ana.says(f"/draw a {WORDS} --size 512*512")
    drawn = await ana.waits_for("result", WORDS)
    await ben.says("make it blue --size 512*512", reply_to=drawn["id"])
    blue = await ben.waits_for("result", "make it blue")
    await ana.asks("/room/react", message=blue["id"], emoji="⭐", on=True)
    upload = await ana.gives(photo_of(tmp_path))
    await ana.says(f"a {WORDS} hat --size 512*512", pictures=[upload])
    await ana.says(f"/edit a {WORDS} hat", pictures=[upload])
    await ana.waits_for("result", "hat")
    await ana.says(f"/draw a secret {WORDS} --private --size 512*512")
    await ana.waits_for("result", "secret")
    await ana.says("/easel history")
    await ana.waits_for("note", "History")
    await ben.says("/easel history")
    # What he answers is quoted.
    await ben.says("lol", reply_to=drawn["id"])
    return ana, ben


async def test_after_forgetting_a_search_finds_neither_name_nor_words_nor_bytes(
    house: House,
    folder: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    ana, ben = await lives_in(house, tmp_path)
    context = house.easel.context
    tenant = Tenant("web:room")
    mine = await context.store.recent(tenant, ana.id, 10)
    bens = (await context.store.recent(tenant, ben.id, 10))[0]
    pictures = [
        await context.blobs.read(tenant, picture.key)
        for step in mine
        for picture in (*step.inputs, *step.outputs)
    ]
    assert len(pictures) >= 4
    needles: list[str | bytes] = [NAME, ID, WORDS]
    needles += [picture[:4000] for picture in pictures]
    assert len(places_with(folder, needles)) > 10
    before = await context.store.usage(tenant, mine[-1].created)
    await confirms(ana)
    await nobody_is_leaving(house)
    await until(partial(is_not_found, folder, needles))
    logged = "".join(capfd.readouterr())
    assert not [word for word in (NAME, ID, WORDS) if word in logged]
    # What Ben made stays, with its bytes; its origin is drawn as removed.
    kept = await context.store.step(tenant, bens.id)
    assert await context.blobs.read(tenant, kept.outputs[0].key)
    await ben.says("/easel history")
    history = await ben.waits_for("note", "History")
    assert translate("result.removed", "en") in history["text"]
    after = await context.store.usage(tenant, mine[-1].created)
    assert sum(spent.total.amount for spent in after) == sum(
        spent.total.amount for spent in before
    )
    # She is out, and may come back as somebody new.
    assert (await ana.asks("/room/say", text="hi")).status_code == 401
    again = await house.enters(NAME)
    assert not [
        message
        for message in await house.room.newest(again.id)
        if WORDS in str(message.body)
    ]


async def test_a_photo_that_others_dropped_too_stays_when_an_edit_of_it_goes(
    house: House, tmp_path: Path
) -> None:
    ana, ben = await house.enters("Ana"), await house.enters("Ben")
    photo = photo_of(tmp_path)
    context, tenant = house.easel.context, Tenant("web:room")
    bens = await house.room.upload(await ben.gives(photo))
    await ana.says("/edit add a hat", pictures=[await ana.gives(photo)])
    hat = await ana.waits_for("result", "hat")
    (delete,) = (one for one in hat["buttons"] if one["kind"] == "delete")

    async def deletes() -> bool:
        answer = await ana.asks("/room/press", button=delete["id"])
        return answer.status_code == 200

    # It is refused while the job still ends.
    await until(deletes)
    await ana.waits_for("note", "is deleted")
    assert await context.blobs.read(tenant, bens["key"])
    await ana.says("/edit add a scarf", pictures=[await ana.gives(photo)])
    await ana.waits_for("result", "scarf")
    await confirms(ana)
    await nobody_is_leaving(house)
    assert await context.blobs.read(tenant, bens["key"])


async def test_what_is_begun_is_finished_after_a_restart(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = SimulatorConfig(time_scale=0.01, seed=3)
    async with open_house(folder, config) as house:
        ana = await house.enters(NAME)
        await ana.says(f"/draw a {WORDS} --size 512*512")
        await ana.waits_for("result", WORDS)
        erase = PeopleStore.erase

        async def breaks(*_: object) -> None:
            raise OSError(errno.EIO, "the disk is away")

        monkeypatch.setattr(PeopleStore, "erase", breaks)
        await confirms(ana)
        people = house.easel.context.people
        (leaver,) = await people.leavers()
        await until(lambda: _has_no_steps(house, leaver))
    monkeypatch.setattr(PeopleStore, "erase", erase)
    assert places_with(folder, [ID])
    async with open_house(folder, config) as house:
        await nobody_is_leaving(house)
        await until(partial(is_not_found, folder, [NAME, ID, WORDS]))


async def _has_no_steps(house: House, leaver: Leaver) -> bool:
    people = house.easel.context.people
    return not await people.ended_steps_of(leaver, 1)


async def test_a_job_in_work_is_stopped_first(
    folder: Path,
) -> None:
    config = SimulatorConfig(time_scale=0.15, seed=3)
    async with open_house(folder, config) as house:
        ana = await house.enters(NAME)
        store = house.easel.context.store
        said = await ana.says(f"/draw a {WORDS} --model qwen-image")
        tenant, job = Tenant("web:room"), said["accepted"]

        async def is_running() -> bool:
            with suppress(NotFound):
                step = await store.step(tenant, job)
                return step.state is StepState.RUNNING
            return False

        await until(is_running)
        await confirms(ana)
        await nobody_is_leaving(house)
        await until(partial(is_not_found, folder, [NAME, ID, WORDS]))
        spent = await store.usage(tenant, datetime.now(UTC))
        assert [sum_.person for sum_ in spent] in ([], [""])


async def test_what_a_person_begins_after_that_is_answered(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await house.enters(NAME)
    context, tenant = house.easel.context, Tenant("web:room")
    may_post = asyncio.Event()

    async def waits(*arguments: Any, **named: Any) -> None:
        await may_post.wait()
        await upsert_status(*arguments, **named)

    monkeypatch.setattr("core.flow.prepare.upsert_status", waits)
    await context.people.ask_to_forget(tenant, ana.id, datetime.now(UTC))
    said = await ana.says("/draw a heron --size 512*512")

    async def has_come_to(state: StepState) -> bool:
        with suppress(NotFound):
            step = await context.store.step(tenant, said["accepted"])
            return step.state is state
        return False

    await until(partial(has_come_to, StepState.QUEUED))
    # The process is told of it while the message of the new job is on its way.
    context.leaving.set()
    await nobody_is_leaving(house)
    may_post.set()
    await until(partial(has_come_to, StepState.DONE))


async def test_nobody_else_can_press_the_button(house: House) -> None:
    ana = await house.enters(NAME)
    ben = await house.enters("Ben")
    await ana.says("/easel forget-me")
    question = await ana.waits_for("note", "This deletes all")
    (button,) = question["buttons"]
    answer = await ben.asks("/room/press", button=button["id"])
    assert answer.json()["reason"] == "refuse.not_yours"
    assert await house.easel.context.people.leavers() == []


async def test_the_same_id_on_two_platforms_is_two_people_for_an_operator(
    house: House,
) -> None:
    ana = await house.enters(NAME)
    context = house.easel.context
    at_prompt = Place(platform="terminal", workspace="w", channel="c")
    person = Person(id=ana.id, name=ana.id)
    await context.store.begin(
        step(place=at_prompt, person=person), Caps(), datetime.now(UTC)
    )
    with pytest.raises(WrongUsage) as caught:
        await find_person(context, ana.id)
    both = f"terminal:{ID}, web:{ID}"
    assert caught.value.params["allowed"] == both
    (known,) = await find_person(context, f"web:{ID}")
    assert (known.tenant, known.id) == ("web:room", ID)


async def test_on_slack_and_discord_nothing_is_left_either(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "easel"
    async with stages(folder, "en") as places:
        both: tuple[Any, ...] = (places.slack, places.discord)
        for stage in both:
            await stage.types(f"/draw a {WORDS} --size 512*512")
            drawn = await stage.finds(WORDS, button="🔄")
            await stage.answers(drawn, f"a {WORDS} hat --size 512*512")
            await stage.finds(f"{WORDS} hat", button="🔄")
            await stage.types("/easel forget-me")
            label = translate("button.forget", "en")
            question = await stage.finds("This deletes all", button=label)
            await stage.presses(question, label)
            needles = [WORDS, str(stage.ana.id)]
            await until(partial(is_not_found, folder, needles))
            shown = map(stage.words, await stage.ours())
            assert not [words for words in shown if WORDS in str(words)]


async def test_a_link_of_an_hour_gives_a_person_all_that_is_kept_of_them(
    house: House, tmp_path: Path
) -> None:
    ana, ben = await lives_in(house, tmp_path)
    await ana.says("/easel export")
    note = await ana.waits_for("note", "as a ZIP file")
    (button,) = note["buttons"]
    assert not [
        message
        for message in await house.room.newest(ben.id)
        if "ZIP" in str(message.body)
    ]
    answer = await house.http.get(button["url"])
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        requests = archive.read("web-room/requests-1.json").decode()
    assert f"a secret {WORDS}" in requests
    assert "make it blue" not in requests
    forged = button["url"][:-4] + "AAAA"
    assert (await house.http.get(forged)).status_code == 403
    await holds_so_much_and_lists_the_rest(house, ana.id)


async def holds_so_much_and_lists_the_rest(house: House, person: str) -> None:
    tenant = Tenant("web:room")
    export = Export(
        context=house.easel.context, person=person, most_bytes=100_000
    )
    parts = [part async for part in export.read([tenant])]
    assert len(parts) > 3
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
        rest = json.loads(archive.read("left-out.json"))
        names = archive.namelist()
    assert rest
    assert not set(rest) & set(names)
