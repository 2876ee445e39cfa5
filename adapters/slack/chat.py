"""Slack as a Chat: where each post goes, and what is looked up for the core.

A job's words are one message, edited; its pictures are one more, in the thread of the first.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import aiohttp
import structlog

from adapters.slack import decode, render
from adapters.slack.api import SlackApi, SlackError
from adapters.slack.completion import Completion
from adapters.slack.ephemeral import EphemeralClient
from adapters.slack.files import Files
from adapters.slack.membership import DIRECT, UNINVITED
from adapters.slack.messages import MessageClient
from adapters.slack.payloads import split, workspace_of
from adapters.slack.progress import Progress
from adapters.slack.reply import SlackReply
from adapters.slack.store import SlackStore
from adapters.slack.tokens import Installed, OneToken
from adapters.slack.users import UserDirectory
from core.errors import DeliveryError, Rejected
from core.forms import Form
from core.i18n import translate
from core.incoming import Incoming
from core.ports import Blobs
from core.post import Post, PostedMessage, Tone
from core.types import (
    Attachment,
    Person,
    Place,
    Request,
    Tenant,
    Traces,
)

GONE = frozenset({"account_inactive", "token_revoked"})
"""What Slack says of the token of a workspace that has removed us."""

log = structlog.get_logger()


class SlackChat:
    """Chat port.

    ``response_hosts``: hosts that a response_url may name; ``locale``: for people with none.
    """

    pace = 3.0

    def __init__(
        self,
        *,
        api: SlackApi,
        store: SlackStore,
        files: Files,
        users: UserDirectory,
        tokens: OneToken | Installed,
        blobs: Blobs,
        http: aiohttp.ClientSession,
        response_hosts: tuple[str, ...],
        locale: str,
    ) -> None:
        self._api = api
        self._store = store
        self._files = files
        self._tokens = tokens
        self._locale = locale
        self._progress = Progress(api, locale)
        self._completion = Completion(api, users, tokens, locale)
        self._ephemeral = EphemeralClient(api, http, response_hosts)
        self._messages = MessageClient(
            api=api,
            store=store,
            files=files,
            tokens=tokens,
            blobs=blobs,
            locale=locale,
        )

    # Events

    async def at_home(self, incoming: Incoming) -> Incoming:
        """Call the workspace by the name under which it is kept. It asks our database at most."""
        workspace = incoming.place.workspace
        home = await self._tokens.home(workspace)
        if home == workspace:
            return incoming
        return decode.in_workspace(incoming, home)

    async def complete(self, incoming: Incoming) -> Incoming | None:
        """Add who sent it and with which files. None for bots and where we are not installed."""
        try:
            await self._tokens.identity(incoming.place.workspace)
        except DeliveryError:
            text = translate("slack.not_installed", self._locale)
            await self._ephemeral.respond(incoming.reply, {"text": text})
            return None
        return await self._completion.complete(incoming)

    async def ask(self, form: Form, request: Request) -> bool:
        """Open a modal. A trigger does it once, within three seconds."""
        trigger = SlackReply.read(request.reply).trigger
        if not trigger:
            return False
        subject = replace(request, target=form.target, index=form.index)
        view = render.modal(form, decode.meta(subject, form.action))
        try:
            await self._api.post_json(
                request.place.workspace,
                "views.open",
                trigger_id=trigger,
                view=view,
            )
        except SlackError as error:
            log.info("no_form", code=error.code)
            return False
        return True

    async def leaving(self, removal: Incoming) -> Incoming | None:
        """Make one removal of the two events Slack sends. None for the second."""
        try:
            installation = await self._tokens.installation(
                removal.place.workspace
            )
        except DeliveryError:
            return None
        if installation is None:
            return removal
        return replace(removal, key=f"left:{installation}")

    async def may_show(self, place: Place, keys: Sequence[str]) -> bool:
        """Yes: there are no channels for adults here."""
        return True

    async def gone(self) -> list[Incoming]:
        """Return removals from workspaces with tokens that Slack no longer accepts.

        A workspace is left out while Slack does not answer for it. Raises only errors of the
        database.
        """
        removals = []
        for enterprise, team in await self._store.workspaces():
            workspace = workspace_of(enterprise, team)
            try:
                await self._api.get(workspace, "auth.test")
            except SlackError as error:
                removal = await self.leaving(decode.removed_from(workspace))
                if error.code in GONE and removal is not None:
                    removals.append(removal)
            except DeliveryError:
                continue
        return removals

    async def forget(self, place: Place) -> None:
        """Forget a workspace that has removed us."""
        enterprise, team = split(place.workspace)
        await self._store.forget(place.tenant, enterprise, team)
        if isinstance(self._tokens, Installed):
            self._tokens.forget(place.workspace)

    async def forget_person(self, tenant: Tenant, person: str) -> Traces:
        """Forget that they installed us; all else that is kept here names nobody."""
        await self._store.forget_person(person)
        return Traces()

    async def recall_person(
        self, tenant: Tenant, person: str
    ) -> Mapping[str, Any]:
        """Whether they installed us."""
        return {"installed": await self._store.is_installer(person)}

    async def prune(self, before: datetime, now: datetime) -> None:
        """Do nothing: what is kept here goes with its picture."""

    async def fetch(
        self, attachment: Attachment, limit: int
    ) -> AsyncIterator[bytes]:
        """Stream a person's file, with the token of the workspace it is in."""
        workspace, _, file = attachment.ref.partition(" ")
        if not file:
            raise Rejected("slack.file_gone")
        bot = await self._tokens.identity(workspace)
        async for chunk in self._files.fetch(attachment, limit, bot.token):
            yield chunk

    # Posts

    async def post(
        self, place: Place, post: Post, *, to: Person, reply: Mapping[str, str]
    ) -> PostedMessage:
        """Post a message, a private one where only its person can read it."""
        is_direct = place.channel.startswith(DIRECT)
        if post.private and not is_direct:
            return await self._post_privately(place, post, to, reply)
        try:
            return await self._messages.post(place, post)
        except SlackError as error:
            if not error.permanent:
                raise
            if not is_direct:
                reason = _reason(error.code)
            elif error.code == "channel_not_found":
                # People among themselves: commands work there, and we are not in it.
                reason = "slack.between_people"
            else:
                raise
        if is_direct and _is_for_one(post):
            return await self._post_privately(place, post, to, reply)
        return await self._post_elsewhere(place, post, to, reply, reason)

    async def update(
        self, sent: PostedMessage, post: Post
    ) -> PostedMessage | None:
        """Edit a message; show pictures that are new in its thread, delete those that are gone.

        None for a status line beyond the limit of its workspace.
        """
        place = sent.place
        if post.tone is Tone.STATUS:
            await self._progress.show_sign(place, post)
            if not self._progress.has_room(place.workspace):
                return None
            return await self._messages.update(sent, post)
        files = await self._store.files_in(
            place.tenant, place.channel, sent.message
        )
        if files:
            # A message of pictures has no words to edit.
            if not post.pictures:
                await self._files.delete(place.workspace, files)
                await self._messages.delete(sent)
            return sent
        await self._progress.clear_sign(place)
        return await self._messages.update(sent, post)

    async def find(self, place: Place, job: str) -> PostedMessage | None:
        """Read our message for a job back."""
        return await self._messages.find(place, job)

    async def private_place(self, place: Place, person: Person) -> Place:
        """Open the direct message with a person. Raises SlackError."""
        answer = await self._api.post_json(
            place.workspace, "conversations.open", users=person.id
        )
        return replace(place, channel=str(answer["channel"]["id"]), thread="")

    async def link(self, sent: PostedMessage) -> str:
        """Its permalink, "" when Slack gives none."""
        try:
            answer = await self._api.get(
                sent.place.workspace,
                "chat.getPermalink",
                channel=sent.place.channel,
                message_ts=sent.message,
            )
        except SlackError:
            return ""
        return str(answer.get("permalink", ""))

    async def publish_home(
        self, incoming: Incoming, posts: list[Post]
    ) -> None:
        """Publish a person's home tab, with the pictures Slack has files of."""
        tenant = incoming.place.tenant
        images = [image for post in posts for image in post.pictures]
        files: dict[str, str] = {}
        for image in images:
            if image.picture is None:
                continue
            file = await self._store.file_of(tenant, image.picture.key)
            if file is not None:
                files[image.picture.key] = file.file
        # Slack may refuse a picture: then the page goes without.
        for available in (files, {}):
            try:
                await self._api.post_json(
                    incoming.place.workspace,
                    "views.publish",
                    user_id=incoming.person.id,
                    view=render.home(posts, available),
                )
            except SlackError as error:
                log.info("no_home", code=error.code)
            else:
                return

    async def _post_privately(
        self, place: Place, post: Post, to: Person, reply: Mapping[str, str]
    ) -> PostedMessage:
        """Words stay in the channel, for one person; pictures go to the direct message."""
        if not _is_for_one(post):
            direct = await self.private_place(place, to)
            earlier = await self._update_earlier(direct, post)
            return earlier or await self._messages.post(direct, post)
        message = render.message(post)
        sent = await self._ephemeral.post(place, message, to, reply)
        if sent is not None:
            return sent
        direct = await self.private_place(place, to)
        return await self._messages.post(direct, replace(post, private=False))

    async def _post_elsewhere(
        self,
        place: Place,
        post: Post,
        to: Person,
        reply: Mapping[str, str],
        reason: str,
    ) -> PostedMessage:
        """The channel will not take it: post to the person, and tell them why."""
        direct = await self.private_place(place, to)
        earlier = await self._update_earlier(direct, post)
        if earlier is not None:
            return earlier
        locale = await self._completion.locale_of(place.workspace, to.id)
        note = Post(tone=Tone.NOTE, text=translate(reason, locale))
        if not await self._ephemeral.respond(reply, render.message(note)):
            await self._messages.post(direct, note)
        return await self._messages.post(direct, post)

    async def _update_earlier(
        self, direct: Place, post: Post
    ) -> PostedMessage | None:
        """Update what an earlier try left in a direct message: ``find`` does not look there."""
        if not post.job:
            return None
        sent = await self.find(direct, post.job)
        if sent is None:
            return None
        return await self.update(sent, post) or sent


def _is_for_one(post: Post) -> bool:
    """Whether it is a short text that may vanish; pictures and progress need a lasting message."""
    return not post.pictures and post.tone in {Tone.NOTE, Tone.REFUSAL}


def _reason(code: str) -> str:
    """Why an answer stands elsewhere. To invite us helps against two refusals only."""
    if code in UNINVITED:
        return "slack.closed_channel"
    return "slack.refused_channel"
