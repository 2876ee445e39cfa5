"""Listens to Slack: acknowledges after one durable commit, and does nothing else.

Only modals and the home tab, which cannot wait, are opened at once.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from adapters.slack import decode, render
from adapters.slack.chat import SlackChat
from adapters.slack.payloads import PLATFORM
from core.answers import queries
from core.errors import EaselError, Rejected
from core.flow import replies
from core.flow.context import Context
from core.i18n import translate
from core.incoming import Incoming, Kind
from core.operations import command_names
from core.service import Service

COMMANDS = re.compile("/(" + "|".join(command_names()) + ")")
SHORTCUTS = frozenset({"message_action", "shortcut"})
PATIENCE = 2.0
"""Seconds the commit may take; Slack waits three for the acknowledgement."""
ASKING = 500
"""Modals and home tabs in the making at a time."""
Payload = Mapping[str, Any]
Decoded = TypeVar("Decoded")

log = structlog.get_logger()


class SlackApp:
    """Receives the events of every workspace, by Socket Mode or HTTP."""

    def __init__(
        self,
        service: Service,
        context: Context,
        chat: SlackChat,
        locale: str,
    ) -> None:
        self._service = service
        self._context = context
        self._chat = chat
        self._locale = locale
        self._soon: set[asyncio.Task[None]] = set()

    async def deliver(self, body: Payload) -> Payload | None:
        """Handle a delivery and return Slack's answer, None for a plain "ok".

        Raises what broke before the commit: then it is not acknowledged, and Slack may deliver
        it again. Unknown and unreadable deliveries are acknowledged: they will not get better.
        """
        if "command" in body:
            return await self._command(body)
        kind = body.get("type")
        if kind == "url_verification":
            return {"challenge": body.get("challenge")}
        if kind == "block_actions":
            return await self._press(body)
        if kind == "view_submission":
            return await self._submit(body)
        if kind == "event_callback":
            await self._event(body)
        elif kind in SHORTCUTS and body.get("callback_id") == decode.SHORTCUT:
            self._shortcut(body)
        return None

    async def close(self) -> None:
        """Stop opening forms; nothing durable is lost."""
        for task in self._soon:
            task.cancel()
        await asyncio.gather(*self._soon, return_exceptions=True)

    # What Slack delivers

    async def _command(self, body: Payload) -> Payload | None:
        if not COMMANDS.search(str(body["command"])):
            return None
        incoming = _read(decode.command, body)
        if incoming is None:
            return None
        if self._service.asks_first(incoming):
            self._begin(incoming, self._service.open_form)
            return None
        if await self._is_stored(incoming):
            return None
        # Slack delivers this only once, so the answer itself must say that the disk is slow.
        words = render.escape(translate("refuse.busy", self._locale))
        return {"response_type": "ephemeral", "text": words}

    async def _press(self, body: Payload) -> Payload | None:
        incoming = _read(decode.button, body)
        if incoming is None:
            return None
        if self._service.asks_first(incoming):
            self._begin(incoming, self._service.open_form)
        elif not await self._is_stored(incoming):
            self._begin(incoming, self._say_busy)
        return None

    async def _submit(self, body: Payload) -> Payload | None:
        """Receive a modal: mistakes are shown in it, otherwise it closes."""
        locale = self._locale
        try:
            incoming = _read(decode.form, body)
            if incoming is None:
                return None
            locale = incoming.locale
            self._service.check(incoming)
            if not await self._is_stored(incoming):
                raise Rejected("refuse.busy")
        except EaselError as error:
            words = translate(error.key, locale, **error.params)
            return {
                "response_action": "errors",
                "errors": {_field(body, error): words},
            }
        return None

    def _shortcut(self, body: Payload) -> None:
        incoming = _read(decode.shortcut, body)
        if incoming is not None:
            self._begin(incoming, self._service.open_form)

    def back(self) -> None:
        """Slack answers again, or a channel has let us in."""
        self._service.platform_is_back(PLATFORM)

    async def _event(self, body: Payload) -> None:
        if _read(decode.is_invitation, body):
            self.back()
            return
        incoming = _read(decode.event, body)
        if incoming is None:
            return
        if incoming.kind is Kind.HOME:
            self._begin(incoming, self._home)
            return
        async with asyncio.timeout(PATIENCE):
            incoming = await self._chat.at_home(incoming)
            if incoming.kind is Kind.REMOVED:
                removal = await self._chat.leaving(incoming)
                if removal is None:
                    return
                incoming = removal
            await self._service.receive(incoming)

    async def forget_gone(self) -> None:
        """Forget the workspaces that removed us while we could not hear it."""
        try:
            for removal in await self._chat.gone():
                log.info("workspace_left_unheard")
                await self._service.receive(removal)
        except (SQLAlchemyError, OSError) as error:
            # The next start looks again.
            log.warning("installations_unchecked", error=type(error).__name__)

    async def _is_stored(self, incoming: Incoming) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                incoming = await self._chat.at_home(incoming)
                await self._service.receive(incoming)
        except (TimeoutError, SQLAlchemyError, OSError) as error:
            log.error("not_kept", error=repr(error)[:200])
            return False
        return True

    # What cannot wait for a job: a modal's trigger lives three seconds

    def _begin(
        self,
        incoming: Incoming,
        answer: Callable[[Incoming], Awaitable[None]],
    ) -> None:
        if len(self._soon) >= ASKING:
            log.warning("too_many_asked")
            return
        task = asyncio.create_task(
            self._report_errors(incoming, answer), name="slack asks"
        )
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)

    async def _report_errors(
        self,
        incoming: Incoming,
        answer: Callable[[Incoming], Awaitable[None]],
    ) -> None:
        try:
            incoming = await self._chat.at_home(incoming)
            completed = await self._chat.complete(incoming)
            if completed is None:
                return
            incoming = completed
            await answer(incoming)
        except EaselError as error:
            await replies.refuse(self._context, incoming, error)
        except Exception:
            log.exception("asking_broke")
            broken = EaselError("status.broken", reference=incoming.key[-12:])
            await replies.refuse(self._context, incoming, broken)

    async def _say_busy(self, incoming: Incoming) -> None:
        await replies.refuse(self._context, incoming, Rejected("refuse.busy"))

    async def _home(self, incoming: Incoming) -> None:
        await self._chat.publish_home(
            incoming, await queries.home(self._context, incoming)
        )


def _read(
    decoder: Callable[[Payload], Decoded | None],
    body: Payload,
) -> Decoded | None:
    """Decode a delivery. None, with a line in the log, for a shape Slack does not document."""
    try:
        return decoder(body)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        log.warning("delivery_unreadable", error=type(error).__name__)
        return None


def _field(body: Payload, error: EaselError) -> str:
    """Find the field where a modal shows an error: of the option it names, else the first."""
    names = list(body["view"]["state"]["values"]) or ["prompt"]
    named = str(error.params.get("option", "")).lstrip("-")
    if named in names:
        return named
    return "prompt" if "prompt" in names else names[0]
