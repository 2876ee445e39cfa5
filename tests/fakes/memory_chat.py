"""A chat platform in memory that keeps every message and its states in order.

Posting twice makes two messages.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from core.errors import DeliveryError, Rejected
from core.forms import Form
from core.incoming import Incoming
from core.pictures.facts import too_many_bytes
from core.post import Post, PostedMessage, Tone
from core.types import (
    Attachment,
    Person,
    Place,
    Request,
    Tenant,
    Traces,
)


@dataclass(slots=True)
class Message:
    """One message and everything it has said, the newest last."""

    id: str
    place: Place
    to: Person
    posts: list[Post] = field(default_factory=list)


class MemoryChat:
    """Chat port. ``fail_posts`` posts fail after having gone through, as a lost reply does."""

    pace = 0.05

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        self.fail_posts = 0
        self._changed = asyncio.Event()

    async def complete(self, request: Incoming) -> Incoming | None:
        """All is known."""
        return request

    async def ask(self, form: Form, request: Request) -> bool:
        """No forms."""
        return False

    async def may_show(self, place: Place, keys: Sequence[str]) -> bool:
        """Yes: there are no channels for adults here."""
        return True

    async def forget(self, place: Place) -> None:
        """Nothing is kept here."""

    async def forget_person(self, tenant: Tenant, person: str) -> Traces:
        """Nothing is kept here."""
        return Traces()

    async def recall_person(
        self, tenant: Tenant, person: str
    ) -> Mapping[str, Any]:
        """Nothing is kept here."""
        return {}

    async def prune(self, before: datetime, now: datetime) -> None:
        """Do nothing: nothing is kept here."""

    async def post(
        self, place: Place, post: Post, *, to: Person, reply: Mapping[str, str]
    ) -> PostedMessage:
        """A new message."""
        message = Message(f"m{len(self.messages) + 1}", place, to, [post])
        self.messages[message.id] = message
        self._changed.set()
        if self.fail_posts:
            self.fail_posts -= 1
            raise DeliveryError("status.broken", reference="lost reply")
        return PostedMessage(place=place, message=message.id)

    async def update(self, sent: PostedMessage, post: Post) -> PostedMessage:
        """Change a message."""
        self.messages[sent.message].posts.append(post)
        self._changed.set()
        return sent

    async def find(self, place: Place, job: str) -> PostedMessage | None:
        """Read back."""
        matching = [
            message.id
            for message in self.messages.values()
            if message.posts[0].job == job and message.place == place
        ]
        return (
            PostedMessage(place=place, message=matching[0])
            if matching
            else None
        )

    async def private_place(self, place: Place, person: Person) -> Place:
        """A channel of their own."""
        return replace(place, channel=f"dm-{person.id}", thread="")

    async def link(self, sent: PostedMessage) -> str:
        """An address that names the message."""
        return f"chat:{sent.place.channel}/{sent.message}"

    async def fetch(
        self, attachment: Attachment, limit: int
    ) -> AsyncIterator[bytes]:
        """The file the attachment names."""
        try:
            content = Path(attachment.ref).read_bytes()
        except OSError:
            raise Rejected(
                "terminal.file_missing", name=attachment.name
            ) from None
        if len(content) > limit:
            raise too_many_bytes(limit)
        yield content

    async def end_of(self, job: str, seconds: float = 60) -> Post:
        """The job's last word: a result, a refusal, a note."""
        async with asyncio.timeout(seconds):
            while True:
                self._changed.clear()
                for message in self.messages.values():
                    last = message.posts[-1]
                    if last.job == job and last.tone is not Tone.STATUS:
                        return last
                await self._changed.wait()
