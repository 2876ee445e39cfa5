"""The room's voice: messages of Easel's kept in the room, pictures by blob."""

from collections.abc import AsyncIterator, Mapping

from adapters.web import render
from adapters.web.store import DIRECT, Room
from core.errors import DeliveryError, NotFound, Rejected
from core.forms import Form
from core.pictures.formats import too_many_bytes
from core.ports import Blobs
from core.post import Post, PostedMessage
from core.types import Attachment, Person, Place, Request

PLATFORM, WORKSPACE = "web", "room"
TENANT = f"{PLATFORM}:{WORKSPACE}"


def place(channel: str, thread: str = "") -> Place:
    """A place in the room."""
    return Place(platform=PLATFORM, workspace=WORKSPACE, channel=channel, thread=thread)


class WebChat:
    """Chat port. ``base``: where pages are reached, for links to messages."""

    pace = 3.0

    def __init__(self, room: Room, blobs: Blobs, base: str = "") -> None:
        self._room = room
        self._blobs = blobs
        self._base = base

    async def complete(self, request: Request) -> Request | None:
        """The page has told all."""
        return request

    async def ask(self, form: Form, request: Request) -> bool:
        """A page asks for its forms itself."""
        return False

    async def forget(self, place: Place) -> None:
        """Nothing is kept here."""

    async def post(
        self, place: Place, post: Post, *, to: Person, reply: Mapping[str, str]
    ) -> PostedMessage:
        """A new message; a private one only ``to`` sees."""
        body = await self._body(post)
        only_for = to.id if post.private else ""
        number = await self._room.say(
            place.channel, place.thread, body, only_for=only_for, job=post.job
        )
        return PostedMessage(place=place, message=str(number))

    async def update(self, sent: PostedMessage, post: Post) -> PostedMessage:
        """Change it."""
        try:
            await self._room.change(int(sent.message), await self._body(post))
        except NotFound:
            raise DeliveryError("room.no_message", permanent=True) from None
        return sent

    async def find(self, place: Place, job: str) -> PostedMessage | None:
        """Our message of this job."""
        number = await self._room.find(place.channel, job)
        return (
            None if number is None else PostedMessage(place=place, message=str(number))
        )

    async def private_place(self, place: Place, person: Person) -> Place:
        """Where the person and Easel speak alone."""
        return Place(
            platform=place.platform,
            workspace=place.workspace,
            channel=f"{DIRECT}{person.id}",
        )

    async def link(self, sent: PostedMessage) -> str:
        """The message in the room."""
        return f"{self._base}/room#{sent.place.channel}/{sent.message}"

    async def fetch(self, attachment: Attachment, limit: int) -> AsyncIterator[bytes]:
        """What was dropped into the room."""
        await self._room.upload(attachment.ref)
        try:
            data = await self._blobs.read(TENANT, attachment.ref)
        except NotFound:
            raise Rejected("room.no_upload") from None
        if len(data) > limit:
            raise too_many_bytes(limit)
        yield data

    async def _body(self, post: Post) -> dict[str, object]:
        """Pictures drawn for this post become blobs of the room's."""
        kept = [
            await self._blobs.keep(TENANT, one.drawn) if one.drawn else ""
            for one in post.pictures
        ]
        return render.body(post, kept)
