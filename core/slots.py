"""The places at the service: whenever one may be free, the next step in line is claimed and begun.

Nothing is looked at while nothing happens: a line is looked at when a step joins it, when a place
frees, when the service's limit lets the next one go, and when the pause after a refusal is over.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from core.errors import Retryable
from core.flow.context import Context, outlast
from core.ports import Claims
from core.types import Claim
from core.window import Window

MAX_PAUSE = 60.0
"""Seconds at most until a service that refuses is asked again."""

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Line:
    """What is known of one account and model.

    ``at_service``: this worker's steps; times are monotonic seconds.
    """

    window: Window
    at_service: set[tuple[str, str]] = field(default_factory=set)
    pause: float = 0.0
    paused_until: float = 0.0
    may_end_early: bool = True


@dataclass(kw_only=True)
class Slots:
    """Claims steps and begins them; ``run`` it as a task.

    ``begin`` is called with each claim; ``is_begun`` says whether somebody works on its step.
    """

    context: Context
    claims: Claims
    begin: Callable[[Claim], None]
    is_begun: Callable[[Claim], bool]
    first_pause: float
    _lines: dict[tuple[str, str], Line] = field(default_factory=dict)
    _due: set[tuple[str, str]] = field(default_factory=set)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _is_unsure: bool = False

    def wake(self, account: str, model: str) -> None:
        """Look at a line soon."""
        self._due.add((account, model))
        self._woken.set()

    async def wake_all(self) -> None:
        """Look at every line in which a step waits."""
        for account, model in await self.claims.lines():
            self.wake(account, model)

    async def run(self) -> None:
        """Fill what is free, for ever. Cancel it to stop."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            due, self._due = self._due, set()
            for account, model in due:
                try:
                    await self._begin_unheard()
                    await self._fill(account, model)
                except Exception:
                    log.exception("claim_broke", account=account, model=model)
                    self._is_unsure = True
                    self._wake_later(account, model, self.first_pause)

    def doubt(self) -> None:
        """Claims may be ours that nobody works on: begin them with the next look at any line."""
        self._is_unsure = True

    def hold(self, claim: Claim) -> None:
        """Count it as one of those at the service."""
        self._line(claim.account, claim.model).at_service.add(
            (claim.tenant, claim.step)
        )

    def accepted(self, claim: Claim) -> None:
        """The service took it."""
        line = self._line(claim.account, claim.model)
        line.window.accept()
        line.pause = line.paused_until = 0.0
        self.wake(claim.account, claim.model)

    async def refused(self, claim: Claim, error: Retryable) -> None:
        """The service would not have it now: it waits in the line, which is asked again later."""
        line = self._line(claim.account, claim.model)
        line.at_service.discard((claim.tenant, claim.step))
        if error.key == "provider.busy":
            line.window.refuse(len(line.at_service))
        line.pause = min(line.pause * 2, MAX_PAUSE) or self.first_pause
        delay = error.retry_after or line.pause
        line.paused_until = time.monotonic() + delay
        line.may_end_early = error.retry_after is None
        now = self.context.clock.now()
        try:
            # Until it is back in the line nothing else may happen to it, least of all a submit.
            await outlast(
                self.context, claim.step, lambda: self.claims.release(claim, now)
            )
        finally:
            left = max(line.paused_until - time.monotonic(), 0)
            self._wake_later(claim.account, claim.model, left)

    def let_go(self, claim: Claim) -> None:
        """Nobody here works on it any more, however that came."""
        self._line(claim.account, claim.model).at_service.discard(
            (claim.tenant, claim.step)
        )

    async def freed(self, claim: Claim) -> None:
        """The service has finished with it."""
        line = self._line(claim.account, claim.model)
        line.at_service.discard((claim.tenant, claim.step))
        if line.may_end_early:
            line.paused_until = 0.0
        await self.claims.free(claim)
        self.wake(claim.account, claim.model)

    async def _begin_unheard(self) -> None:
        """A claim that broke may have been committed: then nobody works on what it took."""
        if not self._is_unsure:
            return
        for claim in await self.claims.held():
            if not self.is_begun(claim):
                self.hold(claim)
                self.begin(claim)
        self._is_unsure = False

    async def _fill(self, account: str, model: str) -> None:
        line = self._line(account, model)
        if time.monotonic() < line.paused_until:
            return
        known = self.context.catalog.models.get(model)
        limit = known.submit_limit if known else None
        claims, wait = await self.claims.claim(
            account, model, line.window.size, limit, self.context.clock.now()
        )
        for claim in claims:
            self.hold(claim)
            self.begin(claim)
        if wait is not None:
            self._wake_later(account, model, wait)

    def _line(self, account: str, model: str) -> Line:
        name = (account, model)
        if name not in self._lines:
            self._lines[name] = Line(window=self.context.window(account, model))
        return self._lines[name]

    def _wake_later(self, account: str, model: str, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.wake, account, model)
