"""Messages like any other.

Said once, changed for ever, read back, and made small enough for the place.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.discord import render
from adapters.discord.api import Api, DiscordError, Upload
from adapters.discord.channels import LEAST, ChannelDirectory, channel_id, is_direct
from adapters.discord.store import DiscordStore
from adapters.discord.uploads import ImageUploads, same_pictures
from core.post import Post, PostedMessage, Tone
from core.types import Place

OURS = uuid.UUID("b0f5e0e2-6d4c-4a39-8f53-0a3b7d2f6c11")
READ_BACK = 100
CHANNEL = "/channels/{channel_id}"
MESSAGES, MESSAGE = (
    "/channels/{channel_id}/messages",
    "/channels/{channel_id}/messages/{message_id}",
)
TOO_LARGE, NO_HISTORY, ARCHIVED = 40005, 160002, 50083
SMALL = LEAST // 4
"""Bytes of a picture where Discord calls too large what should not be: the whole request counts as
well."""


class MessageClient:
    """In channels, threads and direct messages."""

    def __init__(
        self,
        api: Api,
        store: DiscordStore,
        places: ChannelDirectory,
        pictures: ImageUploads,
    ) -> None:
        self._api = api
        self._store = store
        self._places = places
        self._pictures = pictures

    async def say(
        self, place: Place, post: Post, replies_to: str = ""
    ) -> PostedMessage:
        """Something new. Raises DiscordError."""
        limit = await self._places.largest(place)
        try:
            return await self._send(place, post, replies_to, limit)
        except DiscordError as error:
            if _is_too_large(error):
                return await self._send(place, post, replies_to, SMALL)
            if error.code == NO_HISTORY:
                return await self._send(place, post, "", limit)
            raise

    async def change(self, sent: PostedMessage, post: Post) -> None:
        """Say this instead; pictures shown already stay, those it no longer has go.

        Raises DiscordError.
        """
        if post.pictures and not same_pictures(
            await self._files_of(sent), post.pictures
        ):
            await self._show(sent, post)
            return
        keeps = post.pictures or post.tone is Tone.STATUS
        words = await self._pictures.linked(sent.place, post)
        await self._patch(sent, render.message(words, None if keeps else ()))

    async def find(self, place: Place, job: str) -> PostedMessage | None:
        """Our newest message of this job, by the ids of its buttons or the names of its files.

        Raises DiscordError.
        """
        found = await self._api.call(
            "GET", f"{MESSAGES}?limit={READ_BACK}", {"channel_id": channel_id(place)}
        )
        for message in found:
            if str(message["author"]["id"]) == str(self._api.us) and job in _jobs_of(
                message
            ):
                return PostedMessage(place=place, message=str(message["id"]))
        return None

    async def read(self, channel: str, message: str) -> Mapping[str, Any]:
        """A message as Discord tells of it; nothing where it is gone, or not for us to read."""
        try:
            found: Mapping[str, Any] = await self._api.call(
                "GET", MESSAGE, {"channel_id": channel, "message_id": message}
            )
        except DiscordError as error:
            if not error.permanent:
                raise
            return {}
        return found

    async def _send(
        self, place: Place, post: Post, replies_to: str, limit: int
    ) -> PostedMessage:
        prepared = await self._pictures.prepare(place, post, limit)
        message = render.message(prepared.on(post), prepared.attachments or None) | {
            "flags": render.SUPPRESS_EMBEDS
        }
        if post.job:
            message |= {"nonce": _nonce(place, post.job), "enforce_nonce": True}
        if replies_to:
            message["message_reference"] = {
                "message_id": replies_to,
                "fail_if_not_exists": False,
            }
        said = await self._api.call(
            "POST",
            MESSAGES,
            {"channel_id": channel_id(place)},
            message,
            prepared.uploads,
        )
        if is_direct(place):
            await self._store.save_direct_message(
                channel_id(place), int(said["id"]), place.workspace
            )
        return PostedMessage(place=place, message=str(said["id"]))

    async def _files_of(self, sent: PostedMessage) -> Sequence[Mapping[str, Any]]:
        """What a message of ours shows; as nothing where we may write but not read."""
        shown = await self.read(channel_id(sent.place), sent.message)
        return shown.get("attachments") or ()

    async def _show(self, sent: PostedMessage, post: Post) -> None:
        """Change it to one with pictures."""
        limit = await self._places.largest(sent.place)
        try:
            await self._show_within(sent, post, limit)
        except DiscordError as error:
            if not _is_too_large(error):
                raise
            await self._show_within(sent, post, SMALL)

    async def _show_within(self, sent: PostedMessage, post: Post, limit: int) -> None:
        prepared = await self._pictures.prepare(sent.place, post, limit)
        await self._patch(
            sent,
            render.message(prepared.on(post), prepared.attachments),
            prepared.uploads,
        )

    async def _patch(
        self,
        sent: PostedMessage,
        message: Mapping[str, Any],
        uploads: Sequence[Upload] = (),
    ) -> None:
        ids = _ids(sent)
        try:
            await self._api.call("PATCH", MESSAGE, ids, message, uploads)
        except DiscordError as error:
            if error.code != ARCHIVED or not sent.place.thread:
                raise
            await self._api.call(
                "PATCH", CHANNEL, {"channel_id": sent.place.thread}, {"archived": False}
            )
            await self._api.call("PATCH", MESSAGE, ids, message, uploads)


def _ids(sent: PostedMessage) -> dict[str, str]:
    return {"channel_id": channel_id(sent.place), "message_id": sent.message}


def _is_too_large(error: DiscordError) -> bool:
    return error.code == TOO_LARGE or error.status == 413


def _nonce(place: Place, job: str) -> str:
    """The same for the same job in the same place: Discord then takes the message once."""
    return uuid.uuid5(OURS, f"{place.tenant}/{channel_id(place)}/{job}").hex[:25]


def _jobs_of(message: Mapping[str, Any]) -> set[str]:
    """Steps that a message of ours names, in its buttons and its files."""
    ids = [
        one.get("custom_id", "")
        for row in message.get("components") or ()
        for one in row.get("components") or ()
    ]
    names = [str(one.get("filename", "")) for one in message.get("attachments") or ()]
    return {part for one in ids for part in one.split(":")} | {
        part for one in names for part in one.split("-")
    }
