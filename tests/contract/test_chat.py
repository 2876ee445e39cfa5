"""What every chat must do, as the people in it see it.

Each check looks at what Ana and Bo see, not at what was called. Chats that are broken on purpose
prove that the checks see: each must fail the check of what it breaks.
"""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from adapters.terminal.chat import TerminalChat
from adapters.web.store import Room
from core.errors import Rejected
from core.forms import Field, FieldKind, Form
from core.incoming import Incoming, Kind
from core.operations import Action, ButtonKind
from core.options import Options
from core.ports import Blobs, Chat
from core.post import Button, Post, PostedMessage, PostImage, Tone
from core.storage.blobs import open_blobs
from core.types import (
    Attachment,
    Person,
    Picture,
    Place,
    Request,
    Tenant,
    Traces,
)
from tests.conftest import PHOTOS
from tests.fakes.discord.chats import discord_view
from tests.fakes.slack.chats import slack_view
from tests.fakes.steps import PLACE
from tests.fakes.views import (
    ChatView,
    JournalView,
    MemoryView,
    TerminalView,
    Visible,
    WebView,
    held,
)

ANA = Person(id="ana", name="Ana")
PICTURES = ("coffee.png", "chelsea.png")
MANY_LINES = 40
"""More than Slack and Discord are shown within a minute."""
numbers = count(1)


@dataclass(kw_only=True)
class Stage:
    """A platform with Ana and Bo. ``chat`` is its own, or that one broken."""

    name: str
    view: ChatView
    chat: Chat
    blobs: Blobs

    def job(self) -> str:
        return f"job{next(numbers)}"

    async def image(self, name: str = "coffee.png") -> PostImage:
        picture = await held(self.blobs, self.view.tenant, PHOTOS / name)
        return PostImage(picture=picture, name=name, alt="a cup of coffee")

    async def posts(self, post: Post, place: Place = PLACE) -> PostedMessage:
        return await self.chat.post(place, post, to=ANA, reply=self.view.reply)

    async def sees(self, sent: PostedMessage) -> Visible:
        visible = await self.view.visible(sent)
        assert visible is not None, "nobody sees the message"
        return visible


@pytest_asyncio.fixture(
    params=["terminal", "memory", "journal", "web", "slack", "discord"]
)
async def stage(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Stage]:
    blobs = open_blobs((tmp_path / "blobs").as_uri())
    async with AsyncExitStack() as stack:
        view: ChatView
        if request.param == "web":
            room = Room.at(tmp_path)
            await room.prepare()
            await room.add_channel(PLACE.channel, "Everybody")
            for person in ("ana", "bo"):
                await room.enter(person, person.title())
            stack.push_async_callback(room.close)
            view = WebView(room, blobs)
        elif request.param == "slack":
            view = await stack.enter_async_context(
                slack_view(tmp_path, blobs, PLACE)
            )
        elif request.param == "discord":
            view = await stack.enter_async_context(
                discord_view(tmp_path, blobs, PLACE)
            )
        elif request.param == "terminal":
            view = TerminalView(blobs, tmp_path / "out")
        elif request.param == "memory":
            view = MemoryView(blobs)
        else:
            view = JournalView(tmp_path / "journal", blobs)
        yield Stage(name=request.param, view=view, chat=view.chat, blobs=blobs)


def status(text: str, job: str) -> Post:
    """What is said of a job at work, with the button by which it can be cancelled."""
    cancel = Button(kind=ButtonKind.CANCEL, step=job, label="Cancel")
    return Post(
        tone=Tone.STATUS, text=text, job=job, progress=0.5, buttons=(cancel,)
    )


def note(text: str, **changes: Any) -> Post:
    return Post(tone=Tone.NOTE, text=text, **changes)


def data_of(name: str) -> bytes:
    return (PHOTOS / name).read_bytes()


# What is looked at


async def shows_what_was_posted(stage: Stage) -> None:
    job = stage.job()
    buttons = (
        Button(kind=ButtonKind.RETRY, step=job, label="Once more"),
        Button(kind=ButtonKind.DROP, step=job, label="Leave it"),
    )
    words, title = f"two cups of coffee for {job}", f"A fox for {job}"
    post = note(words, title=title, job=job, buttons=buttons)
    visible = await stage.sees(await stage.posts(post))
    assert words in visible.words
    assert title in visible.words
    assert list(visible.buttons)[-2:] == ["Once more", "Leave it"]


async def shows_the_pictures_that_were_posted(stage: Stage) -> None:
    images = tuple([await stage.image(name) for name in PICTURES])
    post = Post(tone=Tone.RESULT, text="two", job=stage.job(), pictures=images)
    visible = await stage.sees(await stage.posts(post))
    assert sorted(visible.pictures) == sorted(map(data_of, PICTURES))


async def shows_what_a_message_was_changed_to(stage: Stage) -> None:
    job = stage.job()
    sent = await stage.posts(status(f"at work on {job}", job))
    button = Button(kind=ButtonKind.RETRY, step=job, label="Once more")
    result = Post(
        tone=Tone.RESULT,
        text=f"done with {job}",
        job=job,
        pictures=(await stage.image(),),
        buttons=(button,),
    )
    for _ in range(2):  # the second time changes nothing more
        sent = await stage.chat.update(sent, result) or sent
        visible = await stage.sees(sent)
        assert f"done with {job}" in visible.words
        assert list(visible.pictures) == [data_of("coffee.png")]
        if stage.view.can_edit:
            assert f"at work on {job}" not in visible.words
            assert list(visible.buttons) == ["Once more"]
            everything = await stage.view.words_seen_by("ana", PLACE)
            assert everything.count(f"done with {job}") == 1


async def says_of_each_status_line_whether_it_was_shown(stage: Stage) -> None:
    job = stage.job()
    sent = await stage.posts(status(f"in line with {job}", job))
    answers = []
    for number in range(MANY_LINES):
        words = f"line {number}. of {job}"
        answer = await stage.chat.update(sent, status(words, job))
        is_seen = words in (await stage.sees(sent)).words
        assert is_seen == (answer is not None)
        answers.append(is_seen)
    assert all(answers) != (stage.name in KEEPERS)


async def takes_away_the_pictures_a_message_no_longer_has(
    stage: Stage,
) -> None:
    result = Post(
        tone=Tone.RESULT,
        text="here",
        job=stage.job(),
        pictures=(await stage.image(),),
    )
    sent = await stage.posts(result)
    assert (await stage.sees(sent)).pictures
    for message in (sent, *sent.pictures):
        await stage.chat.update(message, note("removed", job=result.job))
    visible = await stage.sees(sent)
    assert "removed" in visible.words
    if stage.view.can_edit:
        assert "here" not in visible.words
    assert list(visible.pictures) == []


async def finds_a_message_by_its_job_or_may_repeat_it(stage: Stage) -> None:
    job, other = stage.job(), stage.job()
    sent = await stage.posts(status("working", job))
    await stage.posts(status("working", other))
    found = await stage.chat.find(PLACE, job)
    assert found == (sent if stage.view.can_edit else None)
    again = found or await stage.posts(status("working", job))
    assert again == sent
    assert await stage.chat.find(PLACE, stage.job()) is None


async def speaks_to_a_person_alone(stage: Stage) -> None:
    alone = await stage.chat.private_place(PLACE, ANA)
    job = stage.job()
    secret = f"a secret of {job}"
    sent = await stage.posts(status(secret, job), alone)
    assert sent.place == alone
    assert alone.tenant == PLACE.tenant
    assert secret in await stage.view.words_seen_by("ana", alone)
    if stage.view.has_privacy:
        assert secret not in await stage.view.words_seen_by("bo", PLACE)
        assert secret not in await stage.view.words_seen_by("bo", alone)


async def keeps_private_words_from_others(stage: Stage) -> None:
    secret = f"a secret of {stage.job()}"
    await stage.posts(note(secret, private=True))
    direct = await stage.view.chat.private_place(PLACE, ANA)
    seen = [
        await stage.view.words_seen_by("ana", place)
        for place in (PLACE, direct)
    ]
    assert secret in "\n".join(seen)
    if stage.view.has_privacy:
        assert secret not in await stage.view.words_seen_by("bo", PLACE)


async def links_lead_to_their_message(stage: Stage) -> None:
    for _ in range(2):
        sent = await stage.posts(note("look here", job=stage.job()))
        link = await stage.chat.link(sent)
        if link or stage.name != "terminal":
            assert stage.view.follow(link) == sent.message


async def fetches_a_persons_file_and_no_more_than_the_limit(
    stage: Stage,
) -> None:
    attachment = await stage.view.upload(PHOTOS / "rocket.jpg")
    data = data_of("rocket.jpg")
    chunks = [chunk async for chunk in stage.chat.fetch(attachment, 10**7)]
    assert b"".join(chunks) == data
    if stage.name == "journal":
        return  # it only stands in where files are whole
    for asked, limit in (
        (replace(attachment, ref="no"), 10**7),
        (attachment, 1000),
    ):
        with pytest.raises(Rejected):
            [chunk async for chunk in stage.chat.fetch(asked, limit)]


def request(**changes: Any) -> Request:
    plain = Request(
        key=f"key{next(numbers)}",
        place=PLACE,
        person=ANA,
        locale="id",
        action=Action.DRAW,
        text="a red fox",
        options=Options(seed=7),
    )
    return replace(plain, **changes)


async def completes_a_request_and_changes_nothing_that_was_said(
    stage: Stage,
) -> None:
    asked = Incoming(
        key=f"key{next(numbers)}",
        kind=Kind.COMMAND,
        place=PLACE,
        person=ANA,
        locale="id",
        operation="draw",
        words="a red fox",
        fields={"seed": "7"},
    )
    complete = await stage.chat.complete(asked)
    assert complete is not None
    assert complete.person == ANA
    assert complete.locale == "id"
    said = (asked.key, asked.place, asked.operation, asked.words, asked.fields)
    assert said == (
        complete.key,
        complete.place,
        complete.operation,
        complete.words,
        complete.fields,
    )


async def shows_a_form_or_says_that_it_cannot(stage: Stage) -> None:
    words = Field(name="prompt", kind=FieldKind.TEXT, label="What?", limit=500)
    form = Form(action=Action.DRAW, title="Draw", submit="Go", fields=(words,))
    before = await stage.view.forms_seen()
    assert not await stage.chat.ask(form, request())
    assert await stage.view.forms_seen() == before
    rights = await stage.view.rights_to_ask()
    if rights is None:
        return
    assert await stage.chat.ask(form, request(reply=rights))
    assert await stage.view.forms_seen() == before + 1


async def forgets_the_workspace_that_removed_us(stage: Stage) -> None:
    image = await stage.image()
    direct = await stage.view.chat.private_place(PLACE, ANA)
    for place in (PLACE, direct):
        post = Post(
            tone=Tone.RESULT, text="r", job=stage.job(), pictures=(image,)
        )
        await stage.posts(post, place)
    if stage.name in KEEPERS:
        assert await stage.view.remembered() > 0
    await stage.chat.forget(PLACE)
    assert await stage.view.remembered() == 0


async def tells_and_forgets_what_it_keeps_of_a_person(stage: Stage) -> None:
    await stage.view.upload(PHOTOS / "coffee.png")
    await stage.view.note(ANA)
    if stage.name in KNOWERS:
        assert await stage.view.knows(ANA)
    kept = await stage.chat.recall_person(stage.view.tenant, ANA.id)
    assert any(kept.values()) is (stage.name in KNOWERS)
    traces = await stage.chat.forget_person(stage.view.tenant, ANA.id)
    assert await stage.view.knows(ANA) == 0
    assert bool(traces.keys) is (stage.name == "web")


async def prunes_what_is_old(stage: Stage) -> None:
    rights = await stage.view.rights_to_ask()
    if rights is not None:
        field = Field(name="prompt", kind=FieldKind.TEXT, label="What?")
        form = Form(
            action=Action.DRAW, title="Draw", submit="Go", fields=(field,)
        )
        await stage.chat.ask(form, request(reply=rights))
    sent = await stage.posts(note("old words"))
    now = datetime.now(UTC)
    await stage.chat.prune(now - DAY, now)
    if stage.name != "terminal":
        assert await stage.view.visible(sent)
    await stage.chat.prune(now + DAY, now + 2 * DAY)
    if stage.name == "web":
        assert await stage.view.visible(sent) is None
    assert await stage.view.waiting() == 0


async def shows_what_is_for_adults_only_among_them(stage: Stage) -> None:
    pictures = ["a" * 64]
    assert await stage.chat.may_show(PLACE, pictures)
    if stage.name == "discord":
        chat: Any = stage.chat
        await chat._store.restrict(PLACE.tenant, pictures)
        assert not await stage.chat.may_show(PLACE, pictures)


async def says_how_often_it_may_be_updated(stage: Stage) -> None:
    assert stage.chat.pace > 0


Check = Callable[[Stage], Awaitable[None]]
CHECKS: tuple[Check, ...] = (
    shows_what_was_posted,
    shows_the_pictures_that_were_posted,
    shows_what_a_message_was_changed_to,
    says_of_each_status_line_whether_it_was_shown,
    takes_away_the_pictures_a_message_no_longer_has,
    finds_a_message_by_its_job_or_may_repeat_it,
    speaks_to_a_person_alone,
    keeps_private_words_from_others,
    links_lead_to_their_message,
    fetches_a_persons_file_and_no_more_than_the_limit,
    completes_a_request_and_changes_nothing_that_was_said,
    shows_a_form_or_says_that_it_cannot,
    says_how_often_it_may_be_updated,
    shows_what_is_for_adults_only_among_them,
    forgets_the_workspace_that_removed_us,
    tells_and_forgets_what_it_keeps_of_a_person,
    prunes_what_is_old,
)
DAY = timedelta(days=1)
KNOWERS = frozenset({"slack", "discord", "web"})
"""Platforms whose adapter stores something of a person."""
KEEPERS = frozenset({"slack", "discord"})
"""Platforms whose adapter stores something of a workspace."""


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_every_chat(check: Check, stage: Stage) -> None:
    await check(stage)


# Chats that are broken on purpose


class Broken:
    """The chat, but for what a subclass breaks."""

    def __init__(self, chat: Any) -> None:
        self._chat = chat

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chat, name)


class PostsNothing(Broken):
    async def post(self, place: Place, post: Post, **_: Any) -> PostedMessage:
        return PostedMessage(place=place, message="1000000")


class PostsNoPictures(Broken):
    async def post(self, place: Place, post: Post, **how: Any) -> Any:
        return await self._chat.post(place, replace(post, pictures=()), **how)


class PostsOnePicture(Broken):
    async def post(self, place: Place, post: Post, **how: Any) -> Any:
        few = replace(post, pictures=post.pictures[:1])
        return await self._chat.post(place, few, **how)


class PostsNoButtons(Broken):
    async def post(self, place: Place, post: Post, **how: Any) -> Any:
        return await self._chat.post(place, replace(post, buttons=()), **how)


class PostsNoTitle(Broken):
    async def post(self, place: Place, post: Post, **how: Any) -> Any:
        return await self._chat.post(place, replace(post, title=""), **how)


class PostsToAll(Broken):
    async def post(self, place: Place, post: Post, **how: Any) -> Any:
        return await self._chat.post(
            place, replace(post, private=False), **how
        )


class UpdatesNothing(Broken):
    async def update(self, sent: PostedMessage, post: Post) -> PostedMessage:
        return sent


class PromisesEveryStatusLine(Broken):
    async def update(self, sent: PostedMessage, post: Post) -> Any:
        return await self._chat.update(sent, post) or sent


class UpdatesNoPictures(Broken):
    async def update(self, sent: PostedMessage, post: Post) -> Any:
        return await self._chat.update(sent, replace(post, pictures=()))


class UpdatesByPostingAnew(Broken):
    async def update(self, sent: PostedMessage, post: Post) -> Any:
        return await self._chat.post(sent.place, post, to=ANA, reply={})


class KeepsOldPictures(Broken):
    async def update(self, sent: PostedMessage, post: Post) -> Any:
        return await self._chat.update(sent, post) if post.pictures else sent


class FindsNothing(Broken):
    async def find(self, place: Place, job: str) -> None:
        return None


class FindsAnything(Broken):
    async def find(self, place: Place, job: str) -> PostedMessage:
        return PostedMessage(place=place, message="1000000")


class SpeaksToAll(Broken):
    async def private_place(self, place: Place, person: Person) -> Place:
        return place


class LinksNowhere(Broken):
    async def link(self, sent: PostedMessage) -> str:
        return "https://easel.example/"


class FetchesNothing(Broken):
    async def fetch(
        self, attachment: Attachment, limit: int
    ) -> AsyncIterator[bytes]:
        yield b""


class FetchesWithoutLimit(Broken):
    def fetch(self, attachment: Attachment, limit: int) -> Any:
        return self._chat.fetch(attachment, 10**9)


class CompletesNobody(Broken):
    async def complete(self, request: Request) -> None:
        return None


class CompletesWithoutWords(Broken):
    async def complete(self, request: Request) -> Any:
        return await self._chat.complete(replace(request, text=""))


class AsksInTheDark(Broken):
    async def ask(self, form: Form, request: Request) -> bool:
        return True


class NeverAsks(Broken):
    async def ask(self, form: Form, request: Request) -> bool:
        return False


class ForgetsNothing(Broken):
    async def forget(self, place: Place) -> None:
        return None


class ForgetsNobody(Broken):
    async def forget_person(self, tenant: Tenant, person: str) -> Traces:
        return Traces()


class RecallsNothing(Broken):
    async def recall_person(
        self, tenant: Tenant, person: str
    ) -> Mapping[str, Any]:
        return {}


class PrunesNothing(Broken):
    async def prune(self, before: datetime, now: datetime) -> None:
        return None


class ShowsNothing(Broken):
    async def may_show(self, place: Place, keys: Sequence[str]) -> bool:
        return False


class HasNoPace(Broken):
    pace = 0.0


BROKEN: dict[type[Broken], Check] = {
    PostsNothing: shows_what_was_posted,
    PostsNoPictures: shows_the_pictures_that_were_posted,
    PostsOnePicture: shows_the_pictures_that_were_posted,
    PostsNoButtons: shows_what_was_posted,
    PostsNoTitle: shows_what_was_posted,
    PostsToAll: keeps_private_words_from_others,
    UpdatesNothing: shows_what_a_message_was_changed_to,
    PromisesEveryStatusLine: says_of_each_status_line_whether_it_was_shown,
    UpdatesNoPictures: shows_what_a_message_was_changed_to,
    UpdatesByPostingAnew: shows_what_a_message_was_changed_to,
    KeepsOldPictures: takes_away_the_pictures_a_message_no_longer_has,
    FindsNothing: finds_a_message_by_its_job_or_may_repeat_it,
    FindsAnything: finds_a_message_by_its_job_or_may_repeat_it,
    SpeaksToAll: speaks_to_a_person_alone,
    LinksNowhere: links_lead_to_their_message,
    FetchesNothing: fetches_a_persons_file_and_no_more_than_the_limit,
    FetchesWithoutLimit: fetches_a_persons_file_and_no_more_than_the_limit,
    CompletesNobody: completes_a_request_and_changes_nothing_that_was_said,
    CompletesWithoutWords: completes_a_request_and_changes_nothing_that_was_said,
    AsksInTheDark: shows_a_form_or_says_that_it_cannot,
    NeverAsks: shows_a_form_or_says_that_it_cannot,
    ShowsNothing: shows_what_is_for_adults_only_among_them,
    HasNoPace: says_how_often_it_may_be_updated,
    ForgetsNothing: forgets_the_workspace_that_removed_us,
    ForgetsNobody: tells_and_forgets_what_it_keeps_of_a_person,
    RecallsNothing: tells_and_forgets_what_it_keeps_of_a_person,
    PrunesNothing: prunes_what_is_old,
}
BOUNDLESS = frozenset({PromisesEveryStatusLine})
"""Where there is room for every status line."""
NO_OTHERS = frozenset({PostsToAll, SpeaksToAll})
KEEPS_NOTHING = frozenset(
    {ForgetsNothing, ForgetsNobody, RecallsNothing, PrunesNothing}
)
UNSEEN: dict[str, frozenset[type[Broken]]] = {
    # A roll of paper with one reader, whose lines may be printed twice.
    "terminal": NO_OTHERS
    | BOUNDLESS
    | KEEPS_NOTHING
    | {FindsNothing, UpdatesByPostingAnew, NeverAsks},
    "journal": NO_OTHERS
    | BOUNDLESS
    | KEEPS_NOTHING
    | {FetchesWithoutLimit, NeverAsks},
    "memory": BOUNDLESS | KEEPS_NOTHING | {NeverAsks},
    "web": BOUNDLESS | {NeverAsks, ForgetsNothing},
    "slack": frozenset({PrunesNothing}),
    "discord": frozenset(),
}
"""Defects that break nothing on a platform without the feature."""


async def test_a_chat_that_breaks_anything_fails(stage: Stage) -> None:
    found: list[type[Broken]] = []
    for broken, check in BROKEN.items():
        mutant = replace(stage, chat=broken(stage.view.chat))
        try:
            await check(mutant)
        except (Exception, pytest.fail.Exception):
            found.append(broken)
    assert set(found) == set(BROKEN) - UNSEEN[stage.name]
    for check in (
        CHECKS
    ):  # none of them was found only for what another had left behind
        await check(stage)


def test_every_member_of_a_chat_is_broken_by_some_mutant() -> None:
    members = {name for name in vars(Chat) if not name.startswith("_")} | {
        "pace"
    }
    mutated = {
        name
        for broken in BROKEN
        for name in vars(broken)
        if not name.startswith("_")
    }
    assert mutated == members


# The terminal's own


async def test_results_are_whole_files_and_writing_them_again_changes_nothing(
    tmp_path: Path,
) -> None:
    blobs = open_blobs((tmp_path / "blobs").as_uri())
    data = (PHOTOS / "coffee.png").read_bytes()
    key = await blobs.keep("terminal:local", data)
    picture = Picture(
        key=key,
        width=600,
        height=400,
        media_type="image/png",
        length=len(data),
    )
    chat = TerminalChat(blobs, "en", quiet=True)
    post = Post(
        tone=Tone.RESULT,
        text="",
        job="j",
        pictures=(PostImage(picture=picture, name="v1.png", alt=""),),
    )
    sent = await chat.post(
        PLACE, post, to=ANA, reply={"out": str(tmp_path / "out")}
    )
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
            [
                chunk
                async for chunk in chat.fetch(
                    Attachment(ref=ref, name="x"), limit
                )
            ]
