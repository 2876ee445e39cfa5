"""The Chat port for the room: posts become messages in its store, pictures become blobs."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters.web import forgetting, render
from adapters.web.members import DIRECT
from adapters.web.store import Room
from core.errors import DeliveryError, NotFound, Rejected
from core.forms import Form
from core.incoming import Incoming
from core.pictures.facts import too_many_bytes
from core.ports import Blobs
from core.post import Post, PostedMessage
from core.types import (
    Attachment,
    Person,
    Place,
    Request,
    Tenant,
    Traces,
)

PLATFORM = "web"
WORKSPACE = "room"
TENANT = Tenant(f"{PLATFORM}:{WORKSPACE}")


def place(channel: str, thread: str = "") -> Place:
    """A place in the room."""
    return Place(
        platform=PLATFORM,
        workspace=WORKSPACE,
        channel=channel,
        thread=thread,
    )


class WebChat:
    """Posts into the room. ``base`` is its address, for links to messages."""

    pace = 3.0

    def __init__(self, room: Room, blobs: Blobs, base: str = "") -> None:
        self._room = room
        self._blobs = blobs
        self._base = base

    async def complete(self, request: Incoming) -> Incoming | None:
        """Add nothing: the page sends everything with its request."""
        return request

    async def ask(self, form: Form, request: Request) -> bool:
        """Do nothing: the page asks for its forms itself."""
        return False

    async def may_show(self, place: Place, keys: Sequence[str]) -> bool:
        """Yes: there are no channels for adults here."""
        return True

    async def forget(self, place: Place) -> None:
        """Do nothing: the room keeps no installation."""

    async def forget_person(self, tenant: Tenant, person: str) -> Traces:
        """Forget who they are, and what they said and dropped here."""
        keys = await self._room.erase(forgetting.forget_person, person)
        channels = frozenset({f"{DIRECT}{person}"})
        return Traces(channels=channels, keys=keys)

    async def prune(self, before: datetime, now: datetime) -> None:
        """Delete what was said and dropped before then."""
        await self._room.prune(before)

    async def recall_person(
        self, tenant: Tenant, person: str
    ) -> Mapping[str, Any]:
        """Their name, and what they said and dropped here."""
        return await self._room.recall(person)

    async def post(
        self,
        place: Place,
        post: Post,
        *,
        to: Person,
        reply: Mapping[str, str],
    ) -> PostedMessage:
        """Post a message; only ``to`` sees a private one."""
        body = await self._body(post)
        only_for = to.id if post.private else ""
        number = await self._room.add_message(
            place.channel,
            place.thread,
            body,
            only_for=only_for,
            job=post.job,
        )
        return PostedMessage(place=place, message=str(number))

    async def update(self, sent: PostedMessage, post: Post) -> PostedMessage:
        """Change the message. Raises DeliveryError when it is gone."""
        body = await self._body(post)
        try:
            old = await self._room.edit_message(int(sent.message), body)
        except NotFound:
            raise DeliveryError("room.no_message", permanent=True) from None
        if render.quote(old) != render.quote(body):
            await self._room.requote(int(sent.message), render.quote(body))
        for key in render.drawn_keys(old) - render.drawn_keys(body):
            await self._blobs.delete(TENANT, key)
        return sent

    async def find(self, place: Place, job: str) -> PostedMessage | None:
        """Find the message of this job, if it was posted."""
        number = await self._room.find_message(place.channel, job)
        if number is None:
            return None
        return PostedMessage(place=place, message=str(number))

    async def private_place(self, place: Place, person: Person) -> Place:
        """The person's direct messages with Easel."""
        return Place(
            platform=place.platform,
            workspace=place.workspace,
            channel=f"{DIRECT}{person.id}",
        )

    async def link(self, sent: PostedMessage) -> str:
        """The message's address in the room."""
        return f"{self._base}/room#{sent.place.channel}/{sent.message}"

    async def fetch(
        self,
        attachment: Attachment,
        limit: int,
    ) -> AsyncIterator[bytes]:
        """Read a picture that was dropped into the room. Raises Rejected."""
        # Only what was uploaded here may be read, not any blob whose key is known.
        upload = await self._room.upload(attachment.ref)
        try:
            data = await self._blobs.read(TENANT, upload["key"])
        except NotFound:
            raise Rejected("room.no_upload") from None
        if len(data) > limit:
            raise too_many_bytes(limit)
        yield data

    async def _body(self, post: Post) -> dict[str, object]:
        """The message's body. Pictures drawn for this post alone become blobs first."""
        keys: list[str] = []
        for picture in post.pictures:
            key = ""
            if picture.drawn:
                key = await self._blobs.keep(TENANT, picture.drawn)
            keys.append(key)
        return render.body(post, keys)
