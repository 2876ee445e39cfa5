"""Discord's voice. A job is one message, edited until it shows the result; a private word goes where it was asked for.

What is asked by an interaction has an answer of its own for fifteen minutes. Only private words stand in it; all else
are messages like any other, which can be changed for ever.
"""

import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import discord
import structlog

from adapters.discord import decode, render
from adapters.discord.api import NO_ACCESS, Api, DiscordError, Upload
from adapters.discord.files import Files
from adapters.discord.pictures import Pictures, same_pictures
from adapters.discord.places import LEAST, Places, channel_id, is_direct
from adapters.discord.store import DiscordStore
from core.errors import DeliveryError, Rejected
from core.failpoints import failpoint
from core.flow import hear
from core.forms import FieldKind, Form
from core.messages import nearest, say
from core.speech import Post, Sent, Tone
from core.types import Action, Attachment, Person, Place, Request

OURS = uuid.UUID("b0f5e0e2-6d4c-4a39-8f53-0a3b7d2f6c11")
ANSWERABLE = timedelta(minutes=14)
"""Discord takes changes of an answer for fifteen minutes."""
PROGRESS_SECONDS = 2.0
"""Between two progress lines in one channel; Discord takes about five in five seconds, and results go first."""
READ_BACK = 100
NOTHING = "nothing"
"""Instead of a file where a message was pointed at that shows none."""
MOST_LOCALES = 10_000
CHANNEL = "/channels/{channel_id}"
MESSAGES, MESSAGE = "/channels/{channel_id}/messages", "/channels/{channel_id}/messages/{message_id}"
ORIGINAL = "/webhooks/{webhook_id}/{webhook_token}/messages/@original"
FOLLOW_UP = "/webhooks/{webhook_id}/{webhook_token}"
FORM, ANSWER = 9, 4
TOO_LARGE, NO_HISTORY, ARCHIVED = frozenset({40005}), 160002, 50083
NO_DIRECT = frozenset({50007, 50278})
SMALL = LEAST // 4
"""Bytes of a picture where Discord calls too large what should not be: the whole request counts as well."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer an interaction waits for; ``only``: we have no other voice there."""

    interaction: str
    app: str
    token: str
    only: bool = False

    @property
    def ids(self) -> dict[str, str]:
        """Where it is."""
        return {"webhook_id": self.app, "webhook_token": self.token}


class DiscordChat:
    """Chat port. ``locale``: of words to nobody in particular."""

    pace = 3.0

    def __init__(
        self,
        *,
        api: Api,
        store: DiscordStore,
        files: Files,
        places: Places,
        pictures: Pictures,
        locale: str,
    ) -> None:
        self._api = api
        self._store = store
        self._files = files
        self._places = places
        self._pictures = pictures
        self._locale = locale
        self._locales: dict[str, str] = {}
        self._told: dict[str, float] = {}
        self._direct: dict[str, str] = {}

    # What only Discord can tell

    async def complete(self, request: Request) -> Request | None:
        """What a form was asked for, the language, the thread, the workspace of a direct message, files replied to."""
        request = replace(request, locale=await self._locale_of(request))
        if "asked" in request.reply:
            return decode.merged(request, await self.asked(request))
        if request.reply.get("where") == "unknown":
            request = replace(request, place=await self._places.find_thread(request.place))
        if is_direct(request.place):
            request = await self._spoken_for(request)
        return await self._looked_at(request) if "look" in request.reply else request

    async def asked(self, request: Request) -> Request:
        """What a form was asked for. Raises Rejected when it is too long ago, or somebody else's."""
        found = await self._store.asked(request.reply["asked"])
        if found is None or found.person.id != request.person.id:
            raise Rejected("refuse.too_late")
        return replace(found, locale=request.locale)

    async def _locale_of(self, request: Request) -> str:
        """Interactions tell the person's own; what they write afterwards is answered in the same."""
        person = request.person.id
        known = await self._told_in(person)
        if request.locale:
            wanted = nearest(request.locale)
            if wanted != known:
                await self._store.speaks(person, wanted)
                self._locales[person] = wanted
            return wanted
        found = known or await self._places.locale(request.place)
        return nearest(found) if found else self._locale

    async def _told_in(self, person: str) -> str:
        """The language somebody last used Discord in, "" while they never pressed or typed a command."""
        if person not in self._locales:
            if len(self._locales) >= MOST_LOCALES:
                self._locales.clear()
            self._locales[person] = await self._store.spoken_by(person)
        return self._locales[person]

    async def _spoken_for(self, request: Request) -> Request:
        """A direct message of ours belongs to the workspace it was sent for; so do plain words behind it."""
        channel = channel_id(request.place)
        message = request.message or request.reply.get("pressed")
        is_plain = request.action is Action.SAID and not request.attachments and not request.text.startswith("/")
        if not message and not is_plain:
            return request
        found = await self._store.speaks_for(channel, int(message) if message else None)
        return replace(request, place=replace(request.place, workspace=found)) if found else request

    async def _looked_at(self, request: Request) -> Request:
        """What the message replied to shows: a step of ours, or somebody's pictures."""
        ids = {"channel_id": channel_id(request.place), "message_id": request.reply["look"]}
        found: Mapping[str, Any] = {}
        with suppress(DiscordError):
            found = await self._api.call("GET", MESSAGE, ids)
        if str((found.get("author") or {}).get("id", "")) == str(self._api.us):
            return replace(request, message=ids["message_id"])
        pictures = decode.shown_in(found, ids["channel_id"])
        if pictures:
            return replace(request, attachments=pictures)
        if hear.spoken(request, in_our_thread=False).action is not Action.EDIT:
            return request
        # Not the head's picture, as that is not what was pointed at: fetching this one says why.
        return replace(request, attachments=(Attachment(ref=NOTHING),))

    # The Chat port

    async def ask(self, form: Form, request: Request) -> bool:
        """A modal as the first answer; behind one, a message with a button that opens it."""
        answer = self._answer_of(request.reply)
        if answer is None:
            return False
        request = replace(request, target=form.target, index=form.index, action=form.action)
        await self._store.ask(answer.interaction, request)
        is_first = request.reply.get("first") == "yes"
        pages = render.pages(form)
        try:
            if is_first and len(pages) == 1:
                await self._api.answer(request.reply, FORM, render.modal(pages[0], answer.interaction))
                return True
            lacks_picture = any(one.kind is FieldKind.PICTURES for one in form.fields)
            text = say("refuse.no_picture" if lacks_picture else "discord.open_form", request.locale)
            message = render.chooser(form, answer.interaction, text)
            if is_first:
                await self._api.answer(request.reply, ANSWER, {**message, "flags": render.EPHEMERAL})
            else:
                await self._api.call("PATCH", ORIGINAL, answer.ids, message)
        except DiscordError as error:
            log.info("no_form", code=error.code)
            return False
        return True

    async def post(self, place: Place, post: Post, *, to: Person, reply: Mapping[str, str]) -> Sent:
        """A message; private words in the answer to what was asked, private pictures in a direct message."""
        answer = self._answer_of(reply)
        if answer and (answer.only or _is_word(post)):
            try:
                return await self._respond(answer, place, post)
            except DiscordError as error:
                if not error.permanent:
                    raise
                answer = None
        if post.private and not is_direct(place):
            return await self._post_alone(place, post, to, answer, reply)
        if answer and post.job:
            await self._store.thinks(post.job, answer.interaction, answer.app, answer.token)
        try:
            sent = await self._say(place, post, reply.get("message", ""))
        except DiscordError as error:
            if not error.permanent or is_direct(place):
                raise
            return await self._post_elsewhere(place, post, to, answer)
        await self._settle(answer, job=post.job)
        return sent

    async def update(self, sent: Sent, post: Post) -> Sent:
        """Change it; pictures not yet shown are shown in it, those it no longer has are taken away."""
        if sent.message.startswith(decode.DIRECT):
            return await self._respond_again(sent, post)
        if post.tone is Tone.STATUS and not self._may_tell(channel_id(sent.place)):
            return sent
        ids = {"channel_id": channel_id(sent.place), "message_id": sent.message}
        if post.pictures and not same_pictures(await self._files_of(ids), post.pictures):
            await self._show(sent, post)
        else:
            keeps = post.pictures or post.tone is Tone.STATUS
            await self._change(
                sent, render.message(await self._pictures.linked(sent.place, post), None if keeps else ())
            )
        return sent

    async def find(self, place: Place, job: str) -> Sent | None:
        """Our message of this job, by the ids of its buttons or the names of its files."""
        try:
            found = await self._api.call("GET", f"{MESSAGES}?limit={READ_BACK}", {"channel_id": channel_id(place)})
        except DiscordError as error:
            if error.permanent:
                return None
            raise
        for message in found:
            if str(message["author"]["id"]) == str(self._api.us) and job in _jobs_of(message):
                await self._settle_left(job)
                return Sent(place=place, message=str(message["id"]))
        return None

    async def private_place(self, place: Place, person: Person) -> Place:
        """The direct message with the person, still in the workspace it speaks for."""
        if person.id not in self._direct:
            opened = await self._api.call("POST", "/users/@me/channels", {}, {"recipient_id": person.id})
            self._direct[person.id] = str(opened["id"])
        return replace(place, channel=f"{decode.DIRECT}{self._direct[person.id]}", thread="")

    async def link(self, sent: Sent) -> str:
        """Where the message is."""
        if sent.message.startswith(decode.DIRECT) or not sent.message:
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

    # Messages like any other

    async def _say(self, place: Place, post: Post, replies_to: str = "") -> Sent:
        limit = await self._places.largest(place)
        try:
            return await self._send(place, post, replies_to, limit)
        except DiscordError as error:
            if _is_too_large(error):
                return await self._send(place, post, replies_to, SMALL)
            if error.code == NO_HISTORY:
                return await self._send(place, post, "", limit)
            raise

    async def _send(self, place: Place, post: Post, replies_to: str, limit: int) -> Sent:
        prepared = await self._pictures.prepare(place, post, limit)
        message = render.message(prepared.on(post), prepared.attachments or None)
        if post.job:
            message |= {"nonce": _nonce(place, post.job), "enforce_nonce": True}
        if replies_to:
            message["message_reference"] = {"message_id": replies_to, "fail_if_not_exists": False}
        said = await self._api.call("POST", MESSAGES, {"channel_id": channel_id(place)}, message, prepared.uploads)
        if is_direct(place):
            await self._store.sent_directly(channel_id(place), int(said["id"]), place.workspace)
        return Sent(place=place, message=str(said["id"]))

    async def _files_of(self, ids: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """What a message of ours shows; as nothing where we may write but not read."""
        try:
            shown = await self._api.call("GET", MESSAGE, ids)
        except DiscordError as error:
            if error.code not in NO_ACCESS:
                raise
            return ()
        return shown.get("attachments") or ()

    async def _show(self, sent: Sent, post: Post) -> None:
        """Change it to one with pictures."""
        limit = await self._places.largest(sent.place)
        try:
            await self._show_within(sent, post, limit)
        except DiscordError as error:
            if not _is_too_large(error):
                raise
            await self._show_within(sent, post, SMALL)

    async def _show_within(self, sent: Sent, post: Post, limit: int) -> None:
        prepared = await self._pictures.prepare(sent.place, post, limit)
        await self._change(sent, render.message(prepared.on(post), prepared.attachments), prepared.uploads)

    async def _change(self, sent: Sent, message: Mapping[str, Any], uploads: Sequence[Upload] = ()) -> None:
        ids = {"channel_id": channel_id(sent.place), "message_id": sent.message}
        try:
            await self._api.call("PATCH", MESSAGE, ids, message, uploads)
        except DiscordError as error:
            if error.code != ARCHIVED or not sent.place.thread:
                raise
            await self._api.call("PATCH", CHANNEL, {"channel_id": sent.place.thread}, {"archived": False})
            await self._api.call("PATCH", MESSAGE, ids, message, uploads)

    async def _post_alone(
        self, place: Place, post: Post, to: Person, answer: Answer | None, reply: Mapping[str, str]
    ) -> Sent:
        """In a direct message; where those are closed, in the answer, and words as a reply rather than nowhere."""
        locale = await self._told_in(to.id) or self._locale
        try:
            sent = await self._say(await self.private_place(place, to), post)
        except DiscordError as error:
            if error.code not in NO_DIRECT:
                raise
            if answer:
                return await self._respond(answer, place, post)
            if post.tone not in {Tone.NOTE, Tone.REFUSAL}:
                post = replace(post, text=say("discord.direct_closed", locale), pictures=(), buttons=(), menu=())
            return await self._say(place, replace(post, private=False), reply.get("message", ""))
        await self._settle(answer, say("discord.sent_directly", locale, link=await self.link(sent)))
        return sent

    async def _post_elsewhere(self, place: Place, post: Post, to: Person, answer: Answer | None) -> Sent:
        """The channel is closed to us: in a direct message; where those are closed as well, in the answer."""
        try:
            sent = await self._say(await self.private_place(place, to), post)
        except DiscordError as error:
            if answer is None or not error.permanent:
                raise
            return await self._respond(answer, place, post)
        text = say("discord.closed_channel", await self._told_in(to.id) or self._locale)
        await self._settle(answer, text, job=post.job)
        return sent

    def _may_tell(self, channel: str) -> bool:
        """Is it time for one more progress line in this channel?"""
        now = time.monotonic()
        if now - self._told.get(channel, -PROGRESS_SECONDS) < PROGRESS_SECONDS:
            return False
        if len(self._told) >= MOST_LOCALES:
            self._told.clear()
        self._told[channel] = now
        return True

    # The answer to an interaction

    def _answer_of(self, reply: Mapping[str, str]) -> Answer | None:
        """The answer that may still be given."""
        if not reply.get("token") or not _is_alive(reply["interaction"]):
            return None
        only = reply.get("only") == "yes"
        return Answer(interaction=reply["interaction"], app=reply["app"], token=reply["token"], only=only)

    async def _respond(self, answer: Answer, place: Place, post: Post) -> Sent:
        prepared = await self._pictures.prepare(place, post)
        message = render.message(prepared.on(post), prepared.attachments)
        if answer.only and _is_word(post):
            # The answer itself may be for all to see; what follows it need not be, once it is gone.
            await self._settle(answer)
            message["flags"] |= render.EPHEMERAL
            await self._api.call("POST", FOLLOW_UP, answer.ids, message, prepared.uploads)
            return Sent(place=place, message="")
        await self._api.call("PATCH", ORIGINAL, answer.ids, message, prepared.uploads)
        await self._store.keep_answer(answer.interaction, answer.app, answer.token)
        return Sent(place=place, message=f"{decode.DIRECT}{answer.interaction}")

    async def _respond_again(self, sent: Sent, post: Post) -> Sent:
        interaction = sent.message.removeprefix(decode.DIRECT)
        known = await self._store.answer(interaction)
        if known is None or not _is_alive(interaction):
            raise DeliveryError("discord.refused", permanent=True, code="too late")
        if post.tone is Tone.STATUS and not self._may_tell(interaction):
            return sent
        answer = Answer(interaction=interaction, app=known[0], token=known[1])
        prepared = await self._pictures.prepare(sent.place, post)
        message = render.message(prepared.on(post), prepared.attachments)
        await self._api.call("PATCH", ORIGINAL, answer.ids, message, prepared.uploads)
        return sent

    async def _settle_left(self, job: str) -> None:
        """What an earlier process posted without coming to settle the answer."""
        known = await self._store.thinking(job)
        if known is not None and _is_alive(known[0]):
            await self._settle(Answer(interaction=known[0], app=known[1], token=known[2]), job=job)

    async def _settle(self, answer: Answer | None, text: str = "", job: str = "") -> None:
        """Nobody must think that we still think: say where it went, or take the answer away."""
        if answer is None:
            return
        failpoint("settle.before")
        for is_last in (False, True):
            if await self._settle_once(answer, text) or is_last:
                break
        if job:
            await self._store.settled(job)
        failpoint("settle.after")

    async def _settle_once(self, answer: Answer, text: str) -> bool:
        """False when it may succeed another time."""
        try:
            if text:
                message = render.message(Post(tone=Tone.NOTE, text=""))
                await self._api.call("PATCH", ORIGINAL, answer.ids, {**message, "content": render.escape(text)})
            else:
                await self._api.call("DELETE", ORIGINAL, answer.ids)
        except DiscordError as error:
            log.debug("not_settled", code=error.code)
            return error.permanent
        return True


def _is_too_large(error: DiscordError) -> bool:
    return error.code in TOO_LARGE or error.status == 413


def _is_word(post: Post) -> bool:
    """Is it said to one person alone, and done with?"""
    return post.private and post.tone in {Tone.NOTE, Tone.REFUSAL}


def _is_alive(interaction: str) -> bool:
    asked = discord.utils.snowflake_time(int(interaction))
    return discord.utils.utcnow() - asked < ANSWERABLE


def _nonce(place: Place, job: str) -> str:
    """The same for the same job in the same place: Discord then takes the message once."""
    return uuid.uuid5(OURS, f"{place.tenant}/{channel_id(place)}/{job}").hex[:25]


def _jobs_of(message: Mapping[str, Any]) -> set[str]:
    """Steps that a message of ours names, in its buttons and its files."""
    ids = [one.get("custom_id", "") for row in message.get("components") or () for one in row.get("components") or ()]
    names = [str(one.get("filename", "")) for one in message.get("attachments") or ()]
    return {part for one in ids for part in one.split(":")} | {part for one in names for part in one.split("-")}
