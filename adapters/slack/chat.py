"""Slack's voice.

A job's words are one message, edited; its pictures one more, in the thread of the first.
"""

import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import aiohttp
import structlog

from adapters.slack import decode, render
from adapters.slack.api import SlackApi, SlackError
from adapters.slack.files import Files, Spot, Upload
from adapters.slack.progress import Progress
from adapters.slack.reply import SlackReply
from adapters.slack.store import SlackStore
from adapters.slack.tokens import Installed, OneToken
from adapters.slack.users import UserDirectory, UserProfile
from core.errors import DeliveryError, Rejected
from core.forms import Form
from core.i18n import negotiate, translate
from core.incoming import Incoming, Kind, Quoted
from core.ports import Blobs
from core.post import Post, PostedMessage, PostImage, Tone
from core.types import Attachment, Person, Place, Request
from core.url_policy import is_allowed

EVENT = "easel_job"
"""The kind of metadata by which a message of ours is known again."""
OURS = uuid.UUID("6f1f0d6e-5a37-4b53-9d2c-7a7c9b1f4e10")
DIRECT = "D"
"""What ids of direct messages begin with."""
READ_BACK, READ_BACK_SECONDS = 200, 86_400
RESPONSE_SECONDS = aiohttp.ClientTimeout(total=10)

log = structlog.get_logger()


class SlackChat:
    """Chat port.

    ``hooks``: hosts that a response_url may name; ``locale``: of words to nobody in particular.
    """

    pace = 3.0

    def __init__(
        self,
        *,
        api: SlackApi,
        store: SlackStore,
        files: Files,
        people: UserDirectory,
        tokens: OneToken | Installed,
        blobs: Blobs,
        http: aiohttp.ClientSession,
        hooks: tuple[str, ...],
        locale: str,
    ) -> None:
        self._api = api
        self._store = store
        self._files = files
        self._people = people
        self._tokens = tokens
        self._blobs = blobs
        self._http = http
        self._hooks = hooks
        self._locale = locale
        self._progress = Progress(api)

    async def complete(self, incoming: Incoming) -> Incoming | None:
        """Name, language and rights of the person, and files.

        A mention's own, those of the message it answers.
        """
        workspace = incoming.place.workspace
        try:
            await self._tokens.us(workspace)
        except DeliveryError:
            await self._respond(
                incoming.reply, {"text": translate("slack.not_installed", self._locale)}
            )
            return None
        known = await self._people.find(workspace, incoming.person.id)
        if known is not None and known.is_bot:
            return None
        incoming = self._introduced(incoming, known)
        if self._may_lack_files(incoming):
            return await self._with_files(incoming)
        return incoming

    def _may_lack_files(self, incoming: Incoming) -> bool:
        """Was it said to us without files, in a thread or a channel?

        Direct messages are told whole.
        """
        place = incoming.place
        is_message = incoming.kind is Kind.MESSAGE and incoming.is_addressed
        is_told_whole = place.channel.startswith(DIRECT) and not place.thread
        return is_message and not incoming.attachments and not is_told_whole

    def _introduced(self, incoming: Incoming, known: UserProfile | None) -> Incoming:
        name = incoming.person.name or incoming.person.id
        locale = self._locale
        if known is not None:
            name = known.name
            locale = negotiate(known.locale) if known.locale else locale
        return replace(
            incoming,
            person=Person(id=incoming.person.id, name=name),
            locale=incoming.locale or locale,
            is_admin=known is not None and known.is_admin,
        )

    async def _with_files(self, incoming: Incoming) -> Incoming:
        """Slack tells of a mention now and then before it tells of its files.

        Look once more, at its thread's too.
        """
        workspace = incoming.place.workspace
        ts = SlackReply.read(incoming.reply).ts
        thread = incoming.place.thread or ts
        try:
            us = await self._tokens.us(workspace)
            found = await self._api.look(
                workspace,
                "conversations.replies",
                channel=incoming.place.channel,
                ts=thread,
                oldest=ts,
                inclusive="true",
                limit=1 if thread == ts else 2,
            )
        except DeliveryError:
            return incoming
        theirs = {
            message.get("ts"): message.get("files")
            for message in found.get("messages", [])
            if message.get("user") != us.user
        }
        pictures = decode.files(theirs.get(thread), workspace)
        return replace(
            incoming,
            attachments=decode.files(theirs.get(ts), workspace),
            root=Quoted(message=thread, pictures=pictures),
        )

    async def ask(self, form: Form, request: Request) -> bool:
        """A modal, while the trigger lives: three seconds, once."""
        trigger = SlackReply.read(request.reply).trigger
        if not trigger:
            return False
        view = render.modal(
            form,
            decode.meta(
                replace(request, target=form.target, index=form.index), form.action
            ),
        )
        try:
            await self._api.say(
                request.place.workspace, "views.open", trigger_id=trigger, view=view
            )
        except SlackError as error:
            log.info("no_form", code=error.code)
            return False
        return True

    async def post(
        self, place: Place, post: Post, *, to: Person, reply: Mapping[str, str]
    ) -> PostedMessage:
        """A message.

        Of private ones, words stand in the channel for ``to`` alone, pictures in a direct message.
        """
        if post.private and not place.channel.startswith(DIRECT):
            if not post.pictures and post.tone in {Tone.NOTE, Tone.REFUSAL}:
                return await self._whisper(place, post, to, reply)
            direct = await self.private_place(place, to)
            return await self._said_before(direct, post) or await self._say(
                direct, post
            )
        try:
            return await self._say(place, post)
        except SlackError as error:
            if not error.permanent or place.channel.startswith(DIRECT):
                raise
            return await self._say_alone(place, post, to, reply)

    async def update(self, sent: PostedMessage, post: Post) -> PostedMessage:
        """Change it.

        Pictures not yet shown are shown in its thread, those it no longer has are taken away.
        """
        place = sent.place
        shown = await self._store.files_in(place.tenant, place.channel, sent.message)
        if shown:
            if not post.pictures:
                await self._files.delete(place.workspace, shown)
            return sent
        if post.tone is Tone.STATUS:
            await self._progress.show_sign(place, post)
            if not self._progress.has_room(place.workspace):
                return sent
        pictures: tuple[PostedMessage, ...] = ()
        if post.pictures:
            pictures = await self._show(
                replace(place, thread=place.thread or sent.message), post
            )
            post = post if pictures else self._not_attached(post)
        try:
            await self._change(sent, post)
        except SlackError as error:
            if error.permanent:
                # The message is gone: its pictures must not stay behind, as they will be shown
                # elsewhere.
                await self._take_back(pictures)
            raise
        return replace(sent, pictures=pictures)

    async def find(self, place: Place, job: str) -> PostedMessage | None:
        """Our message of this job, by its metadata."""
        # Replies come oldest first: those of a long thread's first years are no matter.
        since = f"{time.time() - READ_BACK_SECONDS:.0f}"
        how = {
            "channel": place.channel,
            "include_all_metadata": "true",
            "limit": READ_BACK,
            "oldest": since,
        }
        method = "conversations.replies" if place.thread else "conversations.history"
        try:
            us = await self._tokens.us(place.workspace)
            found = await self._api.look(
                place.workspace, method, ts=place.thread or None, **how
            )
        except DeliveryError as error:
            if error.permanent:
                return None
            raise
        for message in found.get("messages", []):
            metadata = message.get("metadata") or {}
            is_it = (
                metadata.get("event_type") == EVENT
                and (metadata.get("event_payload") or {}).get("job") == job
            )
            if is_it and (not us.user or message.get("user") in {None, us.user}):
                return PostedMessage(place=place, message=str(message["ts"]))
        return None

    async def private_place(self, place: Place, person: Person) -> Place:
        """The direct message with the person."""
        opened = await self._api.say(
            place.workspace, "conversations.open", users=person.id
        )
        return replace(place, channel=str(opened["channel"]["id"]), thread="")

    async def link(self, sent: PostedMessage) -> str:
        """Its permalink."""
        try:
            found = await self._api.look(
                sent.place.workspace,
                "chat.getPermalink",
                channel=sent.place.channel,
                message_ts=sent.message,
            )
        except SlackError:
            return ""
        return str(found.get("permalink", ""))

    async def leaving(self, goodbye: Incoming) -> Incoming | None:
        """One goodbye an installation: Slack sends two events.

        None when an earlier one was heard to its end.
        """
        try:
            installation = await self._tokens.installation(goodbye.place.workspace)
        except DeliveryError:
            return None
        return replace(goodbye, key=f"left:{installation}") if installation else goodbye

    async def forget(self, place: Place) -> None:
        """The workspace has removed us."""
        enterprise, team = decode.split(place.workspace)
        await self._store.forget(place.tenant, enterprise, team)
        if isinstance(self._tokens, Installed):
            self._tokens.forget(place.workspace)

    async def fetch(self, attachment: Attachment, limit: int) -> AsyncIterator[bytes]:
        """A person's file, with the token of its own workspace."""
        workspace, _, file = attachment.ref.partition(" ")
        if not file:
            raise Rejected("slack.file_gone")
        us = await self._tokens.us(workspace)
        async for chunk in self._files.fetch(attachment, limit, us.token):
            yield chunk

    async def publish_home(self, request: Incoming, posts: list[Post]) -> None:
        """The home tab of one person, with the pictures Slack has files of.

        Without them if it will not show them.
        """
        tenant = request.place.tenant
        images = [image for post in posts for image in post.pictures]
        keys = [image.picture.key for image in images if image.picture]
        found = {key: await self._store.file_of(tenant, key) for key in keys}
        files = {key: file.file for key, file in found.items() if file}
        for shown in (files, {}):
            try:
                await self._api.say(
                    request.place.workspace,
                    "views.publish",
                    user_id=request.person.id,
                    view=render.home(posts, shown),
                )
            except SlackError as error:
                log.info("no_home", code=error.code)
            else:
                return

    # How things are said

    async def _say_alone(
        self, place: Place, post: Post, to: Person, reply: Mapping[str, str]
    ) -> PostedMessage:
        """The channel is closed to us.

        Say it to its person, and tell them where they asked that we did.
        """
        direct = await self.private_place(place, to)
        said = await self._said_before(direct, post)
        if said is not None:
            return said
        known = await self._people.find(place.workspace, to.id)
        locale = negotiate(known.locale) if known and known.locale else self._locale
        why = Post(tone=Tone.NOTE, text=translate("slack.closed_channel", locale))
        if not await self._respond(reply, render.message(why)):
            await self._send(direct, why)
        return await self._say(direct, post)

    async def _said_before(self, direct: Place, post: Post) -> PostedMessage | None:
        """The message an earlier try left in a direct message, up to date.

        Whoever asks find() knows no such place.
        """
        sent = await self.find(direct, post.job) if post.job else None
        return await self.update(sent, post) if sent else None

    async def _say(self, place: Place, post: Post) -> PostedMessage:
        inside = await self._inside(place, post)
        if inside:
            try:
                return await self._send(place, post, inside)
            except SlackError as error:
                if error.code != "invalid_blocks":
                    raise
        pictures = await self._show(place, post) if post.pictures else ()
        if post.pictures and not pictures:
            post = self._not_attached(post)
        return replace(await self._send(place, post), pictures=pictures)

    async def _take_back(self, pictures: Sequence[PostedMessage]) -> None:
        for one in pictures:
            shown = await self._store.files_in(
                one.place.tenant, one.place.channel, one.message
            )
            await self._files.delete(one.place.workspace, shown)

    def _not_attached(self, post: Post) -> Post:
        return replace(
            post,
            text=f"{post.text}\n{translate('slack.not_attached', post.locale or self._locale, id=post.job)}",
        )

    async def _inside(self, place: Place, post: Post) -> list[tuple[str, str]]:
        """Pictures this channel has been shown already can stand in a message.

        Nothing is uploaded again.
        """
        found = []
        for one in post.pictures if post.tone is Tone.NOTE else ():
            file = (
                await self._store.file_of(place.tenant, one.picture.key, place.channel)
                if one.picture
                else None
            )
            if file is None:
                return []
            found.append((file.file, one.alt))
        return found

    async def _send(
        self, place: Place, post: Post, inside: Sequence[tuple[str, str]] = ()
    ) -> PostedMessage:
        message = render.message(
            post,
            inside,
            sure=translate("shared.delete_sure", post.locale or self._locale),
        )
        known = (
            {
                "metadata": _metadata(post.job),
                "client_msg_id": _message_id(place, post.job),
            }
            if post.job
            else {}
        )
        said = await self._api.say(
            place.workspace,
            "chat.postMessage",
            channel=place.channel,
            thread_ts=place.thread or None,
            unfurl_links=False,
            unfurl_media=False,
            link_names=False,
            parse="none",
            **message,
            **known,
        )
        return PostedMessage(place=place, message=str(said["ts"]))

    async def _change(self, sent: PostedMessage, post: Post) -> None:
        message = render.message(
            post, sure=translate("shared.delete_sure", post.locale or self._locale)
        )
        known = {"metadata": _metadata(post.job)} if post.job else {}
        place = sent.place
        await self._api.say(
            place.workspace,
            "chat.update",
            channel=place.channel,
            ts=sent.message,
            link_names=False,
            parse="none",
            **message,
            **known,
        )

    async def _show(self, place: Place, post: Post) -> tuple[PostedMessage, ...]:
        """The message its pictures became; none when Slack would not show them."""
        uploads = [await self._upload(place.tenant, one) for one in post.pictures]
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
            # Uploads are forbidden, or the storage is full: whether words may stand here is asked
            # with them.
            log.warning("not_shown", job=post.job, code=error.code)
            ts = ""
        return (PostedMessage(place=place, message=ts),) if ts else ()

    async def _upload(self, tenant: str, one: PostImage) -> Upload:
        if one.picture is None:
            return Upload(name=one.name, alt=one.alt, data=one.drawn or b"")
        data = await self._blobs.read(tenant, one.picture.key)
        return Upload(name=one.name, alt=one.alt, data=data, key=one.picture.key)

    async def _whisper(
        self, place: Place, post: Post, to: Person, reply: Mapping[str, str]
    ) -> PostedMessage:
        """For one person only.

        In the channel, else through what they pressed or typed, else in a direct message.
        """
        message = render.message(post)
        try:
            said = await self._api.say(
                place.workspace,
                "chat.postEphemeral",
                channel=place.channel,
                user=to.id,
                # Under a message that nobody has answered yet an ephemeral one would stay unseen.
                thread_ts=place.thread
                if place.thread != SlackReply.read(reply).ts
                else None,
                link_names=False,
                parse="none",
                **message,
            )
            return PostedMessage(place=place, message=str(said.get("message_ts", "")))
        except SlackError as error:
            if not error.permanent:
                raise
        if await self._respond(reply, message):
            return PostedMessage(place=place, message="")
        return await self._say(
            await self.private_place(place, to), replace(post, private=False)
        )

    async def _respond(
        self, reply: Mapping[str, str], message: Mapping[str, Any]
    ) -> bool:
        """Through the address that came with what was pressed or typed.

        Five times within half an hour.
        """
        url = SlackReply.read(reply).response_url
        if not is_allowed(url, self._hooks):
            return False
        body = {"response_type": "ephemeral", "replace_original": False, **message}
        try:
            async with self._http.post(
                url, json=body, allow_redirects=False, timeout=RESPONSE_SECONDS
            ) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False


def _metadata(job: str) -> dict[str, Any]:
    return {"event_type": EVENT, "event_payload": {"job": job}}


def _message_id(place: Place, job: str) -> str:
    """The same for the same job: some say that Slack then takes the message once."""
    return str(uuid.uuid5(OURS, f"{place.tenant}/{place.channel}/{job}"))
