"""A company that makes images."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from core.types import Account, Outcome, Task, Work


class Provider(Protocol):
    """A company's API that makes images, spoken to for one account.

    tests/contract/test_provider.py is what every implementation must hold to.
    """

    @property
    def account(self) -> Account:
        """The account it uses, with its region."""
        ...

    @property
    def is_answering(self) -> bool:
        """Whether the service answered when it was last asked."""
        ...

    @property
    def clock_ahead(self) -> timedelta | None:
        """How far the service's clock is ahead of ours; None before it has told."""
        ...

    async def submit(self, work: Work) -> Task | Outcome:
        """Send the work: a task to wait for, or the outcome at once (synchronous models).

        Raises Retryable (certainly not accepted), Uncertain (perhaps accepted and billed), Refused
        or Misconfigured.
        """
        ...

    async def wait(self, work: Work, task: Task) -> Outcome:
        """Wait until the task ends. Cancelling the wait leaves the task alone.

        Raises Refused (FAILED, CANCELED), Retryable (failed, free, and worth one more task),
        Uncertain (gone: the service keeps results for some time only).
        """
        ...

    async def find(
        self,
        work: Work,
        since: datetime,
        known: Sequence[str],
    ) -> Task | None:
        """The task a lost submit made: same model, created since then, not one of ``known``.

        None when there certainly is none. Raises Retryable when the service's list cannot be had
        now, Uncertain where there is no list to look in.
        """
        ...

    async def cancel(self, task: Task) -> bool:
        """True when the task had not started and now never will (and costs nothing)."""
        ...

    async def download(self, url: str) -> bytes:
        """The bytes behind a result link: allowed hosts only, capped, complete.

        Raises Retryable, Refused, or Uncertain for a link that is dead.
        """
        ...
