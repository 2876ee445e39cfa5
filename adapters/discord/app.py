"""Listens to Discord: acknowledges after one durable commit, opens modals at once, nothing else.

Everything pressed or chosen carries its meaning in its id and is understood from the event alone.
So it works after any restart, and also when its message has changed since: discord.py's views
would drop such a press without a word.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import discord
import structlog
from sqlalchemy.exc import SQLAlchemyError

from adapters.discord import decode, render
from adapters.discord.api import (
    CHOICES,
    MESSAGE,
    MODAL,
    THINKING,
    UNCHANGED,
    Api,
    DiscordError,
)
from adapters.discord.autocomplete import suggest
from adapters.discord.chat import DiscordChat
from adapters.discord.entities import PLATFORM
from adapters.discord.reply import DiscordReply
from adapters.discord.store import DiscordStore
from core.errors import DeliveryError, EaselError, Rejected
from core.flow import heads
from core.flow.context import Context, is_passing
from core.flow.understand import answered_step
from core.forms import Form
from core.i18n import clip, translate
from core.incoming import Incoming
from core.interpret import interpret
from core.meaning import NOWHERE
from core.relevance import Relevance, relevance
from core.retrying import retrying
from core.service import Service
from core.types import Request

PATIENCE = 2.0
"""Seconds our database may take; Discord waits three for the acknowledgement."""
KEEP_TRIES, KEEP_PAUSE = 64, 60.0
"""Times we try to keep a message, a reaction or a removal, at most so many seconds apart: for an
hour, as the gateway tells it once."""
MOST_WAITING = 1000
"""Events that wait for our database at most: what comes then is tried once."""
NO_MEMBER = frozenset({10004, 50001})
"""What Discord says of a guild that is gone, or that we are no member of."""
UNREACHABLE = (TimeoutError, SQLAlchemyError, OSError)
"""Errors of a database that is away, or too slow."""

log = structlog.get_logger()
T = TypeVar("T")


class DiscordApp:
    """Receives the events of every guild."""

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
        self._waiting = 0
        self._store = store
        self._reactions: WeakValueDictionary[str, asyncio.Lock] = (
            WeakValueDictionary()
        )

    async def interaction(self, interaction: discord.Interaction) -> None:
        """Handle a command, a press, a filled modal, or an option being typed."""
        handler = {
            discord.InteractionType.application_command: self._command,
            discord.InteractionType.autocomplete: self._suggest,
            discord.InteractionType.component: self._press,
            discord.InteractionType.modal_submit: self._submit,
        }.get(interaction.type)
        if handler is not None:
            await self._report_errors(handler, interaction)

    async def message(self, message: discord.Message) -> None:
        """Handle a message."""
        incoming = decode.message(message, self._api.user_id)
        if incoming is not None and relevance(incoming) is not Relevance.NONE:
            await self._receive_patiently(incoming)

    async def reaction(
        self,
        event: discord.RawReactionActionEvent,
        channel: Any,
    ) -> None:
        """Handle a reaction that was added or taken away.

        The same event delivered twice counts once; a reaction added again after it was taken away
        counts again. Discord gives reactions no ids, so they are numbered, one after another. It
        names the message's author for added ones only.
        """
        incoming = decode.reaction(event, channel, self._api.user_id)
        if incoming is None or relevance(incoming) is Relevance.NONE:
            return
        async with self._reactions.setdefault(incoming.key, asyncio.Lock()):
            if not (incoming.is_added or await self._is_about_ours(incoming)):
                return
            incoming = await self._with_count(incoming)
        await self._receive_patiently(incoming)

    async def _is_about_ours(self, incoming: Incoming) -> bool:
        placed = await self._chat.completion.locate(incoming)
        return await answered_step(self._context, placed) is not None

    async def _with_count(self, incoming: Incoming) -> Incoming:
        times = await self._store.removals_of(incoming.key)
        if not incoming.is_added:
            await self._store.count_removal(incoming.key, times)
        sign = "+" if incoming.is_added else "-"
        return replace(incoming, key=f"{incoming.key}{sign}{times}")

    def back(self) -> None:
        """Discord answers again, or a server has let us in."""
        self._api.forget_closed_channels()
        self._service.platform_is_back(PLATFORM)

    async def left(self, guild: int, member_since: int = 0) -> None:
        """Handle our removal from a guild."""
        await self._receive_patiently(decode.removal(guild, member_since))

    async def note_guilds(self, guilds: Sequence[int]) -> None:
        """Note the guilds that we are members of."""
        await self._store.note_guilds(map(str, guilds))

    async def compare_guilds(self, present: Sequence[int]) -> None:
        """Forget the guilds that removed us while we could not hear it.

        ``present`` are all we are in, also those that are unavailable for a while. Discord is asked
        once more before a guild is forgotten. Where a person uses the app in a server that never
        had us as a member, there is nothing to leave.
        """
        joined = await self._store.guilds()
        await self.note_guilds(present)
        for guild in sorted(joined - set(map(str, present))):
            if await self._is_gone(guild):
                log.info("guild_left_unheard")
                await self.left(int(guild), int(time.time()))

    async def _is_gone(self, guild: str) -> bool:
        """Whether Discord says that we are no member there."""
        try:
            await self._api.call(
                "GET", "/guilds/{guild_id}", {"guild_id": guild}
            )
        except DiscordError as error:
            return error.code in NO_MEMBER
        return False

    # Interactions

    async def _command(self, interaction: discord.Interaction) -> None:
        kind = decode.data_of(interaction).get("type")
        is_menu = kind == discord.AppCommandType.message.value
        incoming = (
            decode.shortcut(interaction)
            if is_menu
            else decode.command(interaction)
        )
        await self._open_or_store(incoming)

    async def _press(self, interaction: discord.Interaction) -> None:
        opened = decode.form_page(interaction)
        if opened is not None:
            await self._open_page(*opened)
            return
        await self._open_or_store(decode.button(interaction))

    async def _submit(self, interaction: discord.Interaction) -> None:
        await self._store_and_acknowledge(decode.form(interaction))

    async def _open_or_store(self, incoming: Incoming) -> None:
        if self._service.asks_first(incoming):
            await _in_time(self._open(incoming))
        else:
            await self._store_and_acknowledge(incoming)

    async def _suggest(self, interaction: discord.Interaction) -> None:
        choices = await suggest(self._context, interaction)
        await self._api.answer(
            decode.reply_of(interaction),
            CHOICES,
            {"choices": choices},
        )

    async def _store_and_acknowledge(self, incoming: Incoming) -> None:
        """Store the event, then acknowledge it: the person sees "thinking…" meanwhile."""
        reply = await _in_time(self._receive(incoming))
        if reply is not None:
            flags = 0 if reply.open else render.EPHEMERAL
            await self._acknowledge(reply, THINKING, {"flags": flags})
        else:
            reply = DiscordReply.read(incoming.reply)
            await self._acknowledge(reply, UNCHANGED, {})

    async def _receive(self, incoming: Incoming) -> DiscordReply | None:
        """Store the event, and return its reply handle, which says whether all will see the answer.

        They will where the response is our only voice and the result is for all. None for a button
        that was pressed twice at once: its first press is answered.
        """
        reply = DiscordReply.read(incoming.reply)
        if reply.only:
            is_for_all = await self._will_be_for_all(incoming)
            reply = replace(reply, open=is_for_all)
            incoming = replace(incoming, reply=reply.to_json())
        is_kept = await self._service.receive(incoming)
        return reply if is_kept else None

    async def _will_be_for_all(self, incoming: Incoming) -> bool:
        """Whether it will make pictures that all can see. No when it will be refused."""
        try:
            if DiscordReply.read(incoming.reply).asked:
                draft = await self._chat.completion.draft_of(incoming)
                incoming = decode.merge(incoming, draft)
            meaning = interpret(incoming, NOWHERE)
            if (
                not isinstance(meaning, Request)
                or not meaning.action.makes_pictures
            ):
                return False
            return not await heads.is_secret(self._context, meaning)
        except EaselError:
            return False

    async def _acknowledge(
        self,
        reply: DiscordReply,
        kind: int,
        data: dict[str, object],
    ) -> None:
        try:
            await self._api.answer(reply, kind, data)
        except DiscordError as error:
            log.warning(
                "not_acknowledged",
                code=error.code,
                status=error.status,
            )

    async def _open(self, incoming: Incoming) -> None:
        """Show the form of a button, a menu or a command without words."""
        reply = replace(DiscordReply.read(incoming.reply), first=True)
        incoming = replace(incoming, reply=reply.to_json())
        completed = await self._chat.complete(incoming)
        await self._service.open_form(completed or incoming)

    async def _open_page(self, incoming: Incoming, page: int) -> None:
        """Open a page of a form that was offered before."""
        pages = await _in_time(self._pages(incoming))
        if page >= len(pages):
            raise Rejected("button.unknown")
        reply = DiscordReply.read(incoming.reply)
        modal = render.modal(pages[page], reply.asked)
        await self._api.answer(reply, MODAL, modal)

    async def _pages(self, incoming: Incoming) -> list[Form]:
        draft = await self._chat.completion.draft_of(incoming)
        form = await self._service.reopen_form(draft)
        return render.pages(render.with_typed_options(form, draft.fields))

    async def _report_errors(
        self,
        handler: Callable[[discord.Interaction], Awaitable[None]],
        interaction: discord.Interaction,
    ) -> None:
        """Report at once what goes wrong before the commit, to the person alone."""
        try:
            await handler(interaction)
        except EaselError as error:
            await self._refuse(interaction, error)
        except Exception:
            log.exception("asking_broke")
            await self._refuse(
                interaction,
                EaselError(
                    "status.broken", reference=str(interaction.id)[-8:]
                ),
            )

    async def _refuse(
        self,
        interaction: discord.Interaction,
        error: EaselError,
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
        await self._acknowledge(decode.reply_of(interaction), MESSAGE, data)

    # Messages and reactions

    async def _receive_patiently(self, incoming: Incoming) -> None:
        patiently = retrying(
            _may_pass,
            first=1.0,
            longest=KEEP_PAUSE,
            growth=5,
            attempts=KEEP_TRIES if self._waiting < MOST_WAITING else 1,
        )
        self._waiting += 1
        try:
            with suppress(*UNREACHABLE, DeliveryError):
                await patiently(self._receive_once, incoming)
        finally:
            self._waiting -= 1

    async def _receive_once(self, incoming: Incoming) -> None:
        async with asyncio.timeout(PATIENCE):
            await self._service.receive(
                await self._chat.completion.locate(incoming)
            )


def _may_pass(error: Exception) -> bool:
    if not (isinstance(error, UNREACHABLE) or is_passing(error)):
        return False
    log.error("not_kept", error=repr(error)[:200])
    return True


async def _in_time(work: Awaitable[T]) -> T:
    """Wait for our database. Raises Rejected when it takes longer than Discord waits.

    It may lock up those who wait for it, so the end of the attempt is not awaited.
    """
    attempt = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({attempt}, timeout=PATIENCE)
        if done:
            return attempt.result()
    except UNREACHABLE as error:
        log.error("not_kept", error=repr(error)[:200])
        raise Rejected("refuse.busy") from None
    log.error("not_kept", seconds=PATIENCE)
    attempt.add_done_callback(
        lambda ended: ended.cancelled() or ended.exception()
    )
    attempt.cancel()
    raise Rejected("refuse.busy")
