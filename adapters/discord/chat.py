"""Discord's voice.

A job is one message, edited until it shows the result; a private word goes where it was asked for.

What is asked by an interaction has an answer of its own for fifteen minutes. Only private words
stand in it; all else are messages like any other, which can be changed for ever.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import replace

import structlog
from cachetools import TTLCache

from adapters.discord import decode, render
from adapters.discord.api import MESSAGE, MODAL, NO_DIRECT, Api, DiscordError
from adapters.discord.channels import ChannelDirectory, channel_id, is_direct
from adapters.discord.files import Files
from adapters.discord.messages import MessageClient
from adapters.discord.responses import (
    InteractionResponses,
    answer_of,
    is_answer,
    is_word,
    note,
    stands_in,
)
from adapters.discord.store import Answer, DiscordStore
from adapters.discord.users import UserDirectory
from core.errors import DeliveryError, Rejected
from core.flow import hear
from core.forms import FieldKind, Form
from core.i18n import translate
from core.post import Post, PostedMessage, Tone
from core.types import Action, Attachment, Person, Place, Request

PROGRESS_SECONDS = 2.0
"""Between two progress lines in one channel; Discord takes about five in five seconds, and results
go first."""
MOST_CHANNELS = 10_000
REMEMBERING = (0.05, 0.1, 0.2, 0.4)
"""Seconds before each further look for a message that has just been posted."""
FRESH_MS = 5000
NOTHING = "nothing"
"""Instead of a file where a message was pointed at that shows none."""

log = structlog.get_logger()


class DiscordChat:
    """Chat port."""

    pace = 3.0

    def __init__(
        self,
        *,
        api: Api,
        store: DiscordStore,
        files: Files,
        places: ChannelDirectory,
        people: UserDirectory,
        messages: MessageClient,
        answers: InteractionResponses,
    ) -> None:
        self._api = api
        self._store = store
        self._files = files
        self._places = places
        self._people = people
        self._messages = messages
        self._answers = answers
        self._told: TTLCache[str, bool] = TTLCache(MOST_CHANNELS, PROGRESS_SECONDS)

    # What only Discord can tell

    async def complete(self, request: Request) -> Request | None:
        """What a form was asked for, the language, the workspace of a direct message, pictures replied to."""
        request = replace(request, locale=await self._people.locale(request))
        if "asked" in request.reply:
            request = decode.merged(request, await self.asked(request))
        elif "interaction" in request.reply:
            request = await self.placed(request)
        if (
            "interaction" in request.reply
            and "first" not in request.reply
            and request.action.makes_pictures
        ):
            # Should it be refused, what was written is not lost: a form brings it back.
            await self._store.ask(request.reply["interaction"], request)
        return await self._looked_at(request) if "look" in request.reply else request

    async def placed(self, request: Request) -> Request:
        """Where it really is.

        A thread stands in its parent, a direct message speaks for a workspace.
        """
        if request.reply.get("where") == "unknown":
            request = replace(
                request, place=await self._places.find_thread(request.place)
            )
        return await self._spoken_for(request) if is_direct(request.place) else request

    async def asked(self, request: Request) -> Request:
        """What a form was asked for; who runs one guild does not thereby run another.

        Raises Rejected when it is too long ago, or somebody else's.
        """
        found = await self._store.asked(request.reply["asked"])
        if found is None or found.person.id != request.person.id:
            raise Rejected("refuse.too_late")
        if is_direct(found.place) and not await self._places.has_member(
            found.place.workspace, found.person.id
        ):
            raise Rejected("refuse.too_late")
        is_admin = request.is_admin and request.place.workspace == found.place.workspace
        return replace(found, locale=request.locale, is_admin=is_admin)

    async def _spoken_for(self, request: Request) -> Request:
        """A direct message of ours belongs to the workspace it was sent for.

        So do plain words behind it.

        Whoever has left that guild speaks for it no longer.
        """
        channel = channel_id(request.place)
        message = request.message or request.reply.get("pressed")
        is_plain = (
            request.action is Action.SAID
            and not request.attachments
            and not request.text.startswith("/")
        )
        if not message and not is_plain:
            return request
        found = await self._store.speaks_for(channel, int(message) if message else None)
        if not found and _is_fresh(request.reply):
            found = await self._look_again(channel, int(request.reply["pressed"]))
        if not found or not await self._places.has_member(found, request.person.id):
            return request
        return replace(request, place=replace(request.place, workspace=found))

    async def _look_again(self, channel: str, message: int) -> str | None:
        """A message of ours is seen, and its buttons pressed, a moment before we know its number."""
        for seconds in REMEMBERING:
            await asyncio.sleep(seconds)
            if workspace := await self._store.speaks_for(channel, message):
                return workspace
        return None

    async def _looked_at(self, request: Request) -> Request:
        """What the message replied to shows: a step of ours, or somebody's pictures."""
        channel, message = channel_id(request.place), request.reply["look"]
        found = await self._messages.read(channel, message)
        if str((found.get("author") or {}).get("id", "")) == str(self._api.us):
            return replace(request, message=message)
        pictures = decode.shown_in(found, channel)
        if pictures:
            return replace(request, attachments=pictures)
        if hear.spoken(request, in_our_thread=False).action is not Action.EDIT:
            return request
        # Not the head's picture, as that is not what was pointed at: fetching this one says why.
        return replace(request, attachments=(Attachment(ref=NOTHING),))

    # The Chat port

    async def ask(self, form: Form, request: Request) -> bool:
        """A modal as the first answer; behind one, a message with a button that opens it."""
        answer = answer_of(request.reply)
        if answer is None:
            return False
        request = replace(
            request, target=form.target, index=form.index, action=form.action
        )
        await self._store.ask(answer.interaction, request)
        is_first = request.reply.get("first") == "yes"
        form = render.with_typed_options(form, request.given)
        pages = render.pages(form)
        try:
            if is_first and len(pages) == 1:
                await self._api.answer(
                    request.reply, MODAL, render.modal(pages[0], answer.interaction)
                )
                return True
            lacks_picture = any(one.kind is FieldKind.PICTURES for one in form.fields)
            text = translate(
                "refuse.no_picture" if lacks_picture else "discord.open_form",
                request.locale,
            )
            message = render.chooser(form, answer.interaction, text)
            if is_first:
                await self._api.answer(
                    request.reply, MESSAGE, {**message, "flags": render.EPHEMERAL}
                )
            else:
                await self._answers.offer(answer, message)
        except DiscordError as error:
            log.info("no_form", code=error.code)
            return False
        return True

    async def post(
        self, place: Place, post: Post, *, to: Person, reply: Mapping[str, str]
    ) -> PostedMessage:
        """A message.

        Private words in the answer to what was asked, private pictures in a direct message.
        """
        answer = answer_of(reply)
        if answer and stands_in(answer, post):
            try:
                return await self._answers.give(
                    answer, place, post, await self._people.language(to)
                )
            except DiscordError as error:
                if not error.permanent:
                    raise
                answer = None
        if post.private and not is_direct(place):
            return await self._post_alone(place, post, to, answer, reply)
        if answer and post.job:
            await self._answers.begin(answer, post.job)
        try:
            sent = await self._messages.say(place, post, reply.get("message", ""))
        except DiscordError as error:
            if not error.permanent or is_direct(place):
                raise
            return await self._post_elsewhere(place, post, to, answer)
        await self._answers.settle(answer, job=post.job)
        return sent

    async def update(self, sent: PostedMessage, post: Post) -> PostedMessage:
        """Change it.

        Pictures not yet shown are shown in it, those it no longer has are taken away.
        """
        spot = sent.message if is_answer(sent) else channel_id(sent.place)
        if post.tone is Tone.STATUS and not self._may_tell(spot):
            return sent
        if is_answer(sent):
            await self._answers.change(sent, post)
            return sent
        if post.private and not is_direct(sent.place):
            # All can read what stands there: that their direct messages were closed.
            raise DeliveryError(
                "discord.refused", permanent=True, code="for all to see"
            )
        try:
            await self._messages.change(sent, post)
        except DiscordError as error:
            if error.permanent and post.pictures:
                await self._give_up(sent, post)
            raise
        return sent

    async def find(self, place: Place, job: str) -> PostedMessage | None:
        """Our message of this job, read back."""
        try:
            found = await self._messages.find(place, job)
        except DiscordError as error:
            if error.permanent:
                return None
            raise
        if found is not None:
            await self._answers.settle_left(job)
        return found

    async def private_place(self, place: Place, person: Person) -> Place:
        """The direct message with the person, still in the workspace it speaks for."""
        channel = await self._people.direct(person)
        return replace(place, channel=f"{decode.DIRECT}{channel}", thread="")

    async def link(self, sent: PostedMessage) -> str:
        """Where the message is."""
        if is_answer(sent) or not sent.message:
            return ""
        guild = "@me" if is_direct(sent.place) else sent.place.workspace
        return f"https://discord.com/channels/{guild}/{channel_id(sent.place)}/{sent.message}"

    async def forget(self, place: Place) -> None:
        """The guild has removed us."""
        await self._store.forget(place.tenant, place.workspace)

    async def fetch(self, attachment: Attachment, limit: int) -> AsyncIterator[bytes]:
        """A person's file."""
        if attachment.ref == NOTHING:
            raise Rejected("discord.no_picture_there")
        async for chunk in self._files.fetch(attachment, limit):
            yield chunk

    # Where it was asked we may not, or should not, say it

    async def _post_alone(
        self,
        place: Place,
        post: Post,
        to: Person,
        answer: Answer | None,
        reply: Mapping[str, str],
    ) -> PostedMessage:
        """In a direct message.

        Where those are closed, in the answer, and words as a reply rather than nowhere.
        """
        locale = await self._people.language(to)
        try:
            sent = await self._messages.say(await self.private_place(place, to), post)
        except DiscordError as error:
            if error.code not in NO_DIRECT:
                raise
            if answer and not answer.is_open:
                return await self._answers.give(answer, place, post, locale)
            if post.secret or not is_word(post):
                closed = translate("discord.direct_closed", locale)
                post = replace(
                    post, title="", text=closed, pictures=(), buttons=(), menu=()
                )
            return await self._messages.say(
                place, replace(post, private=False), reply.get("message", "")
            )
        await self._answers.settle(
            answer, note("discord.sent_directly", locale, await self.link(sent))
        )
        return sent

    async def _post_elsewhere(
        self, place: Place, post: Post, to: Person, answer: Answer | None
    ) -> PostedMessage:
        """The channel is closed to us: in a direct message.

        Where those are closed as well, in the answer.
        """
        locale = await self._people.language(to)
        try:
            sent = await self._messages.say(await self.private_place(place, to), post)
        except DiscordError as error:
            if answer is None or not error.permanent:
                raise
            return await self._answers.give(answer, place, post, locale)
        note_there = note("discord.closed_channel", locale, await self.link(sent))
        await self._answers.settle(answer, note_there, post.job)
        return sent

    async def _give_up(self, sent: PostedMessage, post: Post) -> None:
        """The result goes elsewhere.

        What stands here must not say for ever that it is on its way.
        """
        words = replace(
            note("discord.no_pictures", post.locale), title=post.title, private=False
        )
        with suppress(DiscordError):
            await self._messages.change(sent, words)

    def _may_tell(self, spot: str) -> bool:
        """Is it time for one more progress line there?"""
        if spot in self._told:
            return False
        self._told[spot] = True
        return True


def _is_fresh(reply: Mapping[str, str]) -> bool:
    """Was the message a moment old when its button was pressed?

    The first 42 bits of Discord's ids are milliseconds.
    """
    pressed, interaction = reply.get("pressed"), reply.get("interaction")
    if not pressed or not interaction:
        return False
    return (int(interaction) >> 22) - (int(pressed) >> 22) < FRESH_MS
