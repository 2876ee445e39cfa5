"""Messages in channels, threads and direct messages: posted once, edited later, read back."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapters.discord import render
from adapters.discord.api import TOO_MUCH, Api, DiscordError, Upload
from adapters.discord.channels import (
    SMALLEST_LIMIT,
    ChannelDirectory,
    channel_id,
    is_direct,
)
from adapters.discord.store import DiscordStore
from adapters.discord.uploads import ImageUploads, same_pictures
from core.i18n import translate
from core.post import Post, PostedMessage, Tone
from core.types import Place

Row = Mapping[str, Any]
"""An object of Discord's JSON."""

NAMESPACE = uuid.UUID("b0f5e0e2-6d4c-4a39-8f53-0a3b7d2f6c11")
READ_BACK = 100
CHANNEL = "/channels/{channel_id}"
MESSAGES, MESSAGE = (
    "/channels/{channel_id}/messages",
    "/channels/{channel_id}/messages/{message_id}",
)
TOO_LARGE, NO_HISTORY, ARCHIVED = 40005, 160002, 50083
EXPLICIT = 20009
"""Discord's filter for explicit pictures lets this one through to nobody there."""
REDUCED_LIMIT = SMALLEST_LIMIT // 4
"""Bytes of a picture when Discord calls too large what should not be: the whole request counts as
well."""


class MessageClient:
    """Posts and edits messages, made small enough for their channel."""

    def __init__(
        self,
        api: Api,
        store: DiscordStore,
        channels: ChannelDirectory,
        uploads: ImageUploads,
    ) -> None:
        self._api = api
        self._store = store
        self._channels = channels
        self._uploads = uploads

    async def post(
        self,
        place: Place,
        post: Post,
        replies_to: str = "",
    ) -> PostedMessage:
        """Post a message. Raises DiscordError."""
        limit = await self._channels.file_limit(place)
        try:
            return await self._send(place, post, replies_to, limit)
        except DiscordError as error:
            if _is_too_large(error):
                return await self._send(place, post, replies_to, REDUCED_LIMIT)
            if error.code == NO_HISTORY:
                # To reply takes the right to read: say it without.
                return await self._send(place, post, "", limit)
            if error.code == EXPLICIT and post.pictures:
                return await self._send(place, _filtered(post), replies_to, 0)
            raise

    async def edit(self, sent: PostedMessage, post: Post) -> None:
        """Edit words and buttons; upload pictures only if it shows others. Raises DiscordError."""
        if post.pictures:
            attachments = await self._attachments_of(sent)
            if not same_pictures(attachments, post.pictures):
                await self._edit_with_pictures(sent, post)
                return
        words = await self._uploads.with_links(sent.place, post)
        # None leaves the attachments as they are.
        attachments_left = None
        if not post.pictures and post.tone is not Tone.STATUS:
            attachments_left = ()
        await self._patch(sent, render.message(words, attachments_left))

    async def find(self, place: Place, job: str) -> PostedMessage | None:
        """Find our newest message for a job by the ids of its buttons or the names of its files.

        Raises DiscordError.
        """
        messages = await self._api.call(
            "GET",
            f"{MESSAGES}?limit={READ_BACK}",
            {"channel_id": channel_id(place)},
        )
        for message in messages:
            is_own = str(message["author"]["id"]) == str(self._api.user_id)
            if is_own and job in _jobs_of(message):
                return PostedMessage(place=place, message=str(message["id"]))
        return None

    async def read(self, channel: str, message: str) -> Row:
        """Read a message; empty where it is gone, or not for us to read. Raises DiscordError."""
        ids = {"channel_id": channel, "message_id": message}
        try:
            content: Row = await self._api.call("GET", MESSAGE, ids)
        except DiscordError as error:
            if not error.permanent:
                raise
            return {}
        return content

    async def _send(
        self,
        place: Place,
        post: Post,
        replies_to: str,
        limit: int,
    ) -> PostedMessage:
        prepared = await self._uploads.prepare(place, post, limit)
        message = render.message(
            prepared.on(post), prepared.attachments or None
        )
        message["flags"] = render.SUPPRESS_EMBEDS
        if post.job:
            message |= {
                "nonce": _nonce(place, post.job),
                "enforce_nonce": True,
            }
        if replies_to:
            message["message_reference"] = {
                "message_id": replies_to,
                "fail_if_not_exists": False,
            }
        channel = channel_id(place)
        answer = await self._api.call(
            "POST",
            MESSAGES,
            {"channel_id": channel},
            message,
            prepared.uploads,
        )
        number = str(answer["id"])
        if is_direct(place):
            await self._store.save_direct_message(
                channel,
                int(number),
                place.workspace,
            )
        return PostedMessage(place=place, message=number)

    async def _attachments_of(self, sent: PostedMessage) -> Sequence[Row]:
        """What our message shows; nothing where we may write but not read."""
        message = await self.read(channel_id(sent.place), sent.message)
        return message.get("attachments") or ()

    async def _edit_with_pictures(
        self,
        sent: PostedMessage,
        post: Post,
    ) -> None:
        limit = await self._channels.file_limit(sent.place)
        try:
            await self._edit_within(sent, post, limit)
        except DiscordError as error:
            if error.code == EXPLICIT:
                await self._edit_within(sent, _filtered(post), limit)
            elif _is_too_large(error):
                await self._edit_within(sent, post, REDUCED_LIMIT)
            else:
                raise

    async def _edit_within(
        self,
        sent: PostedMessage,
        post: Post,
        limit: int,
    ) -> None:
        prepared = await self._uploads.prepare(sent.place, post, limit)
        message = render.message(prepared.on(post), prepared.attachments)
        await self._patch(sent, message, prepared.uploads)

    async def _patch(
        self,
        sent: PostedMessage,
        message: Row,
        uploads: Sequence[Upload] = (),
    ) -> None:
        ids = {
            "channel_id": channel_id(sent.place),
            "message_id": sent.message,
        }
        try:
            await self._api.call("PATCH", MESSAGE, ids, message, uploads)
        except DiscordError as error:
            if error.code != ARCHIVED or not sent.place.thread:
                raise
            # Threads are archived by themselves after some days.
            thread = {"channel_id": sent.place.thread}
            await self._api.call("PATCH", CHANNEL, thread, {"archived": False})
            await self._api.call("PATCH", MESSAGE, ids, message, uploads)


def _filtered(post: Post) -> Post:
    """The words alone, with why the pictures are missing."""
    reason = translate("discord.filtered", post.locale, id=post.job)
    return replace(post, pictures=(), text=f"{post.text}\n{reason}")


def _is_too_large(error: DiscordError) -> bool:
    return error.code == TOO_LARGE or error.status == TOO_MUCH


def _nonce(place: Place, job: str) -> str:
    """The same for one job in one place: Discord then takes the message once."""
    return uuid.uuid5(
        NAMESPACE, f"{place.tenant}/{channel_id(place)}/{job}"
    ).hex[:25]


def _jobs_of(message: Row) -> set[str]:
    """The steps that a message names, in the ids of its buttons and the names of its files."""
    jobs: set[str] = set()
    for row in message.get("components") or ():
        for component in row.get("components") or ():
            jobs.update(component.get("custom_id", "").split(":"))
    for attachment in message.get("attachments") or ():
        jobs.update(str(attachment.get("filename", "")).split("-"))
    return jobs
