"""A platform on which people talk to Easel."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from core.forms import Form
from core.incoming import Incoming
from core.post import Post, PostedMessage
from core.types import Attachment, Person, Place, Request, Tenant, Traces


class Chat(Protocol):
    """One platform. ``pace``: seconds that must pass between two updates of one message."""

    pace: float

    async def complete(self, request: Incoming) -> Incoming | None:
        """Add what only the platform knows: the person's name, language and rights, their files.

        None for senders that are ignored, such as other bots. What cannot be looked up stays as it
        was. Raises Rejected for what the platform no longer knows.
        """
        ...

    async def ask(self, form: Form, request: Request) -> bool:
        """Show the person a form. False when the platform does not let us, or not any more."""
        ...

    async def post(
        self,
        place: Place,
        post: Post,
        *,
        to: Person,
        reply: Mapping[str, str],
    ) -> PostedMessage:
        """Post a new message.

        Raises DeliveryError; afterwards ``find`` says whether it went through.
        """
        ...

    async def update(
        self,
        sent: PostedMessage,
        post: Post,
    ) -> PostedMessage | None:
        """Edit a message, pictures included. To repeat it changes nothing more.

        None for a status line that was not shown, as the platform takes no more of them just now.
        """
        ...

    async def find(self, place: Place, job: str) -> PostedMessage | None:
        """Read our message for a job back from the platform: did a post go through?"""
        ...

    async def private_place(self, place: Place, person: Person) -> Place:
        """Where only this person reads us, in the same workspace. Raises DeliveryError."""
        ...

    async def may_show(self, place: Place, keys: Sequence[str]) -> bool:
        """Whether pictures (by blob) of another channel may be shown there.

        False for those of a channel for adults, outside of one.
        """
        ...

    async def link(self, sent: PostedMessage) -> str:
        """An address that leads to the message, "" where there is none."""
        ...

    async def forget(self, place: Place) -> None:
        """Forget what the platform's side keeps of a workspace that has removed us."""
        ...

    async def forget_person(self, tenant: Tenant, person: str) -> Traces:
        """Delete what the platform's side keeps of a person. Safe to repeat."""
        ...

    async def recall_person(
        self, tenant: Tenant, person: str
    ) -> Mapping[str, Any]:
        """What the platform's side keeps of a person, for themselves.

        ``uploads`` among it are files with their ``key`` and ``name``.
        """
        ...

    async def prune(self, before: datetime, now: datetime) -> None:
        """Delete what the platform's side keeps of before then, and what answered old events."""
        ...

    def fetch(
        self,
        attachment: Attachment,
        limit: int,
    ) -> AsyncIterator[bytes]:
        """The bytes of a person's file, at most ``limit``.

        Raises Rejected (gone, too large) or DeliveryError.
        """
        ...
