"""The response to an interaction, which can be edited for fifteen minutes.

Private words are put there; when the answer is an ordinary message, the response is deleted or
says where that is. Where a person brought us along and we are no member, there is nothing else.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import discord
import structlog

from adapters.discord import render
from adapters.discord.api import Api, DiscordError
from adapters.discord.entities import DIRECT
from adapters.discord.reply import DiscordReply
from adapters.discord.store import DiscordStore, PendingResponse
from adapters.discord.uploads import ImageUploads
from core.errors import DeliveryError
from core.failpoints import failpoint
from core.i18n import translate
from core.operations import ButtonKind
from core.post import Button, Post, PostedMessage, Tone
from core.types import Place

ALIVE = timedelta(minutes=14)
"""Discord takes edits of a response for fifteen minutes."""
ORIGINAL = "/webhooks/{webhook_id}/{webhook_token}/messages/@original"
FOLLOW_UP = "/webhooks/{webhook_id}/{webhook_token}"

log = structlog.get_logger()


def response_to(row: Mapping[str, str]) -> PendingResponse | None:
    """Return the response that can still be given, None when there is none."""
    reply = DiscordReply.read(row)
    if not reply.token or not _is_alive(reply.interaction):
        return None
    return PendingResponse(
        interaction=reply.interaction,
        app=reply.app,
        token=reply.token,
        only=reply.only,
        is_open=reply.open,
    )


def is_private_note(post: Post) -> bool:
    """Whether it is only words for one person, never to be edited."""
    return post.private and post.tone in {Tone.NOTE, Tone.REFUSAL}


def belongs_in(response: PendingResponse, post: Post) -> bool:
    """Whether the response is the place for this post."""
    if is_private_note(post):
        return True
    # What is for one person must not be shown where everybody can read.
    return response.only and not (response.is_open and post.private)


def is_response(sent: PostedMessage) -> bool:
    """Whether it is the response to an interaction, not an ordinary message."""
    return sent.message.startswith(DIRECT)


class InteractionResponses:
    """Gives, edits and settles responses."""

    def __init__(
        self,
        api: Api,
        store: DiscordStore,
        uploads: ImageUploads,
    ) -> None:
        self._api = api
        self._store = store
        self._uploads = uploads

    async def give(
        self,
        response: PendingResponse,
        place: Place,
        post: Post,
        locale: str,
    ) -> PostedMessage:
        """Show a post as the response. Raises DiscordError."""
        prepared = await self._uploads.prepare(place, post)
        message = render.message(prepared.on(post), prepared.attachments)
        interaction = response.interaction
        if post.tone is Tone.REFUSAL and await self._store.form_draft(
            interaction
        ):
            # The way back to what was written.
            message["components"].append(
                render.change_row(interaction, locale)
            )
        if response.only and is_private_note(post):
            # The response may be for everybody to read; a follow-up need not be.
            await self.settle(response)
            message["flags"] = render.EPHEMERAL
            await self._api.call(
                "POST",
                FOLLOW_UP,
                response.ids,
                message,
                prepared.uploads,
            )
            return PostedMessage(place=place, message="")
        await self._api.call(
            "PATCH",
            ORIGINAL,
            response.ids,
            message,
            prepared.uploads,
        )
        await self._store.save_response(response)
        return PostedMessage(place=place, message=f"{DIRECT}{interaction}")

    async def edit(self, sent: PostedMessage, post: Post) -> None:
        """Edit a response. Raises DeliveryError, a permanent one when it is too late."""
        interaction = sent.message.removeprefix(DIRECT)
        response = await self._store.response(interaction)
        if response is None or not _is_alive(interaction):
            raise DeliveryError(
                "discord.refused",
                permanent=True,
                code="too late",
            )
        prepared = await self._uploads.prepare(sent.place, post)
        message = render.message(prepared.on(post), prepared.attachments)
        await self._api.call(
            "PATCH",
            ORIGINAL,
            response.ids,
            message,
            prepared.uploads,
        )

    async def offer(
        self,
        response: PendingResponse,
        message: Mapping[str, object],
    ) -> None:
        """Offer a form that can no longer open by itself. Raises DiscordError."""
        await self._api.call("PATCH", ORIGINAL, response.ids, message)

    async def begin(self, response: PendingResponse, job: str) -> None:
        """Note that a message for the job follows: then any process can settle the response."""
        await self._store.save_response(response, job)

    async def settle_left(self, job: str) -> None:
        """Settle the response that an earlier process left behind."""
        response = await self._store.response_of_job(job)
        if response is not None and _is_alive(response.interaction):
            await self.settle(response, job=job)

    async def settle(
        self,
        response: PendingResponse | None,
        note: Post | None = None,
        job: str = "",
    ) -> None:
        """End the "thinking…" placeholder: say where the answer is, or delete the response."""
        if response is None:
            return
        failpoint("settle.before")
        for is_last in (False, True):
            if await self._settle_once(response, note) or is_last:
                break
        if job:
            await self._store.forget_response(job)
        failpoint("settle.after")

    async def _settle_once(
        self,
        response: PendingResponse,
        note: Post | None,
    ) -> bool:
        """False when it may succeed another time."""
        try:
            if note:
                message = render.message(note)
                await self._api.call("PATCH", ORIGINAL, response.ids, message)
            else:
                await self._api.call("DELETE", ORIGINAL, response.ids)
        except DiscordError as error:
            log.debug("not_settled", code=error.code)
            return error.permanent
        return True


def note(key: str, locale: str, link: str = "") -> Post:
    """Private words, with a button that leads to ``link`` if there is one."""
    post = Post(tone=Tone.NOTE, text=translate(key, locale), private=True)
    if not link:
        return post
    label = translate("home.open", locale)
    button = Button(kind=ButtonKind.LINK, step="", label=label, url=link)
    return replace(post, buttons=(button,))


def _is_alive(interaction: str) -> bool:
    begun = discord.utils.snowflake_time(int(interaction))
    return discord.utils.utcnow() - begun < ALIVE
