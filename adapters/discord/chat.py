"""Discord as a Chat: where each post goes.

A job is one message, edited until it shows the result. An interaction also has a response, which
can be edited for fifteen minutes only: private words are put there, and nothing else.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from cachetools import TTLCache

from adapters.discord import render
from adapters.discord.api import MESSAGE, MODAL, NO_DIRECT, Api, DiscordError
from adapters.discord.channels import ChannelDirectory, channel_id, is_direct
from adapters.discord.completion import Completion, draft_of_form
from adapters.discord.entities import DIRECT
from adapters.discord.files import Files
from adapters.discord.messages import MessageClient
from adapters.discord.reply import DiscordReply
from adapters.discord.responses import (
    InteractionResponses,
    belongs_in,
    is_private_note,
    is_response,
    note,
    response_to,
)
from adapters.discord.store import DiscordStore, PendingResponse
from adapters.discord.users import UserDirectory
from core.errors import DeliveryError, Rejected
from core.forms import FieldKind, Form
from core.i18n import translate
from core.incoming import Incoming
from core.post import Post, PostedMessage, Tone
from core.types import (
    Attachment,
    Person,
    Place,
    Request,
    Tenant,
    Traces,
)

PROGRESS_SECONDS = 2.0
"""Seconds between two progress lines in one channel; Discord takes about five messages in five
seconds, and results go first."""
MAX_CHANNELS = 10_000
NO_FILE = "nothing"
"""What earlier versions named as the file of a message that shows none."""

log = structlog.get_logger()


class DiscordChat:
    """Chat port. ``completion`` completes its events."""

    pace = 3.0

    def __init__(
        self,
        *,
        api: Api,
        store: DiscordStore,
        files: Files,
        channels: ChannelDirectory,
        users: UserDirectory,
        messages: MessageClient,
        responses: InteractionResponses,
    ) -> None:
        self._api = api
        self._store = store
        self._files = files
        self._users = users
        self._channels = channels
        self._messages = messages
        self._responses = responses
        self._progress: TTLCache[str, bool] = TTLCache(
            MAX_CHANNELS, PROGRESS_SECONDS
        )
        self.completion = Completion(
            api, store, channels, users, messages, files.hosts
        )

    async def complete(self, incoming: Incoming) -> Incoming | None:
        """Add the language, the workspace, the form's draft, and what was replied to."""
        return await self.completion.complete(incoming)

    async def ask(self, form: Form, request: Request) -> bool:
        """Open a modal as the first answer; later, show a button that opens it."""
        response = response_to(request.reply)
        if response is None:
            return False
        await self._store.save_form(
            response.interaction, draft_of_form(form, request)
        )
        reply = DiscordReply.read(request.reply)
        form = render.with_typed_options(form, form.typed)
        pages = render.pages(form)
        try:
            # Discord takes a modal only as the first answer, and a modal has no second page.
            if reply.first and len(pages) == 1:
                modal = render.modal(pages[0], response.interaction)
                await self._api.answer(reply, MODAL, modal)
                return True
            message = _chooser(form, response, request.locale)
            if reply.first:
                private = {**message, "flags": render.EPHEMERAL}
                await self._api.answer(reply, MESSAGE, private)
            else:
                await self._responses.offer(response, message)
        except DiscordError as error:
            log.info("no_form", code=error.code)
            return False
        return True

    async def post(
        self, place: Place, post: Post, *, to: Person, reply: Mapping[str, str]
    ) -> PostedMessage:
        """Post a message: private words as the response, private pictures as a direct message."""
        response = response_to(reply)
        if response and belongs_in(response, post):
            locale = await self._users.language(to)
            try:
                return await self._responses.give(
                    response, place, post, locale
                )
            except DiscordError as error:
                if not error.permanent:
                    raise
                # Too late for a response: an ordinary message then.
                response = None
        if post.private and not is_direct(place):
            return await self._post_privately(place, post, to, response, reply)
        if response and post.job:
            await self._responses.begin(response, post.job)
        replies_to = DiscordReply.read(reply).message
        try:
            sent = await self._messages.post(place, post, replies_to)
        except DiscordError as error:
            if not error.permanent or is_direct(place):
                raise
            return await self._post_elsewhere(place, post, to, response)
        await self._responses.settle(response, job=post.job)
        return sent

    async def update(
        self, sent: PostedMessage, post: Post
    ) -> PostedMessage | None:
        """Edit a message; add pictures that are new, remove those that are gone.

        None for a status line too soon after another in its channel.
        """
        channel = sent.message if is_response(sent) else channel_id(sent.place)
        if post.tone is Tone.STATUS and not self._may_show_progress(channel):
            return None
        if is_response(sent):
            await self._responses.edit(sent, post)
            return sent
        if post.private and not is_direct(sent.place):
            # Everybody reads what is there: that the person's direct messages were closed.
            raise DeliveryError(
                "discord.refused", permanent=True, code="for all to see"
            )
        await self._messages.edit(sent, post)
        return sent

    async def find(self, place: Place, job: str) -> PostedMessage | None:
        """Read our message for a job back."""
        try:
            sent = await self._messages.find(place, job)
        except DiscordError as error:
            if error.permanent:
                return None
            raise
        if sent is not None:
            await self._responses.settle_left(job)
        return sent

    async def private_place(self, place: Place, person: Person) -> Place:
        """Open the direct message with a person, still for the same workspace."""
        channel = await self._users.direct_channel(person)
        return replace(place, channel=f"{DIRECT}{channel}", thread="")

    async def may_show(self, place: Place, keys: Sequence[str]) -> bool:
        """Not what was shown in a channel for adults, but to its person or in another such one."""
        if is_direct(place) or await self._channels.is_for_adults(place):
            return True
        return not await self._store.restricted_among(place.tenant, keys)

    async def link(self, sent: PostedMessage) -> str:
        """The message's address, "" for a response, which has none."""
        if is_response(sent) or not sent.message:
            return ""
        guild = "@me" if is_direct(sent.place) else sent.place.workspace
        channel = channel_id(sent.place)
        return f"https://discord.com/channels/{guild}/{channel}/{sent.message}"

    async def forget(self, place: Place) -> None:
        """Forget a guild that has removed us."""
        await self._store.forget(place.tenant, place.workspace)

    async def forget_person(self, tenant: Tenant, person: str) -> Traces:
        """Forget a person's language, forms and reactions."""
        await self._store.forget_person(person)
        self._users.forget(person)
        return Traces()

    async def recall_person(
        self, tenant: Tenant, person: str
    ) -> Mapping[str, Any]:
        """The language they use Discord in."""
        return {"language": await self._store.locale_of(person)}

    async def prune(self, before: datetime, now: datetime) -> None:
        """Delete forms and responses that have expired."""
        await self._store.prune(now)

    async def fetch(
        self, attachment: Attachment, limit: int
    ) -> AsyncIterator[bytes]:
        """Stream a person's file."""
        if attachment.ref == NO_FILE:
            raise Rejected("discord.no_picture_there")
        async for chunk in self._files.fetch(attachment, limit):
            yield chunk

    async def _post_privately(
        self,
        place: Place,
        post: Post,
        to: Person,
        response: PendingResponse | None,
        reply: Mapping[str, str],
    ) -> PostedMessage:
        """Post a direct message, and say so in the response.

        Where direct messages are closed it goes into the response; without one, words that are no
        secret are a reply for everybody to read.
        """
        locale = await self._users.language(to)
        try:
            sent = await self._post_direct(place, post, to)
        except DiscordError as error:
            if error.code not in NO_DIRECT:
                raise
        else:
            direction = note(
                "discord.sent_directly", locale, await self.link(sent)
            )
            await self._responses.settle(response, direction)
            return sent
        if response and not response.is_open:
            return await self._responses.give(response, place, post, locale)
        if post.secret or not is_private_note(post):
            text = translate("discord.direct_closed", locale)
            post = replace(
                post, title="", text=text, pictures=(), buttons=(), menu=()
            )
        replies_to = DiscordReply.read(reply).message
        return await self._messages.post(
            place, replace(post, private=False), replies_to
        )

    async def _post_elsewhere(
        self,
        place: Place,
        post: Post,
        to: Person,
        response: PendingResponse | None,
    ) -> PostedMessage:
        """The channel is closed to us: post a direct message, else the response."""
        locale = await self._users.language(to)
        try:
            sent = await self._post_direct(place, post, to)
        except DiscordError as error:
            if response is None or not error.permanent:
                raise
            return await self._responses.give(response, place, post, locale)
        direction = note(
            "discord.closed_channel", locale, await self.link(sent)
        )
        await self._responses.settle(response, direction, post.job)
        return sent

    async def _post_direct(
        self, place: Place, post: Post, to: Person
    ) -> PostedMessage:
        direct = await self.private_place(place, to)
        return await self._messages.post(direct, post)

    def _may_show_progress(self, channel: str) -> bool:
        """Whether one more progress line may be shown there; if so, it counts as shown."""
        if channel in self._progress:
            return False
        self._progress[channel] = True
        return True


def _chooser(
    form: Form, response: PendingResponse, locale: str
) -> dict[str, object]:
    key = "discord.open_form"
    if any(field.kind is FieldKind.PICTURES for field in form.fields):
        key = "refuse.no_picture"
    text = translate(key, locale)
    return render.chooser(form, response.interaction, text)
