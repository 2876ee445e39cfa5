"""Listens to Discord: acknowledges after one durable commit, opens modals at once. Nothing else.

Everything pressed or chosen carries its meaning in its id and is understood from the event alone,
so that it works after any restart, and also when its message has changed since: discord.py's views
drop such a press without a word.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import discord
import structlog
from sqlalchemy.exc import SQLAlchemyError

from adapters.discord import decode, render
from adapters.discord.api import CHOICES, MESSAGE, MODAL, THINKING, Api, DiscordError
from adapters.discord.autocomplete import suggested
from adapters.discord.chat import DiscordChat
from adapters.discord.store import DiscordStore
from core.errors import EaselError, Rejected
from core.flow import hear, prepare, replies
from core.flow.context import Context
from core.forms import Form
from core.i18n import clip, translate
from core.operations import ASKS_FIRST
from core.retrying import retrying
from core.service import Service
from core.types import Action, Request

PATIENCE = 2.0
"""Seconds our database may take; Discord waits three for the acknowledgement."""
KEEP_TRIES = 4
"""Times we try to keep a message or reaction, 1, 5 and 20 seconds apart: the gateway tells it once."""
UNREACHABLE = (TimeoutError, SQLAlchemyError, OSError)
"""Errors of a database that is away, or too slow."""

log = structlog.get_logger()
T = TypeVar("T")


class DiscordApp:
    """What Discord tells, for every guild."""

    def __init__(
        self,
        service: Service,
        context: Context,
        chat: DiscordChat,
        api: Api,
        store: DiscordStore,
    ) -> None:
        self._service = service
        self._context = context
        self._chat = chat
        self._api = api
        self._store = store
        self._reactions: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def interaction(self, interaction: discord.Interaction) -> None:
        """A command, a press, a filled modal, or an option being typed."""
        handler = {
            discord.InteractionType.application_command: self._command,
            discord.InteractionType.autocomplete: self._typing,
            discord.InteractionType.component: self._pressed,
            discord.InteractionType.modal_submit: self._filled,
        }.get(interaction.type)
        if handler is not None:
            await self._careful(handler, interaction)

    async def message(self, message: discord.Message) -> None:
        """Something was said."""
        wish = decode.said(message, self._api.us)
        if wish is not None:
            await self._keep(wish)

    async def reaction(
        self, event: discord.RawReactionActionEvent, channel: Any
    ) -> None:
        """A reaction was added or taken away.

        Told twice it is one; added again after it was taken away it is another.

        Discord gives them no ids: they are counted, one after another. Whose message it was is told
        of those added alone.
        """
        wish = decode.reacted(event, channel, self._api.us)
        if wish is None:
            return
        async with self._reactions.setdefault(wish.key, asyncio.Lock()):
            if not (wish.added or await self._is_about_ours(wish)):
                return
            wish = await self._counted(wish)
        await self._keep(wish)

    async def _is_about_ours(self, wish: Request) -> bool:
        return (
            await hear.aimed(self._context, await self._chat.placed(wish))
        ).target is not None

    async def _counted(self, wish: Request) -> Request:
        times = await self._store.times_taken_away(wish.key)
        if not wish.added:
            await self._store.taken_away(wish.key, times)
        return replace(wish, key=f"{wish.key}{'+' if wish.added else '-'}{times}")

    async def left(self, guild: int, member_since: int = 0) -> None:
        """We were removed from a guild."""
        await self._keep(decode.left(guild, member_since))

    # Interactions

    async def _command(self, interaction: discord.Interaction) -> None:
        is_menu = (
            decode.data_of(interaction).get("type")
            == discord.AppCommandType.message.value
        )
        wish = decode.shortcut(interaction) if is_menu else decode.command(interaction)
        is_for_all = wish.action.makes_pictures and "private" not in wish.given
        if is_for_all and not decode.may_post(interaction, wish):
            raise Rejected("discord.may_not_post")
        if (
            is_menu
            or hear.needs_words(wish)
            or (wish.action is Action.SETTINGS and not wish.given)
        ):
            await self._open(wish)
        else:
            await self._hear(interaction, wish)

    async def _pressed(self, interaction: discord.Interaction) -> None:
        opened = decode.opened(interaction)
        if opened is not None:
            await self._turn_to(*opened)
            return
        pressed = decode.pressed(interaction)
        if pressed.kind in ASKS_FIRST:
            await self._open(pressed.request)
        else:
            await self._hear(interaction, pressed.request)

    async def _filled(self, interaction: discord.Interaction) -> None:
        await self._hear(interaction, decode.filled(interaction))

    async def _typing(self, interaction: discord.Interaction) -> None:
        choices = await suggested(self._context, interaction)
        await self._api.answer(
            decode.reply_of(interaction), CHOICES, {"choices": choices}
        )

    async def _hear(self, interaction: discord.Interaction, wish: Request) -> None:
        """Kept, then acknowledged: the person sees that we think, until the first words come."""
        await self._think(
            await _in_time(
                self._taken(wish, may_post=decode.may_post(interaction, wish))
            )
        )

    async def _taken(self, wish: Request, *, may_post: bool) -> Request:
        """Kept, with whether all will see the answer.

        Where it is our one voice, and the result is for all.
        """
        is_for_all = ("only" in wish.reply or not may_post) and await self._is_for_all(
            wish
        )
        if is_for_all and not may_post:
            raise Rejected("discord.may_not_post")
        if is_for_all:
            wish = replace(wish, reply={**wish.reply, "open": "yes"})
        await self._service.hear(wish)
        return wish

    async def _is_for_all(self, wish: Request) -> bool:
        """Will it make pictures that all can see? No when it will be refused."""
        if not wish.action.makes_pictures:
            return False
        try:
            if "asked" in wish.reply:
                wish = decode.merged(wish, await self._chat.asked(wish))
            return wish.action.makes_pictures and not await prepare.is_secret(
                self._context, wish
            )
        except EaselError:
            return False

    async def _think(self, wish: Request) -> None:
        try:
            await self._api.answer(
                wish.reply,
                THINKING,
                {"flags": 0 if "open" in wish.reply else render.EPHEMERAL},
            )
        except DiscordError as error:
            log.warning("not_acknowledged", code=error.code, status=error.status)

    async def _open(self, meant: Request) -> None:
        """Show the form of a button, a menu or a command without words."""
        await _in_time(self._show_form(meant))

    async def _show_form(self, meant: Request) -> None:
        wish = await self._complete(meant)
        if wish.message:
            wish = await hear.shown(self._context, wish)
        form = await self._service.ask(wish)
        await replies.show_form(self._context, wish, form)

    async def _turn_to(self, wish: Request, page: int) -> None:
        """A page of a form that was offered before."""
        pages = await _in_time(self._pages(wish))
        if page >= len(pages):
            raise Rejected("button.unknown")
        await self._api.answer(
            wish.reply, MODAL, render.modal(pages[page], wish.reply["asked"])
        )

    async def _pages(self, wish: Request) -> list[Form]:
        asked = await self._chat.asked(wish)
        form = await self._service.ask(asked)
        return render.pages(render.with_typed_options(form, asked.given))

    async def _complete(self, meant: Request) -> Request:
        first = replace(meant, reply={**meant.reply, "first": "yes"})
        return await self._chat.complete(first) or first

    async def _careful(
        self,
        handler: Callable[[discord.Interaction], Awaitable[None]],
        interaction: discord.Interaction,
    ) -> None:
        """Whatever goes wrong before the commit is said at once, to the person alone."""
        try:
            await handler(interaction)
        except EaselError as error:
            await self._say_no(interaction, error)
        except Exception:
            log.exception("asking_broke")
            await self._say_no(
                interaction,
                EaselError("status.broken", reference=str(interaction.id)[-8:]),
            )

    async def _say_no(
        self, interaction: discord.Interaction, error: EaselError
    ) -> None:
        if interaction.type is discord.InteractionType.autocomplete:
            return
        words = translate(error.key, str(interaction.locale), **error.params)
        content = clip(render.escape(words), render.CONTENT)
        data = {
            "content": content,
            "flags": render.EPHEMERAL,
            "allowed_mentions": render.NO_MENTIONS,
        }
        try:
            await self._api.answer(decode.reply_of(interaction), MESSAGE, data)
        except DiscordError as failed:
            log.warning("not_acknowledged", code=failed.code, status=failed.status)

    # Messages and reactions

    async def _keep(self, wish: Request) -> None:
        patiently = retrying(
            _may_pass, first=1.0, longest=20.0, growth=5, attempts=KEEP_TRIES
        )
        with suppress(*UNREACHABLE):
            await patiently(self._keep_once, wish)

    async def _keep_once(self, wish: Request) -> None:
        async with asyncio.timeout(PATIENCE):
            await self._service.hear(await self._chat.placed(wish))


def _may_pass(error: Exception) -> bool:
    if not isinstance(error, UNREACHABLE):
        return False
    log.error("not_kept", error=repr(error)[:200])
    return True


async def _in_time(what: Awaitable[T]) -> T:
    """Raises Rejected when our database takes longer than Discord waits.

    It may lock up those who wait for it, so we do not wait for the end of the attempt.
    """
    attempt = asyncio.ensure_future(what)
    try:
        done, _ = await asyncio.wait({attempt}, timeout=PATIENCE)
        if done:
            return attempt.result()
    except UNREACHABLE as error:
        log.error("not_kept", error=repr(error)[:200])
        raise Rejected("refuse.busy") from None
    log.error("not_kept", seconds=PATIENCE)
    attempt.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    attempt.cancel()
    raise Rejected("refuse.busy")
