"""Messages that all in a channel can read: posted once, edited later, found by their job."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from adapters.slack import render
from adapters.slack.api import SlackApi, SlackError
from adapters.slack.files import Files, Spot, Upload
from adapters.slack.store import SlackStore
from adapters.slack.tokens import Installed, OneToken
from core.errors import DeliveryError
from core.i18n import translate
from core.ports import Blobs
from core.post import Post, PostedMessage, PostImage, Tone
from core.types import Place

EVENT = "easel_job"
"""The kind of metadata by which our own messages are recognised."""
NAMESPACE = uuid.UUID("6f1f0d6e-5a37-4b53-9d2c-7a7c9b1f4e10")
READ_BACK, READ_BACK_SECONDS = 200, 86_400
"""How many messages, and how old, are searched for our own."""

log = structlog.get_logger()


class MessageClient:
    """Messages and the pictures below them. ``locale``: of posts that name none."""

    def __init__(
        self,
        *,
        api: SlackApi,
        store: SlackStore,
        files: Files,
        tokens: OneToken | Installed,
        blobs: Blobs,
        locale: str,
    ) -> None:
        self._api = api
        self._store = store
        self._files = files
        self._tokens = tokens
        self._blobs = blobs
        self._locale = locale

    async def post(self, place: Place, post: Post) -> PostedMessage:
        """Post the pictures, then the words. Raises SlackError."""
        images = await self._images_in(place, post)
        if images:
            # Slack refuses the blocks of a file that was deleted meanwhile: then it is uploaded.
            try:
                return await self._send(place, post, images)
            except SlackError as error:
                if error.code != "invalid_blocks":
                    raise
        pictures: tuple[PostedMessage, ...] = ()
        if post.pictures:
            pictures = await self._show_pictures(place, post)
        if post.pictures and not pictures:
            post = self._without_pictures(post)
        return replace(await self._send(place, post), pictures=pictures)

    async def update(self, sent: PostedMessage, post: Post) -> PostedMessage:
        """Edit the words; show new pictures in the message's thread. Raises SlackError."""
        pictures: tuple[PostedMessage, ...] = ()
        if post.pictures:
            place = replace(
                sent.place, thread=sent.place.thread or sent.message
            )
            pictures = await self._show_pictures(place, post)
        if post.pictures and not pictures:
            post = self._without_pictures(post)
        try:
            await self._edit(sent, post)
        except SlackError as error:
            if error.permanent:
                # The message is gone, and its pictures will be shown elsewhere.
                await self._delete_pictures(pictures)
            raise
        return replace(sent, pictures=pictures)

    async def delete(self, sent: PostedMessage) -> None:
        """Delete a message; no matter if it is gone. Raises SlackError."""
        try:
            await self._api.post_json(
                sent.place.workspace,
                "chat.delete",
                channel=sent.place.channel,
                ts=sent.message,
            )
        except SlackError as error:
            if not error.permanent:
                raise

    async def find(self, place: Place, job: str) -> PostedMessage | None:
        """Find our message for a job by its metadata. Raises DeliveryError."""
        method = (
            "conversations.replies"
            if place.thread
            else "conversations.history"
        )
        try:
            bot = await self._tokens.identity(place.workspace)
            answer = await self._api.get(
                place.workspace,
                method,
                channel=place.channel,
                ts=place.thread or None,
                # Replies come oldest first: those of a long thread's first years do not matter.
                oldest=f"{time.time() - READ_BACK_SECONDS:.0f}",
                limit=READ_BACK,
                include_all_metadata="true",
            )
        except DeliveryError as error:
            if error.permanent:
                return None
            raise
        for message in answer.get("messages", []):
            is_own = not bot.user or message.get("user") in {None, bot.user}
            if is_own and _job_of(message) == job:
                return PostedMessage(place=place, message=str(message["ts"]))
        return None

    async def _images_in(
        self,
        place: Place,
        post: Post,
    ) -> list[tuple[str, str]]:
        """File and alternative text of each picture, if the channel has been shown them all.

        Then they can stand in the message itself, without another upload.
        """
        if post.tone is not Tone.NOTE:
            return []
        images = []
        for image in post.pictures:
            if image.picture is None:
                return []
            key = image.picture.key
            file = await self._store.file_of(place.tenant, key, place.channel)
            if file is None:
                return []
            images.append((file.file, image.alt))
        return images

    async def _send(
        self,
        place: Place,
        post: Post,
        images: Sequence[tuple[str, str]] = (),
    ) -> PostedMessage:
        message = render.message(
            post,
            images,
            sure=self._delete_question(post),
        )
        answer = await self._api.post_json(
            place.workspace,
            "chat.postMessage",
            channel=place.channel,
            thread_ts=place.thread or None,
            metadata=_metadata(post.job),
            client_msg_id=_message_id(place, post.job),
            unfurl_links=False,
            unfurl_media=False,
            link_names=False,
            parse="none",
            **message,
        )
        return PostedMessage(place=place, message=str(answer["ts"]))

    async def _edit(self, sent: PostedMessage, post: Post) -> None:
        message = render.message(post, sure=self._delete_question(post))
        await self._api.post_json(
            sent.place.workspace,
            "chat.update",
            channel=sent.place.channel,
            ts=sent.message,
            metadata=_metadata(post.job),
            link_names=False,
            parse="none",
            **message,
        )

    def _delete_question(self, post: Post) -> str:
        return translate("shared.delete_sure", post.locale or self._locale)

    async def _show_pictures(
        self,
        place: Place,
        post: Post,
    ) -> tuple[PostedMessage, ...]:
        """The message its pictures became; none when Slack would not show them."""
        uploads = [
            await self._upload(place.tenant, image) for image in post.pictures
        ]
        spot = Spot(
            tenant=place.tenant,
            workspace=place.workspace,
            channel=place.channel,
            thread=place.thread,
            job=f"{post.job}@{place.channel}",
        )
        try:
            ts = await self._files.share(spot, uploads)
        except SlackError as error:
            if not error.permanent:
                raise
            # Uploads are forbidden, or the storage is full: words may still be welcome.
            log.warning("not_shown", job=post.job, code=error.code)
            return ()
        return (PostedMessage(place=place, message=ts),) if ts else ()

    async def _upload(self, tenant: str, image: PostImage) -> Upload:
        if image.picture is None:
            return Upload(
                name=image.name,
                alt=image.alt,
                data=image.drawn or b"",
            )
        key = image.picture.key
        content = await self._blobs.read(tenant, key)
        return Upload(name=image.name, alt=image.alt, data=content, key=key)

    async def _delete_pictures(
        self, pictures: Sequence[PostedMessage]
    ) -> None:
        for message in pictures:
            place = message.place
            files = await self._store.files_in(
                place.tenant,
                place.channel,
                message.message,
            )
            await self._files.delete(place.workspace, files)
            await self.delete(message)

    def _without_pictures(self, post: Post) -> Post:
        locale = post.locale or self._locale
        apology = translate("slack.not_attached", locale, id=post.job)
        return replace(post, text=f"{post.text}\n{apology}")


def _job_of(message: Mapping[str, Any]) -> str | None:
    metadata = message.get("metadata") or {}
    if metadata.get("event_type") != EVENT:
        return None
    payload: Mapping[str, str] = metadata.get("event_payload") or {}
    return payload.get("job")


def _metadata(job: str) -> dict[str, Any] | None:
    if not job:
        return None
    return {"event_type": EVENT, "event_payload": {"job": job}}


def _message_id(place: Place, job: str) -> str | None:
    """The same for one job: some say that Slack then takes the message once."""
    if not job:
        return None
    name = f"{place.tenant}/{place.channel}/{job}"
    return str(uuid.uuid5(NAMESPACE, name))
