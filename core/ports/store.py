"""The database: steps, heads, messages, settings, money."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from core.audit import AuditEntry
from core.budgets import Caps, Spending, Usage
from core.errors import Charged
from core.post import PostedMessage
from core.types import (
    Head,
    MessageRole,
    Money,
    Picture,
    Place,
    SessionId,
    Step,
    StepId,
    StepState,
    Tenant,
)


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
        self,
        tenant: Tenant,
        session: SessionId,
        limit: int = 200,
    ) -> list[Step]:
        """The session's newest steps, oldest first."""
        ...

    async def chain(self, tenant: Tenant, step: StepId) -> list[Step]:
        """The steps from a root down to this one. Raises NotFound."""
        ...

    async def newest_from(
        self,
        tenant: Tenant,
        session: SessionId,
        parent: str | None,
    ) -> Step | None:
        """The session's newest step made from this one, None: its newest root. Pictures only."""
        ...

    async def open_steps(self, limit: int | None = None) -> list[Step]:
        """Unfinished steps in the order they are served: all, or the first ``limit``."""
        ...

    async def newest_open_step(
        self,
        tenant: Tenant,
        person: str,
    ) -> Step | None:
        """The person's newest unfinished step."""
        ...

    async def line(
        self,
        account: str,
        model: str,
        limit: int = 200,
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
        self,
        tenant: Tenant,
        session: SessionId,
        head: Head | None,
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
        self,
        tenant: Tenant,
        step: StepId,
        *,
        may_turn_up: bool = False,
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

    async def withhold(self, step: Step, outputs: Sequence[Picture]) -> None:
        """Hold the results of a step that was cancelled too late."""
        ...

    async def release_results(self, tenant: Tenant, step: StepId) -> Step:
        """Release withheld results: CANCELLED → MADE. Without any, nothing changes."""
        ...

    async def finish(self, tenant: Tenant, step: StepId) -> Step | None:
        """The result has been posted: MADE → DONE."""
        ...

    async def begin_progress(
        self,
        tenant: Tenant,
        step: StepId,
        until: datetime,
    ) -> bool:
        """Note that a progress line may be on its way until then. False when none may be shown."""
        ...

    async def end_progress(self, tenant: Tenant, step: StepId) -> None:
        """The progress line has arrived, or never will."""
        ...

    async def progress_until(
        self,
        tenant: Tenant,
        step: StepId,
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
        self,
        tenant: Tenant,
        step: StepId,
        now: datetime,
    ) -> Step:
        """Cancel at once and free while QUEUED.

        Otherwise mark it, and the flow drops the result.
        """
        ...

    async def task_ids(
        self,
        account: str,
        model: str,
        since: datetime,
    ) -> list[str]:
        """Task ids recorded since then, for any tenant: a lost submit's task is none of these."""
        ...

    async def durations(
        self,
        account: str,
        model: str,
        limit: int = 20,
    ) -> list[float]:
        """Seconds the service worked on the newest steps of a model."""
        ...

    async def oldest_open(self) -> dict[StepState, datetime]:
        """When the oldest step of each state before an end was created, of all tenants."""
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
        self,
        tenant: Tenant,
        job: str,
        role: MessageRole,
    ) -> bool:
        """Note a post before it is sent: True the first time.

        Otherwise it may have gone through, and is read back first.
        """
        ...

    async def recent(
        self,
        tenant: Tenant,
        person: str,
        limit: int,
    ) -> list[Step]:
        """The newest steps with pictures of one person, newest first."""
        ...

    async def record_thumbnail(
        self,
        tenant: Tenant,
        picture: str,
        thumbnail: str,
    ) -> bool:
        """Which blob is a picture's thumbnail. False when the picture is no longer there."""
        ...

    async def record_lives(
        self,
        tenant: Tenant,
        step: StepId,
        lives: int,
    ) -> None:
        """Record of a step on its last life whether it runs alone (LIVES + 1).

        One that has got on meanwhile has begun its lives again, and keeps them.
        """
        ...

    async def lives(self, tenant: Tenant, step: StepId) -> int:
        """How many processes have had a step in hand since it last got on."""
        ...

    async def add_note(
        self,
        tenant: Tenant,
        step: StepId,
        note: str,
    ) -> None:
        """Add the key of a message about a step's pictures, once."""
        ...

    async def choose_picture(
        self,
        tenant: Tenant,
        step: StepId,
        index: int,
    ) -> None:
        """Record which picture of a step was settled on."""
        ...

    async def delete_step(
        self,
        tenant: Tenant,
        step: StepId,
        now: datetime,
    ) -> list[str]:
        """Mark a step deleted and move heads off it; return its blobs that nothing else needs."""
        ...

    async def leftovers(self) -> list[tuple[Tenant, StepId]]:
        """Deleted steps that still have pictures, or left them as inputs of others."""
        ...

    async def forget_outputs(self, tenant: Tenant, step: StepId) -> list[str]:
        """Once the bytes are gone: remove the rows that point to them.

        Returns thumbnails that nothing else needs.
        """
        ...

    async def count_with_pictures(
        self,
        tenant: Tenant,
        session: SessionId,
    ) -> int:
        """How many steps of a session still have their pictures."""
        ...

    async def forget_workspace(self, tenant: Tenant) -> None:
        """Delete everything of a workspace, settings and money included."""
        ...

    async def note_failed_delivery(self, tenant: Tenant, step: StepId) -> None:
        """Note that a result is still to be shown: neither place nor person accepted it."""
        ...

    async def failed_deliveries(self) -> list[tuple[Tenant, StepId]]:
        """The steps with results still to be shown, the oldest first."""
        ...

    async def take_failed_delivery(self, tenant: Tenant, step: StepId) -> bool:
        """Take it to show it now. True only for the first caller."""
        ...

    async def message_of(
        self,
        step: Step,
        role: MessageRole = MessageRole.STATUS,
    ) -> PostedMessage | None:
        """The message of a step in that role."""
        ...

    async def messages_of(self, step: Step) -> list[PostedMessage]:
        """Every message that shows a step, copies and answers included."""
        ...

    async def remember_drawing(
        self, sent: PostedMessage, steps: Sequence[str]
    ) -> None:
        """Record which steps the drawn picture of a message shows; nothing for none."""
        ...

    async def drawings_of(self, step: Step) -> list[PostedMessage]:
        """Every message with a drawn picture of a step: histories, comparisons."""
        ...

    async def step_of_message(self, place: Place, message: str) -> StepId:
        """The step that one of our messages shows. Raises NotFound."""
        ...

    async def settings(self, tenant: Tenant) -> dict[str, Any]:
        """The workspace's settings; empty when never set."""
        ...

    async def save_settings(
        self,
        tenant: Tenant,
        settings: Mapping[str, Any],
        entries: Sequence[AuditEntry] = (),
    ) -> None:
        """Replace the workspace's settings, and record who changed what."""
        ...

    async def record(
        self, tenant: Tenant, entries: Sequence[AuditEntry]
    ) -> None:
        """Add entries to the audit log; one that is there already changes nothing."""
        ...

    async def audit(
        self, tenant: Tenant, limit: int, offset: int = 0
    ) -> list[AuditEntry]:
        """The newest entries of the audit log and what was asked, newest first."""
        ...

    async def count_audit(self, tenant: Tenant) -> int:
        """How many of these there are."""
        ...

    async def pause(self, tenant: Tenant, now: datetime) -> None:
        """Begin nothing for the workspace from now on; no matter if it is paused."""
        ...

    async def resume(self, tenant: Tenant) -> None:
        """Begin what has waited during the pause, and what comes."""
        ...

    async def pauses(self) -> frozenset[str]:
        """The workspaces that are paused."""
        ...

    async def has_pause(self, tenant: Tenant) -> bool:
        """Whether the workspace is paused."""
        ...

    async def usage(self, tenant: Tenant, since: datetime) -> list[Spending]:
        """Who spent what from that day on, holds included."""
        ...

    async def usage_by_model(
        self, tenant: Tenant, since: datetime
    ) -> list[Usage]:
        """Who spent what with which model from that day on, oldest first."""
        ...
