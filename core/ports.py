"""What the core needs from the world, as Protocols: nothing inherits from them, mypy checks them in wiring."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from core.types import Attachment, Outcome, Person, Place, Post, Sent, Task, Work


class Blobs(Protocol):
    """Picture bytes by SHA-256 within a workspace. Keeping the same bytes twice is one blob."""

    async def keep(self, workspace: str, data: bytes) -> str:
        """Store durably and return the key (64 hex digits). Never leaves a half-written blob under its name."""
        ...

    async def read(self, workspace: str, key: str) -> bytes:
        """Raise NotFound if it is missing, or if its bytes no longer match the key."""
        ...

    async def delete(self, workspace: str, key: str) -> None:
        """Forget it; no matter if it was not there."""
        ...

    async def keys(self, workspace: str) -> list[str]:
        """Every key held for the workspace, sorted."""
        ...

    async def check(self) -> None:
        """Write, read and delete a probe; raise ConfigurationError naming the setting if that fails."""
        ...


class Provider(Protocol):
    """A company's API that makes images, for one account (key and region)."""

    async def submit(self, work: Work) -> Task | Outcome:
        """Send the work: a task to wait for, or the outcome at once (synchronous models).

        Raises Retryable, Uncertain, Refused or Misconfigured.
        """
        ...

    async def wait(self, work: Work, task: Task) -> Outcome:
        """Until the task ends. Raises Refused (FAILED, CANCELED), Uncertain (UNKNOWN: gone after 24 h)."""
        ...

    async def find(self, work: Work, since: datetime, known: Sequence[str]) -> Task | None:
        """The task a lost submit made: same model, created since then, not one of the ``known`` task ids."""
        ...

    async def cancel(self, task: Task) -> bool:
        """True when the task had not started and now never will (and costs nothing)."""
        ...

    async def download(self, url: str) -> bytes:
        """The bytes behind a result link: allowed hosts only, capped, complete. Raises Retryable or Refused."""
        ...


class Chat(Protocol):
    """One platform's voice. ``pace``: seconds that must pass between two updates of one message."""

    pace: float

    async def post(self, place: Place, post: Post, *, to: Person, reply: Mapping[str, str]) -> Sent:
        """Say something new. May raise DeliveryError; afterwards ``find`` tells whether it went through."""
        ...

    async def update(self, sent: Sent, post: Post) -> None:
        """Change what we said, pictures included. Repeating it changes nothing more."""
        ...

    async def find(self, place: Place, job: str) -> Sent | None:
        """Our message for this job, read back from the platform: the way to know whether a post went through."""
        ...

    def fetch(self, attachment: Attachment, limit: int) -> AsyncIterator[bytes]:
        """The bytes of a person's file, at most ``limit``. Raises Rejected (gone, too large) or DeliveryError."""
        ...


class Clock(Protocol):
    """Wall time and sleep, so that tests can move it."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep; cancellable."""
        ...
