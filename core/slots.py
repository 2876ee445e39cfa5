"""The slots at the image service: when one is free, the next step in line is claimed and begun.

There is no polling: a line is looked at when a step joins it, when a slot becomes free, when the
service's limit lets the next one go, and when the pause after a refusal is over.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from core.errors import Retryable
from core.flow.context import TRANSIENT, Context, outlast
from core.flow.outages import OutageLog
from core.ports import Claims
from core.types import Claim
from core.window import Window

MAX_PAUSE = 60.0
"""Longest time in seconds until a service that refuses is asked again."""
MAX_OUTAGE_PAUSE = 5.0
"""Longest time in seconds until a database that is away is asked again."""

Name = tuple[str, str]
"""Account and model of a line, or tenant and id of a step."""

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Line:
    """The steps of one account and model that wait their turn.

    ``at_service``: this worker's steps there, by tenant and id. ``paused_until`` is monotonic; a
    slot that becomes free ends the pause if it ``may_end_early``.
    """

    window: Window
    at_service: set[Name] = field(default_factory=set)
    pause: float = 0.0
    paused_until: float = 0.0
    may_end_early: bool = True


@dataclass(kw_only=True)
class Slots:
    """Claims steps and begins them; ``run`` it as a task.

    ``begin`` is called with each claim; ``is_begun`` says whether this process works on its step.
    """

    context: Context
    claims: Claims
    begin: Callable[[Claim], None]
    is_begun: Callable[[Claim], bool]
    first_pause: float
    _lines: dict[Name, Line] = field(default_factory=dict)
    _due: set[Name] = field(default_factory=set)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _is_unsure: bool = False

    def wake(self, account: str, model: str) -> None:
        """Look at a line soon."""
        self._due.add((account, model))
        self._woken.set()

    async def wake_all(self) -> None:
        """Look at every line in which a step is waiting."""
        for account, model in await self.claims.lines():
            self.wake(account, model)

    async def run(self) -> None:
        """Fill free slots, for ever. Cancel it to stop."""
        outage = OutageLog("claims")
        pause = self.first_pause
        while True:
            await self._woken.wait()
            self._woken.clear()
            due = self._due
            self._due = set()
            for account, model in due:
                try:
                    await self._begin_missed()
                    await self._fill(account, model)
                except Exception as error:
                    # One line that breaks must not hold up the others.
                    if isinstance(error, TRANSIENT):
                        outage.begin(error)
                    else:
                        log.exception(
                            "claim_broke", account=account, model=model
                        )
                    self._is_unsure = True
                    self._wake_later(account, model, pause)
                    pause = min(pause * 2, MAX_OUTAGE_PAUSE)
                else:
                    outage.end()
                    pause = self.first_pause

    def recheck(self) -> None:
        """Begin our claims that are not being worked on, with the next look at any line."""
        self._is_unsure = True

    def hold(self, claim: Claim) -> None:
        """Count a claim as one of those at the service."""
        line = self._line(claim.account, claim.model)
        line.at_service.add((claim.tenant, claim.step))

    def accept(self, claim: Claim) -> None:
        """The service has accepted the step."""
        line = self._line(claim.account, claim.model)
        line.window.accept()
        line.pause = line.paused_until = 0.0
        self.wake(claim.account, claim.model)

    async def refuse(self, claim: Claim, error: Retryable) -> None:
        """The service would not take the step now: put it back in line, and pause the line."""
        line = self._line(claim.account, claim.model)
        line.at_service.discard((claim.tenant, claim.step))
        if error.key == "provider.busy":
            line.window.refuse(len(line.at_service))
        # Not a retry (core/retrying.py): a timer wakes the line, and other steps may go first.
        doubled = min(line.pause * 2, MAX_PAUSE)
        line.pause = doubled or self.first_pause
        delay = error.retry_after or line.pause
        line.paused_until = time.monotonic() + delay
        line.may_end_early = error.retry_after is None
        now = self.context.clock.now()
        try:
            # Nothing else may happen to the step until it is back in line, least of all a submit.
            await outlast(
                self.context,
                claim.step,
                lambda: self.claims.release(claim, now),
            )
        finally:
            seconds = line.paused_until - time.monotonic()
            self._wake_later(claim.account, claim.model, max(seconds, 0))

    def drop(self, claim: Claim) -> None:
        """Stop counting a step that this process no longer works on."""
        line = self._line(claim.account, claim.model)
        line.at_service.discard((claim.tenant, claim.step))

    async def free(self, claim: Claim) -> None:
        """The service has finished with the step: its slot is free."""
        line = self._line(claim.account, claim.model)
        line.at_service.discard((claim.tenant, claim.step))
        if line.may_end_early:
            line.paused_until = 0.0
        await self.claims.free(claim)
        self.wake(claim.account, claim.model)

    async def _begin_missed(self) -> None:
        # A claim that raised may have been committed: then nobody works on what it took.
        if not self._is_unsure:
            return
        for claim in await self.claims.own_claims():
            if not self.is_begun(claim):
                self.hold(claim)
                self.begin(claim)
        self._is_unsure = False

    async def _fill(self, account: str, model: str) -> None:
        line = self._line(account, model)
        if time.monotonic() < line.paused_until:
            return
        # A step of a model that has left the catalogue is claimed, too: its job says so.
        rule = self.context.catalog.models.get(model)
        limit = None if rule is None else rule.submit_limit
        now = self.context.clock.now()
        claims, seconds = await self.claims.claim(
            account,
            model,
            line.window.size,
            limit,
            now,
        )
        for claim in claims:
            self.hold(claim)
            self.begin(claim)
        if seconds is not None:
            self._wake_later(account, model, seconds)

    def _line(self, account: str, model: str) -> Line:
        name = (account, model)
        if name not in self._lines:
            window = self.context.window(account, model)
            self._lines[name] = Line(window=window)
        return self._lines[name]

    def _wake_later(self, account: str, model: str, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, self.wake, account, model)
