"""What the core needs from the world, as Protocols.

Nothing inherits from them: mypy checks them where the program is wired.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from core.budgets import Caps, Spending
from core.catalog import SubmitLimit
from core.errors import Charged
from core.forms import Form
from core.incoming import Incoming
from core.post import Post, PostedMessage, Tally
from core.types import (
    Account,
    Attachment,
    Claim,
    CountedReaction,
    Head,
    MessageRole,
    Money,
    Outcome,
    Person,
    Picture,
    Place,
    Request,
    SessionId,
    Step,
    StepId,
    StepState,
    Task,
    Tenant,
    Work,
)


class Blobs(Protocol):
    """Picture bytes by SHA-256 within a workspace. Keeping the same bytes twice is one blob."""

    async def keep(self, workspace: str, data: bytes) -> str:
        """Store durably and return the key (64 hex digits).

        Never leaves a half-written blob under its name.
        """
        ...

    async def read(self, workspace: str, key: str) -> bytes:
        """Raise NotFound if it is missing, or if its bytes no longer match the key."""
        ...

    async def delete(self, workspace: str, key: str) -> None:
        """Delete it; no matter if it was not there."""
        ...

    async def keys(self, workspace: str) -> list[str]:
        """Every key held for the workspace, sorted."""
        ...

    async def check(self) -> None:
        """Write, read and delete a probe.

        Raise ConfigurationError naming the setting if that fails.
        """
        ...


class Provider(Protocol):
    """A company's API that makes images, spoken to for one account.

    tests/contract/test_provider.py is what every implementation must hold to.
    """

    @property
    def account(self) -> Account:
        """The account it uses, with its region."""
        ...

    async def submit(self, work: Work) -> Task | Outcome:
        """Send the work: a task to wait for, or the outcome at once (synchronous models).

        Raises Retryable (certainly not accepted), Uncertain (perhaps accepted and billed), Refused
        or Misconfigured.
        """
        ...

    async def wait(self, work: Work, task: Task) -> Outcome:
        """Until the task ends. Cancelling the wait leaves the task alone.

        Raises Refused (FAILED, CANCELED), Retryable (failed, free, and worth one more task),
        Uncertain (gone: the service keeps results for some time only).
        """
        ...

    async def find(
        self, work: Work, since: datetime, known: Sequence[str]
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
        self, place: Place, post: Post, *, to: Person, reply: Mapping[str, str]
    ) -> PostedMessage:
        """Post a new message.

        Raises DeliveryError; afterwards ``find`` says whether it went through.
        """
        ...

    async def update(self, sent: PostedMessage, post: Post) -> PostedMessage:
        """Edit a message, pictures included. To repeat it changes nothing more."""
        ...

    async def find(self, place: Place, job: str) -> PostedMessage | None:
        """Read our message for a job back from the platform: did a post go through?"""
        ...

    async def private_place(self, place: Place, person: Person) -> Place:
        """Where only this person reads us, in the same workspace. Raises DeliveryError."""
        ...

    async def link(self, sent: PostedMessage) -> str:
        """An address that leads to the message, "" where there is none."""
        ...

    async def forget(self, place: Place) -> None:
        """Forget what the platform's side keeps of a workspace that has removed us."""
        ...

    def fetch(
        self, attachment: Attachment, limit: int
    ) -> AsyncIterator[bytes]:
        """The bytes of a person's file, at most ``limit``.

        Raises Rejected (gone, too large) or DeliveryError.
        """
        ...


class Store(Protocol):
    """Everything Easel remembers but picture bytes.

    Each method is one transaction; every query takes its tenant.
    """

    async def check(self) -> None:
        """Answer, or raise."""
        ...

    async def begin(self, step: Step, caps: Caps, now: datetime) -> Step:
        """Write a new step with its number and priority, and hold its price.

        A step already there is returned as it is.

        Raises Rejected when a budget would be broken; then nothing is written.
        """
        ...

    async def step(self, tenant: Tenant, step: StepId) -> Step:
        """Raises NotFound, also for another tenant's step."""
        ...

    async def history(
        self, tenant: Tenant, session: SessionId, limit: int = 200
    ) -> list[Step]:
        """The session's newest steps, oldest first."""
        ...

    async def chain(self, tenant: Tenant, step: StepId) -> list[Step]:
        """The steps from a root down to this one. Raises NotFound."""
        ...

    async def newest_from(
        self, tenant: Tenant, session: SessionId, parent: str | None
    ) -> Step | None:
        """The session's newest step made from this one, None: its newest root. Pictures only."""
        ...

    async def open_steps(self, limit: int | None = None) -> list[Step]:
        """Unfinished steps in the order they are served: all, or the first ``limit``."""
        ...

    async def newest_open_step(
        self, tenant: Tenant, person: str
    ) -> Step | None:
        """The person's newest unfinished step."""
        ...

    async def line(
        self, account: str, model: str, limit: int = 200
    ) -> list[tuple[str, str]]:
        """Tenant and id of the steps of one queue not made yet, those served next first."""
        ...

    async def place_in_line(self, step: Step) -> int:
        """How many steps of its queue are served before it."""
        ...

    async def is_step_thread(self, place: Place) -> bool:
        """Does the thread hang from a message that shows a step, or hold one?"""
        ...

    async def may_show_step(self, place: Place, message: str = "") -> bool:
        """May this message, or the place's thread, show a step now or in a moment?"""
        ...

    async def head(self, tenant: Tenant, session: SessionId) -> Head | None:
        """Where the session's next edit starts from."""
        ...

    async def move_head(
        self, tenant: Tenant, session: SessionId, head: Head | None
    ) -> None:
        """Undo, redo and pick: costs nothing, forgets nothing."""
        ...

    async def intend(
        self,
        tenant: Tenant,
        step: StepId,
        now: datetime,
        *,
        alone: bool = False,
    ) -> Step | None:
        """Before the submit leaves: QUEUED → SUBMITTING. None when the step has ended meanwhile.

        ``alone``: the step stays QUEUED while another of its model is being submitted.
        """
        ...

    async def forget_intent(
        self, tenant: Tenant, step: StepId, *, may_turn_up: bool = False
    ) -> Step | None:
        """The service did not take it: SUBMITTING → QUEUED.

        ``may_turn_up`` where a list said so that may lag: when it was sent stays known.
        """
        ...

    async def requeue(self, tenant: Tenant, step: StepId) -> Step | None:
        """Its task failed and cost nothing: RUNNING → QUEUED for one more."""
        ...

    async def record_task(
        self,
        tenant: Tenant,
        step: StepId,
        task_id: str | None,
        request_id: str,
        outcome: Mapping[str, Any] | None,
        now: datetime,
    ) -> Step | None:
        """The service took it (a task id) or has done it (an outcome): SUBMITTING → RUNNING."""
        ...

    async def record_results(
        self,
        step: Step,
        outputs: Sequence[Picture],
        cost: Money | None,
        seconds: float | None,
        now: datetime,
        *,
        partial: str | None = None,
        text: str | None = None,
    ) -> Step | None:
        """The pictures are stored, or the words that came instead: RUNNING → MADE.

        The money is settled; with pictures the session's heads move here.
        """
        ...

    async def finish(self, tenant: Tenant, step: StepId) -> Step | None:
        """The result has been posted: MADE → DONE."""
        ...

    async def begin_progress(
        self, tenant: Tenant, step: StepId, until: datetime
    ) -> bool:
        """Note that a progress line may be on its way until then. False when none may be shown."""
        ...

    async def end_progress(self, tenant: Tenant, step: StepId) -> None:
        """The progress line has arrived, or never will."""
        ...

    async def progress_until(
        self, tenant: Tenant, step: StepId
    ) -> datetime | None:
        """Until when a progress line may be on its way; None when none is."""
        ...

    async def close_step(self, tenant: Tenant, step: StepId) -> None:
        """Close a step whose person has been told how it ended: no work is left."""
        ...

    async def end(
        self,
        step: Step,
        state: StepState,
        now: datetime,
        *,
        error: str,
        params: Mapping[str, Any] | None = None,
        charged: Charged = Charged.NO,
        request_id: str = "",
        cost: Money | None = None,
    ) -> Step | None:
        """Set FAILED, CANCELLED or UNKNOWN. None when the step had ended already.

        ``charged`` NO gives the hold back, YES settles ``cost``, MAYBE keeps the hold.
        """
        ...

    async def drop_charge(self, step: Step, now: datetime) -> None:
        """Give the hold back.

        An UNKNOWN step's person gave it up, or it is known now that nothing was billed.
        """
        ...

    async def request_cancel(
        self, tenant: Tenant, step: StepId, now: datetime
    ) -> Step:
        """Cancel at once and free while QUEUED.

        Otherwise mark it, and the flow drops the result.
        """
        ...

    async def task_ids(
        self, account: str, model: str, since: datetime
    ) -> list[str]:
        """Task ids recorded since then, for any tenant: a lost submit's task is none of these."""
        ...

    async def durations(
        self, account: str, model: str, limit: int = 20
    ) -> list[float]:
        """Seconds the service worked on the newest steps of a model."""
        ...

    async def counts(self) -> dict[tuple[str, str, str], int]:
        """How many steps there are of each action, model and state, of all tenants together."""
        ...

    async def remember(
        self,
        sent: PostedMessage,
        tenant: Tenant,
        step: StepId,
        role: MessageRole = MessageRole.STATUS,
    ) -> None:
        """Record which message shows a step: how a reply or a reaction finds its picture."""
        ...

    async def intend_post(
        self, tenant: Tenant, job: str, role: MessageRole
    ) -> bool:
        """Note a post before it is sent: True the first time.

        Otherwise it may have gone through, and is read back first.
        """
        ...

    async def recent(
        self, tenant: Tenant, person: str, limit: int
    ) -> list[Step]:
        """The newest steps with pictures of one person, newest first."""
        ...

    async def record_thumbnail(
        self, tenant: Tenant, picture: str, thumbnail: str
    ) -> bool:
        """Which blob is a picture's thumbnail. False when the picture is no longer there."""
        ...

    async def choose_picture(
        self, tenant: Tenant, step: StepId, index: int
    ) -> None:
        """Record which picture of a step was settled on."""
        ...

    async def delete_step(
        self, tenant: Tenant, step: StepId, now: datetime
    ) -> list[str]:
        """Mark a step deleted and move heads off it; return its blobs that nothing else needs."""
        ...

    async def forget_outputs(self, tenant: Tenant, step: StepId) -> list[str]:
        """Once the bytes are gone: remove the rows that point to them.

        Returns thumbnails that nothing else needs.
        """
        ...

    async def count_with_pictures(
        self, tenant: Tenant, session: SessionId
    ) -> int:
        """How many steps of a session still have their pictures."""
        ...

    async def forget_workspace(self, tenant: Tenant) -> None:
        """Delete everything of a workspace, settings and money included."""
        ...

    async def message_of(
        self, step: Step, role: MessageRole = MessageRole.STATUS
    ) -> PostedMessage | None:
        """The message of a step in that role."""
        ...

    async def messages_of(self, step: Step) -> list[PostedMessage]:
        """Every message that shows a step, copies and answers included."""
        ...

    async def step_of_message(self, place: Place, message: str) -> StepId:
        """The step that one of our messages shows. Raises NotFound."""
        ...

    async def settings(self, tenant: Tenant) -> dict[str, Any]:
        """The workspace's settings; empty when never set."""
        ...

    async def save_settings(
        self, tenant: Tenant, settings: Mapping[str, Any]
    ) -> None:
        """Replace the workspace's settings."""
        ...

    async def usage(self, tenant: Tenant, since: datetime) -> list[Spending]:
        """Who spent what from that day on, holds included."""
        ...


class Claims(Protocol):
    """Who works on which step. Each method is one transaction."""

    async def lines(self) -> list[tuple[str, str]]:
        """Account and model of every line in which a step waits to be claimed."""
        ...

    async def claim(
        self,
        account: str,
        model: str,
        size: int,
        limit: SubmitLimit | None,
        now: datetime,
    ) -> tuple[list[Claim], float | None]:
        """Claim the next steps of a line; also the seconds until its limit allows one more."""
        ...

    async def release(self, claim: Claim, now: datetime) -> None:
        """Put a step back in line that the service would not take now."""
        ...

    async def own_claims(self) -> list[Claim]:
        """What this worker has to bring to its end."""
        ...

    async def free(self, claim: Claim) -> None:
        """Free the slot of a step that the service has finished."""
        ...


class Reactions(Protocol):
    """Votes for the pictures of a step, and favourites. Each method is one transaction."""

    async def add(
        self,
        tenant: Tenant,
        step: StepId,
        person: str,
        kind: CountedReaction,
        index: int = 0,
    ) -> Tally:
        """Count one person's reaction to a picture once, however often it is delivered."""
        ...

    async def remove(
        self,
        tenant: Tenant,
        step: StepId,
        person: str,
        kind: CountedReaction,
        index: int = 0,
    ) -> Tally:
        """Take it back."""
        ...

    async def tally(self, tenant: Tenant, step: StepId) -> Tally:
        """The counts."""
        ...


class Drafts(Protocol):
    """Requests that wait for something, such as a painted mask. Each method is one transaction."""

    async def save(
        self,
        tenant: Tenant,
        draft: str,
        request: Mapping[str, Any],
        now: datetime,
    ) -> None:
        """Save a request under its id. The same again changes nothing; old ones are swept."""
        ...

    async def read(
        self, tenant: Tenant, draft: str
    ) -> tuple[dict[str, Any], bool]:
        """The request, and whether it was used already. Raises NotFound."""
        ...

    async def use(self, tenant: Tenant, draft: str) -> bool:
        """True for the first who uses it, and only for them."""
        ...


class Clock(Protocol):
    """Wall time and sleep, so that tests can move it."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep; cancellable."""
        ...
