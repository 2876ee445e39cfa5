"""Listens to Slack: acknowledges after one durable commit, opens modals and the home tab at once.

Nothing else.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from adapters.slack import decode, render
from adapters.slack.chat import SlackChat
from core.answers import queries
from core.errors import EaselError, Rejected
from core.flow import hear, replies
from core.flow.context import Context
from core.forms import FUNCTION
from core.i18n import translate
from core.operations import ASKS_FIRST
from core.service import Service
from core.types import Action, Request

COMMANDS = re.compile(r"/(draw|edit|wanx|easel)")
SHORTCUTS = frozenset({"message_action", "shortcut"})
PATIENCE = 2.0
"""Seconds the commit may take; Slack waits three for the acknowledgement."""
ASKING = 500
"""Modals and home tabs in the making at a time."""
Payload = Mapping[str, Any]

log = structlog.get_logger()


class SlackApp:
    """One for every workspace, however Slack reaches us."""

    def __init__(
        self, service: Service, context: Context, chat: SlackChat, locale: str
    ) -> None:
        self._service = service
        self._context = context
        self._chat = chat
        self._locale = locale
        self._soon: set[asyncio.Task[None]] = set()

    async def deliver(self, body: Payload) -> Payload | None:
        """What Slack is answered, None for nothing but yes; also to what we know nothing of.

        Raises whatever broke before the commit: then it is not acknowledged, and Slack may deliver
        it again.
        """
        if "command" in body:
            return (
                await self._command(body)
                if COMMANDS.search(str(body["command"]))
                else None
            )
        kind = body.get("type")
        if kind == "url_verification":
            return {"challenge": body.get("challenge")}
        if kind == "block_actions":
            return await self._pressed(body)
        if (
            kind == "view_submission"
            and body["view"].get("callback_id") == decode.MODAL
        ):
            return await self._filled(body)
        if kind == "event_callback":
            await self._event(body)
        elif kind in SHORTCUTS and body.get("callback_id") == decode.SHORTCUT:
            self._shortcut(body)
        return None

    async def close(self) -> None:
        """Give up what is being asked; nothing durable is."""
        for task in self._soon:
            task.cancel()
        await asyncio.gather(*self._soon, return_exceptions=True)

    # What Slack delivers

    async def _command(self, body: Payload) -> Payload | None:
        wish = decode.command(body)
        asked = _asked(wish)
        if asked is None:
            return await self._hear(wish)
        self._begin(wish, self._open(asked))
        return None

    async def _pressed(self, body: Payload) -> Payload | None:
        try:
            pressed = decode.pressed(body)
        except Rejected as error:
            wish = decode.where_pressed(body, Action.HELP)
            self._begin(wish, self._say_no(error))
            return None
        if pressed is None:
            return None
        if pressed.kind in ASKS_FIRST:
            self._begin(pressed.request, self._open(pressed.request))
            return None
        return await self._hear(pressed.request)

    async def _filled(self, body: Payload) -> Payload | None:
        """A modal: what is wrong in itself is said in it; else it closes."""
        locale = self._locale
        try:
            wish = decode.filled(body)
            locale = wish.locale
            if wish.action.makes_pictures:
                self._service.check(wish)
            if not await self._kept(wish):
                raise Rejected("refuse.busy")
        except EaselError as error:
            words = translate(error.key, locale, **error.params)
            return {"response_action": "errors", "errors": {_field(body, error): words}}
        return None

    def _shortcut(self, body: Payload) -> None:
        wish = decode.shortcut(body)
        self._begin(wish, self._open(wish))

    async def _event(self, body: Payload) -> None:
        kind = body["event"]["type"]
        if kind == "app_home_opened":
            self._begin(decode.opened_home(body), self._home)
            return
        read = {
            "message": decode.said,
            "app_mention": decode.said,
            "reaction_added": decode.reacted,
            "reaction_removed": decode.reacted,
            "app_uninstalled": decode.left,
            "tokens_revoked": decode.left,
        }.get(kind)
        wish = read(body) if read else None
        async with asyncio.timeout(PATIENCE):
            if wish is not None and wish.action is Action.LEFT:
                wish = await self._chat.leaving(wish)
            if wish is not None:
                await self._service.hear(wish)

    async def _hear(self, wish: Request) -> Payload | None:
        """Slack delivers this only once, so that a slow disk is told to the person.

        Commands in the very answer.
        """
        if await self._kept(wish):
            return None
        if wish.action is Action.SAID:
            words = render.escape(translate("refuse.busy", wish.locale or self._locale))
            return {"response_type": "ephemeral", "text": words}
        self._begin(wish, self._say_no(Rejected("refuse.busy")))
        return None

    async def _kept(self, wish: Request) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._service.hear(wish)
        except (TimeoutError, SQLAlchemyError, OSError) as error:
            log.error("not_kept", error=repr(error)[:200])
            return False
        return True

    # What cannot wait for a job: a modal's trigger lives three seconds

    def _begin(self, wish: Request, what: Callable[[Request], Awaitable[None]]) -> None:
        if len(self._soon) >= ASKING:
            log.warning("too_many_asked")
            return
        task = asyncio.create_task(self._careful(wish, what), name="slack asks")
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)

    async def _careful(
        self, wish: Request, what: Callable[[Request], Awaitable[None]]
    ) -> None:
        told = wish
        try:
            found = await self._chat.complete(wish)
            if found is None:
                return
            told = found
            await what(told)
        except EaselError as error:
            await replies.refuse(self._context, told, error)
        except Exception:
            log.exception("asking_broke")
            await replies.refuse(
                self._context,
                told,
                EaselError("status.broken", reference=told.key[-12:]),
            )

    def _open(self, meant: Request) -> Callable[[Request], Awaitable[None]]:
        """Show the form of a button, a shortcut or a command without words."""

        async def open_form(told: Request) -> None:
            wish = replace(
                told, action=meant.action, text=meant.text, given=meant.given
            )
            if wish.message:
                wish = await hear.shown(self._context, wish)
            form = await self._service.ask(wish)
            await replies.show_form(self._context, wish, form)

        return open_form

    def _say_no(self, error: EaselError) -> Callable[[Request], Awaitable[None]]:
        async def say_no(told: Request) -> None:
            await replies.refuse(self._context, told, error)

        return say_no

    async def _home(self, told: Request) -> None:
        await self._chat.publish_home(told, await queries.home(self._context, told))


def _asked(wish: Request) -> Request | None:
    """The command to ask in a form, when it came without the words it needs; None for any other."""
    try:
        meant = hear.spoken(wish, in_our_thread=False)
    except Rejected as error:
        has_no_function = error.key == "grammar.word_missing"
        return (
            replace(wish, action=Action.STYLE, text="", given={FUNCTION: ""})
            if has_no_function
            else None
        )
    return meant if hear.needs_words(meant) or meant.action is Action.SETTINGS else None


def _field(body: Payload, error: EaselError) -> str:
    """Where in a modal an error stands: at the option it names, else at the first field."""
    names = list(body["view"]["state"]["values"]) or ["prompt"]
    named = str(error.params.get("option", "")).lstrip("-")
    return named if named in names else "prompt" if "prompt" in names else names[0]
