"""Trouble of the world on a job's way: the job waits and continues, and acts once."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from bot.simulator.server import SimulatorConfig
from core import engine
from core.errors import ConfigurationError, DeliveryError, EaselError, Rejected
from core.flow import context, deliver, waiting
from core.flow.context import Context
from core.flow.isolation import UNTELLABLE
from core.incoming import Incoming, Kind, Mentions
from core.operations import Action, ButtonKind
from core.pictures import tasks
from core.post import Post, PostedMessage, Tone
from core.providers.dashscope import client
from core.providers.dashscope.client import DashScope
from core.storage.blobs import open_blobs
from core.storage.bucket import BucketBlobs
from core.types import LIVES, Attachment, Person, Place, Step, StepState
from tests.fakes import events
from tests.fakes.memory_chat import MemoryChat
from tests.integration.test_flow import PLACE, Team, team_on
from tests.integration.test_flow import team as team  # noqa: PLC0414  # the fixture


def fails_first(
    work: Callable[..., Awaitable[Any]], error: Exception, times: int
) -> Callable[..., Awaitable[Any]]:
    """The same, after so many failures."""
    left = times

    async def try_it(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            raise error
        return await work(*arguments, **named)

    return try_it


def database_away() -> OperationalError:
    return OperationalError("SELECT", {}, Exception("gone"))


async def test_a_picture_made_while_the_blobs_are_away_is_kept_when_they_are_back(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = team.easel.context.blobs
    monkeypatch.setattr(
        blobs, "keep", fails_first(blobs.keep, ConnectionError("away"), 2)
    )
    step, post = await team.gets(Action.DRAW, "a fox")
    assert (step.state, post.tone) == (StepState.DONE, Tone.RESULT)
    assert len(team.simulator.account.tasks) == 1
    assert len(team.chat.messages) == 1


async def test_a_result_is_settled_once_when_the_database_is_back(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = team.easel.context.store
    monkeypatch.setattr(
        store,
        "record_results",
        fails_first(store.record_results, database_away(), 2),
    )
    step, _ = await team.gets(Action.DRAW, "a fox")
    assert step.state is StepState.DONE
    assert len(team.simulator.account.tasks) == 1


async def test_a_request_waits_for_the_database_and_is_begun_once(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = team.easel.context.store
    monkeypatch.setattr(
        store, "begin", fails_first(store.begin, database_away(), 2)
    )
    step, _ = await team.gets(Action.DRAW, "a fox")
    assert step.number == 1
    assert len(team.simulator.account.tasks) == 1


async def test_a_line_is_looked_at_again_when_the_database_is_back(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = team.easel.engine._claims
    monkeypatch.setattr(team.easel.engine._slots, "first_pause", 0.01)
    monkeypatch.setattr(
        claims, "claim", fails_first(claims.claim, database_away(), 3)
    )
    with capture_logs() as lines:
        step, _ = await team.gets(Action.DRAW, "a fox")
    assert step.state is StepState.DONE
    # However often it was tried, the outage is told once, and without a traceback.
    told = [line["event"] for line in lines if "claim" in line["event"]]
    assert told == ["claims_waits", "claims_continues"]


async def test_a_mistake_of_ours_ends_a_job_with_words_and_frees_its_place(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(deliver, "store_results", broken)
        step, post = await team.gets(Action.DRAW, "a fox")
        assert (step.state, step.charged) == (StepState.FAILED, "maybe")
        assert step.id in post.text
    step, _ = await team.gets(Action.DRAW, "a heron")
    assert step.state is StepState.DONE


async def test_a_request_that_kills_its_worker_each_time_is_given_up_with_words(
    tmp_path: Path,
) -> None:
    chat = MemoryChat()
    async with team_on(
        SimulatorConfig(time_scale=0.01), tmp_path, chat=chat
    ) as team:
        engine = team.easel.engine
        for loop in engine._loops:
            loop.cancel()
        await asyncio.gather(*engine._loops, return_exceptions=True)
        answer = await team.asks(Action.DRAW, "a fox")
    with sqlite3.connect(tmp_path / "inbox.db") as database:
        database.execute("UPDATE deliveries SET tries = ?", (LIVES + 1,))
    database.close()
    async with team_on(
        SimulatorConfig(time_scale=0.01), tmp_path, chat=chat
    ) as team:
        post = await team.chat.end_of(answer.accepted or "")
        assert post.tone is Tone.REFUSAL
        assert (answer.accepted or "-") in post.text
        assert team.simulator.account.tasks == {}


@pytest.mark.parametrize("lives", [LIVES + 1, UNTELLABLE - 1])
async def test_a_job_that_killed_its_workers_is_given_up_with_words(
    tmp_path: Path, lives: int
) -> None:
    chat = MemoryChat()
    slow, quick = (SimulatorConfig(time_scale=scale) for scale in (9, 0.01))
    async with team_on(slow, tmp_path, chat=chat) as team:
        answer = await team.asks(Action.DRAW, "a fox")
        assert answer.accepted
        async with asyncio.timeout(60):
            while not team.simulator.account.tasks:
                await asyncio.sleep(0.01)
    with closing(sqlite3.connect(tmp_path / "easel.db")) as database:
        database.execute("UPDATE steps SET claims = ?", (lives,))
        database.commit()
    async with team_on(quick, tmp_path, chat=chat) as team:
        post = await chat.end_of(answer.accepted)
        assert post.tone is Tone.REFUSAL
        assert answer.accepted in post.text


def test_a_bucket_is_named_by_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert isinstance(open_blobs("s3://easel/pictures"), BucketBlobs)


async def test_blobs_that_cannot_be_kept_are_told_by_their_setting(
    tmp_path: Path,
) -> None:
    blobs = open_blobs((tmp_path / "blobs").as_uri())
    (tmp_path / "blobs").rmdir()
    (tmp_path / "blobs").write_text("a file where the folder was")
    with pytest.raises(ConfigurationError) as caught:
        await blobs.check()
    assert caught.value.params["setting"] == "EASEL_BLOB_URL"


def test_a_folder_that_cannot_be_made_is_told_by_its_setting(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError) as caught:
        open_blobs((tmp_path / "file" / "blobs").as_uri())
    assert caught.value.params["setting"] == "EASEL_BLOB_URL"


async def test_a_question_back_waits_for_a_platform_that_is_away(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = fails_first(team.chat.post, DeliveryError("status.broken"), 1)
    monkeypatch.setattr(team.chat, "post", post)
    said = Incoming(
        key="said",
        kind=Kind.MESSAGE,
        place=PLACE,
        person=Person(id="ana", name="Ana"),
        locale="en",
        words="a green house by the lake",
        mentions=Mentions(us=True),
    )
    await team.easel.service.receive(said)
    async with asyncio.timeout(60):
        while not team.chat.messages:
            await asyncio.sleep(0.05)
    [message] = team.chat.messages.values()
    kinds = {button.kind for button in message.posts[-1].buttons}
    assert ButtonKind.AS_DRAWING in kinds


def awaits_files(team: Team, patch: pytest.MonkeyPatch, times: int) -> None:
    """Let the platform give no file so many times."""
    given = team.chat.fetch
    left = times

    async def fetch(
        attachment: Attachment, limit: int
    ) -> AsyncIterator[bytes]:
        nonlocal left
        left -= 1
        if left >= 0:
            raise DeliveryError("discord.file_failed")
        async for chunk in given(attachment, limit):
            yield chunk

    patch.setattr(team.chat, "fetch", fetch)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is tried again be tried soon."""
    kwdefaults = Context.__init__.__kwdefaults__ or {}
    monkeypatch.setitem(kwdefaults, "back_off", 0.02)


async def test_a_picture_its_platform_does_not_give_is_waited_for_and_told(
    quick: None, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    awaits_files(team, monkeypatch, times=4)
    step, _ = await team.gets(
        Action.EDIT, "make it night", photos=["coffee.png"]
    )
    assert step.state is StepState.DONE
    [message] = team.chat.messages.values()
    assert "waiting for Memory to give me" in message.posts[0].text
    assert message.posts[-1].tone is Tone.RESULT


async def test_a_hiccup_of_a_file_is_not_worth_a_word(
    quick: None, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    awaits_files(team, monkeypatch, times=1)
    await team.gets(Action.EDIT, "make it night", photos=["coffee.png"])
    [message] = team.chat.messages.values()
    assert "waiting for" not in message.posts[0].text


async def test_a_request_that_waits_for_its_picture_can_be_cancelled(
    quick: None, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    awaits_files(team, monkeypatch, times=9)
    answer = await team.asks(
        Action.EDIT, "make it night", photos=["coffee.png"]
    )
    job = answer.accepted or ""
    while not team.chat.messages:
        await asyncio.sleep(0.01)
    assert await team.is_refused(Action.CANCEL, person="bo", target=job)
    said = await team.says(Action.CANCEL, target=job)
    assert said.text == "Cancelled."
    assert "Nothing was charged" in (await team.chat.end_of(job)).text
    await asyncio.sleep(0.5)
    assert len(team.chat.messages) == 1
    assert team.simulator.account.tasks == {}


async def test_a_picture_that_never_comes_is_told_at_last(
    quick: None, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LIFE", timedelta(seconds=0.3))
    awaits_files(team, monkeypatch, times=10_000)
    answer = await team.asks(
        Action.EDIT, "make it night", photos=["coffee.png"]
    )
    post = await team.chat.end_of(answer.accepted or "")
    assert "never gave me your picture" in post.text
    assert len(team.chat.messages) == 1


async def test_many_pictures_that_are_waited_for_keep_no_one_waiting(
    quick: None, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    awaits_files(team, monkeypatch, times=10_000)
    for number in range(12):
        await team.asks(Action.EDIT, f"{number}", photos=["coffee.png"])
    step, _ = await team.gets(Action.DRAW, "a fox")
    assert step.state is StepState.DONE


async def test_a_result_that_came_too_late_to_cancel_can_be_shown_after_a_restart(
    tmp_path: Path,
) -> None:
    slow = SimulatorConfig(time_scale=0.1, seed=3)
    async with team_on(slow, tmp_path / "team") as team:
        answer = await team.asks(Action.DRAW, "a fox")
        job = answer.accepted or ""
        while not any(
            task.state == "RUNNING"
            for task in team.simulator.account.tasks.values()
        ):
            await asyncio.sleep(0.01)
        await team.asks(Action.CANCEL, target=job)
        post = await team.chat.end_of(job)
        [button] = post.buttons
        assert button.kind is ButtonKind.SHOW_ANYWAY
        assert "already made it" in post.text
        assert not post.pictures
        chat = team.chat
    async with team_on(slow, tmp_path / "team", chat=chat) as team:
        with pytest.raises(EaselError, match="not_yours"):
            await team.asks(Action.SHOW_ANYWAY, person="bo", target=job)
        for _ in range(2):
            await team.asks(Action.SHOW_ANYWAY, target=job)
        post = await team.chat.end_of(job)
        step = await team.step(job)
        assert (post.tone, step.state) == (Tone.RESULT, StepState.DONE)
        assert len(post.pictures) == len(chat.messages) == 1
        edited, _ = await team.gets(Action.EDIT, "make it night")
        assert edited.parent == job


async def test_an_upscale_too_large_to_keep_is_refused_before_it_costs(
    team: Team, tmp_path: Path
) -> None:
    photo = tmp_path / "large.png"
    Image.new("RGB", (3072, 3072)).save(photo, compress_level=1)
    attached = Attachment(ref=str(photo), name="large.png")
    asked = events.command(
        Action.UPSCALE,
        "--scale 4",
        key="large",
        place=PLACE,
        person="ana",
        attachments=(attached,),
    )
    answer = await team.sends(asked)
    post = await team.chat.end_of(answer.accepted or "")
    assert "Up to 3 times works" in post.text
    assert team.simulator.account.tasks == {}


HEAVY = bytes.fromhex(
    "524946461e000000574542505650384c110000002f7ffee1040750bc2217a5ff8188e87f0000"
)
"""A WebP of one colour, whose pixels do not fit into the memory of the process for pictures."""


async def test_a_result_too_heavy_to_open_is_kept_and_shown_as_it_came(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def download(*_: object) -> bytes:
        return HEAVY

    with monkeypatch.context() as patch:
        patch.setattr(DashScope, "download", download)
        step, post = await team.gets(Action.DRAW, "a fox")
    assert (step.state, step.charged) == (StepState.DONE, "yes")
    (picture,) = step.outputs
    assert picture.size.label == "16000×5000"
    context = team.easel.context
    assert await context.blobs.read(step.tenant, picture.key) == HEAVY
    assert "as the image service made it" in post.text
    again = await team.gets(Action.DRAW, "a heron")
    assert "as the image service made it" not in again[1].text
    history = await team.asks(Action.HISTORY, "")
    assert history.post is not None
    assert len(history.post.pictures) == 1


async def test_a_result_with_too_many_bytes_is_left_where_it_is_with_its_link(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MAX_DOWNLOAD", 1000)
    step, post = await team.gets(Action.DRAW, "a fox")
    assert (step.state, step.charged) == (StepState.FAILED, "yes")
    assert f"http://{team.simulator.host}" in post.text


def test_a_result_may_be_larger_than_what_people_send(tmp_path: Path) -> None:
    large = BytesIO()
    Image.new("L", (9216, 9216)).save(large, "PNG", compress_level=1)
    assert tasks.check_result(large.getvalue()).width == 9216
    with pytest.raises(Rejected, match="too_large"):
        tasks.inspect(large.getvalue())


class Quiet:
    """A log whose tracebacks take no time."""

    def __getattr__(self, _level: str) -> Callable[..., None]:
        return lambda *_, **__: None


def refuses_results(team: Team, patch: pytest.MonkeyPatch) -> None:
    """Let the platform refuse every picture, in the channel and directly."""
    post, update = team.chat.post, team.chat.update

    def refuse(shown: Post) -> None:
        if shown.pictures:
            raise DeliveryError("discord.refused", permanent=True, code=50013)

    async def try_post(place: Place, shown: Post, **named: Any) -> Any:
        refuse(shown)
        return await post(place, shown, **named)

    async def try_update(sent: PostedMessage, shown: Post) -> PostedMessage:
        refuse(shown)
        return await update(sent, shown)

    patch.setattr(team.chat, "post", try_post)
    patch.setattr(team.chat, "update", try_update)


async def test_a_result_that_nobody_would_take_is_shown_when_they_do(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        refuses_results(team, patch)
        with capture_logs() as lines:
            step, post = await team.gets(Action.DRAW, "a fox")
            assert step.state is StepState.DONE
            assert f"/easel show {step.id}" in post.text
            assert not post.pictures
            team.easel.service.platform_is_back("memory")
            while "still_undelivered" not in [line["event"] for line in lines]:
                await asyncio.sleep(0.01)
        assert "delivered" not in [line["event"] for line in lines]
    team.easel.service.platform_is_back("other")
    await asyncio.sleep(0.1)
    assert not (await team.chat.end_of(step.id)).pictures
    for _ in range(2):
        team.easel.service.platform_is_back("memory")
    async with asyncio.timeout(60):
        while not (await team.chat.end_of(step.id)).pictures:
            await asyncio.sleep(0.01)
    assert len(team.chat.messages) == 1
    assert await team.easel.context.store.failed_deliveries() == []


async def test_a_result_that_nobody_would_take_is_shown_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = SimulatorConfig(time_scale=0.01)
    async with team_on(config, tmp_path / "team") as team:
        with monkeypatch.context() as patch:
            refuses_results(team, patch)
            step, _ = await team.gets(Action.DRAW, "a fox")
    async with team_on(config, tmp_path / "team", chat=team.chat) as team:
        async with asyncio.timeout(60):
            while not (await team.chat.end_of(step.id)).pictures:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("times", [2, 99])
async def test_a_message_that_meets_a_mistake_of_ours_is_tried_again_without_a_restart(
    team: Team, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setattr(engine, "REVISIT_SECONDS", 0.1)
    monkeypatch.setattr(engine, "log", Quiet())
    team.easel.engine._start_loop(team.easel.engine._revisit(), "quick")
    original = context.upsert_status
    show = fails_first(original, ZeroDivisionError(), times)

    async def break_results(
        given: Context, step: Step, post: Post, **named: Any
    ) -> None:
        await (show if post.pictures else original)(given, step, post, **named)

    monkeypatch.setattr(context, "upsert_status", break_results)
    step, post = await team.gets(Action.DRAW, "a fox")
    assert (step.state, step.charged) == (StepState.DONE, "yes")
    assert bool(post.pictures) == (times == 2)
    assert (step.id in post.text) == (times == 99)


@pytest.mark.parametrize(
    ("words", "could_cost"),
    [("/draw a fox --n 99", True), ("/easel undo", False)],
)
async def test_a_refusal_says_that_nothing_was_charged_where_it_could_have_been(
    team: Team, words: str, could_cost: bool
) -> None:
    said = Incoming(
        key="said",
        kind=Kind.COMMAND,
        place=PLACE,
        person=Person(id="ana", name="Ana"),
        locale="en",
        words=words,
    )
    await team.easel.service.receive(said)
    async with asyncio.timeout(60):
        while not team.chat.messages:
            await asyncio.sleep(0.02)
    [message] = team.chat.messages.values()
    assert message.posts[-1].tone is Tone.REFUSAL
    is_said = "Nothing was charged." in message.posts[-1].text
    assert is_said is could_cost


async def test_words_after_a_lost_file_edit_no_other_picture_unasked(
    team: Team, tmp_path: Path
) -> None:
    fox, _ = await team.gets(Action.DRAW, "a fox")
    (tmp_path / "x.png").write_text("no picture")
    broken = events.command(
        Action.EDIT,
        "make it gold",
        key="broken",
        place=PLACE,
        person="ana",
        attachments=(Attachment(ref=str(tmp_path / "x.png")),),
    )
    answer = await team.sends(broken)
    await team.chat.end_of(answer.accepted or "")
    refused = await team.is_refused(Action.EDIT, "make it night")
    assert "you mean it or v1" in refused
    edited, _ = await team.gets(Action.EDIT, "make it night")
    assert edited.parent == fox.id
    assert len(team.simulator.account.tasks) == 2
