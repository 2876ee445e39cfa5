"""Listens to Slack: acknowledges after one durable commit, opens modals and the home tab at once. Nothing else."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy.exc import SQLAlchemyError

from adapters.slack import decode, render
from adapters.slack.chat import SlackChat
from core.answers import looking
from core.errors import EaselError, Rejected
from core.flow import asking, hear
from core.flow.tools import Tools
from core.forms import FUNCTION
from core.messages import say
from core.service import ASKS_FIRST, Service
from core.types import Action, Request

COMMANDS = re.compile(r"/(draw|edit|wanx|easel)")
PATIENCE = 2.0
"""Seconds the commit may take; Slack waits three for the acknowledgement."""
ASKING = 500
"""Modals and home tabs in the making at a time."""
Payload = Mapping[str, Any]

log = structlog.get_logger()


class SlackApp:
    """One Bolt app for every workspace."""

    def __init__(self, service: Service, tools: Tools, chat: SlackChat, client: AsyncWebClient, locale: str) -> None:
        self._service = service
        self._tools = tools
        self._chat = chat
        self._locale = locale
        self._soon: set[asyncio.Task[None]] = set()
        quiet = logging.getLogger("slack")
        quiet.setLevel(logging.ERROR)
        # Tokens are looked up when something is said, never before the acknowledgement; our guard has checked
        # signatures; decode tells our own events apart. A listener ends before Slack is answered: it only commits.
        self.bolt = AsyncApp(
            logger=quiet,
            client=client,
            authorize=_nobody_yet,
            request_verification_enabled=False,
            ignoring_self_events_enabled=False,
            process_before_response=True,
        )
        self.bolt.command(COMMANDS)(self._command)
        self.bolt.action(re.compile(""))(self._pressed)
        self.bolt.view(decode.MODAL)(self._filled)
        self.bolt.shortcut(decode.SHORTCUT)(self._shortcut)
        self.bolt.event(re.compile(""))(self._event)

    async def close(self) -> None:
        """Give up what is being asked; nothing durable is."""
        for task in self._soon:
            task.cancel()
        await asyncio.gather(*self._soon, return_exceptions=True)

    # What Slack delivers

    async def _command(self, ack: AsyncAck, body: Payload) -> None:
        wish = decode.command(body)
        asked = _asked(wish)
        if asked is None:
            await self._hear(wish, ack)
            return
        await ack()
        self._begin(wish, self._open(asked))

    async def _pressed(self, ack: AsyncAck, body: Payload) -> None:
        try:
            pressed = decode.pressed(body)
        except Rejected as error:
            await ack()
            wish = decode.where_pressed(body, Action.HELP)
            self._begin(wish, self._say_no(error))
            return
        if pressed is None:
            await ack()
        elif pressed.kind in ASKS_FIRST:
            await ack()
            self._begin(pressed.request, self._open(pressed.request))
        else:
            await self._hear(pressed.request, ack)

    async def _filled(self, ack: AsyncAck, body: Payload) -> None:
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
            words = say(error.key, locale, **error.params)
            await ack(response_action="errors", errors={_field(body, error): words})
        else:
            await ack()

    async def _shortcut(self, ack: AsyncAck, body: Payload) -> None:
        await ack()
        wish = decode.shortcut(body)
        self._begin(wish, self._open(wish))

    async def _event(self, ack: AsyncAck, body: Payload) -> None:
        """A failure is answered with 500, or not at all: then Slack delivers the event again."""
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
        await ack()

    async def _hear(self, wish: Request, ack: AsyncAck) -> None:
        """Slack delivers this only once, so that a slow disk is told to the person: commands in the very answer."""
        if await self._kept(wish):
            await ack()
        elif wish.action is Action.SAID:
            await ack(response_type="ephemeral", text=render.escape(say("refuse.busy", wish.locale or self._locale)))
        else:
            await ack()
            self._begin(wish, self._say_no(Rejected("refuse.busy")))

    async def _kept(self, wish: Request) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._service.hear(wish)
        except (TimeoutError, SQLAlchemyError, OSError):
            log.exception("not_kept")
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

    async def _careful(self, wish: Request, what: Callable[[Request], Awaitable[None]]) -> None:
        told = wish
        try:
            found = await self._chat.complete(wish)
            if found is None:
                return
            told = found
            await what(told)
        except EaselError as error:
            await asking.refuse(self._tools, told, error)
        except Exception:
            log.exception("asking_broke")
            await asking.refuse(self._tools, told, EaselError("status.broken", reference=told.key[-12:]))

    def _open(self, meant: Request) -> Callable[[Request], Awaitable[None]]:
        """Show the form of a button, a shortcut or a command without words."""

        async def open_form(told: Request) -> None:
            wish = replace(told, action=meant.action, text=meant.text, given=meant.given)
            if wish.message:
                wish = await hear.shown(self._tools, wish)
            form = await self._service.ask(wish)
            await asking.ask(self._tools, wish, form)

        return open_form

    def _say_no(self, error: EaselError) -> Callable[[Request], Awaitable[None]]:
        async def say_no(told: Request) -> None:
            await asking.refuse(self._tools, told, error)

        return say_no

    async def _home(self, told: Request) -> None:
        await self._chat.publish_home(told, await looking.home(self._tools, told))


async def _nobody_yet(enterprise_id: str | None, team_id: str | None, **_: Any) -> AuthorizeResult:
    """Whose token it takes is asked when something is said."""
    return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token="")


def _asked(wish: Request) -> Request | None:
    """The command to ask in a form, when it came without the words it needs; None for any other."""
    try:
        meant = hear.spoken(wish, in_our_thread=False)
    except Rejected as error:
        has_no_function = error.key == "grammar.word_missing"
        return replace(wish, action=Action.STYLE, text="", given={FUNCTION: ""}) if has_no_function else None
    return meant if hear.needs_words(meant) or meant.action is Action.SETTINGS else None


def _field(body: Payload, error: EaselError) -> str:
    """Where in a modal an error stands: at the option it names, else at the first field."""
    names = list(body["view"]["state"]["values"]) or ["prompt"]
    named = str(error.params.get("option", "")).lstrip("-")
    return named if named in names else "prompt" if "prompt" in names else names[0]
