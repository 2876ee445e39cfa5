"""What every chat must do; Slack, Discord and the room will be added to the list."""

from pathlib import Path

import pytest

from adapters.terminal.chat import TerminalChat
from core.errors import Rejected
from core.ports import Chat
from core.storage.blobs import open_blobs
from core.types import Attachment, Person, Picture, Post, Shown, Tone
from tests.conftest import PHOTOS
from tests.fakes.journal_chat import JournalChat
from tests.fakes.memory_chat import MemoryChat
from tests.fakes.steps import PLACE

ANA = Person(id="ana", name="Ana")


@pytest.fixture(params=["terminal", "memory", "journal"])
def chat(request: pytest.FixtureRequest, tmp_path: Path) -> Chat:
    blobs = open_blobs((tmp_path / "blobs").as_uri())
    if request.param == "terminal":
        return TerminalChat(blobs, "en", quiet=True)
    return MemoryChat() if request.param == "memory" else JournalChat(tmp_path / "journal")


def status(text: str = "working") -> Post:
    return Post(tone=Tone.STATUS, text=text, job="job1", progress=0.5)


async def test_a_message_is_posted_and_changed_as_often_as_one_likes(chat: Chat, tmp_path: Path) -> None:
    sent = await chat.post(PLACE, status(), to=ANA, reply={"out": str(tmp_path)})
    for _ in range(2):
        await chat.update(sent, status("nearly done"))
        await chat.update(sent, Post(tone=Tone.NOTE, text="done", job="job1"))


async def test_a_message_that_went_through_is_found_or_harmless_to_repeat(chat: Chat, tmp_path: Path) -> None:
    sent = await chat.post(PLACE, status(), to=ANA, reply={"out": str(tmp_path)})
    found = await chat.find(PLACE, "job1")
    again = found or await chat.post(PLACE, status(), to=ANA, reply={"out": str(tmp_path)})
    assert again == sent
    assert await chat.find(PLACE, "job2") is None


async def test_a_persons_file_is_fetched(chat: Chat) -> None:
    photo = PHOTOS / "rocket.jpg"
    chunks = [chunk async for chunk in chat.fetch(Attachment(ref=str(photo), name="rocket.jpg"), 10**7)]
    assert b"".join(chunks) == photo.read_bytes()


async def test_results_are_whole_files_and_writing_them_again_changes_nothing(tmp_path: Path) -> None:
    blobs = open_blobs((tmp_path / "blobs").as_uri())
    data = (PHOTOS / "coffee.png").read_bytes()
    key = await blobs.keep("terminal:local", data)
    picture = Picture(key=key, width=600, height=400, media_type="image/png", length=len(data))
    chat = TerminalChat(blobs, "en", quiet=True)
    post = Post(tone=Tone.RESULT, text="", job="j", pictures=(Shown(picture=picture, name="v1.png", alt=""),))
    sent = await chat.post(PLACE, post, to=ANA, reply={"out": str(tmp_path / "out")})
    await chat.update(sent, post)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["v1.png"]
    assert (tmp_path / "out" / "v1.png").read_bytes() == data
    assert (await chat.end_of("j")) == post


async def test_a_missing_or_too_large_file_is_refused(tmp_path: Path) -> None:
    chat = TerminalChat(open_blobs((tmp_path / "blobs").as_uri()), "en")
    for ref, limit in [(str(tmp_path / "no.png"), 10), (str(PHOTOS / "coffee.png"), 1000), ("a\x00b.png", 10)]:
        with pytest.raises(Rejected):
            [chunk async for chunk in chat.fetch(Attachment(ref=ref, name="x"), limit)]
