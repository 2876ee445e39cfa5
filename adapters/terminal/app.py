"""One command of the terminal from request to end.

Hand it to the service, wait for its last post, report.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from adapters.terminal.chat import TerminalChat
from adapters.terminal.decode import PLACE, TerminalReply
from core import sessions
from core.errors import DeliveryError, EaselError
from core.i18n import translate
from core.incoming import Incoming
from core.ports import Store
from core.post import Post, PostedMessage
from core.service import Answer, Service
from core.types import Step, StepId, StepState
from core.views import steps

OK, FAILED, REFUSED = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How it went: an exit code, and the object ``--json`` prints."""

    code: int
    data: dict[str, Any]


class Terminal:
    """The terminal's side of Easel, for one person in front of it."""

    def __init__(self, service: Service, store: Store, chat: TerminalChat) -> None:
        self._service = service
        self._store = store
        self._chat = chat

    async def run(self, request: Incoming) -> Report:
        """Do what was asked and say how it went."""
        started = time.monotonic()
        try:
            meaning = await self._service.understand(request)
            answer = await self._service.answer(meaning) if meaning else Answer()
        except EaselError as error:
            return await self.refuse(error, request)
        if answer.accepted is None:
            return await self._say_at_once(
                request,
                answer.post or steps.note_post("status.nothing", request.locale),
            )
        try:
            last = await self.end(answer.accepted)
        except DeliveryError as error:
            return Report(
                code=FAILED,
                data=_error(
                    error.key,
                    translate(error.key, request.locale, **error.params),
                    "yes",
                ),
            )
        return await self._ended(
            request, answer.accepted, last, time.monotonic() - started
        )

    async def _say_at_once(self, request: Incoming, post: Post) -> Report:
        job = StepId(post.job)
        try:
            await self._chat.update(_sent(request, job), post)
        except DeliveryError as error:
            return Report(
                code=FAILED,
                data=_error(
                    error.key,
                    translate(error.key, request.locale, **error.params),
                    "no",
                ),
            )
        if post.reason:
            return Report(code=REFUSED, data=_error(post.reason, post.text, "no"))
        return await self._answered(request, job)

    async def refuse(self, error: EaselError, request: Incoming) -> Report:
        """Say no, and why."""
        await self._chat.update(
            _sent(request, StepId("")), steps.refusal_post(error, request.locale)
        )
        message = translate(error.key, request.locale, **error.params)
        return Report(code=REFUSED, data=_error(error.key, message, "no"))

    async def unfinished(self) -> list[StepId]:
        """Jobs of this terminal that an earlier process left."""
        return [
            step.id
            for step in await self._store.open_steps()
            if step.tenant == PLACE.tenant
        ]

    async def end(self, job: StepId) -> Post:
        """The job's last word, once all of it is written down.

        Leaving earlier would have it said again next time.

        Raises DeliveryError when its pictures could not be written.
        """
        try:
            return await self._chat.end_of(job)
        finally:
            await self._settled(job)

    async def _settled(self, job: StepId) -> None:
        with suppress(EaselError):
            # What ends it is another task's transaction, which tells nobody.
            while not (await self._store.step(PLACE.tenant, job)).state.is_final:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def _answered(self, request: Incoming, job: StepId) -> Report:
        files = [str(path) for path in self._chat.files.get(job, [])]
        session = sessions.person_session(PLACE, request.person.id)
        head = await self._store.head(PLACE.tenant, session)
        return Report(
            code=OK,
            data={
                "action": request.operation,
                "step": head.step if head else None,
                "files": files,
            },
        )

    async def _ended(
        self, request: Incoming, job: StepId, last: Post, seconds: float
    ) -> Report:
        try:
            step = await self._store.step(PLACE.tenant, job)
        except EaselError:
            # Refused after it was taken: no step was begun, and the refusal has been said.
            return Report(code=REFUSED, data=_error(last.reason, last.text, "no"))
        if step.state in {StepState.MADE, StepState.DONE}:
            return Report(code=OK, data=self._result(request, step, seconds))
        key = step.error or "status.broken"
        message = translate(
            key, step.locale, **{"reference": step.id, **step.error_params}
        )
        return Report(code=FAILED, data=_error(key, message, step.charged))

    def _result(self, request: Incoming, step: Step, seconds: float) -> dict[str, Any]:
        files = self._chat.files.get(step.id, [])
        return {
            "request": request.key,
            "step": step.id,
            "parent": step.parent,
            "action": step.action.value,
            "model": step.model,
            "seed": step.seed,
            "version": step.number,
            "pictures": [
                {
                    "path": str(path),
                    "width": picture.width,
                    "height": picture.height,
                    "format": picture.media_type.rpartition("/")[2],
                    "sha256": picture.key,
                    "bytes": picture.length,
                }
                for path, picture in zip(files, step.outputs, strict=True)
            ],
            "cost": {"amount": str(step.cost.amount), "currency": step.cost.currency}
            if step.cost
            else None,
            "task_id": step.task_id,
            "request_id": step.request_id,
            "seconds": round(seconds, 3),
        }


def _sent(request: Incoming, job: StepId) -> PostedMessage:
    return PostedMessage(
        place=request.place, message=f"{job}|{TerminalReply.read(request.reply).out}"
    )


def _error(key: str, message: str, charged: str) -> dict[str, Any]:
    return {"error": {"key": key, "message": message, "charged": charged}}
