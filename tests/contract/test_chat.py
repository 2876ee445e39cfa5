"""What every chat must do."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.discord.chat import DiscordChat
from adapters.slack.chat import SlackChat
from adapters.terminal.chat import TerminalChat
from adapters.web.chat import TENANT, WebChat
from adapters.web.store import Room
from core.errors import Rejected
from core.ports import Chat
from core.post import Post, PostImage, Tone
from core.storage.blobs import open_blobs
from core.types import Attachment, Person, Picture
from tests.conftest import PHOTOS
from tests.fakes.discord import chats as discord_chats
from tests.fakes.journal_chat import JournalChat
from tests.fakes.memory_chat import MemoryChat
from tests.fakes.slack import chats as slack_chats
from tests.fakes.steps import PLACE

ANA = Person(id="ana", name="Ana")


@pytest_asyncio.fixture(
    params=["terminal", "memory", "journal", "web", "slack", "discord"]
)
async def chat(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Chat]:
    blobs = open_blobs((tmp_path / "blobs").as_uri())
    if request.param == "web":
        room = Room.at(tmp_path)
        await room.prepare()
        yield WebChat(room, blobs, "http://127.0.0.1:1")
        await room.close()
        return
    if request.param == "slack":
        async with slack_chats.slack_chat(tmp_path, blobs, PLACE) as there:
            yield there
        return
    if request.param == "discord":
        async with discord_chats.discord_chat(tmp_path, blobs, PLACE) as there:
            yield there
        return
    made: dict[str, Chat] = {
        "terminal": TerminalChat(blobs, "en", quiet=True),
        "memory": MemoryChat(),
        "journal": JournalChat(tmp_path / "journal"),
    }
    yield made[request.param]


async def given(chat: Chat, photo: Path) -> Attachment:
    """What a person gave, as the platform names it.

    By what was uploaded, the terminal and the fakes by path.
    """
    if isinstance(chat, SlackChat):
        return slack_chats.uploaded(chat, photo)
    if isinstance(chat, DiscordChat):
        return discord_chats.uploaded(chat, photo)
    if not isinstance(chat, WebChat):
        return Attachment(ref=str(photo), name=photo.name)
    ref = await chat._blobs.keep(TENANT, photo.read_bytes())
    await chat._room.keep_upload(ref, photo.name, 640, 427, "image/jpeg")
    return Attachment(ref=ref, name=photo.name)


def status(text: str = "working") -> Post:
    return Post(tone=Tone.STATUS, text=text, job="job1", progress=0.5)


async def test_a_message_is_posted_and_changed_as_often_as_one_likes(
    chat: Chat, tmp_path: Path
) -> None:
    sent = await chat.post(PLACE, status(), to=ANA, reply={"out": str(tmp_path)})
    for _ in range(2):
        await chat.update(sent, status("nearly done"))
        await chat.update(sent, Post(tone=Tone.NOTE, text="done", job="job1"))


async def test_a_message_that_went_through_is_found_or_harmless_to_repeat(
    chat: Chat, tmp_path: Path
) -> None:
    sent = await chat.post(PLACE, status(), to=ANA, reply={"out": str(tmp_path)})
    found = await chat.find(PLACE, "job1")
    again = found or await chat.post(
        PLACE, status(), to=ANA, reply={"out": str(tmp_path)}
    )
    assert again == sent
    assert await chat.find(PLACE, "job2") is None


async def test_a_persons_file_is_fetched(chat: Chat) -> None:
    photo = PHOTOS / "rocket.jpg"
    attachment = await given(chat, photo)
    chunks = [chunk async for chunk in chat.fetch(attachment, 10**7)]
    assert b"".join(chunks) == photo.read_bytes()


async def test_a_missing_or_too_large_file_is_refused_by_every_chat(chat: Chat) -> None:
    attachment = await given(chat, PHOTOS / "coffee.png")
    if isinstance(chat, JournalChat):
        pytest.skip("the journal only stands in where files are whole")
    for one, limit in ((replace(attachment, ref="no"), 10**7), (attachment, 1000)):
        with pytest.raises(Rejected):
            [chunk async for chunk in chat.fetch(one, limit)]


async def test_a_person_can_be_spoken_to_alone(chat: Chat, tmp_path: Path) -> None:
    alone = await chat.private_place(PLACE, ANA)
    sent = await chat.post(alone, status(), to=ANA, reply={"out": str(tmp_path)})
    assert sent.place == alone
    assert isinstance(await chat.link(sent), str)


async def test_results_are_whole_files_and_writing_them_again_changes_nothing(
    tmp_path: Path,
) -> None:
    blobs = open_blobs((tmp_path / "blobs").as_uri())
    data = (PHOTOS / "coffee.png").read_bytes()
    key = await blobs.keep("terminal:local", data)
    picture = Picture(
        key=key, width=600, height=400, media_type="image/png", length=len(data)
    )
    chat = TerminalChat(blobs, "en", quiet=True)
    post = Post(
        tone=Tone.RESULT,
        text="",
        job="j",
        pictures=(PostImage(picture=picture, name="v1.png", alt=""),),
    )
    sent = await chat.post(PLACE, post, to=ANA, reply={"out": str(tmp_path / "out")})
    await chat.update(sent, post)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["v1.png"]
    assert (tmp_path / "out" / "v1.png").read_bytes() == data
    assert (await chat.end_of("j")) == post


async def test_a_missing_or_too_large_file_is_refused(tmp_path: Path) -> None:
    chat = TerminalChat(open_blobs((tmp_path / "blobs").as_uri()), "en")
    for ref, limit in [
        (str(tmp_path / "no.png"), 10),
        (str(PHOTOS / "coffee.png"), 1000),
        ("a\x00b.png", 10),
    ]:
        with pytest.raises(Rejected):
            [chunk async for chunk in chat.fetch(Attachment(ref=ref, name="x"), limit)]
