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
from adapters.discord.reply import DiscordReply
from adapters.discord.responses import (
    InteractionResponses,
    answer_of,
    is_answer,
    is_word,
    note,
    stands_in,
)
from adapters.discord.store import DiscordStore, PendingResponse
from adapters.discord.users import UserDirectory
from core.button_ids import decode_button
from core.errors import DeliveryError, Rejected
from core.forms import FUNCTION, FieldKind, Form
from core.i18n import translate
from core.incoming import Incoming, Kind
from core.operations import BUTTONS
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

    async def complete(self, incoming: Incoming) -> Incoming | None:
        """What a form was asked for, the language, the workspace of a direct message, pictures replied to."""
        incoming = replace(incoming, locale=await self._people.locale(incoming))
        reply = DiscordReply.read(incoming.reply)
        if reply.asked:
            incoming = decode.merged(incoming, await self.draft_of(incoming))
        elif reply.interaction:
            incoming = await self.placed(incoming)
        if reply.interaction and not reply.first:
            # Should it be refused, what was written is not lost: a form brings it back.
            draft = as_draft(incoming)
            if draft is not None:
                await self._store.save_form(reply.interaction, draft)
        return await self._with_answered(incoming)

    async def placed(self, incoming: Incoming) -> Incoming:
        """Where it really is.

        A thread stands in its parent, a direct message speaks for a workspace.
        """
        if not incoming.is_place_known:
            thread = await self._places.find_thread(incoming.place)
            incoming = replace(incoming, place=thread, is_place_known=True)
        if is_direct(incoming.place):
            return await self._spoken_for(incoming)
        return incoming

    async def draft_of(self, incoming: Incoming) -> Incoming:
        """What a form was asked for; who runs one guild does not thereby run another.

        Raises Rejected when it is too long ago, or somebody else's.
        """
        draft = await self._store.form_draft(DiscordReply.read(incoming.reply).asked)
        if draft is None or draft.person.id != incoming.person.id:
            raise Rejected("refuse.too_late")
        if is_direct(draft.place) and not await self._places.has_member(
            draft.place.workspace, draft.person.id
        ):
            raise Rejected("refuse.too_late")
        is_same = incoming.place.workspace == draft.place.workspace
        is_admin = incoming.is_admin and is_same
        return replace(draft, locale=incoming.locale, is_admin=is_admin)

    async def _spoken_for(self, incoming: Incoming) -> Incoming:
        """A direct message of ours belongs to the workspace it was sent for.

        So do plain words behind it.

        Whoever has left that guild speaks for it no longer.
        """
        channel = channel_id(incoming.place)
        reply = DiscordReply.read(incoming.reply)
        message = _our_message(incoming) or reply.pressed
        is_plain = (
            incoming.kind is Kind.MESSAGE
            and not incoming.attachments
            and not incoming.words.startswith("/")
        )
        if not message and not is_plain:
            return incoming
        found = await self._store.workspace_of_direct(
            channel, int(message) if message else None
        )
        if not found and _is_fresh(reply):
            found = await self._look_again(channel, int(reply.pressed))
        if not found or not await self._places.has_member(found, incoming.person.id):
            return incoming
        return replace(incoming, place=replace(incoming.place, workspace=found))

    async def _look_again(self, channel: str, message: int) -> str | None:
        """A message of ours is seen, and its buttons pressed, a moment before we know its number."""
        for seconds in REMEMBERING:
            await asyncio.sleep(seconds)
            if workspace := await self._store.workspace_of_direct(channel, message):
                return workspace
        return None

    async def _with_answered(self, incoming: Incoming) -> Incoming:
        """What the message replied to shows: a step of ours, or somebody's pictures.

        Discord does not always send it along.
        """
        answered = incoming.answers
        if incoming.kind is not Kind.MESSAGE or answered is None or answered.is_ours:
            return incoming
        if incoming.attachments or answered.pictures:
            return incoming
        channel = channel_id(incoming.place)
        message = await self._messages.read(channel, answered.message)
        author = str((message.get("author") or {}).get("id", ""))
        is_ours = author == str(self._api.us)
        answered = replace(
            answered,
            author=author,
            is_ours=is_ours,
            pictures=() if is_ours else decode.shown_in(message, channel),
            refusal="discord.no_picture_there",
        )
        return replace(incoming, answers=answered)

    # The Chat port

    async def ask(self, form: Form, request: Request) -> bool:
        """A modal as the first answer; behind one, a message with a button that opens it."""
        answer = answer_of(request.reply)
        if answer is None:
            return False
        await self._store.save_form(answer.interaction, _draft_of_form(form, request))
        reply = DiscordReply.read(request.reply)
        form = render.with_typed_options(form, form.typed)
        pages = render.pages(form)
        try:
            if reply.first and len(pages) == 1:
                await self._api.answer(
                    reply, MODAL, render.modal(pages[0], answer.interaction)
                )
                return True
            lacks_picture = any(one.kind is FieldKind.PICTURES for one in form.fields)
            text = translate(
                "refuse.no_picture" if lacks_picture else "discord.open_form",
                request.locale,
            )
            message = render.chooser(form, answer.interaction, text)
            if reply.first:
                await self._api.answer(
                    reply, MESSAGE, {**message, "flags": render.EPHEMERAL}
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
            sent = await self._messages.say(
                place, post, DiscordReply.read(reply).message
            )
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
        answer: PendingResponse | None,
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
                place, replace(post, private=False), DiscordReply.read(reply).message
            )
        await self._answers.settle(
            answer, note("discord.sent_directly", locale, await self.link(sent))
        )
        return sent

    async def _post_elsewhere(
        self, place: Place, post: Post, to: Person, answer: PendingResponse | None
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


def as_draft(incoming: Incoming) -> Incoming | None:
    """What a form can bring back: a command or a form that makes pictures."""
    operation = incoming.operation
    if incoming.kind is Kind.BUTTON:
        return _draft_of_button(incoming)
    is_asked = incoming.kind in {Kind.COMMAND, Kind.FORM} and operation in set(Action)
    if not is_asked or not Action(operation).makes_pictures:
        return None
    return replace(incoming, kind=Kind.FORM)


def _draft_of_button(incoming: Incoming) -> Incoming | None:
    try:
        kind, step, index = decode_button(incoming.button)
    except Rejected:
        return None
    action = BUTTONS.get(kind)
    if action is None or not action.makes_pictures:
        return None
    return replace(
        incoming, kind=Kind.FORM, operation=action.value, target=step, index=index
    )


def _draft_of_form(form: Form, request: Request) -> Incoming:
    """What a form is asked for, to be merged with what is filled in."""
    fields = dict(form.typed)
    if any(field.name == FUNCTION for field in form.fields):
        fields[FUNCTION] = ""
    return Incoming(
        key=request.key,
        kind=Kind.FORM,
        place=request.place,
        person=request.person,
        locale=request.locale,
        is_admin=request.is_admin,
        operation=form.action.value,
        words=_prompt_of(form),
        fields=fields,
        attachments=request.attachments,
        mask=request.mask,
        target=form.target,
        index=form.index,
        reply=request.reply,
    )


def _prompt_of(form: Form) -> str:
    prompts = [field.value for field in form.fields if field.name == "prompt"]
    return prompts[0] if prompts else ""


def _our_message(incoming: Incoming) -> str:
    """The message of ours, as far as we know, that an event is about."""
    answered = incoming.answers
    if answered is None or answered.is_ours is False:
        return ""
    is_pointed_at = incoming.kind in {Kind.REACTION, Kind.SHORTCUT}
    return answered.message if answered.is_ours or is_pointed_at else ""


def _is_fresh(reply: DiscordReply) -> bool:
    """Was the message a moment old when its button was pressed?

    The first 42 bits of Discord's ids are milliseconds.
    """
    if not reply.pressed or not reply.interaction:
        return False
    return (int(reply.interaction) >> 22) - (int(reply.pressed) >> 22) < FRESH_MS
