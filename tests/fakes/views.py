"""What people see of a chat, whatever the platform, so that one suite can look at all of them."""

import asyncio
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from adapters.terminal.chat import TerminalChat
from adapters.web.chat import TENANT, WebChat
from adapters.web.store import Room
from core.ports import Blobs, Chat
from core.post import PostedMessage
from core.types import Attachment, Person, Picture, Place, Tenant
from tests.fakes.journal_chat import JournalChat
from tests.fakes.memory_chat import MemoryChat
from tests.fakes.steps import PLACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Visible:
    """A message as someone sees it: all its words, its pictures' bytes, its buttons' labels."""

    words: str
    pictures: Sequence[bytes]
    buttons: Sequence[str]


class ChatView(Protocol):
    """A chat with Ana and Bo in it."""

    tenant: Tenant
    """The tenant of the blobs of posted pictures."""
    reply: Mapping[str, str]
    """The reply handle of the person who asked."""
    can_edit: bool
    """Whether a changed message stands there once."""
    has_privacy: bool
    """Whether words to one person can be hidden from the others."""

    @property
    def chat(self) -> Chat: ...

    async def visible(self, sent: PostedMessage) -> Visible | None:
        """What Ana sees of a message, the pictures under it included."""
        ...

    async def words_seen_by(self, person: str, place: Place) -> str:
        """All that Ana or Bo can read in a place."""
        ...

    async def upload(self, photo: Path) -> Attachment:
        """What Ana has given, as the platform names it."""
        ...

    def follow(self, link: str) -> str:
        """The message a link leads to."""
        ...

    async def rights_to_ask(self) -> Mapping[str, str] | None:
        """What a form can be shown in answer to; None where there are no forms."""
        ...

    async def forms_seen(self) -> int:
        """How many forms were shown."""
        ...

    async def remembered(self) -> int:
        """How much the platform's side keeps of the workspace."""
        ...

    async def note(self, person: Person) -> None:
        """Have the platform's side keep something of a person, if it ever does."""
        ...

    async def waiting(self) -> int:
        """How many forms could still be sent back."""
        ...

    async def knows(self, person: Person) -> int:
        """How much the platform's side keeps of a person."""
        ...


class PlainView:
    """A platform without forms that keeps nothing beside its messages."""

    tenant = Tenant("test:w")
    reply: Mapping[str, str] = {}
    can_edit = True
    has_privacy = False

    async def rights_to_ask(self) -> Mapping[str, str] | None:
        return None

    async def forms_seen(self) -> int:
        return 0

    async def remembered(self) -> int:
        return 0

    async def note(self, person: Person) -> None:
        return None

    async def waiting(self) -> int:
        return 0

    async def knows(self, person: Person) -> int:
        return 0

    async def upload(self, photo: Path) -> Attachment:
        return Attachment(ref=str(photo), name=photo.name)

    def follow(self, link: str) -> str:
        return link.rpartition("/")[2]


class MemoryView(PlainView):
    has_privacy = True

    def __init__(self, blobs: Blobs) -> None:
        self.chat = MemoryChat()
        self._blobs = blobs

    async def visible(self, sent: PostedMessage) -> Visible | None:
        message = self.chat.messages.get(sent.message)
        if message is None:
            return None
        post = message.posts[-1]
        keys = [
            picture.picture.key for picture in post.pictures if picture.picture
        ]
        return Visible(
            words=f"{post.title}\n{post.text}",
            pictures=[
                await self._blobs.read(self.tenant, key) for key in keys
            ],
            buttons=[button.label for button in post.buttons],
        )

    async def words_seen_by(self, person: str, place: Place) -> str:
        return "\n".join(
            message.posts[-1].text
            for message in self.chat.messages.values()
            if message.place.channel == place.channel
            and (message.to.id == person or not message.posts[-1].private)
            and place.channel in {f"dm-{person}", PLACE.channel}
        )


class JournalView(PlainView):
    def __init__(self, journal: Path, blobs: Blobs) -> None:
        self.chat = JournalChat(journal)
        self._blobs = blobs

    async def visible(self, sent: PostedMessage) -> Visible | None:
        lines = [
            line
            for line in self.chat.lines()
            if line["message"] == sent.message
        ]
        if not lines:
            return None
        last = lines[-1]
        keys = last["pictures"]
        return Visible(
            words=last["words"],
            pictures=[
                await self._blobs.read(self.tenant, key) for key in keys
            ],
            buttons=last["buttons"],
        )

    async def words_seen_by(self, person: str, place: Place) -> str:
        last = {line["message"]: line["words"] for line in self.chat.lines()}
        return "\n".join(last.values())


class WebView(PlainView):
    tenant = TENANT
    has_privacy = True

    async def note(self, person: Person) -> None:
        await self._room.enter(person.id, person.name)

    async def knows(self, person: Person) -> int:
        members = await self._room.members()
        return sum(member.id == person.id for member in members)

    def __init__(self, room: Room, blobs: Blobs) -> None:
        self.chat = WebChat(room, blobs, "http://127.0.0.1:1")
        self._room = room
        self._blobs = blobs

    async def visible(self, sent: PostedMessage) -> Visible | None:
        for message in (await self._room.changes_for("ana", None)).messages:
            if str(message.id) != sent.message:
                continue
            body = message.body
            keys = [picture["key"] for picture in body["pictures"]]
            return Visible(
                words=f"{body['title']}\n{body['text']}",
                pictures=[await self._blobs.read(TENANT, key) for key in keys],
                buttons=[button["label"] for button in body["buttons"]],
            )
        return None

    async def words_seen_by(self, person: str, place: Place) -> str:
        return "\n".join(
            message.body["text"]
            for message in (
                await self._room.changes_for(person, None)
            ).messages
            if message.channel == place.channel
        )

    async def upload(self, photo: Path) -> Attachment:
        content = photo.read_bytes()
        picture = Picture(
            key=await self._blobs.keep(TENANT, content),
            width=640,
            height=427,
            media_type="image/jpeg",
            length=len(content),
        )
        ref = await self._room.add_upload("ana", photo.name, picture)
        return Attachment(ref=ref, name=photo.name)


class TerminalView(PlainView):
    """A roll of paper: what was printed stays, and there is no one else."""

    tenant = Tenant("terminal:local")
    can_edit = False

    def __init__(self, blobs: Blobs, out: Path) -> None:
        self._paper = io.StringIO()
        self.chat = TerminalChat(blobs, "en", stream=self._paper)
        self.reply = {"out": str(out)}

    async def visible(self, sent: PostedMessage) -> Visible | None:
        files = self.chat.files.get(sent.message.partition("|")[0], [])
        pictures = [await asyncio.to_thread(file.read_bytes) for file in files]
        words = self._paper.getvalue()
        labels = [
            line.strip().partition(": easel ") for line in words.splitlines()
        ]
        buttons = [label for label, command, _ in labels if command]
        return Visible(words=words, pictures=pictures, buttons=buttons)

    async def words_seen_by(self, person: str, place: Place) -> str:
        return self._paper.getvalue()


async def held(blobs: Blobs, tenant: str, photo: Path) -> Picture:
    """A picture as the core holds it."""
    content = photo.read_bytes()
    key = await blobs.keep(tenant, content)
    return Picture(
        key=key,
        width=600,
        height=400,
        media_type="image/png",
        length=len(content),
    )
