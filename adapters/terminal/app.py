"""One command of the terminal, from the request to its last post."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapters.terminal import reports
from adapters.terminal.chat import TerminalChat
from adapters.terminal.decode import PLACE, TerminalReply
from core import budgets, sessions
from core.errors import DeliveryError, EaselError
from core.flow.replies import could_cost
from core.i18n import translate
from core.incoming import Incoming
from core.operations import Action
from core.ports import Store
from core.post import Post, PostedMessage
from core.service import Answer, Service
from core.types import Step, StepId, StepState
from core.views import steps

Json = dict[str, Any]
"""A JSON object."""

OK, FAILED, REFUSED = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The end of a command: an exit code, and the object that ``--json`` prints."""

    code: int
    data: Json


class Terminal:
    """One person's terminal."""

    def __init__(
        self, service: Service, store: Store, chat: TerminalChat
    ) -> None:
        self._service = service
        self._store = store
        self._chat = chat

    async def run(self, request: Incoming) -> Report:
        """Run the command and report how it ended."""
        started = time.monotonic()
        try:
            meaning = await self._service.understand(request)
            answer = (
                await self._service.answer(meaning) if meaning else Answer()
            )
        except EaselError as error:
            return await self.refuse(error, request)
        if answer.accepted is None:
            return await self._say_at_once(
                request,
                answer.post
                or steps.note_post("status.nothing", request.locale),
            )
        try:
            last = await self.end(answer.accepted)
        except DeliveryError as error:
            return _failure(error, request.locale, "yes")
        return await self._report_end(
            request, answer.accepted, last, time.monotonic() - started
        )

    async def _say_at_once(self, request: Incoming, post: Post) -> Report:
        job = StepId(post.job)
        try:
            await self._chat.update(_message(request, job), post)
        except DeliveryError as error:
            return _failure(error, request.locale, "no")
        if post.reason:
            return Report(
                code=REFUSED, data=_error(post.reason, post.text, "no")
            )
        return await self._report_answer(request, job)

    async def refuse(self, error: EaselError, request: Incoming) -> Report:
        """Refuse the command, and say why."""
        post = steps.refusal_post(
            error, request.locale, could_cost=could_cost(request)
        )
        await self._chat.update(_message(request, StepId("")), post)
        return refusal(error, request.locale)

    async def unfinished(self) -> list[StepId]:
        """Jobs of this terminal that an earlier process left."""
        open_steps = await self._store.open_steps()
        return [step.id for step in open_steps if step.tenant == PLACE.tenant]

    async def end(self, job: StepId) -> Post:
        """Wait for the job's last post, and until all of it is recorded.

        Leaving earlier would have it posted again at the next start.

        Raises DeliveryError when its pictures could not be written.
        """
        try:
            return await self._chat.end_of(job)
        finally:
            await self._wait_for_end(job)

    async def _wait_for_end(self, job: StepId) -> None:
        with suppress(EaselError):
            step = await self._store.step(PLACE.tenant, job)
            while not step.state.is_final:
                # Another task's transaction ends it, and signals nothing.
                await asyncio.sleep(0.01)
                step = await self._store.step(PLACE.tenant, job)

    async def _report_answer(self, request: Incoming, job: StepId) -> Report:
        files = [str(path) for path in self._chat.files.get(job, [])]
        session = sessions.person_session(PLACE, request.person.id)
        head = await self._store.head(PLACE.tenant, session)
        report: Json = {
            "action": request.operation,
            "step": head.step if head else None,
            "files": files,
        }
        action = Action(request.operation)
        if action is Action.HISTORY:
            tree = await self._store.history(PLACE.tenant, session)
            report |= reports.describe_tree(tree, head)
        elif action in {Action.INFO, Action.SHOW} and job:
            step = await self._store.step(PLACE.tenant, job)
            report |= reports.describe_step(step)
        elif action is Action.USAGE:
            report |= await self._spending()
        elif action is Action.AUDIT:
            report["entries"] = await self._audit(request)
        elif action is Action.BUDGET:
            settings = await self._store.settings(PLACE.tenant)
            report["budgets"] = reports.describe_caps(budgets.caps(settings))
        return Report(code=OK, data=report)

    async def _audit(self, request: Incoming) -> list[Json]:
        """Every entry, the newest first: a program has no use for pages."""
        count = await self._store.count_audit(request.place.tenant)
        entries = await self._store.audit(request.place.tenant, count)
        return [reports.describe_entry(entry) for entry in entries]

    async def _spending(self) -> Json:
        month = budgets.month_start(datetime.now(UTC))
        spending = await self._store.usage(PLACE.tenant, month)
        return {
            "since": month.isoformat(),
            **reports.describe_spending(spending),
        }

    async def _report_end(
        self, request: Incoming, job: StepId, last: Post, seconds: float
    ) -> Report:
        try:
            step = await self._store.step(PLACE.tenant, job)
        except EaselError:
            # Refused after it was taken: no step was begun, and the refusal has been said.
            return Report(
                code=REFUSED, data=_error(last.reason, last.text, "no")
            )
        if step.state in {StepState.MADE, StepState.DONE}:
            return Report(code=OK, data=self._result(request, step, seconds))
        key = step.error or "status.broken"
        params = {"reference": step.id, **step.error_params}
        message = translate(key, step.locale, **params)
        return Report(code=FAILED, data=_error(key, message, step.charged))

    def _result(self, request: Incoming, step: Step, seconds: float) -> Json:
        paths = self._chat.files.get(step.id, [])
        # A pipe has no files.
        pictures = [
            reports.describe_file(path, picture)
            for path, picture in zip(paths, step.outputs, strict=False)
        ]
        return {
            "request": request.key,
            "step": step.id,
            "parent": step.parent,
            "action": step.action.value,
            "model": step.model,
            "seed": step.seed,
            "version": step.number,
            "pictures": pictures,
            "inputs": reports.describe_inputs(request, step),
            "cost": reports.describe_money(step.cost),
            "task_id": step.task_id,
            "request_id": step.request_id,
            "seconds": round(seconds, 3),
        }


def refusal(error: EaselError, locale: str) -> Report:
    """A refusal of the whole command."""
    message = translate(error.key, locale, **error.params)
    return Report(code=REFUSED, data=_error(error.key, message, "no"))


def _message(request: Incoming, job: StepId) -> PostedMessage:
    out = TerminalReply.read(request.reply).out
    return PostedMessage(place=request.place, message=f"{job}|{out}")


def _failure(error: EaselError, locale: str, charged: str) -> Report:
    words = translate(error.key, locale, **error.params)
    return Report(code=FAILED, data=_error(error.key, words, charged))


def _error(key: str, message: str, charged: str) -> Json:
    return {"error": {"key": key, "message": message, "charged": charged}}
